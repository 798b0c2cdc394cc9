//! Every complaint and every refusal: place, words and remedy.

use super::{check_limits, dollars, read};
use crate::menu::import::{FILE_BYTES_MAX, Format, Import, ImportOptions, NOT_UNDERSTOOD_MAX, import};
use pilotlight_sync::domain::money::Currency;

/// Looks for one complaint `place | what | remedy`; the last two are beginnings or parts.
#[track_caller]
fn check(import: &Import, place: &str, what: &str, remedy: &str) {
    check_limits(import);
    let found = import
        .not_understood
        .iter()
        .any(|it| it.place == place && it.what.contains(what) && it.remedy.contains(remedy));
    assert!(found, "no {place} | {what} | {remedy} in {:#?}", import.not_understood);
}

const PIZZA: &str = "name,type,size,price\nhawaiian,classic,S,10.5\n";
const MAVEN: &str = "menu_item_id,item_name,category,price\n1,Soup,Asian,5\n";
const UBER: &str = "menu_id,restaurant_name,identifier,item_name,price_usd,calories\na,A,X,Soup,5,\n";
const RECIPE: &str = "item,size,ingredient,grams\nhawaiian,S,Dough,230\n";

#[test]
fn what_is_wrong_in_a_csv_line_is_named_and_the_rest_is_taken() {
    for (format, head, line, what, remedy) in [
        (Format::Pizzaplace, PIZZA, "x,classic,S,-1", "\"-1\" of \"x\" is negative", "left out"),
        (Format::Pizzaplace, PIZZA, "x,classic,S,1.999", "more than 2 decimals, the most in USD", "left out"),
        (Format::Pizzaplace, PIZZA, "x,classic,S,1000000.01", "above 100000000 minor units", "left out"),
        (Format::Pizzaplace, PIZZA, "x,classic,S,free", "\"free\" of \"x\" is not a decimal number", "left out"),
        (Format::Pizzaplace, PIZZA, "x,classic,S", "\"\" of \"x\" is not a decimal number", "left out"),
        (Format::Pizzaplace, PIZZA, "x,classic,S,-1", "\"X\" has no price that can be charged", "left out"),
        (Format::Pizzaplace, PIZZA, "x,,S,1", "lacks a name, type or size", "left out"),
        (Format::Pizzaplace, PIZZA, "hawaiian,classic,S,10.50", "twice, with the same price", "first line"),
        (Format::Pizzaplace, PIZZA, "hawaiian,classic,S,11", "twice, with another price", "first line"),
        (
            Format::Pizzaplace,
            PIZZA,
            "hawaiian,veggie,M,11",
            "of the type \"veggie\" here and \"classic\" above",
            "first type",
        ),
        (
            Format::Pizzaplace,
            PIZZA,
            "x,classic,Giant,11",
            "has the size \"Giant\"; known are S, M, L, XL, XXL",
            "as it is",
        ),
        (Format::Maven, MAVEN, ",Soup,Asian,5", "no menu_item_id", "left out"),
        (Format::Maven, MAVEN, "2,,Asian,5", "the item has no name", "left out"),
        (Format::Maven, MAVEN, "2,Stew,,5", "the heading has no name", "items were left out"),
        (Format::Maven, MAVEN, "1,Stew,Asian,5", "\"Stew\" is there twice", "taken once"),
        (Format::UberEats, UBER, "a,A,X,,5,", "the item has no name", "left out"),
        (Format::UberEats, UBER, "a,A,X,Stew,0.0,", "\"Stew\" costs nothing", "free"),
        (Format::UberEats, UBER, "a,A,X,Stew,-2,", "is negative", "left out"),
        (Format::UberEats, UBER, "a,A,X,Soup,5.00,", "\"Soup\" is there twice with one price", "once"),
        (Format::UberEats, UBER, "b,B,X,Stew,2,", "1 lines are of 1 other restaurants", "only \"a\" was taken"),
        (Format::Recipes, RECIPE, ",S,Dough,1", "names no item or no size", "left out"),
        (Format::Recipes, RECIPE, "hawaiian,S,,1", "the ingredient has no name", "left out"),
        (Format::Recipes, RECIPE, "hawaiian,S,Ham,1.5", "\"1.5\" is not a whole number of grams", "left out"),
        (Format::Recipes, RECIPE, "hawaiian,S,Ham,0", "\"0\" is not a whole number of grams", "left out"),
        (Format::Recipes, RECIPE, "hawaiian,S,Ham,-3", "\"-3\" is not a whole number of grams", "left out"),
        (Format::Recipes, RECIPE, "hawaiian,S,dough,20", "\"dough\" is twice in one recipe", "added"),
        (
            Format::Recipes,
            RECIPE,
            "00000000-0000-8000-8000-000000000000,S,Ham,2",
            "is an id, but the size",
            "id of the variant",
        ),
    ] {
        check(&read(format, &format!("{head}{line}\n")), "line 3", what, remedy);
    }
}

