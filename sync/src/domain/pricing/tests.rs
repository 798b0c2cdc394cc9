//! The price of a cart, every reason why there is none, and what it uses.

use super::*;
use crate::domain::id::CategoryId;
use crate::domain::menu::ModifierOption;
use crate::limits::PRICE_MINOR_MAX;

/// A size or option: its name, its price, what it uses.
type Offer<'row> = (&'row str, i64, &'row [(&'row str, u64)]);

const GEM_USES: &[(&str, u64)] = &[("Gold", u64::MAX)];

fn gem(n: usize) -> String {
    format!("Gem {n}")
}

fn item_id(name: &str) -> MenuItemId {
    MenuItemId::derived(&[name])
}

fn variant_id(item: &str, size: &str) -> VariantId {
    VariantId::derived(&[item, size])
}

fn group_id(name: &str) -> GroupId {
    GroupId::derived(&[name])
}

fn option_id(name: &str) -> OptionId {
    OptionId::derived(&[name])
}

fn ingredient_id(name: &str) -> IngredientId {
    IngredientId::derived(&[name])
}

fn recipe(lines: &[(&str, u64)]) -> Vec<RecipeLine> {
    lines.iter().map(|(name, amount)| RecipeLine { ingredient: ingredient_id(name), amount: *amount }).collect()
}

fn item(name: &str, sizes: &[Offer], groups: &[&str]) -> MenuItem {
    let variant = |(size, price_minor, uses): &Offer| Variant {
        id: variant_id(name, size),
        name: (*size).to_owned(),
        price_minor: *price_minor,
        recipe: recipe(uses),
    };
    MenuItem {
        id: item_id(name),
        category: CategoryId::derived(&["food"]),
        position: 0,
        name: name.to_owned(),
        kitchen_name: format!("{name}!"),
        description: String::new(),
        station: StationId::kitchen(),
        prep_s: 300,
        tax: BasisPoints(2_000),
        variants: sizes.iter().map(variant).collect(),
        groups: groups.iter().map(|name| group_id(name)).collect(),
        tags: Vec::new(),
        allergens: Vec::new(),
        quantity_min: 1,
    }
}

fn group(name: &str, min: u32, max: u32, options: &[Offer]) -> ModifierGroup {
    let option = |(option, price_minor, uses): &Offer| ModifierOption {
        id: option_id(option),
        name: (*option).to_owned(),
        price_minor: *price_minor,
        removal: option.starts_with("No "),
        recipe: recipe(uses),
    };
    ModifierGroup { id: group_id(name), name: name.to_owned(), min, max, options: options.iter().map(option).collect() }
}

/// Pizza in two sizes with toppings (0 to 4) and a required crust; soup in one size; buns from three on; the dearest thing.
fn menu() -> Menu {
    let mut menu = Menu::empty(Currency::USD);
    let mut buns = item("Buns", &[("", 50, &[])], &[]);
    buns.quantity_min = 3;
    let dearest = item("Gold", &[("", PRICE_MINOR_MAX, &[("Gold", u64::MAX)])], &["Gems"]);
    let pizza_sizes: &[Offer] =
        &[("S", 1_000, &[("Dough", 230), ("Cheese", 90)]), ("L", 1_650, &[("Dough", 380), ("Cheese", 150)])];
    let pizza = item("Pizza", pizza_sizes, &["Toppings", "Crust"]);
    let soup = item("Soup", &[("", 600, &[("Stock", 300)])], &[]);
    menu.items.extend([pizza, soup, buns, dearest].map(|item| (item.id, item)));
    let toppings: &[Offer] =
        &[("Extra cheese", 150, &[("Cheese", 40)]), ("Ham", 200, &[("Ham", 55)]), ("No sauce", -30, &[])];
    let toppings = group("Toppings", 0, 4, toppings);
    let crust = group("Crust", 1, 1, &[("Thin", 0, &[]), ("Gift", -9_000, &[])]);
    let names: Vec<String> = (0..LINE_CHOICES_MAX).map(gem).collect();
    let gems: Vec<Offer> = names.iter().map(|name| (name.as_str(), PRICE_MINOR_MAX, GEM_USES)).collect();
    let gems = group("Gems", 0, 2_000, &gems);
    menu.groups.extend([toppings, crust, gems].map(|group| (group.id, group)));
    menu
}

