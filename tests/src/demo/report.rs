//! Compares what everyone wrote down with what both replicas hold and what the bank booked. Pure: evidence in, findings out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::demo::evenings::Guest;
use crate::demo::journals::Inner;
use crate::shop::{Recipes, text};

/// One order as a replica tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The state word.
    pub status: String,
    /// For people.
    pub number: Option<String>,
    /// What it costs, in minor units; 0 once it is cancelled.
    pub total_minor: i64,
    /// Captured less refunded, in minor units.
    pub paid_minor: i64,
}

/// Everything that was written down.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The guests, as they came.
    pub guests: Vec<Guest>,
    /// What they, the cook and the riders noted.
    pub journals: Inner,
    /// The gateway's own journal, line by line.
    pub bank: Vec<Value>,
    /// The node's orders.
    pub node: BTreeMap<String, Kept>,
    /// The relay's orders.
    pub relay: BTreeMap<String, Kept>,
    /// What was delivered to the shop, in grams by ingredient.
    pub shelves: BTreeMap<String, u64>,
    /// What the node's books say was used, in grams by ingredient.
    pub used: BTreeMap<String, u64>,
    /// One hash over each replica's documents.
    pub digests: [String; 2],
}

/// What must not have happened, each with its cases in words.
#[derive(Debug, Default)]
pub struct Findings {
    /// Acknowledged, and not there, or not as it was acknowledged.
    pub lost: Vec<String>,
    /// There twice, cooked twice, or taken from stock twice.
    pub doubled: Vec<String>,
    /// Sold without being there.
    pub oversold: Vec<String>,
    /// Money taken or held twice for one order.
    pub charged_twice: Vec<String>,
    /// Money kept without an order for it.
    pub charged_without_order: Vec<String>,
    /// Made after the customer was told that it is cancelled.
    pub cooked_after_cancellation: Vec<String>,
    /// The replicas disagree, or something never came to an end.
    pub unsettled: Vec<String>,
}

impl Findings {
    /// The findings by name.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &Vec<String>); 7] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("oversold", &self.oversold),
            ("charged twice", &self.charged_twice),
            ("charged without an order", &self.charged_without_order),
            ("cooked after cancellation", &self.cooked_after_cancellation),
            ("unsettled or different", &self.unsettled),
        ]
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn none(&self) -> bool {
        self.all().iter().all(|(_, cases)| cases.is_empty())
    }
}

/// Words after which nothing more happens to an order.
const ENDS: [&str; 3] = ["COMPLETED", "CANCELLED", "REFUNDED"];

/// Looks for everything that must not have happened.
#[must_use]
pub fn examine(evidence: &Evidence, recipes: &Recipes) -> Findings {
    let mut findings = Findings::default();
    orders(evidence, &mut findings);
    kitchen(evidence, &mut findings);
    stock(evidence, recipes, &mut findings);
    bank(evidence, &mut findings);
    settled(evidence, &mut findings);
    findings
}

fn orders(evidence: &Evidence, findings: &mut Findings) {
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    for order in evidence.journals.here.values().filter(|order| order.number.is_some()) {
        let told = order.number.as_deref().unwrap_or_default();
        if let Some(other) = numbers.insert(told, &order.id) {
            findings.doubled.push(format!("number {told} was given to {other} and {}", order.id));
        }
        if order.created > 1 {
            findings.doubled.push(format!("order {} was answered as new {} times", order.id, order.created));
        }
        for (name, replica) in [("node", &evidence.node), ("relay", &evidence.relay)] {
            match replica.get(&order.id) {
                None => findings.lost.push(format!("{told} ({}) is not at the {name}", order.id)),
                Some(kept) if kept.number.as_deref() != Some(told) || kept.total_minor != order.total_minor => {
                    findings.lost.push(format!("{told} is {kept:?} at the {name}, acknowledged as {order:?}"));
                }
                Some(kept) if kept.paid_minor < order.paid_minor => {
                    findings.lost.push(format!("{told}: {} paid, {} at the {name}", order.paid_minor, kept.paid_minor));
                }
                Some(_) => {}
            }
        }
    }
    for order in evidence.journals.home.values().filter(|order| order.placed) {
        if order.created > 1 {
            findings.doubled.push(format!("order {} was answered as new {} times", order.id, order.created));
        }
        for (name, replica) in [("node", &evidence.node), ("relay", &evidence.relay)] {
            if !replica.contains_key(&order.id) {
                findings.lost.push(format!("{} is not at the {name}", order.id));
            }
        }
    }
    let journals = &evidence.journals;
    for (name, replica) in [("node", &evidence.node), ("relay", &evidence.relay)] {
        let stray = |id: &&String| !journals.here.contains_key(*id) && !journals.home.contains_key(*id);
        for id in replica.keys().filter(stray) {
            findings.doubled.push(format!("the {name} has order {id}, which nobody placed"));
        }
    }
}