#[test]
fn what_the_whole_uber_file_lacks_is_said_once() {
    check(&read(Format::UberEats, UBER), "line 1", "no headings", "by the words of their names");
    let pounds = ImportOptions { restaurant: None, currency: Currency::GBP };
    let import = import(Format::UberEats, UBER.as_bytes(), &pounds).unwrap();
    check(&import, "line 1", "in USD, the site's currency is GBP", "as they are");
    let twice = format!("{UBER}a,A,X,Soup,6,\n");
    check(&read(Format::UberEats, &twice), "line 2", "\"Soup\" has 2 prices", "named by its price");
}

#[test]
fn the_same_complaint_in_several_places_is_one_entry() {
    let import = read(Format::Maven, &format!("{MAVEN}2,,Asian,5\n3,,Asian,5\n"));
    check(&import, "line 3 and 1 more place", "the item has no name", "left out");
    let import = read(Format::Maven, &format!("{MAVEN}2,,A,5\n3,,A,5\n4,,A,5\n"));
    check(&import, "line 3 and 2 more places", "the item has no name", "left out");
}

#[test]
fn lines_are_counted_as_editors_count_them() {
    for (file, place) in [
        (format!("{MAVEN}2,,Asian,5"), "line 3"),
        (format!("{MAVEN}2,,Asian,5").replace('\n', "\r\n"), "line 3"),
        (format!("{MAVEN}\n\n2,,Asian,5\n"), "line 5"),
        (format!("{MAVEN}2,\"A\nB\",Asian,5\n3,,Asian,5\n"), "line 5"),
    ] {
        check(&read(Format::Maven, &file), place, "the item has no name", "left out");
    }
}

#[test]
fn complaints_are_bounded_and_the_last_counts_the_rest() {
    let lines: String = (0..NOT_UNDERSTOOD_MAX + 10).map(|n| format!("{n},Dish {n},Asian,-1\n")).collect();
    let import = read(Format::Maven, &format!("{MAVEN}{lines}"));
    assert_eq!(import.not_understood.len(), NOT_UNDERSTOOD_MAX);
    check(&import, "the whole file", "11 more places were not understood", "import again");
}

