//! Whatever the bytes: no panic, and no draft that breaks a limit.

use super::whole_files::{fixture, tasty_igniter_whole};
use super::{check_limits, dollars};
use crate::menu::import::{Format, import};
use proptest::prelude::*;

/// A short file of each format, to be damaged.
fn seed(format: Format) -> Vec<u8> {
    match format {
        Format::Pizzaplace => fixture("pizzaplace_menu_variants.csv"),
        Format::Maven => fixture("maven_restaurant_menu_items.csv"),
        Format::Recipes => fixture("pizza_recipes.csv").lines().take(60).collect::<Vec<_>>().join("\n"),
        Format::TastyIgniter => tasty_igniter_whole(),
        Format::UberEats => "menu_id,restaurant_name,identifier,item_name,price_usd,calories\n\
            a,A,X,\"Tuna, Salad Kit\",5.25,\na,A,X,GREEN TEA,2,90\na,A,X,GREEN TEA,3,90\nb,B,Y,Taco,0.0,\n"
            .to_owned(),
        Format::Millers => {
            r#"[{"name":"Beer","source":"drinks","items":[{"name":"PT Cobra","basePrice":6,"tags":["beer"],
            "description":"Cold.","modifierGroups":[{"name":"Extras","selectionType":"multiple","isRequired":true,
            "isTextInput":false,"maxSelections":1,"options":[{"name":"- Ice","priceAdjustment":0},
            {"name":"+ Lime","priceAdjustment":1.5}]}]}]},{"name":"Rice","items":[{"name":"Plain","basePrice":0}]}]"#
                .to_owned()
        }
    }
    .into_bytes()
}

/// Longer than any name.
const LONG: &str = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm \
    mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";

/// Pieces that have broken importers.
const PIECES: [&str; 20] = [
    "\"",
    ",",
    "\n",
    "\r",
    "-",
    "0",
    "999999999999999999999",
    "1e308",
    ".",
    "null",
    "[]",
    "{}",
    "[",
    "}",
    "true",
    "é",
    "\u{0}",
    "\u{202e}",
    LONG,
    "\u{feff}",
];

fn damaged(format: Format) -> impl Strategy<Value = Vec<u8>> {
    let seed = seed(format);
    let edit = (0..seed.len(), 0..40_usize, 0..PIECES.len(), 0..4_usize);
    proptest::collection::vec(edit, 1..8).prop_map(move |edits| {
        let mut file = seed.clone();
        for (at, length, piece, kind) in edits {
            let at = at.min(file.len());
            let end = (at + length).min(file.len());
            match kind {
                0 => drop(file.drain(at..end)),
                1 => drop(file.splice(at..end, PIECES[piece].bytes())),
                2 => drop(file.splice(at..at, PIECES[piece].bytes())),
                _ => {
                    let copy = file[at..end].to_vec();
                    drop(file.splice(at..at, copy));
                }
            }
        }
        file
    })
}

fn never_breaks_a_limit(format: Format, file: &[u8]) {
    if let Ok(import) = import(format, file, &dollars()) {
        check_limits(&import);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_break_a_limit(file in proptest::collection::vec(any::<u8>(), 0..512)) {
        for format in Format::ALL {
            never_breaks_a_limit(format, &file);
        }
    }

    #[test]
    fn arbitrary_lines_under_a_true_header_never_break_a_limit(lines in "([a-zA-Z0-9 .\\-\"é]{0,12}[,\n]){0,60}") {
        for format in [Format::Pizzaplace, Format::Maven, Format::Recipes, Format::UberEats] {
            let mut file = seed(format);
            file.truncate(file.iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1);
            file.extend(lines.bytes());
            never_breaks_a_limit(format, &file);
        }
    }

    #[test]
    fn damaged_files_never_break_a_limit(
        files in Format::ALL.map(damaged)
    ) {
        for (format, file) in Format::ALL.into_iter().zip(files) {
            never_breaks_a_limit(format, &file);
        }
    }
}
