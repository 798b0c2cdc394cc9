//! Words, amounts and each format on a file of a few lines.

use super::{check_limits, dollars, read};
use crate::menu::import::post::{Post, by_heading, by_name};
use crate::menu::import::text::{KITCHEN_NAME_CHARS, NotAnAmount, amount, clean, currency_decimals, cut, kitchen_name};
use crate::menu::import::{Format, ImportOptions, import};
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::money::Currency;

#[test]
fn a_format_reads_back_from_its_word() {
    let words = Format::ALL.map(Format::word);
    assert_eq!(words, ["pizzaplace", "tastyigniter", "millers", "ubereats", "recipes", "maven"]);
    assert_eq!(words.map(Format::parse), Format::ALL.map(Some));
    assert_eq!(Format::parse("excel"), None);
}

#[test]
fn amounts_are_read_exactly_or_named() {
    for (text, decimals, expected) in [
        ("12.75", 2, Ok(1_275)),
        (" 12.0 ", 2, Ok(1_200)),
        ("9", 2, Ok(900)),
        ("4.990", 2, Ok(499)),
        ("0.29", 2, Ok(29)),
        ("-1.5", 2, Ok(-150)),
        ("1000000.00", 2, Ok(100_000_000)),
        ("800", 0, Ok(800)),
        ("800.0", 0, Ok(800)),
        ("1.234", 3, Ok(1_234)),
        ("4.999", 2, Err(NotAnAmount::TooFine)),
        ("1.5", 0, Err(NotAnAmount::TooFine)),
        ("1000000.01", 2, Err(NotAnAmount::TooHigh)),
        ("99999999999999999999999", 2, Err(NotAnAmount::TooHigh)),
        ("", 2, Err(NotAnAmount::NoNumber)),
        ("-", 2, Err(NotAnAmount::NoNumber)),
        (".5", 2, Err(NotAnAmount::NoNumber)),
        ("5.", 2, Err(NotAnAmount::NoNumber)),
        ("1,50", 2, Err(NotAnAmount::NoNumber)),
        ("1e3", 2, Err(NotAnAmount::NoNumber)),
        ("--1", 2, Err(NotAnAmount::NoNumber)),
        ("£5", 2, Err(NotAnAmount::NoNumber)),
        ("1.2.3", 2, Err(NotAnAmount::NoNumber)),
    ] {
        assert_eq!(amount(text, decimals), expected, "{text:?}");
    }
}

#[test]
fn a_currency_has_its_own_decimals() {
    for (code, decimals) in [("USD", 2), ("GBP", 2), ("JPY", 0), ("KWD", 3)] {
        assert_eq!(currency_decimals(Currency::parse(code).unwrap()), decimals, "{code}");
    }
    let yen = ImportOptions { restaurant: None, currency: Currency::parse("JPY").unwrap() };
    let read = import(Format::Pizzaplace, b"name,type,size,price\nhawaiian,classic,S,1200", &yen).unwrap();
    assert_eq!(read.draft.items[0].variants[0].price_minor, 1_200);
}

#[test]
fn names_are_cut_between_words_and_shortened_for_the_kitchen() {
    assert_eq!(clean("  Fish\t&\u{0}\nChips "), "Fish & Chips");
    assert_eq!(clean("\u{202e}Fish\u{200b}"), "Fish");
    assert_eq!(cut("Fish & Chips", 12), "Fish & Chips");
    assert_eq!(cut("Fish & Chips with Peas", 18), "Fish & Chips with…");
    assert_eq!(cut("Supercalifragilistic", 8), "Superca…");
    assert_eq!(cut("ééééé", 3), "éé…");
    for (name, short) in [
        ("The Barbecue Chicken Pizza", "Barbecue Chicken"),
        ("The Vegetables and Vegetables Pizza", "Vegetables and…"),
        ("Korma", "Korma"),
        ("The ", "The "),
    ] {
        assert_eq!(kitchen_name(name), short);
        assert!(short.chars().count() <= KITCHEN_NAME_CHARS);
    }
}

#[test]
fn headings_and_names_tell_the_station() {
    for (text, post) in [
        ("Soft Drinks", Some(Post::Drinks)),
        ("Wine by Glass", Some(Post::Drinks)),
        ("Tandoori", Some(Post::Grill)),
        ("DESSERTS", Some(Post::Dessert)),
        ("Salads", Some(Post::Salad)),
        ("Fry-up", Some(Post::Fry)),
        ("Gingerbread", None),
    ] {
        assert_eq!(by_heading(text), post, "{text}");
    }
    for (name, post) in [
        ("Chips & Salsa", Some(Post::Fry)),
        ("Garlic Fried Rice", None),
        ("Cheesecake with Chips", Some(Post::Dessert)),
        ("Prawn Cocktail", None),
        ("Tea Cake", None),
        ("Steak with Chips", None),
        ("Grilled Chicken Salad", Some(Post::Salad)),
        ("GREEN TEA (LARGE)", Some(Post::Drinks)),
        ("Steam Roll", None),
    ] {
        assert_eq!(by_name(name), post, "{name}");
    }
    for post in [Post::Kitchen, Post::Pizza, Post::Grill, Post::Fry, Post::Salad, Post::Dessert, Post::Drinks] {
        let kitchen = post.station().id.as_str() == "kitchen";
        assert_eq!(kitchen, post == Post::Kitchen, "the key of {} is no key", post.name());
    }
}

