//! Which place in the kitchen makes an item, by the words of its heading, tags or name.

use crate::menu::import::text::clean;
use pilotlight_sync::domain::menu::{Station, StationId};

/// A place in the kitchen that imports know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Post {
    Kitchen,
    Pizza,
    Grill,
    Fry,
    Salad,
    Dessert,
    Drinks,
}

impl Post {
    const fn key(self) -> &'static str {
        match self {
            Self::Kitchen => "kitchen",
            Self::Pizza => "pizza",
            Self::Grill => "grill",
            Self::Fry => "fry",
            Self::Salad => "salad",
            Self::Dessert => "dessert",
            Self::Drinks => "drinks",
        }
    }

    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kitchen => "Kitchen",
            Self::Pizza => "Pizza oven",
            Self::Grill => "Grill",
            Self::Fry => "Fryer",
            Self::Salad => "Salads",
            Self::Dessert => "Desserts",
            Self::Drinks => "Drinks",
        }
    }

    /// The heading for its items when the file has none.
    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Kitchen => "Menu",
            Self::Pizza => "Pizzas",
            Self::Grill => "From the grill",
            Self::Fry => "From the fryer",
            Self::Salad => "Salads",
            Self::Dessert => "Desserts",
            Self::Drinks => "Drinks",
        }
    }

    /// As the menu holds it.
    pub(super) fn station(self) -> Station {
        let id = StationId::parse(self.key()).unwrap_or_else(StationId::kitchen);
        Station { id, name: self.name().to_owned() }
    }

    /// Seconds to make one, until the site knows better.
    pub(super) const fn prep_s(self) -> u32 {
        match self {
            Self::Kitchen => 600,
            Self::Pizza => 540,
            Self::Grill => 720,
            Self::Fry => 300,
            Self::Salad => 240,
            Self::Dessert => 180,
            Self::Drinks => 60,
        }
    }
}

fn post_of_word(word: &str) -> Option<Post> {
    match word {
        "drink" | "drinks" | "beverage" | "beverages" | "wine" | "wines" | "beer" | "beers" | "cider" | "spirit"
        | "spirits" | "champagne" | "cocktail" | "cocktails" | "juice" | "juices" | "soda" | "sodas" | "coffee"
        | "coffees" | "tea" | "teas" | "lemonade" | "smoothie" | "smoothies" | "milkshake" | "milkshakes" | "latte"
        | "espresso" | "cappuccino" => Some(Post::Drinks),
        "dessert" | "desserts" | "cake" | "cakes" | "cheesecake" | "gelato" | "sundae" | "brownie" | "tiramisu" => {
            Some(Post::Dessert)
        }
        "salad" | "salads" => Some(Post::Salad),
        "fry" | "fryer" | "fries" | "chips" => Some(Post::Fry),
        "tandoori" | "grill" | "grilled" | "kebab" | "kebabs" | "shashlik" => Some(Post::Grill),
        _ => None,
    }
}

/// The place that the words of a heading or tag name; the first one counts.
pub(super) fn by_heading(text: &str) -> Option<Post> {
    clean(text).to_lowercase().split(|c: char| !c.is_alphabetic()).find_map(post_of_word)
}

/// Words that tell a heading but not a dish: crab cakes, prawn cocktail.
const OF_HEADINGS: [&str; 4] = ["cake", "cakes", "cocktail", "cocktails"];

/// The place that the name of an item names. The last word counts, but not what it comes with: "Cheesecake with Chips" is a
/// dessert.
pub(super) fn by_name(name: &str) -> Option<Post> {
    let name = clean(name).to_lowercase();
    let ends = [" with ", " w/", " - ", " & ", " + ", " and ", "(", ","];
    let end = ends.iter().filter_map(|end| name.find(end)).min().unwrap_or(name.len());
    let words = name.get(..end).unwrap_or(&name).split(|c: char| !c.is_alphabetic());
    let (word, post) = words.rev().find_map(|word| Some((word, post_of_word(word)?)))?;
    (!OF_HEADINGS.contains(&word)).then_some(post)
}
