//! Builds a draft of the menu and keeps every limit; whatever does not fit is named.

use crate::menu::import::post::Post;
use crate::menu::import::text::{self, NotAnAmount, clean, currency_decimals, cut, kitchen_name, quoted};
use crate::menu::import::{
    CATEGORIES_MAX, Format, Found, GROUPS_MAX, INGREDIENTS_MAX, ITEM_TAGS_MAX, Import, ImportRefusal, MenuDraft,
    NOT_UNDERSTOOD_MAX, NotUnderstood, RecipeFor, TAG_CHARS_MAX,
};
use pilotlight_sync::domain::id::{CategoryId, GroupId, IngredientId, MenuItemId, OptionId};
use pilotlight_sync::domain::menu::{Category, Ingredient, MenuItem, ModifierGroup, ModifierOption, Unit, Variant};
use pilotlight_sync::domain::money::{BasisPoints, Currency};
use pilotlight_sync::limits::{
    DESCRIPTION_CHARS_MAX, GROUP_OPTIONS_MAX, ITEM_GROUPS_MAX, ITEM_VARIANTS_MAX, LINE_QUANTITY_MAX, MENU_ITEMS_MAX,
    NAME_CHARS_MAX, PRICE_MINOR_MAX,
};
use std::collections::{BTreeMap, BTreeSet};

/// An item as a format read it.
pub(super) struct NewItem {
    pub(super) id: MenuItemId,
    pub(super) category: CategoryId,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) post: Post,
    pub(super) prep_s: u32,
    pub(super) variants: Vec<Variant>,
    pub(super) groups: Vec<GroupId>,
    pub(super) tags: Vec<String>,
    pub(super) quantity_min: u32,
}

/// An option as a format read it; its id comes from its group.
pub(super) struct NewOption {
    pub(super) name: String,
    pub(super) price_minor: i64,
    pub(super) removal: bool,
}

#[derive(Default)]
struct Complaints {
    list: Vec<(NotUnderstood, usize)>,
    known: BTreeMap<(String, String), usize>,
    beyond: usize,
}

/// A draft in the making.
pub(super) struct Builder {
    pub(super) format: Format,
    pub(super) found: Found,
    currency: Currency,
    draft: MenuDraft,
    posts: BTreeSet<Post>,
    categories: BTreeMap<CategoryId, u32>,
    groups: BTreeSet<GroupId>,
    ingredients: BTreeSet<IngredientId>,
    items: BTreeSet<MenuItemId>,
    complaints: Complaints,
}

impl Builder {
    pub(super) fn new(format: Format, currency: Currency) -> Self {
        Self {
            format,
            found: Found::default(),
            currency,
            draft: MenuDraft::default(),
            posts: BTreeSet::new(),
            categories: BTreeMap::new(),
            groups: BTreeSet::new(),
            ingredients: BTreeSet::new(),
            items: BTreeSet::new(),
            complaints: Complaints::default(),
        }
    }

    /// What all prices are in.
    pub(super) fn currency(&self) -> Currency {
        self.currency
    }

    /// Notes what was not understood; the same thing in several places is one entry.
    pub(super) fn complain(&mut self, place: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let key = (what.into(), remedy.into());
        if let Some(at) = self.complaints.known.get(&key) {
            if let Some((_, more)) = self.complaints.list.get_mut(*at) {
                *more += 1;
            }
        } else if self.complaints.list.len() + 1 < NOT_UNDERSTOOD_MAX {
            let (what, remedy) = key.clone();
            self.complaints.known.insert(key, self.complaints.list.len());
            self.complaints.list.push((NotUnderstood { place: place.to_owned(), what, remedy }, 0));
        } else {
            self.complaints.beyond += 1;
        }
    }

    /// The name on one line and not too long; `None` when there is none, which is named with what became of its bearer.
    pub(super) fn name(&mut self, place: &str, noun: &str, raw: &str, remedy: &str) -> Option<String> {
        let name = clean(raw);
        if name.is_empty() {
            self.complain(place, format!("the {noun} has no name"), remedy);
            return None;
        }
        Some(self.fitting(place, noun, name, NAME_CHARS_MAX))
    }

    /// The description, cut if need be.
    pub(super) fn description(&mut self, place: &str, raw: &str) -> String {
        self.fitting(place, "description", clean(raw), DESCRIPTION_CHARS_MAX)
    }

    fn fitting(&mut self, place: &str, noun: &str, text: String, chars_max: usize) -> String {
        let chars = text.chars().count();
        if chars <= chars_max {
            return text;
        }
        let what = format!("the {noun} {} has {chars} characters; {chars_max} is the most", quoted(&text));
        self.complain(place, what, "it was cut; shorten it in the file or on the menu");
        cut(&text, chars_max)
    }

    /// A price that an item may have, or a complaint and `None`.
    pub(super) fn price(&mut self, place: &str, of: &str, raw: &str, remedy: &str) -> Option<i64> {
        let minor = self.surcharge(place, of, raw, remedy)?;
        if minor < 0 {
            self.complain(place, format!("the price {} of {} is negative", quoted(raw), quoted(of)), remedy);
            return None;
        }
        Some(minor)
    }