fn kitchen(evidence: &Evidence, findings: &mut Findings) {
    let mut done: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for deed in &evidence.journals.kitchen {
        if !done.insert((&deed.order, &deed.ticket, deed.what)) {
            findings.doubled.push(format!("{} of {} {} was done twice", deed.what, deed.order, deed.ticket));
        }
        let Some(order) = evidence.journals.home.get(&deed.order) else { continue };
        if deed.what == "start" && order.cancelled_ms.is_some_and(|cancelled| cancelled < deed.at_ms) {
            let late = deed.at_ms - order.cancelled_ms.unwrap_or_default();
            findings
                .cooked_after_cancellation
                .push(format!("{} was begun {late} ms after it was cancelled", deed.order));
        }
    }
}

fn stock(evidence: &Evidence, recipes: &Recipes, findings: &mut Findings) {
    let journals = &evidence.journals;
    let begun: BTreeSet<&str> = journals.kitchen.iter().map(|deed| deed.order.as_str()).collect();
    let mut sold: BTreeMap<String, u64> = BTreeMap::new();
    let here = journals.here.values().filter(|order| order.number.is_some()).map(|order| order.guest);
    // What was cancelled before anybody began went back onto the shelf.
    let kept = |id: &str| begun.contains(id) || evidence.relay.get(id).is_some_and(|kept| kept.total_minor > 0);
    let home = journals.home.values().filter(|order| order.placed && kept(&order.id)).map(|order| order.guest);
    for guest in here.chain(home) {
        evidence.guests[guest].cart.add_uses(recipes, &mut sold);
    }
    for (ingredient, grams) in &sold {
        let shelf = evidence.shelves.get(ingredient).copied().unwrap_or(0);
        if *grams > shelf {
            findings.oversold.push(format!("{ingredient}: {grams} g sold of {shelf} g"));
        }
        let booked = evidence.used.get(ingredient).copied().unwrap_or(0);
        if booked > *grams {
            findings.doubled.push(format!("{ingredient}: {booked} g were taken for orders that needed {grams} g"));
        }
        if booked < *grams {
            findings.oversold.push(format!("{ingredient}: {grams} g were sold, {booked} g taken from stock"));
        }
    }
}

/// What the bank booked on one order's card.
#[derive(Debug, Default)]
struct Statement {
    charges: BTreeMap<String, Value>,
}