/// A Millers catalogue with one good item and this one.
fn millers(item: &str) -> Import {
    let good = r#"{"name":"Good","basePrice":1,"tags":[],"modifierGroups":[]}"#;
    read(Format::Millers, &format!(r#"[{{"name":"Food","source":"food","items":[{good},{item}]}}]"#))
}

fn millers_group(group: &str) -> Import {
    millers(&format!(r#"{{"name":"Dish","basePrice":1,"tags":[],"modifierGroups":[{group}]}}"#))
}

#[test]
fn what_is_wrong_in_a_millers_item_is_named() {
    for (item, what, remedy) in [
        (r#"{"basePrice":1}"#, "the item has no name", "left out"),
        (r#"{"name":"D"}"#, "\"\" of \"D\" is not a decimal number", "left out"),
        (r#"{"name":"D","basePrice":-1}"#, "is negative", "left out"),
        (r#"{"name":"D","basePrice":1.005}"#, "more than 2 decimals", "left out"),
        (r#"{"name":"D","basePrice":1e300}"#, "not a decimal number", "left out"),
        (r#"{"name":"D","basePrice":0}"#, "no required choice adds to it", "free"),
        (r#"{"name":"D","basePrice":1,"image":"x.png"}"#, "the item has a field \"image\"", "not used"),
        (r#"{"name":"D","basePrice":1,"tags":["protein-swap"]}"#, "\"protein-swap\" promises", "kept as a tag"),
        (r#"{"name":"D","basePrice":1,"modifierGroups":7}"#, "modifierGroups is no list", "without choices"),
        (r#"{"name":"Good","basePrice":2}"#, "\"Good\" is there twice", "taken once"),
        (r#"7"#, "the item has no name", "left out"),
    ] {
        check(&millers(item), "categories[0].items[1]", what, remedy);
    }
}

#[test]
fn what_is_wrong_in_a_millers_group_is_named() {
    let options = r#""options":[{"name":"A","priceAdjustment":1},{"name":"B","priceAdjustment":2}]"#;
    for (fields, what, remedy) in [
        (r#""name":"G","selectionType":"multiple","isRequired":false"#, "names no most choices", "up to 2"),
        (
            r#""name":"G","selectionType":"multiple","isRequired":false,"maxSelections":null"#,
            "names no most",
            "up to 2",
        ),
        (
            r#""name":"G","selectionType":"multiple","isRequired":false,"maxSelections":0"#,
            "no number from 1 on",
            "absent",
        ),
        (
            r#""name":"G","selectionType":"multiple","isRequired":true,"maxSelections":5"#,
            "allows 5 choices of 2",
            "once",
        ),
        (
            r#""name":"G","selectionType":"single","isRequired":true,"maxSelections":2"#,
            "single choice, but allows 2",
            "single",
        ),
        (r#""name":"G","selectionType":"dance","isRequired":true"#, "has the selectionType \"dance\"", "single"),
        (r#""name":"G","selectionType":"single""#, "does not say whether a choice is required", "optional"),
        (
            r#""name":"G (default B)","selectionType":"single","isRequired":false"#,
            "names a default, \"B\"",
            "beforehand",
        ),
        (
            r#""name":"G","selectionType":"single","isRequired":false,"isTextInput":true"#,
            "asks for text",
            "note on the line",
        ),
        (r#""selectionType":"single","isRequired":false"#, "the group has no name", "left out"),
        (r#""name":"G","selectionType":"single","isRequired":false,"colour":1"#, "a field \"colour\"", "not used"),
    ] {
        check(
            &millers_group(&format!("{{{fields},{options}}}")),
            "categories[0].items[1].modifierGroups[0]",
            what,
            remedy,
        );
    }
    let group =
        r#"{"name":"G","selectionType":"single","isRequired":true,"options":[{"name":"A","priceAdjustment":1}]}"#;
    let other = group.replace(":1}", ":2}");
    // A required choice that costs something carries the price; an optional one does not.
    let free = |group: &str| millers(&format!(r#"{{"name":"D","basePrice":0,"modifierGroups":[{group}]}}"#));
    assert_eq!(free(group).not_understood, []);
    check(&free(&group.replace("true", "false")), "categories[0].items[1]", "no required choice adds to it", "free");
    let second = "categories[0].items[1].modifierGroups[1]";
    check(&millers_group(&format!("{group},{group}")), second, "has the group \"G\" twice", "once");
    check(&millers_group(&format!("{group},{other}")), second, "two different groups called \"G\"", "rename one");
}

#[test]
fn what_is_wrong_in_millers_options_is_named() {
    let place = "categories[0].items[1].modifierGroups[0]";
    for (options, at, what, remedy) in [
        ("[]", "", "no options that can be offered", "left out"),
        ("{}", "", "options is no list", "left out"),
        (r#"[{"name":"A","priceAdjustment":"lots"}]"#, ".options[0]", "not a decimal number", "left out"),
        (r#"[{"priceAdjustment":1}]"#, ".options[0]", "the option has no name", "left out"),
        (r#"[{"name":"A","priceAdjustment":1,"kcal":3}]"#, ".options[0]", "a field \"kcal\"", "not used"),
        (r#"[{"name":"A","priceAdjustment":1},{"name":"A","priceAdjustment":1}]"#, "", "option \"A\" twice", "once"),
        (
            r#"[{"name":"A","priceAdjustment":1},{"name":"A","priceAdjustment":2}]"#,
            "",
            "different prices",
            "rename one",
        ),
    ] {
        let group = format!(r#"{{"name":"G","selectionType":"single","isRequired":true,"options":{options}}}"#);
        check(&millers_group(&group), &format!("{place}{at}"), what, remedy);
    }
    let import =
        read(Format::Millers, r#"[{"name":"A","items":[{"name":"D","basePrice":1}]},{"name":"B","items":{}}]"#);
    check(&import, "categories[1]", "items is no list", "category was left out");
}

#[test]
fn what_is_wrong_in_tasty_igniter_records_is_named() {
    let good = r#"{"menu_name":"Good","menu_price":1,"categories":["C"]}"#;
    let options = r#"{"option_name":"O","display_type":"radio","required":0,"option_values":[{"name":"A","price":1}]}"#;
    for (menu, what, remedy) in [
        (r#"{"menu_price":1}"#, "the item has no name", "left out"),
        (r#"{"menu_name":"D","menu_price":null}"#, "not a decimal number", "left out"),
        (r#"{"menu_name":"D","menu_price":1,"menu_status":0}"#, "\"D\" is switched off", "left out"),
        (r#"{"menu_name":"D","menu_price":0}"#, "costs nothing", "free"),
        (r#"{"menu_name":"D","menu_price":1}"#, "names no category", "under \"Menu\""),
        (r#"{"menu_name":"D","menu_price":1,"categories":["C","E"]}"#, "in 2 categories", "the first"),
        (r#"{"menu_name":"D","menu_price":1,"minimum_qty":1000}"#, "from 1000 portions on", "from one portion"),
        (r#"{"menu_name":"D","menu_price":1,"minimum_qty":"few"}"#, "minimum_qty is no whole number", "absent"),
        (r#"{"menu_name":"D","menu_price":1,"menu_options":["X"]}"#, "\"X\" is not among menu_options", "without it"),
        (r#"{"menu_name":"D","menu_price":1,"menu_options":["O","O"]}"#, "the option \"O\" twice", "once"),
        (r#"{"menu_name":"D","menu_price":1,"menu_options":[3]}"#, "something else than names", "left out"),
        (r#"{"menu_name":"D","menu_price":1,"menu_options":"O"}"#, "menu_options is no list", "without choices"),
        (r#"{"menu_name":"D","menu_price":1,"photo":"x"}"#, "a field \"photo\"", "not used"),
    ] {
        let file = format!(r#"{{"menus":[{good},{menu}],"menu_options":[{options}]}}"#);
        check(&read(Format::TastyIgniter, &file), "menus[1]", what, remedy);
    }
    let alone = read(Format::TastyIgniter, r#"[{"menu_name":"D","menu_price":1,"menu_options":["O"]}]"#);
    check(&alone, "menus[0]", "\"O\" is not in this file", "import menu_options too");
    let half = read(Format::TastyIgniter, &format!(r#"{{"menus":[{good}],"menu_options":3}}"#));
    check(&half, "menu_options", "it is no list", "left out");
}

#[test]
fn what_is_wrong_in_tasty_igniter_options_and_categories_is_named() {
    let values = r#""option_values":[{"name":"A","price":1},{"name":"B","price":1}]"#;
    for (fields, what, remedy) in [
        (r#""option_name":"O","display_type":"radio""#, "whether a choice is required", "optional"),
        (r#""option_name":"O","display_type":"fan""#, "the display_type \"fan\"", "one choice"),
        (
            r#""option_name":"O","display_type":"radio","max_selected":3"#,
            "allows 3 choices, but is shown for 1",
            "up to 1",
        ),
        (
            r#""option_name":"O","display_type":"radio","min_selected":2"#,
            "requires 2 choices and allows 1",
            "1 are required",
        ),
        (r#""display_type":"radio""#, "the option has no name", "left out"),
    ] {
        // A record without a name is only an option among the options.
        let file = format!(
            r#"{{"menu_options":[{{{fields},{values}}},{{"option_name":"Z","display_type":"radio",{values}}}]}}"#
        );
        let place = if what.contains("whether") { "menu_options[0] and 1 more place" } else { "menu_options[0]" };
        check(&read(Format::TastyIgniter, &file), place, what, remedy);
    }
    for (category, what, remedy) in [
        (r#"{"name":"C","status":0}"#, "\"C\" is switched off", "left out"),
        (r#"{"name":"C","description":"Words."}"#, "has a description", "only a name"),
        (r#"{"name":"C","priority":-1}"#, "priority is no whole number", "absent"),
        (r#"{"permalink_slug":"c"}"#, "the heading has no name", "left out"),
    ] {
        let import = read(Format::TastyIgniter, &format!(r#"[{{"name":"Good"}},{category}]"#));
        check(&import, "categories[1]", what, remedy);
    }
}

#[test]
fn every_limit_is_named_when_it_is_passed() {
    let long = "n".repeat(121);
    check(&read(Format::Maven, &format!("{MAVEN}2,{long},Asian,5\n")), "line 3", "has 121 characters; 120", "cut");
    let words = "w ".repeat(1_001);
    let item = format!(r#"{{"name":"D","basePrice":1,"description":"{words}."}}"#);
    check(&millers(&item), "categories[0].items[1]", "the description", "cut");
    let sizes: String = (0..51).map(|n| format!("x,classic,size {n},5\n")).collect();
    check(&read(Format::Pizzaplace, &format!("{PIZZA}{sizes}")), "line 53", "more than 50 variants", "split the item");
    let prices: String = (0..51).map(|n| format!("a,A,X,Stew,{n}.5,\n")).collect();
    check(&read(Format::UberEats, &format!("{UBER}{prices}")), "line 53", "more than 50 variants", "split the item");
    let lines: String = (0..100).map(|n| format!("hawaiian,S,Leaf {n},5\n")).collect();
    check(&read(Format::Recipes, &format!("{RECIPE}{lines}")), "line 102", "more than 100 ingredients", "join some");
    let tags: Vec<String> = (0..33).map(|n| format!("\"t{n}\"")).collect();
    let item = format!(r#"{{"name":"D","basePrice":1,"tags":[{}]}}"#, tags.join(","));
    check(&millers(&item), "categories[0].items[1]", "the tag \"t32\" is one too many", "32 tags");
    let options: Vec<String> = (0..201).map(|n| format!(r#"{{"name":"o{n}","priceAdjustment":0}}"#)).collect();
    let group = |name: &str, options: &str| {
        format!(r#"{{"name":"{name}","selectionType":"single","isRequired":true,"options":[{options}]}}"#)
    };
    let import = millers_group(&group("G", &options.join(",")));
    check(&import, "categories[0].items[1].modifierGroups[0]", "more than 200 options", "split the group");
    let groups: Vec<String> = (0..61).map(|n| group(&format!("g{n}"), &options[0])).collect();
    check(&millers_group(&groups.join(",")), "categories[0].items[1]", "more than 60 modifier groups", "join some");
    let headings: String = (0..1_000).map(|n| format!("x{n},Dish,Heading {n},5\n")).collect();
    check(&read(Format::Maven, &format!("{MAVEN}{headings}")), "line 1002", "too many headings", "1000 headings");
    let items: String = (0..20_000).map(|n| format!("x{n},Dish {n},Asian,5\n")).collect();
    check(&read(Format::Maven, &format!("{MAVEN}{items}")), "line 20002", "too many items", "20000 fit");
    let lines: String = (0..5_000).map(|n| format!("p{n},S,Leaf {n},5\n")).collect();
    check(&read(Format::Recipes, &format!("{RECIPE}{lines}")), "line 5002", "too many ingredients", "5000 fit");
    let groups: Vec<String> = (0..5_001)
        .map(|n| {
            format!(r#"{{"option_name":"g{n}","display_type":"radio","option_values":[{{"name":"A","price":1}}]}}"#)
        })
        .collect();
    check(
        &read(Format::TastyIgniter, &format!("[{}]", groups.join(","))),
        "menu_options[5000]",
        "too many modifier",
        "5000 different",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_place_and_reason() {
    let huge = vec![b' '; FILE_BYTES_MAX + 1];
    for (format, file, refusal) in [
        (Format::Maven, huge.as_slice(), "8388609 bytes; 8388608 is the most: split it"),
        (Format::Maven, b"menu_item_id,\xff", "byte 13 is not UTF-8"),
        (Format::Millers, b"[{]", "line 1, column 3 is not JSON"),
        (Format::Millers, b"", "is not JSON"),
        (Format::Millers, b"{}", "not of the format millers: it must be a list of categories"),
        (Format::TastyIgniter, b"[1]", "not of the format tastyigniter: it must be an object with menus"),
        (Format::TastyIgniter, b"{}", "not of the format tastyigniter"),
        (Format::Maven, b"menu_item_id,name,category,price\n", "line 1 has no column \"item_name\""),
        (Format::Recipes, b"", "no column \"item\": the format recipes needs item,size,ingredient,grams"),
        (Format::Pizzaplace, b"name,type,size,price\n", "nothing to import"),
        (Format::Pizzaplace, b"name,type,size,price\nx,,,\n", "nothing to import: line 2: the line lacks a name"),
        (Format::Millers, b"[]", "nothing to import"),
        (Format::UberEats, UBER.lines().next().unwrap().as_bytes(), "nothing to import"),
    ] {
        let said = import(format, file, &dollars()).unwrap_err().to_string();
        assert!(said.contains(refusal), "{said} lacks {refusal}");
    }
    let options = ImportOptions { restaurant: Some("z".to_owned()), ..dollars() };
    let said = import(Format::UberEats, UBER.as_bytes(), &options).unwrap_err().to_string();
    assert_eq!(said, "no line has the restaurant \"z\"; there are a and 0 more");
    assert_eq!(read(Format::Maven, &format!("\u{feff}{MAVEN}")).draft.items.len(), 1, "a byte order mark is no column");
    assert_eq!(read(Format::TastyIgniter, "\u{feff}[{\"name\":\"C\"}]").draft.categories.len(), 1);
}

#[test]
fn i6_a_file_without_one_usable_item_is_refused_whole_and_says_why() {
    let head = MAVEN.lines().next().unwrap();
    let many: String = (2..9).map(|n| format!("{n},,Asian,5\n")).collect();
    let different: String = (2..9).map(|n| format!("{n},Dish {n},Asian,much\n")).collect();
    for (format, file, refusal) in [
        (Format::Maven, format!("{head}\n1,Stew,Asian,much\n"), "nothing to import: line 2: "),
        (Format::Maven, format!("{head}\n{many}"), "line 2 and 6 more places: the item has no name"),
        (Format::Maven, format!("{head}\n{different}"), "and 2 more"),
        (Format::Pizzaplace, format!("{}\nx,classic,S,much\n", PIZZA.lines().next().unwrap()), "line 2: "),
        (
            Format::Millers,
            r#"[{"name":"Soups","source":"food","items":[{"name":"Soup","basePrice":"much"}]}]"#.to_owned(),
            "categories[0].items[0]",
        ),
        (Format::TastyIgniter, r#"{"menus":[{"menu_name":"D"}],"categories":[{"name":"C"}]}"#.to_owned(), "menus[0]"),
        (Format::Recipes, "item,size,ingredient,grams\nhawaiian,S,Ham,some\n".to_owned(), "line 2: "),
    ] {
        match import(format, file.as_bytes(), &dollars()) {
            Err(refused) => assert!(refused.to_string().contains(refusal), "{refused} lacks {refusal}"),
            Ok(import) => panic!("{file} is no menu: {import:?}"),
        }
    }
    let headings = read(Format::TastyIgniter, r#"{"categories":[{"name":"C"}]}"#);
    assert_eq!(headings.draft.categories.len(), 1, "headings may come alone");
}
