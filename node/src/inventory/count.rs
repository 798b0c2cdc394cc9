//! Counts an ingredient: the shelf against all rights plus what is held for open orders, at a vector that is written down (SPEC S11).
//!
//! What is there beyond the books is added to the own row. What is missing is used up there; what the own row has no right to is a
//! shortage, which the next deliveries make good first: no row goes below nothing.

use crate::inventory::{OtherKeeper, keeper_elsewhere};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::crdt::counter::{Row, ShortRow};
use pilotlight_sync::doc::change::{Change, Seen};
use pilotlight_sync::doc::site::{Counted, Receipt};
use pilotlight_sync::domain::id::{IngredientId, IntentId};
use pilotlight_sync::domain::menu::Ingredient;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::STOCK_AMOUNT_MAX;

/// Why nothing was counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountRefusal {
    /// Another node books the stock.
    #[error(transparent)]
    OtherKeeper(#[from] OtherKeeper),
    /// No such ingredient.
    #[error("ingredient {0} is not known")]
    UnknownIngredient(IngredientId),
    /// This id booked something else.
    #[error("this id booked something else")]
    SameIdOther {
        /// The first field that differs.
        field: &'static str,
    },
    /// More than any shop holds.
    #[error("amount {0} is more than {STOCK_AMOUNT_MAX}")]
    Amount(u64),
}

/// What is held for lines that are wanted and not begun, in the ingredient's unit.
pub fn held(replica: &Replica, ingredient: &IngredientId) -> u64 {
    let views = replica.live_orders().map(|(_, order)| &order.view);
    let lines = views.flat_map(|view| view.wanted().filter(|line| view.not_begun(line)));
    let uses = lines.flat_map(|line| &line.line.uses).filter(|used| used.ingredient == *ingredient);
    uses.map(|used| used.amount).fold(0, u64::saturating_add)
}

