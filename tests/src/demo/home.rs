//! Customers at home: they ask for a price, order, pay by card, follow the order, and some change their mind.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::Api;
use crate::clock;
use crate::demo::business_clock::BusinessClock;
use crate::demo::evenings::Guest;
use crate::demo::journals::{HomeOrder, Journals};
use crate::demo::persistent::{Asked, ask, code};
use crate::demo::place::HOME;
use crate::seeded::Seeded;
use crate::shop::text;

/// One in so many taps on *order and pay* is a double tap.
const DOUBLE_TAPS: usize = 8;
/// One in so many customers changes their mind.
const CANCELS: usize = 9;
/// After how long at most, in business milliseconds.
const CANCEL_WITHIN_MS: usize = 9 * 60_000;
/// Between two looks at an order whose payment is under way.
const PAYING_LOOK: Duration = Duration::from_millis(100);
/// How long a payment may be under way, in real time: the gateway loses answers, and the relay is killed once.
const PAYING_MAX: Duration = Duration::from_secs(30);
/// Between two looks at whether the restaurant has an order.
const REACH_LOOK: Duration = Duration::from_millis(5);
/// For the people.
const TIP_MINOR: i64 = 200;

/// Somebody who has signed up: two connections with one session, as two tabs are.
#[derive(Debug)]
pub struct Customer {
    tabs: [Api; 2],
}

impl Customer {
    /// Signs up.
    pub async fn sign_up(relay: &Api, number: usize) -> anyhow::Result<Self> {
        let new = json!({"name": format!("Customer {number}"), "email": format!("customer{number}@example.org"), "password": "pizza-on-friday"});
        let session = relay.post("/api/v1/customers", &new).await?.expect(201)?;
        let token = text(&session["token"]).to_owned();
        let tab = || Api::new(relay.target().clone(), Some(token.clone()));
        Ok(Self { tabs: [tab(), tab()] })
    }
}

impl Customer {
    /// One of the tabs.
    #[must_use]
    pub fn tab(&self) -> &Api {
        &self.tabs[0]
    }
}

/// How a customer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mind {
    /// As the dice say.
    Open,
    /// Waits until the order is at the restaurant, whose answer is lost, and cancels it: before anything can be confirmed.
    Impatient,
}

/// What every visit from home needs.
#[derive(Debug, Clone)]
pub struct Town {
    /// People.
    pub customers: Arc<Vec<Customer>>,
    /// The restaurant's id.
    pub site: String,
    /// Business time.
    pub clock: Arc<BusinessClock>,
    /// Where all of it is noted.
    pub journals: Arc<Journals>,
    /// The restaurant's own view, for those who wait until their order is there.
    pub node: Arc<Api>,
    /// Whether the line is dead both ways.
    pub line_dead: watch::Sender<bool>,
    /// Of the evening.
    pub seed: u64,
}

/// Orders, and perhaps cancels; notes what was answered.
pub async fn visit(town: Town, index: usize, guest: Guest, mind: Mind) -> anyhow::Result<()> {
    let mut dice = Seeded::new(town.seed ^ (index as u64).wrapping_mul(0x517C_C1B7));
    let customer = &town.customers[index % town.customers.len()];
    let id = dice.uuid().to_string();
    let mut order = HomeOrder { guest: index, card: format!("tok_{id}"), id, ..HomeOrder::default() };
    town.journals.home(&order);
    let lines = guest.cart.lines(&mut dice);
    let payment = dice.uuid().to_string();
    let began = clock::now();
    for _ in 0..3 {
        let Some(quote) = quote(&town, customer, &lines, &mut order).await? else { return Ok(()) };
        order.total_minor = quote["total_minor"].as_i64().context("a total")?;
        town.journals.home(&order);
        let twice = dice.below(DOUBLE_TAPS) == 0;
        let again = place(&town, customer, &mut order, &quote, &payment, twice).await?;
        if !again {
            break;
        }
    }
    if !order.placed {
        return Ok(());
    }
    order.placed_in_ms = (order.sends == 1).then(|| began.elapsed().as_secs_f64() * 1_000.0);
    town.journals.home(&order);
    match mind {
        Mind::Impatient => {
            reach(&town, &mut order).await?;
            let mut line = town.line_dead.subscribe();
            line.wait_for(|dead| *dead).await?;
            cancel(&town, customer, &mut order).await?;
        }
        Mind::Open if dice.below(CANCELS) == 0 => {
            town.clock.pass(dice.below(CANCEL_WITHIN_MS) as u64).await;
            cancel(&town, customer, &mut order).await?;
        }
        Mind::Open => {}
    }
    Ok(())
}

/// What a quote is asked for: these lines, brought home.
#[must_use]
pub fn wanted(lines: &[Value]) -> Value {
    json!({
        "fulfilment": "delivery", "lines": lines, "tip_minor": TIP_MINOR, "note": null,
        "address": {"street": "1 Example Street", "city": "New York", "lat": HOME.0, "lon": HOME.1, "note": null},
    })
}