#[test]
fn pizzaplace_makes_one_item_of_the_sizes_in_their_order() {
    let file = "name,type,size,price\nthe_greek,classic,XXL,35.95\nthe_greek,classic,S,12.0\nmy_own,fancy,M,9\n";
    let import = read(Format::Pizzaplace, file);
    check_limits(&import);
    assert_eq!(import.not_understood, []);
    let [greek, own] = import.draft.items.as_slice() else { panic!("{:?}", import.draft.items) };
    assert_eq!((greek.name.as_str(), greek.kitchen_name.as_str(), greek.prep_s), ("The Greek Pizza", "Greek", 720));
    let sizes: Vec<_> = greek.variants.iter().map(|variant| (variant.name.as_str(), variant.price_minor)).collect();
    assert_eq!(sizes, [("S", 1_200), ("XXL", 3_595)]);
    assert_eq!(greek.id, MenuItemId::derived(&["pizzaplace", "the_greek"]));
    assert_eq!(greek.variants[0].id, VariantId::derived(&["pizzaplace", "the_greek", "S"]));
    assert_eq!((own.name.as_str(), own.station.as_str()), ("My own", "pizza"));
    assert_eq!(import.draft.categories[1].name, "Fancy");
}

#[test]
fn maven_routes_by_words() {
    let file = "menu_item_id,item_name,category,price\n106,French Fries,American,7\n107,Orange Chicken,Asian,16.5\n";
    let import = read(Format::Maven, file);
    check_limits(&import);
    assert_eq!(import.not_understood, []);
    let items: Vec<_> =
        import.draft.items.iter().map(|item| (item.station.as_str(), item.variants[0].price_minor)).collect();
    assert_eq!(items, [("fry", 700), ("kitchen", 1_650)]);
    let stations: Vec<_> = import.draft.stations.iter().map(|station| station.name.as_str()).collect();
    assert_eq!(stations, ["Kitchen", "Fryer"]);
}

#[test]
fn items_that_would_look_the_same_on_a_ticket_keep_their_full_names() {
    let file = "menu_item_id,item_name,category,price\n1,Slow Roasted Shoulder of Lamb,A,9\n\
        2,Slow Roasted Shoulder of Pork,A,9\n3,Slow Roasted Vegetables and Potatoes,A,9\n";
    let import = read(Format::Maven, file);
    let names: Vec<_> = import.draft.items.iter().map(|item| item.kitchen_name.as_str()).collect();
    assert_eq!(names, ["Slow Roasted Shoulder of Lamb", "Slow Roasted Shoulder of Pork", "Slow Roasted Vegetables…"]);
}

#[test]
fn an_ingredient_twice_in_a_recipe_is_added_up() {
    let import = read(Format::Recipes, "item,size,ingredient,grams\nx,S,Ham,50\nx,S,ham,5\n");
    assert_eq!(import.draft.recipes[0].lines.iter().map(|line| line.amount).collect::<Vec<_>>(), [55]);
}

#[test]
fn recipes_name_the_variants_of_pizzaplace_or_any_by_id() {
    let (item, variant) = (MenuItemId::derived(&["x"]), VariantId::derived(&["y"]));
    let file =
        format!("item,size,ingredient,grams\nhawaiian,S,Dough,230\nhawaiian,S,Ham,55\n{item},{variant},dough,10\n");
    let import = read(Format::Recipes, &file);
    check_limits(&import);
    assert_eq!((import.found.ingredients, import.found.recipes, import.draft.ingredients.len()), (2, 2, 2));
    let [hawaiian, other] = import.draft.recipes.as_slice() else { panic!("{:?}", import.draft.recipes) };
    assert_eq!(hawaiian.item, MenuItemId::derived(&["pizzaplace", "hawaiian"]));
    assert_eq!(hawaiian.variant, VariantId::derived(&["pizzaplace", "hawaiian", "S"]));
    assert_eq!(hawaiian.lines.iter().map(|line| line.amount).collect::<Vec<_>>(), [230, 55]);
    assert_eq!((other.item, other.variant), (item, variant));
    assert_eq!(other.lines[0].ingredient, hawaiian.lines[0].ingredient);
}