fn line(n: u32, name: &str, size: Option<&str>, quantity: u32, choices: &[(&str, &str, u32)]) -> CartLine {
    let choice = |(group, option, count): &(&str, &str, u32)| CartChoice {
        group: group_id(group),
        option: option_id(option),
        count: *count,
    };
    CartLine {
        id: LineId::derived(&[&n.to_string()]),
        item: item_id(name),
        variant: size.map(|size| variant_id(name, size)),
        quantity,
        choices: choices.iter().map(choice).collect(),
        note: None,
    }
}

fn soup(n: u32) -> CartLine {
    line(n, "Soup", None, 1, &[])
}

fn thin_pizza(more: &[(&str, &str, u32)]) -> CartLine {
    let mut choices = vec![("Crust", "Thin", 1)];
    choices.extend(more);
    line(1, "Pizza", Some("S"), 1, &choices)
}

#[test]
fn m2_a_line_costs_its_variant_and_modifiers_times_its_quantity() {
    for (line, unit_minor, total_minor) in [
        (soup(1), 600, 600),
        (line(1, "Soup", Some(""), 3, &[]), 600, 1_800),
        (line(1, "Buns", None, 3, &[]), 50, 150),
        (line(1, "Pizza", Some("S"), 2, &[("Crust", "Thin", 1)]), 1_000, 2_000),
        (line(1, "Pizza", Some("L"), 1, &[("Crust", "Thin", 1), ("Toppings", "Ham", 1)]), 1_850, 1_850),
        (line(1, "Pizza", Some("L"), 2, &[("Toppings", "Extra cheese", 3), ("Crust", "Thin", 1)]), 2_100, 4_200),
        (line(1, "Pizza", Some("S"), 1, &[("Crust", "Thin", 1), ("Toppings", "No sauce", 1)]), 970, 970),
        // What is taken away never makes a portion cost less than nothing.
        (line(1, "Pizza", Some("S"), 2, &[("Crust", "Gift", 1)]), 0, 0),
    ] {
        let priced = price(std::slice::from_ref(&line), &menu()).unwrap();
        let [only] = priced.lines.as_slice() else { panic!("{priced:?}") };
        assert_eq!((only.unit_minor, only.total_minor()), (unit_minor, total_minor), "{line:?}");
        assert_eq!((only.id, only.item, only.quantity), (line.id, line.item, line.quantity));
        assert_eq!((priced.total_minor, priced.currency), (total_minor, Currency::USD));
    }
}

#[test]
fn m2_a_cart_is_the_sum_of_its_lines_and_of_the_tax_rounded_in_each() {
    let lines = [soup(1), line(2, "Buns", None, 3, &[]), line(3, "Pizza", Some("S"), 1, &[("Crust", "Thin", 1)])];
    let priced = price(&lines, &menu()).unwrap();
    assert_eq!(priced.total_minor, 600 + 150 + 1_000);
    // Of 6.00, 1.50 and 10.00 with 20 % contained: 1.00, 0.25 and 1.67.
    assert_eq!(priced.tax_minor, 100 + 25 + 167);
    assert_eq!(priced.lines.iter().map(|line| line.id).collect::<Vec<_>>(), lines.each_ref().map(|line| line.id));
}