    /// A price that an option may have: it may be negative.
    pub(super) fn surcharge(&mut self, place: &str, of: &str, raw: &str, remedy: &str) -> Option<i64> {
        let decimals = currency_decimals(self.currency);
        let wrong = match text::amount(raw, decimals) {
            Ok(minor) => return Some(minor),
            Err(NotAnAmount::NoNumber) => "is not a decimal number".to_owned(),
            Err(NotAnAmount::TooFine) => format!("has more than {decimals} decimals, the most in {}", self.currency),
            Err(NotAnAmount::TooHigh) => format!("is above {PRICE_MINOR_MAX} minor units, the highest price"),
        };
        self.complain(place, format!("the price {} of {} {wrong}", quoted(raw), quoted(of)), remedy);
        None
    }

    /// Those tags that fit.
    pub(super) fn tags<'tag>(&mut self, place: &str, raw: impl Iterator<Item = &'tag str>) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in raw.map(clean).filter(|tag| !tag.is_empty()) {
            if tags.contains(&tag) {
                continue;
            }
            if tags.len() == ITEM_TAGS_MAX || tag.chars().count() > TAG_CHARS_MAX {
                let what = format!("the tag {} is one too many or too long", quoted(&tag));
                self.complain(
                    place,
                    what,
                    format!("it was left out; {ITEM_TAGS_MAX} tags of {TAG_CHARS_MAX} characters fit"),
                );
            } else {
                tags.push(tag);
            }
        }
        tags
    }

    /// The heading of this key, made when it is new; `position` is its place among headings unless it is known already.
    pub(super) fn category(&mut self, place: &str, key: &[&str], name: &str, position: u32) -> Option<CategoryId> {
        let mut words = vec![self.format.word()];
        words.extend(key);
        let id = CategoryId::derived(&words);
        if !self.categories.contains_key(&id) {
            if self.categories.len() == CATEGORIES_MAX {
                let remedy = format!("its items were left out; {CATEGORIES_MAX} headings fit one import");
                self.complain(place, "there are too many headings", remedy);
                return None;
            }
            let name = self.name(place, "heading", name, "its items were left out; name it")?;
            self.categories.insert(id, 0);
            self.draft.categories.push(Category { id, name, position });
        }
        Some(id)
    }

    /// The number of headings so far: the position of the next.
    pub(super) fn next_position(&self) -> u32 {
        u32::try_from(self.draft.categories.len()).unwrap_or(u32::MAX)
    }

    /// The group of this id; one that is already in the draft stays as it is.
    pub(super) fn group(
        &mut self,
        place: &str,
        id: GroupId,
        name: String,
        bounds: (u32, u32),
        options: Vec<NewOption>,
    ) -> Option<GroupId> {
        if self.groups.contains(&id) {
            return Some(id);
        }
        let options = self.options(place, id, &name, options);
        if options.is_empty() {
            let what = format!("the group {} has no options that can be offered", quoted(&name));
            self.complain(place, what, "the group was left out; give it options");
            return None;
        }
        if self.groups.len() == GROUPS_MAX {
            let remedy = format!("they were left out; {GROUPS_MAX} different groups fit one import");
            self.complain(place, "there are too many modifier groups", remedy);
            return None;
        }
        let (min, max) = bounds;
        self.groups.insert(id);
        self.draft.groups.push(ModifierGroup { id, name, min: min.min(max), max, options });
        Some(id)
    }

    fn options(
        &mut self,
        place: &str,
        group: GroupId,
        group_name: &str,
        options: Vec<NewOption>,
    ) -> Vec<ModifierOption> {
        let group_key = group.to_string();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut fitting = Vec::new();
        for option in options {
            let what = format!("the group {} has the option {} twice", quoted(group_name), quoted(&option.name));
            if !seen.insert((option.name.clone(), option.price_minor)) {
                self.complain(place, what, "it was taken once");
                continue;
            }
            if fitting.len() == GROUP_OPTIONS_MAX {
                let what = format!("the group {} has more than {GROUP_OPTIONS_MAX} options", quoted(group_name));
                self.complain(place, what, "those beyond were left out; split the group");
                continue;
            }
            let nth = times.entry(option.name.clone()).or_default();
            *nth += 1;
            if *nth > 1 {
                self.complain(place, format!("{what}, with different prices"), "both were kept; rename one");
            }
            let id = OptionId::derived(&[self.format.word(), &group_key, &option.name, &nth.to_string()]);
            let NewOption { name, price_minor, removal } = option;
            fitting.push(ModifierOption { id, name, price_minor, removal, recipe: Vec::new() });
        }
        fitting
    }

    /// The ingredient of this name, made when it is new.
    pub(super) fn ingredient(&mut self, place: &str, name: String, unit: Unit) -> Option<IngredientId> {
        let id = IngredientId::derived(&[self.format.word(), &name.to_lowercase()]);
        if !self.ingredients.contains(&id) {
            if self.ingredients.len() == INGREDIENTS_MAX {
                let remedy = format!("they were left out; {INGREDIENTS_MAX} fit one import");
                self.complain(place, "there are too many ingredients", remedy);
                return None;
            }
            self.ingredients.insert(id);
            self.draft.ingredients.push(Ingredient { id, name, unit, enforced: false });
        }
        Some(id)
    }

    /// Whether an item with so many variants takes another; if not, that is named.
    pub(super) fn takes_variant(&mut self, place: &str, name: &str, variants: usize) -> bool {
        if variants >= ITEM_VARIANTS_MAX {
            let what = format!("{} has more than {ITEM_VARIANTS_MAX} variants", quoted(name));
            self.complain(place, what, "those beyond were left out; split the item");
        }
        variants < ITEM_VARIANTS_MAX
    }

    /// Adds an item if it fits and can be sold.
    pub(super) fn item(&mut self, place: &str, mut item: NewItem) {
        let name = quoted(&item.name);
        if item.variants.is_empty() {
            return self.complain(
                place,
                format!("{name} has no price that can be charged"),
                "the item was left out; price it",
            );
        }
        if self.items.len() == MENU_ITEMS_MAX {
            let remedy = format!("those beyond were left out; {MENU_ITEMS_MAX} fit one menu");
            return self.complain(place, "there are too many items", remedy);
        }
        if item.groups.len() > ITEM_GROUPS_MAX {
            let what = format!("{name} has more than {ITEM_GROUPS_MAX} modifier groups");
            self.complain(place, what, "those beyond were left out; join some");
            item.groups.truncate(ITEM_GROUPS_MAX);
        }
        if item.quantity_min > LINE_QUANTITY_MAX {
            let what = format!(
                "{name} is sold from {} portions on; a line has at most {LINE_QUANTITY_MAX}",
                item.quantity_min
            );
            self.complain(place, what, "it is sold from one portion on");
            item.quantity_min = 1;
        }
        let Some(position) = self.categories.get_mut(&item.category) else {
            return self.complain(place, format!("{name} has no heading"), "the item was left out; give it a heading");
        };
        if !self.items.insert(item.id) {
            return self.complain(place, format!("{name} is there twice"), "it was taken once");
        }
        let NewItem { id, category, name, description, post, prep_s, variants, groups, tags, quantity_min } = item;
        let (kitchen_name, station) = (kitchen_name(&name), post.station().id);
        self.posts.insert(post);
        self.draft.items.push(MenuItem {
            id,
            category,
            position: *position,
            name,
            kitchen_name,
            description,
            station,
            prep_s,
            tax: BasisPoints(0),
            variants,
            groups,
            tags,
            allergens: Vec::new(),
            quantity_min: quantity_min.max(1),
        });
        *position += 1;
    }

    /// Adds a recipe.
    pub(super) fn recipe(&mut self, recipe: RecipeFor) {
        self.draft.recipes.push(recipe);
    }

    /// The import, or that there is nothing in it.
    pub(super) fn finish(self) -> Result<Import, ImportRefusal> {
        let Self { mut draft, found, posts, complaints, .. } = self;
        let Complaints { list, beyond, .. } = complaints;
        let mut not_understood: Vec<NotUnderstood> =
            list.into_iter().map(|(entry, more)| counted(entry, more)).collect();
        if beyond > 0 {
            not_understood.push(NotUnderstood {
                place: "the whole file".to_owned(),
                what: format!("{beyond} more places were not understood"),
                remedy: "mend those above and import again".to_owned(),
            });
        }
        let MenuDraft { stations: _, categories, ingredients: _, groups, items, recipes } = &draft;
        // Headings and groups may come in a file of their own; beside items of which none can be sold they are nothing.
        let beside = found.items == 0 && !(categories.is_empty() && groups.is_empty());
        if items.is_empty() && recipes.is_empty() && !beside {
            return Err(ImportRefusal::NothingFound { not_understood });
        }
        draft.stations = posts.into_iter().map(Post::station).collect();
        tell_apart(&mut draft.items);
        Ok(Import { draft, found, not_understood })
    }
}

fn counted(entry: NotUnderstood, more: usize) -> NotUnderstood {
    match more {
        0 => entry,
        1 => NotUnderstood { place: format!("{} and 1 more place", entry.place), ..entry },
        _ => NotUnderstood { place: format!("{} and {more} more places", entry.place), ..entry },
    }
}

/// Gives items whose short names look the same on a ticket their full names.
fn tell_apart(items: &mut [MenuItem]) {
    let mut bearers: BTreeMap<String, usize> = BTreeMap::new();
    for item in items.iter() {
        *bearers.entry(item.kitchen_name.clone()).or_default() += 1;
    }
    for item in items.iter_mut().filter(|item| bearers.get(&item.kitchen_name).is_some_and(|bearers| *bearers > 1)) {
        item.kitchen_name.clone_from(&item.name);
    }
}
