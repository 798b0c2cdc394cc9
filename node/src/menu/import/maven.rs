//! Maven Analytics' cafe: one line an item, with its cuisine as heading.

use crate::menu::import::build::{Builder, NewItem};
use crate::menu::import::post::{Post, by_heading, by_name};
use crate::menu::import::rows::Rows;
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::menu::Variant;

pub(super) const COLUMNS: &[&str] = &["menu_item_id", "item_name", "category", "price"];
const LEFT_OUT: &str = "the item was left out; mend the line";

pub(super) fn read(rows: &Rows, build: &mut Builder) {
    let mut headings = std::collections::BTreeSet::new();
    for row in rows.iter() {
        let (key, heading) = (row.cell(0), row.cell(2));
        build.found.items += 1;
        build.found.variants += 1;
        build.found.categories += u32::from(headings.insert(heading.to_owned()));
        if key.is_empty() {
            build.complain(&row.place, "the item has no menu_item_id", LEFT_OUT);
            continue;
        }
        let Some(name) = build.name(&row.place, "item", row.cell(1), LEFT_OUT) else { continue };
        let Some(price_minor) = build.price(&row.place, &name, row.cell(3), LEFT_OUT) else { continue };
        let position = build.next_position();
        let Some(category) = build.category(&row.place, &[heading], heading, position) else { continue };
        let post = by_heading(heading).or_else(|| by_name(&name)).unwrap_or(Post::Kitchen);
        let variant = VariantId::derived(&["maven", key]);
        let item = NewItem {
            id: MenuItemId::derived(&["maven", key]),
            category,
            name,
            description: String::new(),
            post,
            prep_s: post.prep_s(),
            variants: vec![Variant { id: variant, name: String::new(), price_minor, recipe: Vec::new() }],
            groups: Vec::new(),
            tags: Vec::new(),
            quantity_min: 1,
        };
        build.item(&row.place, item);
    }
}