#[test]
fn m2_a_priced_line_keeps_what_the_menu_said() {
    let mut wanted = thin_pizza(&[("Toppings", "No sauce", 2)]);
    for (note, kept) in [(Some("well done"), Some("well done")), (Some("  "), None), (None, None)] {
        wanted.note = note.map(str::to_owned);
        let priced = price(std::slice::from_ref(&wanted), &menu()).unwrap();
        let [only] = priced.lines.as_slice() else { panic!("{priced:?}") };
        assert_eq!(only.note.as_deref(), kept);
        assert_eq!((only.name.as_str(), only.kitchen_name(), only.variant_name.as_str()), ("Pizza", "Pizza!", "S"));
        assert_eq!((only.station.as_str(), only.prep_s, only.tax), ("kitchen", 300, BasisPoints(2_000)));
        let choices: Vec<_> =
            only.choices.iter().map(|it| (it.name.as_str(), it.count, it.price_minor, it.removal)).collect();
        assert_eq!(choices, [("Thin", 1, 0, false), ("No sauce", 2, -30, true)]);
    }
    let mut menu = menu();
    menu.items.values_mut().for_each(|item| item.kitchen_name.clone_from(&item.name));
    let priced = price(&[soup(1)], &menu).unwrap();
    assert_eq!((priced.lines[0].kitchen_name.as_deref(), priced.lines[0].kitchen_name()), (None, "Soup"));
}

/// Each refusal with what it says; the line that is refused is the second.
#[test]
fn m3_a_refusal_names_the_line_and_the_choice() {
    let note = CartLine { note: Some("n".repeat(NOTE_CHARS_MAX + 1)), ..soup(2) };
    let many = [("Toppings", "Ham", 1); LINE_CHOICES_MAX + 1];
    let other_size = CartLine { variant: Some(variant_id("Pizza", "S")), ..soup(2) };
    let big = LINE_QUANTITY_MAX + 1;
    for (line, said) in [
        (soup(1), "line 1 has the id of an earlier line".to_owned()),
        (line(2, "Stew", None, 1, &[]), format!("line 1: item {} is not on the menu", item_id("Stew"))),
        (
            line(2, "Pizza", None, 1, &[]),
            format!(
                "line 1: Pizza has no such variant; it has S {}, L {}",
                variant_id("Pizza", "S"),
                variant_id("Pizza", "L")
            ),
        ),
        (other_size, format!("line 1: Soup has no such variant; it has  {}", variant_id("Soup", ""))),
        (line(2, "Soup", None, 0, &[]), "line 1: quantity 0 is not between 1 and 999".to_owned()),
        (line(2, "Soup", None, big, &[]), "line 1: quantity 1000 is not between 1 and 999".to_owned()),
        (line(2, "Buns", None, 2, &[]), "line 1: quantity 2 is not between 3 and 999".to_owned()),
        (note, "line 1: the note has 281 characters; 280 is the most".to_owned()),
        (
            line(2, "Soup", None, 1, &[("Crust", "Thin", 1)]),
            format!("line 1, choice 0: group {} is not offered with Soup", group_id("Crust")),
        ),
        (
            line(2, "Pizza", Some("S"), 1, &[("Crust", "Thin", 1), ("Crust", "Ham", 1)]),
            format!("line 1, choice 1: Crust has no option {}", option_id("Ham")),
        ),
        (
            line(2, "Pizza", Some("S"), 1, &[("Crust", "Thin", 0)]),
            "line 1, choice 0: count 0 is not between 1 and 20".to_owned(),
        ),
        (
            line(2, "Pizza", Some("S"), 1, &[("Crust", "Thin", 1), ("Toppings", "Ham", CHOICE_COUNT_MAX + 1)]),
            "line 1, choice 1: count 21 is not between 1 and 20".to_owned(),
        ),
        (line(2, "Pizza", Some("S"), 1, &many), "line 1, choice 64: count 65 is not between 1 and 64".to_owned()),
        (line(2, "Pizza", Some("S"), 1, &[]), "line 1: Crust takes 1 to 1 choices, not 0".to_owned()),
        (
            line(
                2,
                "Pizza",
                Some("S"),
                1,
                &[("Crust", "Thin", 1), ("Toppings", "Ham", 3), ("Toppings", "No sauce", 2)],
            ),
            "line 1: Toppings takes 0 to 4 choices, not 5".to_owned(),
        ),
    ] {
        let refusal = price(&[soup(1), line.clone()], &menu()).unwrap_err();
        assert_eq!(refusal.to_string(), said, "{line:?}");
    }
}