#[test]
fn uber_eats_takes_the_restaurant_with_most_lines_or_the_named_one() {
    let file = "menu_id,restaurant_name,identifier,item_name,price_usd,calories\n\
        a,Ann's,X,Soup,4.0,\nb,Bob's,X,Cola Drink,2.0,150\nb,Bob's,X,Taco,3.5,\nb,Bob's,X,Taco,4.25,\n";
    let import_as = |restaurant: Option<&str>| {
        let restaurant = restaurant.map(str::to_owned);
        import(Format::UberEats, file.as_bytes(), &ImportOptions { restaurant, ..dollars() }).unwrap()
    };
    for (wanted, first) in
        [(None, "Cola Drink"), (Some("b"), "Cola Drink"), (Some("ANN'S"), "Soup"), (Some(" a "), "Soup")]
    {
        assert_eq!(import_as(wanted).draft.items[0].name, first, "{wanted:?}");
    }
    let import = import_as(None);
    check_limits(&import);
    let [cola, taco] = import.draft.items.as_slice() else { panic!("{:?}", import.draft.items) };
    assert_eq!((cola.description.as_str(), cola.station.as_str()), ("150 calories.", "drinks"));
    let prices: Vec<_> = taco.variants.iter().map(|variant| (variant.name.as_str(), variant.price_minor)).collect();
    assert_eq!(prices, [("3.50", 350), ("4.25", 425)]);
    assert_eq!((import.found.items, import.found.variants), (2, 3));
}

#[test]
fn millers_shares_equal_groups_and_knows_removals() {
    let group = r#"{"name":"Extras","selectionType":"multiple","isRequired":false,"isTextInput":false,"maxSelections":1,
        "options":[{"name":"- Onions","priceAdjustment":0},{"name":"+ Garlic","priceAdjustment":0.5}]}"#;
    let file = format!(
        r#"[{{"name":"Tandoori","source":"food","items":[
            {{"name":"Tikka","basePrice":12,"tags":["spicy"],"modifierGroups":[{group}]}},
            {{"name":"Naga","basePrice":9.75,"tags":[],"modifierGroups":[{group}]}}]}}]"#
    );
    let import = read(Format::Millers, &file);
    check_limits(&import);
    assert_eq!(import.not_understood, []);
    assert_eq!((import.found.groups, import.found.options, import.draft.groups.len()), (2, 4, 1));
    let group = &import.draft.groups[0];
    assert_eq!((group.min, group.max), (0, 1));
    let options: Vec<_> = group.options.iter().map(|it| (it.name.as_str(), it.price_minor, it.removal)).collect();
    assert_eq!(options, [("No Onions", 0, true), ("Garlic", 50, false)]);
    assert!(import.draft.items.iter().all(|item| item.groups == [group.id] && item.station.as_str() == "grill"));
    assert_eq!(import.draft.items[1].variants[0].price_minor, 975);
}

#[test]
fn tasty_igniter_reads_one_object_or_each_list_to_the_same_menu() {
    let menus = r#"[{"menu_name":"ATA RICE","menu_price":12,"minimum_qty":3,"menu_status":1,
        "menu_options":["Size"],"categories":["Rice"]}]"#;
    let options = r#"[{"option_name":"Size","display_type":"radio","is_required":1,"option_values":[
        {"name":"Large","price":5,"priority":2},{"name":"Small","price":0,"priority":1}]}]"#;
    let categories = r#"[{"name":"Rice","permalink_slug":"rice","description":"","priority":6,"status":1}]"#;
    let whole_file = format!(r#"{{"menus":{menus},"menu_options":{options},"categories":{categories}}}"#);
    let whole = read(Format::TastyIgniter, &whole_file);
    check_limits(&whole);
    assert_eq!(whole.not_understood, []);
    assert_eq!((whole.draft.items[0].quantity_min, whole.draft.categories[0].position), (3, 6));
    let group = &whole.draft.groups[0];
    assert_eq!((group.min, group.max, group.options[0].name.as_str()), (1, 1, "Small"));
    let nulls = whole_file.replace(r#""menu_options":["Size"]"#, r#""menu_options":null"#);
    let without = read(Format::TastyIgniter, &nulls);
    assert_eq!((without.draft.items[0].groups.len(), without.not_understood.len()), (0, 0));
    let alone = |list: &str| read(Format::TastyIgniter, list).draft;
    assert_eq!(alone(menus).items, whole.draft.items);
    assert_eq!(alone(options).groups, whole.draft.groups);
    assert_eq!(alone(categories).categories, whole.draft.categories);
}

#[test]
fn an_option_type_bounds_its_choices() {
    for (kind, more, bounds) in [
        ("radio", "", (0, 1)),
        ("select", r#","required":true"#, (1, 1)),
        ("checkbox", "", (0, 3)),
        ("checkbox", r#","min_selected":1,"max_selected":2"#, (1, 2)),
        ("quantity", "", (0, 20)),
        ("hologram", "", (0, 1)),
    ] {
        let file = format!(
            r#"[{{"option_name":"O","display_type":"{kind}"{more},"option_values":[
                {{"name":"A","price":0}},{{"name":"B","price":0}},{{"name":"C","price":-1.5}}]}}]"#
        );
        let group = read(Format::TastyIgniter, &file).draft.groups.remove(0);
        assert_eq!((group.min, group.max), bounds, "{kind}{more}");
        assert_eq!(group.options[2].price_minor, -150);
    }
}