/// Waits until the node has the order, over the way that is still open.
async fn reach(town: &Town, order: &mut HomeOrder) -> anyhow::Result<()> {
    let mut line = town.line_dead.subscribe();
    while !order.reached && !*line.borrow_and_update() {
        order.reached = town.node.get(&format!("/api/v1/orders/{}", order.id)).await?.status == 200;
        if !order.reached {
            clock::moment(REACH_LOOK).await;
        }
    }
    town.journals.home(order);
    Ok(())
}

async fn quote(
    town: &Town,
    customer: &Customer,
    lines: &[Value],
    order: &mut HomeOrder,
) -> anyhow::Result<Option<Value>> {
    let path = format!("/api/v1/restaurants/{}/quotes", town.site);
    let asked = ask(&customer.tabs[0], "POST", &path, Some(&wanted(lines))).await?;
    if asked.answer.status == 201 {
        return Ok(Some(asked.answer.json()?));
    }
    order.refused = Some(code(&asked.answer));
    town.journals.home(order);
    Ok(None)
}

/// Places, twice at once for a double tap; answers whether a new quote is needed.
async fn place(
    town: &Town,
    customer: &Customer,
    order: &mut HomeOrder,
    quote: &Value,
    payment: &str,
    twice: bool,
) -> anyhow::Result<bool> {
    let body = json!({"id": order.id, "quote": quote["quote"], "payment": payment, "card": {"token": order.card}});
    let path = format!("/api/v1/restaurants/{}/orders", town.site);
    let send = |api| ask(api, "POST", &path, Some(&body));
    let answers: Vec<Asked> = if twice {
        let (first, second) = tokio::join!(send(&customer.tabs[0]), send(&customer.tabs[1]));
        vec![first?, second?]
    } else {
        vec![send(&customer.tabs[0]).await?]
    };
    let mut again = false;
    for asked in answers {
        order.sends += asked.times;
        order.created += u32::from(asked.answer.status == 201);
        match asked.answer.status {
            200 | 201 => heard(order, asked.answer.json()?),
            202 => paying(customer, order).await?,
            _ => {
                let code = code(&asked.answer);
                again |= matches!(code.as_str(), "quote_expired" | "price_changed");
                order.refused = Some(code);
            }
        }
    }
    if order.placed {
        order.refused = None;
    }
    town.journals.home(order);
    Ok(again && !order.placed)
}

fn heard(order: &mut HomeOrder, answer: Value) {
    order.placed = true;
    order.held |= !answer["held"].is_null();
    order.last = answer;
}

/// Looks until the payment has come to an end.
async fn paying(customer: &Customer, order: &mut HomeOrder) -> anyhow::Result<()> {
    let began = clock::now();
    loop {
        let asked = ask(&customer.tabs[0], "GET", &format!("/api/v1/orders/{}", order.id), None).await?;
        match asked.answer.status {
            200 => {
                heard(order, asked.answer.json()?);
                return Ok(());
            }
            202 => ensure!(began.elapsed() < PAYING_MAX, "order {} is being paid for ever", order.id),
            _ => {
                order.refused = Some(code(&asked.answer));
                return Ok(());
            }
        }
        clock::moment(PAYING_LOOK).await;
    }
}

async fn cancel(town: &Town, customer: &Customer, order: &mut HomeOrder) -> anyhow::Result<()> {
    let preview =
        ask(&customer.tabs[0], "POST", &format!("/api/v1/orders/{}/cancel-preview", order.id), Some(&json!({})))
            .await?;
    if preview.answer.status != 200 {
        // Too late: it is ready, on the way, or ended already.
        return Ok(());
    }
    let refund = preview.answer.json()?["refund_minor"].as_i64().context("a refund")?;
    let body = json!({"why": "changed my mind", "expected_refund_minor": refund});
    let asked = ask(&customer.tabs[0], "POST", &format!("/api/v1/orders/{}/cancel", order.id), Some(&body)).await?;
    if asked.answer.status == 200 {
        let answer = asked.answer.json()?;
        if matches!(text(&answer["status"]), "CANCELLED" | "REFUNDED") {
            order.cancelled_ms = Some(clock::unix_millis());
            order.promised_refund_minor = Some(refund);
        }
        order.last = answer;
        town.journals.home(order);
    }
    Ok(())
}

/// Asks once more how each order ended.
pub async fn look_again(town: &Town) -> anyhow::Result<()> {
    for (_, mut order) in town.journals.copy().home {
        if !order.placed {
            continue;
        }
        let customer = &town.customers[order.guest % town.customers.len()];
        let asked = ask(&customer.tabs[0], "GET", &format!("/api/v1/orders/{}", order.id), None).await?;
        order.last = asked.answer.expect(200)?;
        town.journals.home(&order);
    }
    Ok(())
}