#[test]
fn m3_a_cart_without_lines_or_with_too_many_is_refused() {
    let lines: Vec<CartLine> = (0..=ORDER_LINES_MAX as u32).map(soup).collect();
    assert_eq!(price(&[], &menu()), Err(PriceRefusal::NoLines));
    assert_eq!(price(&lines, &menu()), Err(PriceRefusal::TooManyLines { lines: ORDER_LINES_MAX + 1 }));
    assert_eq!(price(&lines[1..], &menu()).map(|priced| priced.lines.len()), Ok(ORDER_LINES_MAX));
}

#[test]
fn m3_a_group_that_the_menu_lost_is_neither_offered_nor_required() {
    let mut menu = menu();
    menu.groups.remove(&group_id("Crust"));
    assert!(price(&[line(1, "Pizza", Some("S"), 1, &[])], &menu).is_ok());
    let refusal = price(&[thin_pizza(&[])], &menu).unwrap_err();
    assert!(matches!(refusal, PriceRefusal::UnknownGroup { line: 0, choice: 0, .. }), "{refusal}");
}

#[test]
fn m4_a_line_uses_its_variants_and_choices_recipes_summed_per_ingredient() {
    for (line, uses) in [
        (soup(1), vec![("Stock", 300)]),
        (line(1, "Soup", None, 4, &[]), vec![("Stock", 1_200)]),
        (line(1, "Buns", None, 3, &[]), vec![]),
        (thin_pizza(&[]), vec![("Dough", 230), ("Cheese", 90)]),
        (
            thin_pizza(&[("Toppings", "Extra cheese", 2), ("Toppings", "Ham", 1)]),
            vec![("Dough", 230), ("Cheese", 170), ("Ham", 55)],
        ),
        (
            line(1, "Pizza", Some("L"), 3, &[("Crust", "Thin", 1), ("Toppings", "Extra cheese", 2)]),
            vec![("Dough", 1_140), ("Cheese", 690)],
        ),
    ] {
        let priced = price(std::slice::from_ref(&line), &menu()).unwrap();
        let mut expected = recipe(&uses);
        expected.sort_by_key(|line| line.ingredient);
        assert_eq!(priced.lines[0].uses, expected, "{line:?}");
    }
}

#[test]
fn m4_lines_keep_what_they_use_apart() {
    let priced = price(&[soup(1), soup(2)], &menu()).unwrap();
    assert!(priced.lines.iter().all(|line| line.uses == recipe(&[("Stock", 300)])));
}

#[test]
fn m2_the_dearest_cart_that_is_allowed_does_not_overflow() {
    let names: Vec<String> = (0..LINE_CHOICES_MAX).map(gem).collect();
    let gems: Vec<_> = names.iter().map(|name| ("Gems", name.as_str(), CHOICE_COUNT_MAX)).collect();
    let lines: Vec<CartLine> =
        (0..ORDER_LINES_MAX as u32).map(|n| line(n, "Gold", None, LINE_QUANTITY_MAX, &gems)).collect();
    let priced = price(&lines, &menu()).unwrap();
    let portions = (ORDER_LINES_MAX as i64) * i64::from(LINE_QUANTITY_MAX);
    let unit_minor = PRICE_MINOR_MAX * (1 + (LINE_CHOICES_MAX as i64) * i64::from(CHOICE_COUNT_MAX));
    assert_eq!(priced.total_minor, unit_minor * portions);
    assert_eq!(
        priced.tax_minor,
        BasisPoints(2_000).included_in(unit_minor * i64::from(LINE_QUANTITY_MAX)) * (ORDER_LINES_MAX as i64)
    );
    assert!(priced.lines.iter().all(|line| line.uses == recipe(&[("Gold", u64::MAX)])), "amounts stop at the largest");
}