fn bank(evidence: &Evidence, findings: &mut Findings) {
    let mut statements: BTreeMap<String, Statement> = BTreeMap::new();
    let mut card_of: BTreeMap<String, String> = BTreeMap::new();
    for entry in &evidence.bank {
        let charge = &entry["charge_after"];
        let id = text(&charge["id"]).to_owned();
        if entry["operation"] == "authorise" {
            card_of.insert(id.clone(), text(&entry["card"]).to_owned());
        }
        let Some(card) = card_of.get(&id) else { continue };
        statements.entry(card.clone()).or_default().charges.insert(id, charge.clone());
    }
    let amount = |charge: &Value, name: &str| charge[name].as_i64().unwrap_or(0);
    for order in evidence.journals.home.values() {
        let Some(statement) = statements.remove(&order.card) else { continue };
        let holding = |charge: &&Value| matches!(text(&charge["state"]), "authorised" | "captured");
        let live: Vec<&Value> = statement.charges.values().filter(holding).collect();
        if live.len() > 1 {
            findings.charged_twice.push(format!("{}: {live:?}", order.id));
        }
        let captured: i64 = live.iter().map(|charge| amount(charge, "captured_minor")).sum();
        let refunded: i64 = live.iter().map(|charge| amount(charge, "refunded_minor")).sum();
        if captured > order.total_minor {
            findings.charged_twice.push(format!("{}: {captured} taken for {}", order.id, order.total_minor));
        }
        let kept = evidence.relay.get(&order.id);
        let paid = kept.map_or(0, |kept| kept.paid_minor);
        if captured - refunded != paid {
            let words = format!("{}: the bank kept {}, the order says {paid}", order.id, captured - refunded);
            findings.charged_without_order.push(words);
        }
        let promised = order.promised_refund_minor.map(|refund| order.total_minor - refund);
        if let Some(promised) = promised
            && captured - refunded != promised
        {
            let words = format!("{}: cancelled for {promised}, the bank kept {}", order.id, captured - refunded);
            findings.charged_without_order.push(words);
        }
        let reserved = live.iter().any(|charge| text(&charge["state"]) == "authorised");
        if reserved && kept.is_none_or(|kept| ENDS.contains(&kept.status.as_str())) {
            findings.charged_without_order.push(format!("{}: money is reserved for nothing: {live:?}", order.id));
        }
    }
    for (card, statement) in statements {
        findings.charged_without_order.push(format!("{card} is nobody's: {:?}", statement.charges));
    }
}

fn settled(evidence: &Evidence, findings: &mut Findings) {
    let [node, relay] = &evidence.digests;
    if node != relay {
        findings.unsettled.push(format!("the digests differ: node {node}, relay {relay}"));
    }
    for (id, kept) in &evidence.relay {
        if !ENDS.contains(&kept.status.as_str()) {
            findings.unsettled.push(format!("{id} is still {}", kept.status));
        }
        if evidence.node.get(id).is_some_and(|node| node != kept) {
            findings.unsettled.push(format!("{id}: {kept:?} at the relay, {:?} at the node", evidence.node.get(id)));
        }
    }
}

/// How often each fault could have done harm: a run without chances proves nothing.
#[derive(Debug, Clone, Default)]
pub struct Chances {
    /// Taps that were sent twice or more.
    pub repeated: usize,
    /// Orders that were under way when a program was killed and asked again.
    pub killed_under: usize,
    /// Orders that had been answered in the same breath when the node was killed.
    pub just_answered: usize,
    /// Answers that the gateway lost after executing.
    pub lost_answers: u64,
    /// Orders that the relay held.
    pub held: usize,
    /// Of those, the ones that were made afterwards.
    pub released: usize,
    /// Orders cancelled before they could be confirmed, which the restaurant had got.
    pub cancelled_unconfirmed: usize,
    /// Guests who heard *sold out*.
    pub sold_out: usize,
}

/// At least so many orders are held, and so many released.
pub const HELD_MIN: usize = 5;

impl Chances {
    /// What makes the run prove nothing.
    #[must_use]
    pub fn vacuous(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.held < HELD_MIN {
            missing.push(format!("{} orders were held; {HELD_MIN} are the least", self.held));
        }
        if self.released < HELD_MIN {
            missing.push(format!("{} held orders were made afterwards; {HELD_MIN} are the least", self.released));
        }
        for (count, what) in [
            (self.repeated, "no tap was sent twice"),
            (self.just_answered, "no order had just been answered when the node was killed"),
            (self.cancelled_unconfirmed, "nobody cancelled what the restaurant had and could not confirm"),
            (self.sold_out, "nobody heard *sold out*"),
            (usize::try_from(self.lost_answers).unwrap_or(usize::MAX), "the gateway lost no answer"),
        ] {
            if count == 0 {
                missing.push(what.to_owned());
            }
        }
        missing
    }
}
