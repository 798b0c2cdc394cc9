//! Effects' rows: what is left of a card's token.

use super::*;
use crate::store::testing::{TestDatabase, empty_log};

const NOW: Timestamp = Timestamp(1_795_284_000_000);
/// In every token, and nowhere else.
const MARK: &[u8] = b"tok_a_card_that_nobody_may_find";

fn authorise(n: u32) -> NewEffect {
    let order = OrderId::derived(&["order", &n.to_string()]);
    // Of different lengths, so that rows are moved when they grow.
    let card = format!("{}{}", String::from_utf8_lossy(MARK), "x".repeat((n as usize * 37) % 200));
    NewEffect {
        id: EffectId { order, kind: EffectKind::Authorise, n: 1 },
        site: SiteId::derived(&["site"]),
        payment: PaymentId::derived(&["payment", &n.to_string()]),
        amount_minor: 1_470,
        currency: Currency::USD,
        card: Some(card),
        why: "an order is placed".to_owned(),
    }
}

#[tokio::test]
async fn a7_of_a_cards_token_nothing_is_left_once_it_has_served() {
    let file = TestDatabase::new();
    let database = file.open().await;
    for round in 0..20 {
        let mut tx = database.begin().await.unwrap();
        for n in 0..40 {
            assert!(insert(&mut tx, &authorise(round * 40 + n), NOW).await.unwrap());
        }
        tx.commit().await.unwrap();
        let mut tx = database.begin().await.unwrap();
        for (n, claimed) in claim(&mut tx, NOW, 30).await.unwrap().into_iter().enumerate() {
            // Every third is tried again; its row grows.
            if n % 3 == 0 {
                put_back(&mut tx, &claimed, NOW, true, &"no answer ".repeat(n)).await.unwrap();
            } else {
                settle(&mut tx, &claimed, EffectState::Done, &"ch_".repeat(n), NOW).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }
    empty_log(&database).await;
    assert!(file.has(MARK), "what waits still has its token");
    let mut tx = database.begin().await.unwrap();
    for claimed in claim(&mut tx, NOW, 1_000).await.unwrap() {
        settle(&mut tx, &claimed, EffectState::Declined, "no", NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    empty_log(&database).await;
    assert!(!file.has(MARK), "the database or its log has a token's bytes");
}
