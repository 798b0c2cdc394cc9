//! What the sandbox has executed: charges, and one answer for each idempotency key. Pure; the journal is its memory.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The card that is always refused. Every other token that begins with `tok_` is taken.
pub const DECLINED_CARD: &str = "tok_declined";

/// What a caller wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// Reserve money.
    Authorise {
        /// How much.
        amount_minor: i64,
        /// Of what.
        currency: String,
        /// Whose; a token, never a number.
        card: String,
    },
    /// Take what was reserved, or a part; the rest is let go.
    Capture {
        /// Of which charge.
        charge: String,
        /// How much.
        amount_minor: i64,
    },
    /// Let go what was reserved.
    Void {
        /// Of which charge.
        charge: String,
    },
    /// Give back what was taken, or a part.
    Refund {
        /// Of which charge.
        charge: String,
        /// How much.
        amount_minor: i64,
    },
}

/// How far a charge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeState {
    /// Money is reserved.
    Authorised,
    /// The bank said no.
    Declined,
    /// Money was taken.
    Captured,
    /// Nothing was taken: let go.
    Voided,
}

/// One charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Its id here.
    pub id: String,
    /// How far it is.
    pub state: ChargeState,
    /// Of all its amounts.
    pub currency: String,
    /// Reserved at first.
    pub authorised_minor: i64,
    /// Taken.
    pub captured_minor: i64,
    /// Given back of that.
    pub refunded_minor: i64,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// The bank said no.
    Declined {
        /// Why.
        reason: String,
    },
    /// It makes no sense for this charge; nothing was moved.
    Refused {
        /// Why.
        reason: String,
    },
}

/// One line of the journal: an operation that was executed under its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1.
    pub n: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The idempotency key.
    pub key: String,
    /// What was asked.
    #[serde(flatten)]
    pub operation: Operation,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The charge afterwards; none when there is no such charge.
    pub charge_after: Option<Charge>,
}

/// What a caller hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The key's one answer, executed now or before.
    Executed(Box<Entry>),
    /// The key was used for something else. Nothing was executed.
    KeyReused,
}

/// All charges and all keys.
#[derive(Debug, Default)]
pub struct Book {
    charges: BTreeMap<String, Charge>,
    by_key: BTreeMap<String, Entry>,
    entries: u64,
}

impl Book {
    /// What this operation would be answered under this key, and the entry to write when it is new. Nothing has changed yet.
    pub fn plan(&self, key: &str, operation: Operation, at_ms: u64, decline: bool) -> (Answer, Option<Entry>) {
        if let Some(known) = self.by_key.get(key) {
            let same = known.operation == operation;
            return (if same { Answer::Executed(Box::new(known.clone())) } else { Answer::KeyReused }, None);
        }
        let (outcome, charge_after) = self.decide(key, &operation, decline);
        let entry = Entry { n: self.entries + 1, at_ms, key: key.to_owned(), operation, outcome, charge_after };
        (Answer::Executed(Box::new(entry.clone())), Some(entry))
    }

    /// Takes in an entry that is on disk.
    pub fn apply(&mut self, entry: Entry) {
        self.entries = self.entries.max(entry.n);
        if let Some(charge) = &entry.charge_after {
            self.charges.insert(charge.id.clone(), charge.clone());
        }
        self.by_key.insert(entry.key.clone(), entry);
    }

    /// The charge of this id.
    pub fn charge(&self, id: &str) -> Option<&Charge> {
        self.charges.get(id)
    }

    /// What was executed under this key.
    pub fn by_key(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key)
    }

    fn decide(&self, key: &str, operation: &Operation, decline: bool) -> (Outcome, Option<Charge>) {
        let refused = |reason: &str| Outcome::Refused { reason: reason.to_owned() };
        let found = |id: &String| self.charges.get(id).cloned();
        match operation {
            Operation::Authorise { amount_minor, currency, card } => {
                authorise(key, *amount_minor, currency, card, decline)
            }
            Operation::Capture { charge, amount_minor } => match found(charge) {
                None => (refused("unknown_charge"), None),
                Some(charge) if charge.state != ChargeState::Authorised => (refused("not_authorised"), Some(charge)),
                Some(charge) if *amount_minor <= 0 || *amount_minor > charge.authorised_minor => {
                    (refused("amount"), Some(charge))
                }
                Some(charge) => {
                    let taken = Charge { state: ChargeState::Captured, captured_minor: *amount_minor, ..charge };
                    (Outcome::Done, Some(taken))
                }
            },
            Operation::Void { charge } => match found(charge) {
                None => (refused("unknown_charge"), None),
                Some(charge) if charge.state != ChargeState::Authorised => (refused("not_authorised"), Some(charge)),
                Some(charge) => (Outcome::Done, Some(Charge { state: ChargeState::Voided, ..charge })),
            },
            Operation::Refund { charge, amount_minor } => match found(charge) {
                None => (refused("unknown_charge"), None),
                Some(charge) if charge.state != ChargeState::Captured => (refused("not_captured"), Some(charge)),
                Some(charge) if *amount_minor <= 0 || *amount_minor > charge.captured_minor - charge.refunded_minor => {
                    (refused("amount"), Some(charge))
                }
                Some(charge) => {
                    let refunded_minor = charge.refunded_minor + amount_minor;
                    (Outcome::Done, Some(Charge { refunded_minor, ..charge }))
                }
            },
        }
    }
}

