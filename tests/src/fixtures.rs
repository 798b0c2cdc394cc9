//! Real inputs: what may be copied is in `tests/fixtures`, the rest is read from `../shared/data` and may be absent.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::build;

/// Tests whose input may not be copied into the repository: they pass without it, and `cargo xtest` counts them and names them.
pub const OUTSIDE: [(&str, &str); 6] = [
    ("whole_files::the_real_catalogue_of_millers_is_read_whole", MILLERS_CAFE),
    ("whole_files::what_is_unclear_in_the_real_catalogue_of_millers_is_named", MILLERS_CAFE),
    ("whole_files::the_largest_real_menu_of_uber_eats_is_read_whole", UBER_EATS),
    ("whole_files::every_ninth_of_the_225_real_menus_of_uber_eats_is_read_whole", UBER_EATS),
    ("menu_imports::millers_cafe_is_served_whole_and_what_was_not_understood_is_said", MILLERS_CAFE),
    ("menu_imports::the_largest_uber_eats_menu_is_served_whole", UBER_EATS),
];

/// A real catalogue with modifiers; not to be copied.
pub const MILLERS_CAFE: &str = "menus/millers_cafe_modifiers.json";
/// 225 real menus; not to be copied.
pub const UBER_EATS: &str = "menus/ubereats_phoenix_la_menus.csv";

/// The menu of the shop that the tests run: pizzas with sizes.
pub const PIZZAPLACE_MENU: &str = "pizzaplace_menu_variants.csv";
/// What goes into the pizzas.
pub const PIZZA_RECIPES: &str = "pizza_recipes.csv";
/// Half a year of that shop's real orders.
pub const PIZZAPLACE_ORDERS: &str = "orders/pizzaplace_2015_h1.csv";

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> anyhow::Result<Vec<u8>> {
    let path = build::root().join("tests/fixtures").join(name);
    std::fs::read(&path).with_context(|| format!("the fixture {}", path.display()))
}

/// A file of `../shared/data`, beside the repository; `None` on a machine without it.
#[must_use]
pub fn outside(name: &str) -> Option<PathBuf> {
    build::root().ancestors().skip(1).map(|above| above.join("shared/data").join(name)).find(|path| path.exists())
}
