//! The pizzas of Pizza Place, 2015: one line a variant. The file has keys only; names and sentences are ours.

use crate::menu::import::build::{Builder, NewItem};
use crate::menu::import::post::Post;
use crate::menu::import::rows::Rows;
use crate::menu::import::text::quoted;
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::menu::Variant;
use std::collections::BTreeMap;

pub(super) const COLUMNS: &[&str] = &["name", "type", "size", "price"];
const LEFT_OUT: &str = "the line was left out; mend it";
const SIZES: [&str; 5] = ["S", "M", "L", "XL", "XXL"];
const HEADINGS: [(&str, &str); 4] = [
    ("classic", "Classic pizzas"),
    ("chicken", "Chicken pizzas"),
    ("supreme", "Supreme pizzas"),
    ("veggie", "Veggie pizzas"),
];

/// Key, name, what guests read, further tags.
const PIZZAS: [(&str, &str, &str, &[&str]); 32] = [
    (
        "bbq_ckn",
        "The Barbecue Chicken Pizza",
        "Barbecued chicken, red and green peppers, tomatoes and red onions on barbecue sauce.",
        &[],
    ),
    ("big_meat", "The Big Meat Pizza", "Bacon, pepperoni, Italian sausage and chorizo.", &[]),
    ("brie_carre", "The Brie Carre Pizza", "Brie, prosciutto, caramelised onions, pears, thyme and garlic.", &[]),
    (
        "calabrese",
        "The Calabrese Pizza",
        "'Nduja, pancetta, tomatoes, red onions, friggitello peppers and garlic.",
        &["spicy"],
    ),
    (
        "cali_ckn",
        "The California Chicken Pizza",
        "Chicken, artichokes, spinach, garlic, jalapeños, fontina and gouda.",
        &["spicy"],
    ),
    (
        "ckn_alfredo",
        "The Chicken Alfredo Pizza",
        "Chicken, red onions, red peppers, mushrooms and asiago on alfredo sauce.",
        &[],
    ),
    ("ckn_pesto", "The Chicken Pesto Pizza", "Chicken, tomatoes, red peppers, spinach and garlic on pesto.", &[]),
    ("classic_dlx", "The Classic Deluxe Pizza", "Pepperoni, mushrooms, red onions, red peppers and bacon.", &[]),
    (
        "five_cheese",
        "The Five Cheese Pizza",
        "Mozzarella, provolone, smoked gouda, romano, blue cheese and garlic.",
        &[],
    ),
    ("four_cheese", "The Four Cheese Pizza", "Ricotta, gorgonzola, mozzarella, parmesan and garlic.", &[]),
    ("green_garden", "The Green Garden Pizza", "Spinach, mushrooms, tomatoes, green olives and feta.", &[]),
    ("hawaiian", "The Hawaiian Pizza", "Ham, pineapple and mozzarella.", &[]),
    (
        "ital_cpcllo",
        "The Italian Capocollo Pizza",
        "Capocollo, red peppers, tomatoes, goat cheese, garlic and oregano.",
        &[],
    ),
    (
        "ital_supr",
        "The Italian Supreme Pizza",
        "Calabrese salami, capocollo, tomatoes, red onions, green olives and garlic.",
        &[],
    ),
    (
        "ital_veggie",
        "The Italian Vegetables Pizza",
        "Eggplant, artichokes, tomatoes, zucchini, red peppers and garlic on pesto.",
        &[],
    ),
    (
        "mediterraneo",
        "The Mediterraneo Pizza",
        "Spinach, artichokes, kalamata olives, sun-dried and plum tomatoes, feta and red onions.",
        &[],
    ),
    (
        "mexicana",
        "The Mexicana Pizza",
        "Tomatoes, red peppers, jalapeños, red onions, coriander, corn and garlic on chipotle sauce.",
        &["spicy"],
    ),
    ("napolitana", "The Napolitana Pizza", "Tomatoes, anchovies, green olives, red onions and garlic.", &[]),
    ("pep_msh_pep", "The Pepperoni, Mushroom and Peppers Pizza", "Pepperoni, mushrooms and green peppers.", &[]),
    ("pepperoni", "The Pepperoni Pizza", "Pepperoni and mozzarella.", &[]),
    (
        "peppr_salami",
        "The Pepper Salami Pizza",
        "Genoa salami, capocollo, pepperoni, tomatoes, asiago and garlic.",
        &[],
    ),
    ("prsc_argla", "The Prosciutto and Arugula Pizza", "Prosciutto, arugula and mozzarella.", &[]),
    (
        "sicilian",
        "The Sicilian Pizza",
        "Sicilian salami, luganega sausage, tomatoes, green olives, onions and garlic.",
        &[],
    ),
    ("soppressata", "The Soppressata Pizza", "Soppressata, fontina, mozzarella, mushrooms and garlic.", &[]),
    (
        "southw_ckn",
        "The Southwest Chicken Pizza",
        "Chicken, tomatoes, red peppers, red onions, jalapeños, corn and coriander on chipotle sauce.",
        &["spicy"],
    ),
    (
        "spicy_ital",
        "The Spicy Italian Pizza",
        "Capocollo, tomatoes, goat cheese, artichokes, peperoncini and garlic.",
        &["spicy"],
    ),
    (
        "spin_pesto",
        "The Spinach Pesto Pizza",
        "Spinach, artichokes, tomatoes, sun-dried tomatoes and garlic on pesto.",
        &[],
    ),
    ("spinach_fet", "The Spinach and Feta Pizza", "Spinach, mushrooms, red onions, feta and garlic.", &[]),
    (
        "spinach_supr",
        "The Spinach Supreme Pizza",
        "Spinach, red onions, pepperoni, tomatoes, artichokes, kalamata olives, garlic and asiago.",
        &[],
    ),
    (
        "thai_ckn",
        "The Thai Chicken Pizza",
        "Chicken, pineapple, tomatoes and red peppers on sweet chilli sauce.",
        &["spicy"],
    ),
    ("the_greek", "The Greek Pizza", "Kalamata olives, feta, tomatoes, garlic, roast beef and red onions.", &[]),
    (
        "veggie_veg",
        "The Vegetables and Vegetables Pizza",
        "Mushrooms, tomatoes, red and green peppers, red onions, zucchini, spinach and garlic.",
        &[],
    ),
];