fn authorise(key: &str, amount_minor: i64, currency: &str, card: &str, decline: bool) -> (Outcome, Option<Charge>) {
    if amount_minor <= 0 {
        return (Outcome::Refused { reason: "amount".to_owned() }, None);
    }
    if !card.starts_with("tok_") {
        return (Outcome::Refused { reason: "not_a_token".to_owned() }, None);
    }
    let declined = decline || card == DECLINED_CARD;
    let state = if declined { ChargeState::Declined } else { ChargeState::Authorised };
    // A charge's id follows from its key: two books that executed the same key name the same charge.
    let id = format!("ch_{}", &blake3::hash(key.as_bytes()).to_hex()[..24]);
    let charge = Charge {
        id,
        state,
        currency: currency.to_owned(),
        authorised_minor: if declined { 0 } else { amount_minor },
        captured_minor: 0,
        refunded_minor: 0,
    };
    let outcome = if declined { Outcome::Declined { reason: "card_declined".to_owned() } } else { Outcome::Done };
    (outcome, Some(charge))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(book: &mut Book, key: &str, operation: Operation) -> Answer {
        let (answer, entry) = book.plan(key, operation, 5, false);
        if let Some(entry) = entry {
            book.apply(entry);
        }
        answer
    }

    fn pay(card: &str, amount_minor: i64) -> Operation {
        Operation::Authorise { amount_minor, currency: "USD".into(), card: card.into() }
    }

    fn charge_of(answer: &Answer) -> Charge {
        let Answer::Executed(entry) = answer else { panic!("{answer:?}") };
        entry.charge_after.clone().unwrap()
    }

    #[test]
    fn a1_the_same_key_is_executed_once_and_another_body_under_it_is_refused() {
        let mut book = Book::default();
        let first = run(&mut book, "k1", pay("tok_ok", 500));
        assert_eq!(run(&mut book, "k1", pay("tok_ok", 500)), first);
        assert_eq!(run(&mut book, "k1", pay("tok_ok", 501)), Answer::KeyReused);
        let charge = charge_of(&first).id;
        let capture = Operation::Capture { charge: charge.clone(), amount_minor: 500 };
        let done = run(&mut book, "k2", capture.clone());
        assert_eq!(run(&mut book, "k2", capture.clone()), done);
        // A new key does not take the money a second time.
        let Answer::Executed(again) = run(&mut book, "k3", capture) else { panic!() };
        assert_eq!(again.outcome, Outcome::Refused { reason: "not_authorised".into() });
        assert_eq!(book.charge(&charge).map(|charge| charge.captured_minor), Some(500));
    }

    #[test]
    fn a1_each_operation_does_what_its_charge_allows_and_no_more() {
        let mut book = Book::default();
        let charge = charge_of(&run(&mut book, "a", pay("tok_ok", 1_000))).id;
        let refund = |amount_minor| Operation::Refund { charge: charge.clone(), amount_minor };
        let word = |answer: Answer| match answer {
            Answer::KeyReused => "key_reused".to_owned(),
            Answer::Executed(entry) => match entry.outcome {
                Outcome::Done => "done".to_owned(),
                Outcome::Declined { reason } | Outcome::Refused { reason } => reason,
            },
        };
        let nowhere = Operation::Void { charge: "ch_x".into() };
        let rows = [
            ("b", refund(1), "not_captured"),
            ("c", Operation::Capture { charge: charge.clone(), amount_minor: 1_001 }, "amount"),
            ("d", Operation::Capture { charge: charge.clone(), amount_minor: 900 }, "done"),
            ("e", Operation::Void { charge: charge.clone() }, "not_authorised"),
            ("f", refund(400), "done"),
            ("g", refund(501), "amount"),
            ("h", refund(500), "done"),
            ("i", nowhere, "unknown_charge"),
            ("j", pay("tok_declined", 10), "card_declined"),
            ("k", pay("4242424242424242", 10), "not_a_token"),
            ("l", pay("tok_ok", 0), "amount"),
        ];
        for (key, operation, expected) in rows {
            assert_eq!(word(run(&mut book, key, operation.clone())), expected, "{operation:?}");
        }
    }
}
