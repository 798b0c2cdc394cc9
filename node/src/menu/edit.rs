//! Changes fields of one item, and keeps one of several values that were written at the same time in several places (SPEC W2).

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::crdt::register::Stamp;
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::item_field::{FieldName, FieldValue};
use pilotlight_sync::domain::role::Actor;

/// What is to be otherwise about an item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    /// Fields with their new values.
    pub values: Vec<FieldValue>,
    /// New prices of variants, in minor units.
    pub prices: Vec<(VariantId, i64)>,
    /// Which of a field's values stays, by how it is called.
    pub keep: Vec<(FieldName, String)>,
}

/// Why the item stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditRefusal {
    /// No such item on the menu.
    #[error("item {0} is not on the menu")]
    UnknownItem(MenuItemId),
    /// The item has no such variant.
    #[error("price {at}: the item has no variant {variant}")]
    UnknownVariant {
        /// Which price, from zero.
        at: usize,
        /// Which variant.
        variant: VariantId,
    },
    /// Somebody has settled it meanwhile.
    #[error("keep {at}: that value is not held any more")]
    ChoiceGone {
        /// Which choice, from zero.
        at: usize,
    },
}

/// What a value of a field is called, until somebody overrules it.
pub fn choice(stamp: &Stamp) -> String {
    format!("{}-{}-{}", stamp.origin, stamp.at.0, stamp.version)
}

/// Plans it. Only what differs is written: others may be writing the rest.
pub fn plan(replica: &Replica, by: Actor, id: MenuItemId, edit: Edit) -> Result<Plan<()>, PlanError<EditRefusal>> {
    let refuse = |refusal| PlanError::Refused(refusal);
    let known = replica.site().menu().items.get(&id).ok_or(refuse(EditRefusal::UnknownItem(id)))?;
    let mut new = known.clone();
    edit.values.iter().for_each(|value| value.put(&mut new));
    for (at, (variant, price_minor)) in edit.prices.iter().enumerate() {
        let found = new.variants.iter_mut().find(|known| known.id == *variant);
        let found = found.ok_or(refuse(EditRefusal::UnknownVariant { at, variant: *variant }))?;
        found.price_minor = *price_minor;
    }
    let differs = |field: &FieldName| FieldValue::of(known, *field) != FieldValue::of(&new, *field);
    let mut values: Vec<FieldValue> =
        FieldName::ALL.into_iter().filter(differs).map(|field| FieldValue::of(&new, field)).collect();
    let conflicts = replica.site().menu_conflicts();
    for (at, (field, kept)) in edit.keep.iter().enumerate() {
        let conflict = conflicts.iter().find(|conflict| conflict.item.id == id && conflict.field == *field);
        let held = conflict.and_then(|conflict| conflict.values.iter().find(|(stamp, _)| choice(stamp) == *kept));
        let (_, value) = held.ok_or(refuse(EditRefusal::ChoiceGone { at }))?;
        values.retain(|value| value.name() != *field);
        values.push(value.clone());
    }
    let changes = if values.is_empty() { Vec::new() } else { vec![replica.site().write_fields(id, values)] };
    Ok(Plan::new(by, changes, |_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shop, Sibling};
    use pilotlight_sync::doc::change::Change;
    use pilotlight_sync::doc::item::FieldsWrite;

    fn pizza() -> MenuItemId {
        MenuItemId::derived(&["pizza"])
    }

    fn edit(shop: &mut Shop, edit: Edit) -> Result<(), EditRefusal> {
        shop.run(|replica, _| plan(replica, Actor::System, pizza(), edit))
    }

    fn name(text: &str) -> FieldValue {
        FieldValue::Name(text.into())
    }

    #[test]
    fn w2_two_nodes_edit_one_item_and_a_tap_keeps_the_one_or_the_other() {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        let dear = Edit { prices: vec![(VariantId::derived(&["pizza"]), 1_200)], ..Edit::default() };
        assert_eq!(edit(&mut shop, dear), Ok(()));
        assert_eq!(edit(&mut shop, Edit { values: vec![name("Pizza Rossa")], ..Edit::default() }), Ok(()));
        // The bar has heard of the new price, and of no new name.
        let heard = shop.replica().site().write_fields(pizza(), vec![]);
        let Change::ItemFields(FieldsWrite { version, .. }) = heard else { panic!("{heard:?}") };
        let values = vec![name("Pizza Bianca"), FieldValue::Prep(600)];
        bar.write(
            &mut shop,
            &[Change::ItemFields(FieldsWrite { item: pizza(), values, version: version - 1, seen: vec![] })],
        );

        let item = shop.replica().site().menu().items[&pizza()].clone();
        assert_eq!((item.variants[0].price_minor, item.prep_s), (1_200, 600), "other fields are as each wrote them");
        let conflicts = shop.replica().site().menu_conflicts();
        assert_eq!(conflicts.len(), 1);
        let held: Vec<FieldValue> = conflicts[0].values.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!((held.len(), held[0] == FieldValue::Name(item.name)), (2, true), "the shown one first");
        let kept = choice(&conflicts[0].values[1].0);
        let keep = |choice: &str| Edit { keep: vec![(FieldName::Name, choice.into())], ..Edit::default() };
        assert_eq!(edit(&mut shop, keep("nothing")), Err(EditRefusal::ChoiceGone { at: 0 }));
        assert_eq!(edit(&mut shop, keep(&kept)), Ok(()));
        let site = shop.replica().site();
        assert_eq!(FieldValue::of(&site.menu().items[&pizza()], FieldName::Name), held[1]);
        assert!(site.menu_conflicts().is_empty());
        let before = shop.replica().position();
        assert_eq!(edit(&mut shop, Edit { values: vec![held[1].clone()], ..Edit::default() }), Ok(()));
        assert_eq!(shop.replica().position(), before, "what is so already is not written");
        shop.reopen();
        assert_eq!(FieldValue::of(&shop.replica().site().menu().items[&pizza()], FieldName::Name), held[1]);
    }
}
