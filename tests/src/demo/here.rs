//! Guests in the restaurant: at a kiosk, or at the counter with cash. Some tap twice.

use std::sync::Arc;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::client::Api;
use crate::clock;
use crate::demo::evenings::{Guest, Place};
use crate::demo::journals::{HereOrder, Journals};
use crate::demo::persistent::{ask, code};
use crate::seeded::Seeded;
use crate::shop::text;

/// One in so many taps is a double tap.
const DOUBLE_TAPS: usize = 8;

/// The devices that guests and the cashier use: two connections each, as two taps or two tabs are.
#[derive(Debug)]
pub struct Devices {
    /// Kiosks.
    pub kiosks: Vec<[Api; 2]>,
    /// The counter's till.
    pub tills: Vec<[Api; 2]>,
}

/// Orders, pays in cash at the counter, and notes what was answered.
pub async fn visit(
    devices: Arc<Devices>,
    journals: Arc<Journals>,
    index: usize,
    guest: Guest,
    seed: u64,
) -> anyhow::Result<()> {
    let mut dice = Seeded::new(seed ^ (index as u64).wrapping_mul(0x9E37_79B9));
    let cash = guest.place == Place::Counter;
    let crowd = if cash { &devices.tills } else { &devices.kiosks };
    let device = &crowd[dice.below(crowd.len())];
    let mut body = guest.cart.order(&mut dice);
    if cash {
        body["channel"] = json!("counter");
    }
    let mut order = HereOrder {
        guest: index,
        id: text(&body["id"]).to_owned(),
        total_minor: guest.cart.total_minor(),
        cash,
        sent_ms: clock::unix_millis(),
        ..HereOrder::default()
    };
    journals.here(&order);
    let began = clock::now();
    let twice = dice.below(DOUBLE_TAPS) == 0;
    let send = |api| ask(api, "POST", "/api/v1/orders", Some(&body));
    let answers = if twice {
        let (first, second) = tokio::join!(send(&device[0]), send(&device[1]));
        vec![first?, second?]
    } else {
        vec![send(&device[0]).await?]
    };
    order.answered_in_ms =
        (answers.len() == 1 && answers[0].times == 1).then(|| began.elapsed().as_secs_f64() * 1_000.0);
    for asked in &answers {
        order.sends += asked.times;
        order.created += u32::from(asked.answer.status == 201);
        match asked.answer.status {
            200 | 201 => order.number = asked.answer.json()?["number"].as_str().map(str::to_owned),
            _ => order.refused = Some(code(&asked.answer)),
        }
    }
    journals.here(&order);
    ensure!(order.number.is_none() || order.refused.is_none(), "one tap was taken, the other refused: {order:?}");
    if cash && order.number.is_some() {
        pay(&device[0], &journals, &mut order, &mut dice).await?;
    }
    Ok(())
}

async fn pay(till: &Api, journals: &Journals, order: &mut HereOrder, dice: &mut Seeded) -> anyhow::Result<()> {
    let tender: Value = json!({"id": dice.uuid(), "amount_minor": order.total_minor});
    let paid = ask(till, "POST", &format!("/api/v1/orders/{}/payments", order.id), Some(&tender)).await?;
    let answer = paid.answer.expect(200)?;
    ensure!(answer["due_minor"] == 0, "paid, and yet due: {answer}");
    order.paid_minor = order.total_minor;
    journals.here(order);
    Ok(())
}