struct Pizza {
    place: String,
    key: String,
    kind: String,
    sizes: Vec<(String, i64)>,
}

pub(super) fn read(rows: &Rows, build: &mut Builder) {
    let pizzas = by_name(rows, build);
    build.found.items = u32::try_from(pizzas.len()).unwrap_or(u32::MAX);
    let mut kinds = std::collections::BTreeSet::new();
    for pizza in pizzas {
        build.found.categories += u32::from(kinds.insert(pizza.kind.clone()));
        add(pizza, build);
    }
}

fn by_name(rows: &Rows, build: &mut Builder) -> Vec<Pizza> {
    let mut pizzas: Vec<Pizza> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.iter() {
        build.found.variants += 1;
        let (key, kind, size) = (row.cell(0), row.cell(1), row.cell(2));
        if key.is_empty() || kind.is_empty() || size.is_empty() {
            build.complain(&row.place, "the line lacks a name, type or size", LEFT_OUT);
            continue;
        }
        let at = *known.entry(key.to_owned()).or_insert_with(|| {
            let (place, key, kind) = (row.place.clone(), key.to_owned(), kind.to_owned());
            pizzas.push(Pizza { place, key, kind, sizes: Vec::new() });
            pizzas.len() - 1
        });
        let Some(price) = build.price(&row.place, key, row.cell(3), LEFT_OUT) else { continue };
        let Some(pizza) = pizzas.get_mut(at) else { continue };
        if pizza.kind != kind {
            let what =
                format!("{} is of the type {} here and {} above", quoted(key), quoted(kind), quoted(&pizza.kind));
            build.complain(&row.place, what, "the first type was taken");
        }
        match pizza.sizes.iter().find(|(known, _)| known == size) {
            None if build.takes_variant(&row.place, key, pizza.sizes.len()) => {
                pizza.sizes.push((size.to_owned(), price))
            }
            None => {}
            Some((_, known)) => {
                let same = if *known == price { "the same price" } else { "another price" };
                let what = format!("{} has the size {} twice, with {same}", quoted(key), quoted(size));
                build.complain(&row.place, what, "the first line was taken");
            }
        }
    }
    pizzas
}

fn add(pizza: Pizza, build: &mut Builder) {
    let Pizza { place, key, kind, mut sizes } = pizza;
    sizes.sort_by_key(|(size, _)| size_rank(size));
    for (size, _) in sizes.iter().filter(|(size, _)| size_rank(size) == SIZES.len()) {
        let what = format!("{} has the size {}; known are {}", quoted(&key), quoted(size), SIZES.join(", "));
        build.complain(&place, what, "it was taken as it is, after the known ones");
    }
    let known = HEADINGS.iter().position(|(word, _)| *word == kind);
    let (position, heading) = match known.and_then(|at| HEADINGS.get(at).map(|(_, heading)| (at, *heading))) {
        Some((at, heading)) => (u32::try_from(at).unwrap_or(u32::MAX), heading.to_owned()),
        None => (u32::MAX, capitalised(&kind)),
    };
    let Some(category) = build.category(&place, &[&kind], &heading, position) else { return };
    let entry = PIZZAS.iter().find(|(word, ..)| *word == key);
    let own = entry.map_or_else(|| capitalised(&key.replace('_', " ")), |(_, name, ..)| (*name).to_owned());
    let Some(name) = build.name(&place, "pizza", &own, "it was left out; name it") else { return };
    let tags = std::iter::once("vegetarian").filter(|_| kind == "veggie");
    let tags = build.tags(&place, tags.chain(entry.into_iter().flat_map(|(.., tags)| tags.iter().copied())));
    let largest = sizes.iter().map(|(size, _)| size_rank(size)).max().unwrap_or_default();
    let variant = |(size, price_minor): (String, i64), build: &mut Builder| {
        let name = build.name(&place, "size", &size, "it was left out; name it")?;
        Some(Variant { id: VariantId::derived(&["pizzaplace", &key, &size]), name, price_minor, recipe: Vec::new() })
    };
    let item = NewItem {
        id: MenuItemId::derived(&["pizzaplace", &key]),
        category,
        name,
        description: entry.map(|(_, _, sentence, _)| (*sentence).to_owned()).unwrap_or_default(),
        post: Post::Pizza,
        prep_s: prep_s(largest),
        variants: sizes.into_iter().filter_map(|size| variant(size, build)).collect(),
        groups: Vec::new(),
        tags,
        quantity_min: 1,
    };
    build.item(&place, item);
}

fn size_rank(size: &str) -> usize {
    SIZES.iter().position(|known| *known == size).unwrap_or(SIZES.len())
}

/// An item has one estimate, so its largest size counts: a small one early is better than a large one late.
fn prep_s(largest_rank: usize) -> u32 {
    match largest_rank {
        0 => 480,
        1 => 510,
        2 => 540,
        3 => 630,
        _ => 720,
    }
}

fn capitalised(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
