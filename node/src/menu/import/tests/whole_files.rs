//! Real files, counted by hand beforehand. Those that may not be copied are read from `../shared/data` where it is.

use super::{check_limits, dollars, read};
use crate::menu::import::{Format, Found, Import, ImportOptions, import};
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::menu::MenuItem;
use pilotlight_sync::domain::money::Currency;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub(super) fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)).unwrap()
}

/// A file that may not be copied here; `None` where it is not.
pub(super) fn shared(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/menus").join(name);
    let file = fs::read_to_string(path).ok();
    if file.is_none() {
        eprintln!("skipped: ../shared/data absent");
    }
    file
}

pub(super) fn tasty_igniter_whole() -> String {
    let list = |name: &str| fixture(&format!("tastyigniter_{name}.json"));
    format!(
        r#"{{"menus":{},"menu_options":{},"categories":{}}}"#,
        list("menus"),
        list("menu_options"),
        list("categories")
    )
}

fn item<'import>(import: &'import Import, name: &str) -> &'import MenuItem {
    import.draft.items.iter().find(|item| item.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn per_station(import: &Import) -> Vec<(&str, usize)> {
    let mut stations: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &import.draft.items {
        *stations.entry(item.station.as_str()).or_default() += 1;
    }
    stations.into_iter().collect()
}

fn said(import: &Import) -> Vec<(&str, &str)> {
    import.not_understood.iter().map(|entry| (entry.place.as_str(), entry.what.as_str())).collect()
}

#[test]
fn all_91_variants_of_the_32_pizzas_are_read() {
    let import = read(Format::Pizzaplace, &fixture("pizzaplace_menu_variants.csv"));
    check_limits(&import);
    assert_eq!(import.found, Found { categories: 4, items: 32, variants: 91, ..Found::default() });
    assert_eq!(import.not_understood, []);
    assert_eq!(per_station(&import), [("pizza", 32)]);
    let variants: Vec<_> = import.draft.items.iter().flat_map(|item| &item.variants).collect();
    assert_eq!((variants.len(), variants.iter().map(|variant| variant.price_minor).sum::<i64>()), (91, 150_205));
    let vegetarian = import.draft.items.iter().filter(|item| item.tags.contains(&"vegetarian".to_owned()));
    assert_eq!(vegetarian.count(), 9);
    for pizza in &import.draft.items {
        assert!(pizza.name.starts_with("The ") && pizza.name.ends_with(" Pizza"), "{} is not in our table", pizza.name);
        assert!(pizza.description.ends_with('.') && (480..=720).contains(&pizza.prep_s), "{}", pizza.name);
    }
    assert_eq!(item(&import, "The Barbecue Chicken Pizza").kitchen_name, "Barbecue Chicken");
}

#[test]
fn every_pizza_that_was_sold_in_2015_is_on_the_menu_at_its_price() {
    let import = read(Format::Pizzaplace, &fixture("pizzaplace_menu_variants.csv"));
    let prices: BTreeMap<VariantId, i64> =
        import.draft.items.iter().flat_map(|item| &item.variants).map(|it| (it.id, it.price_minor)).collect();
    let mut sold = csv::Reader::from_path(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/orders/pizzaplace_2015_h1.csv"),
    )
    .unwrap();
    let mut lines = 0;
    for record in sold.records() {
        let record = record.unwrap();
        let variant = VariantId::derived(&["pizzaplace", &record[3], &record[4]]);
        let price = crate::menu::import::text::amount(&record[6], 2).unwrap();
        assert_eq!(prices.get(&variant), Some(&price), "{record:?}");
        lines += 1;
    }
    assert_eq!(lines, 25_040);
}

#[test]
fn our_recipes_cover_each_variant_once_and_grow_with_its_size() {
    let menu = read(Format::Pizzaplace, &fixture("pizzaplace_menu_variants.csv"));
    let import = read(Format::Recipes, &fixture("pizza_recipes.csv"));
    check_limits(&import);
    assert_eq!(import.found, Found { ingredients: 51, recipes: 91, ..Found::default() });
    assert_eq!(
        (import.not_understood.len(), import.draft.recipes.iter().map(|it| it.lines.len()).sum::<usize>()),
        (0, 745)
    );
    let grams: BTreeMap<(MenuItemId, VariantId), u64> = import
        .draft
        .recipes
        .iter()
        .map(|recipe| ((recipe.item, recipe.variant), recipe.lines.iter().map(|line| line.amount).sum()))
        .collect();
    let mut covered = BTreeSet::new();
    for item in &menu.draft.items {
        let mut smaller = 350;
        for variant in &item.variants {
            let key = (item.id, variant.id);
            let total = *grams.get(&key).unwrap_or_else(|| panic!("{} {} has no recipe", item.name, variant.name));
            assert!(total > smaller && total < 1_600, "{} {} weighs {total} g", item.name, variant.name);
            smaller = total;
            covered.insert(key);
        }
    }
    assert_eq!(covered.len(), grams.len(), "a recipe is of no pizza on the menu");
}

#[test]
fn tasty_igniters_demo_menu_is_read_whole() {
    let import = read(Format::TastyIgniter, &tasty_igniter_whole());
    check_limits(&import);
    assert_eq!(
        import.found,
        Found { categories: 8, items: 12, variants: 12, groups: 4, options: 10, ..Found::default() }
    );
    assert_eq!(
        said(&import),
        [
            ("categories[0] and 4 more places", "the category has a description"),
            ("menu_options[0] and 3 more places", "the option does not say whether a choice is required"),
            ("menus[0] and 11 more places", "the item names no category"),
        ]
    );
    assert_eq!((item(&import, "Puff-Puff").quantity_min, item(&import, "Puff-Puff").variants[0].price_minor), (3, 499));
    assert_eq!(item(&import, "ATA RICE").groups.len(), 2);
    assert_eq!(per_station(&import), [("kitchen", 10), ("salad", 2)]);
    let bounds: Vec<_> = import.draft.groups.iter().map(|group| (group.name.as_str(), group.min, group.max)).collect();
    assert_eq!(bounds, [("Toppings", 0, 3), ("Sides", 0, 1), ("Size", 0, 1), ("Drinks", 0, 20)]);
    assert_eq!(import.draft.groups[0].options[0].name, "Jalapenos");
}

#[test]
fn mavens_cafe_is_read_whole() {
    let import = read(Format::Maven, &fixture("maven_restaurant_menu_items.csv"));
    check_limits(&import);
    assert_eq!(import.found, Found { categories: 4, items: 32, variants: 32, ..Found::default() });
    assert_eq!(import.not_understood, []);
    assert_eq!(import.draft.items.iter().map(|item| item.variants[0].price_minor).sum::<i64>(), 42_515);
    assert_eq!(per_station(&import), [("fry", 3), ("kitchen", 29)]);
}

/// The real catalogue with pounds, or `None` where it is not.
fn millers() -> Option<Import> {
    let file = shared("millers_cafe_modifiers.json")?;
    let pounds = ImportOptions { restaurant: None, currency: Currency::GBP };
    Some(import(Format::Millers, file.as_bytes(), &pounds).unwrap())
}

#[test]
fn the_real_catalogue_of_millers_is_read_whole() {
    let Some(import) = millers() else { return };
    check_limits(&import);
    let found = Found { categories: 26, items: 239, variants: 239, groups: 436, options: 2_266, ..Found::default() };
    assert_eq!(import.found, found);
    let Import { draft, .. } = &import;
    let prices: i64 = draft.items.iter().map(|item| item.variants[0].price_minor).sum();
    assert_eq!((draft.categories.len(), draft.items.len(), prices), (26, 239, 180_550));
    // 436 groups are 45 different ones, but each item offers its own: nothing is lost by sharing.
    let options: Vec<_> = draft.groups.iter().flat_map(|group| &group.options).collect();
    assert_eq!((draft.groups.len(), options.len(), options.iter().filter(|it| it.removal).count()), (45, 219, 13));
    let groups: BTreeMap<_, _> = draft.groups.iter().map(|group| (group.id, group)).collect();
    let offered: Vec<_> = draft.items.iter().flat_map(|item| &item.groups).map(|id| groups[id]).collect();
    let offered_options: Vec<_> = offered.iter().flat_map(|group| &group.options).collect();
    assert_eq!((offered.len(), offered_options.len()), (436, 2_266));
    assert_eq!(offered_options.iter().map(|option| option.price_minor).sum::<i64>(), 351_950);
    assert_eq!(offered_options.iter().filter(|option| option.removal).count(), 252);
    assert_eq!(offered.iter().filter(|group| group.min == 1).count(), 111);
    assert_eq!(per_station(&import), [("drinks", 88), ("fry", 1), ("grill", 12), ("kitchen", 138)]);
    let korma = item(&import, "Korma");
    assert_eq!((korma.variants[0].price_minor, korma.groups.len()), (0, 4));
    let protein = korma.groups.iter().map(|id| groups[id]).find(|group| group.name == "Choose Protein").unwrap();
    let king_prawn = protein.options.iter().find(|option| option.name == "King Prawn").unwrap();
    assert_eq!((protein.min, protein.max, protein.options.len(), king_prawn.price_minor), (1, 1, 9, 1_700));
}

#[test]
fn what_is_unclear_in_the_real_catalogue_of_millers_is_named() {
    let Some(import) = millers() else { return };
    let places_of = |part: &str| {
        let entries = import.not_understood.iter().filter(|entry| entry.what.contains(part));
        let places = |place: &str| {
            let more = place.split_once(" and ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<usize>().ok());
            more.unwrap_or(0) + 1
        };
        entries.fold((0, 0), |(entries, sum), entry| (entries + 1, sum + places(&entry.place)))
    };
    // Entries, and places in them: 188 groups are multiple choices, none of which names its most.
    for (part, expected) in [
        ("names no most choices", (12, 188)),
        ("\"protein-swap\" promises a choice", (1, 25)),
        ("\"protein-swap-tandoori\" promises", (1, 1)),
        ("\"Rice (default Onion)\" names a default, \"Onion\"", (1, 1)),
        ("Tap Water\" costs nothing", (2, 2)),
        ("", (17, 217)),
    ] {
        assert_eq!(places_of(part), expected, "{part}");
    }
}

#[test]
fn the_largest_real_menu_of_uber_eats_is_read_whole() {
    let Some(file) = shared("ubereats_phoenix_la_menus.csv") else { return };
    let import = read(Format::UberEats, &file);
    check_limits(&import);
    // All 3,899 lines are different items with one price each.
    assert_eq!(import.found, Found { items: 3_899, variants: 3_899, ..Found::default() });
    let prices: Vec<i64> = import.draft.items.iter().flat_map(|it| &it.variants).map(|it| it.price_minor).collect();
    assert_eq!((import.draft.items.len(), prices.len(), prices.iter().sum::<i64>()), (3_899, 3_899, 3_349_367));
    let places: Vec<_> = import.not_understood.iter().map(|entry| entry.place.as_str()).collect();
    assert_eq!(places, ["line 2", "line 1", "line 16965", "line 18863", "line 19273", "line 19274"]);
    assert_eq!(import.not_understood[0].what, "20124 lines are of 224 other restaurants");
    assert_eq!(import.not_understood.iter().filter(|entry| entry.what.ends_with("120 is the most")).count(), 4);
}

#[test]
fn every_ninth_of_the_225_real_menus_of_uber_eats_is_read_whole() {
    let Some(file) = shared("ubereats_phoenix_la_menus.csv") else { return };
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for record in csv::Reader::from_reader(file.as_bytes()).records() {
        *lines.entry(record.unwrap()[0].to_owned()).or_default() += 1;
    }
    assert_eq!((lines.len(), lines.values().sum::<usize>()), (225, 24_023));
    // Each import parses all 24,023 lines, so not every restaurant has its turn.
    for (menu_id, lines) in lines.iter().step_by(9) {
        let options = ImportOptions { restaurant: Some(menu_id.clone()), ..dollars() };
        let import = import(Format::UberEats, file.as_bytes(), &options).unwrap();
        check_limits(&import);
        assert_eq!((import.draft.items.len(), import.found.variants as usize), (*lines, *lines), "{menu_id}");
    }
}

#[test]
fn an_import_twice_is_the_same_import() {
    for (format, file) in [
        (Format::Pizzaplace, fixture("pizzaplace_menu_variants.csv")),
        (Format::Recipes, fixture("pizza_recipes.csv")),
        (Format::Maven, fixture("maven_restaurant_menu_items.csv")),
        (Format::TastyIgniter, tasty_igniter_whole()),
    ] {
        assert_eq!(read(format, &file), read(format, &file), "{}", format.word());
    }
}