/// Plans it; sent again it is answered as before.
pub fn plan(
    replica: &Replica,
    _now: Timestamp,
    by: Actor,
    intent: IntentId,
    (ingredient, shelf): (IngredientId, u64),
) -> Result<Plan<Counted>, PlanError<CountRefusal>> {
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    if let Some(booked) = replica.receipt(&intent)? {
        return match booked.counted {
            Some(_) if booked.ingredient != ingredient => refuse(CountRefusal::SameIdOther { field: "ingredient" }),
            Some(counted) if counted.shelf == shelf => Ok(Plan::answer_only(by, counted)),
            Some(_) => refuse(CountRefusal::SameIdOther { field: "amount" }),
            None => refuse(CountRefusal::SameIdOther { field: "id" }),
        };
    }
    keeper_elsewhere(replica).map_err(|other| PlanError::Refused(other.into()))?;
    let site = replica.site();
    let Some(known) = site.menu().ingredients.get(&ingredient) else {
        return refuse(CountRefusal::UnknownIngredient(ingredient));
    };
    if shelf > STOCK_AMOUNT_MAX {
        return refuse(CountRefusal::Amount(shelf));
    }
    let own = replica.identity().origin;
    let stock = site.stock(&ingredient).cloned().unwrap_or_default();
    // What a branch did lowers nobody's rights: it is found here, as beyond the books or missing.
    let books = stock.stock().saturating_add(held(replica, &ingredient));
    let missing = books.saturating_sub(shelf);
    let row: Row = stock.row(&own);
    let waste = missing.min(stock.rights(&own));
    let row = Row { used: row.used.saturating_add(waste), ..row }.deliver(shelf.saturating_sub(books));
    // What was known to miss before is in the books now; only what no right here covers stays open.
    let short = stock.short(&own);
    let open = missing - waste;
    let short =
        ShortRow { booked: short.booked.saturating_add(open), covered: short.covered.saturating_add(stock.shortage()) };
    let heads = replica.state().heads().iter();
    let counted = Counted {
        shelf,
        books,
        short: open,
        seen: heads.map(|(origin, head)| Seen { origin: *origin, seq: head.seq }).collect(),
    };
    let receipt = Receipt { counted: Some(counted.clone()), ..Receipt::delivered(ingredient, shelf) };
    let mut changes =
        vec![Change::Receipt(intent, receipt), Change::Stock(ingredient, row), Change::Short(ingredient, short)];
    // Who counts it wants it to be counted.
    changes.extend(
        (!known.enforced)
            .then(|| site.write_ingredient(known.id, Some(Ingredient { enforced: true, ..known.clone() }))),
    );
    Ok(Plan::new(by, changes, move |_| counted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::receive;
    use crate::testing::{Shop, dough, line, order};
    use pilotlight_sync::crdt::counter::BranchRow;
    use pilotlight_sync::domain::id::{BranchId, OriginId};

    fn count(shop: &mut Shop, id: &str, shelf: u64) -> Result<(u64, u64), CountRefusal> {
        let intent = IntentId::derived(&[id]);
        let counted = shop.run(|replica, now| plan(replica, now, Actor::System, intent, (dough(), shelf)))?;
        Ok((counted.books, counted.short))
    }

    #[test]
    fn s11_a_count_compares_the_shelf_with_all_rights_and_what_is_held_and_names_its_vector() {
        let mut shop = Shop::open();
        shop.place(order("one", vec![line("l", "pizza", 1)])).unwrap();
        assert_eq!(count(&mut shop, "right", 1_000), Ok((1_000, 0)), "200 of it are promised, and on the shelf");
        assert_eq!(shop.rights(), 800);
        assert_eq!((count(&mut shop, "more", 1_100), shop.rights()), (Ok((1_000, 0)), 900));
        assert_eq!((count(&mut shop, "less", 700), shop.rights()), (Ok((1_100, 0)), 500));
        assert_eq!((count(&mut shop, "less", 700), shop.rights()), (Ok((1_100, 0)), 500), "once");
        assert_eq!(count(&mut shop, "less", 701), Err(CountRefusal::SameIdOther { field: "amount" }));
        let booked = shop.replica().receipt(&IntentId::derived(&["less"])).unwrap().unwrap();
        let own = shop.replica().identity().origin;
        assert!(booked.counted.unwrap().seen.iter().any(|seen| seen.origin == own && seen.seq > 1));
    }

    #[test]
    fn s11_i8_what_a_branch_sold_is_in_no_books_and_is_found_missing_by_a_count() {
        let mut shop = Shop::open();
        let own = shop.replica().identity().origin;
        let (branch, given) = (BranchId::from_bytes([9; 16]), Default::default());
        let told = BranchRow { branch, of: own, added: 0, used: 300, returned: 0, given };
        shop.commit(&[Change::Branch(dough(), told)]);
        assert_eq!((count(&mut shop, "first", 700), shop.rights()), (Ok((1_000, 0)), 700));
        // Its origin goes on and sells all it has: the branch's part shows again, and goes with the next count.
        let row = shop.replica().site().stock(&dough()).unwrap().row(&own);
        let rights = shop.rights();
        shop.commit(&[Change::Stock(dough(), row.spend(rights, rights).unwrap())]);
        let shortage = |shop: &mut Shop| shop.replica().site().stock(&dough()).unwrap().shortage();
        assert_eq!(shortage(&mut shop), 300);
        assert_eq!((count(&mut shop, "second", 0), shortage(&mut shop)), (Ok((0, 0)), 0));
    }

    #[test]
    fn s11_what_no_right_covers_is_a_shortage_that_deliveries_make_good_first() {
        let mut shop = Shop::open();
        let (own, other) = (shop.replica().identity().origin, OriginId::derived(&["relay"]));
        let row = shop.replica().site().stock(&dough()).unwrap().row(&own).give(other, 600, 1_000).unwrap();
        shop.commit(&[Change::Stock(dough(), row)]);
        assert_eq!(count(&mut shop, "count", 450), Ok((1_000, 150)), "600 are another's to sell");
        let shortage = |shop: &mut Shop| shop.replica().site().stock(&dough()).unwrap().shortage();
        assert_eq!((shop.rights(), shortage(&mut shop)), (0, 150));
        let mut book = |id: &str, amount| {
            let receipt = Receipt::delivered(dough(), amount);
            let intent = IntentId::derived(&[id]);
            shop.run(|replica, now| receive::plan(replica, now, Actor::System, intent, receipt)).unwrap();
            (shop.rights(), shortage(&mut shop))
        };
        assert_eq!(book("first", 100), (0, 50));
        assert_eq!(book("second", 100), (50, 0));
        assert_eq!(count(&mut shop, "again", 650), Ok((650, 0)));
    }
}
