//! A replaced machine's stock.

use super::*;
use crate::testing::{Shop, dough, line, order};
use std::fs;

fn adopt(shop: &mut Shop, of: OriginId) -> Result<Vec<u64>, AdoptRefusal> {
    let adopted = shop.run(|replica, now| plan(replica, now, Actor::System, of))?;
    Ok(adopted.amounts.into_iter().map(|(_, amount)| amount).collect())
}

#[test]
fn s8_a_replaced_node_takes_over_what_is_known_of_the_old_ones_stock_once_and_sells_at_once() {
    let mut shop = Shop::open();
    shop.place(order("one", vec![line("l", "pizza", 1)])).unwrap();
    let old = shop.replica().identity().origin;
    fs::remove_file(shop.paths().identity()).unwrap();
    shop.reopen();
    assert_eq!(shop.rights(), 0);
    assert_eq!(others(shop.replica()), [old]);
    assert_eq!(adopt(&mut shop, old), Ok(vec![800]), "a pizza of 200 g was sold of 1,000 g");
    assert_eq!(shop.rights(), 800);
    assert_eq!(adopt(&mut shop, old), Ok(vec![]), "nothing twice");
    shop.place(order("two", vec![line("m", "pizza", 4)])).unwrap();
    assert!(shop.place(order("three", vec![line("n", "pizza", 1)])).is_err());
    shop.reopen();
    let site = shop.replica().site();
    let stock = site.stock(&dough()).unwrap();
    assert_eq!((stock.stock(), stock.last_known(&old), stock.shortage()), (0, 0, 0));
    assert_eq!(others(shop.replica()), []);
}

#[test]
fn s8_a_machine_that_is_on_and_unknown_ones_are_not_taken_over() {
    let mut shop = Shop::open();
    let own = shop.replica().identity().origin;
    assert_eq!(adopt(&mut shop, own), Err(AdoptRefusal::Own));
    let nobody = OriginId::derived(&["nobody"]);
    assert_eq!(adopt(&mut shop, nobody), Err(AdoptRefusal::Unknown(nobody)));
}
