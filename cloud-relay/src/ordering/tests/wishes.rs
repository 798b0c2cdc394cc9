//! What the relay asks a restaurant for.

use crate::ordering::wishes::{PAUSE_MS, WINDOW_MS};
use crate::payments::sandbox::faults::Faults;
use crate::testing::{Market, cart, dough, line};
use pilotlight_sync::domain::id::IngredientId;

#[tokio::test]
async fn b9_little_rights_and_much_demand_are_asked_for_with_a_pause() {
    let market = Market::open(Faults::default()).await;
    market.quote(cart(vec![line("a", "pizza", 2)])).await.unwrap();
    market.app.desk.wish(&market.site).await.unwrap();
    let wants = market.site.wants();
    assert!(wants.borrow().is_empty(), "600 g are enough for 400 g");
    // What cannot be sold is wanted all the same.
    market.quote(cart(vec![line("b", "pizza", 4)])).await.unwrap_err();
    market.app.desk.wish(&market.site).await.unwrap();
    let asked: Vec<(IngredientId, u64)> = wants.borrow().iter().map(|want| (want.ingredient, want.amount)).collect();
    assert_eq!(asked, [(dough(), 2 * 1_200 - 600)]);
    market.site.want(vec![]);
    market.app.desk.wish(&market.site).await.unwrap();
    assert!(wants.borrow().is_empty(), "not within five seconds");
    market.clock.advance(PAUSE_MS);
    market.app.desk.wish(&market.site).await.unwrap();
    assert_eq!(wants.borrow().len(), 1);
    market.clock.advance(WINDOW_MS + PAUSE_MS);
    market.site.want(vec![]);
    market.app.desk.wish(&market.site).await.unwrap();
    assert!(wants.borrow().is_empty(), "what was wanted long ago is forgotten");
}
