//! The bank: executes each idempotency key once and keeps a ledger of its own. Requests and answers travel in virtual time, so they can
//! be slow or lost; what was executed is known here, whatever anybody heard.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pilotlight_relay::payments::provider::{Operation, Outcome, Provider, Queried};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// What a process of the relay asks.
#[derive(Debug)]
pub struct Asked {
    /// Which claim of the process asks.
    pub claim: u64,
    /// The idempotency key.
    pub key: String,
    /// What; `None` asks what became of the key.
    pub operation: Option<Operation>,
    /// Where the answer goes; `None` is no answer.
    pub reply: oneshot::Sender<Option<Answer>>,
}

/// What the bank says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of an operation.
    Outcome(Outcome),
    /// Of a question.
    Queried(Queried),
}

/// A process's door to the bank: what is asked waits here until the world fetches it.
#[derive(Debug, Default)]
pub struct Bank {
    waiting: Mutex<Vec<Asked>>,
    /// The claim that runs now: one at a time.
    claim: AtomicU64,
    rung: Notify,
}

impl Bank {
    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This claim runs now: what is asked is its question. Waits until something is asked.
    pub async fn asked(&self, claim: u64) {
        self.claim.store(claim, Ordering::SeqCst);
        self.rung.notified().await;
    }

    /// What waits.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.lock())
    }

    async fn ask(&self, key: &str, operation: Option<Operation>) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        let claim = self.claim.load(Ordering::SeqCst);
        self.lock().push(Asked { claim, key: key.to_owned(), operation, reply });
        self.rung.notify_one();
        answer.await.ok().flatten()
    }
}

fn nothing() -> String {
    "no answer".to_owned()
}

impl Provider for Bank {
    fn perform<'a>(&'a self, key: &'a str, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        async move {
            match self.ask(key, Some(operation.clone())).await {
                Some(Answer::Outcome(outcome)) => outcome,
                Some(Answer::Queried(_)) | None => Outcome::Unknown { seen: nothing() },
            }
        }
        .boxed()
    }

    fn query<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Queried> {
        async move {
            match self.ask(key, None).await {
                Some(Answer::Queried(queried)) => queried,
                Some(Answer::Outcome(_)) | None => Queried::Unknown { seen: nothing() },
            }
        }
        .boxed()
    }
}

/// Money of one charge, in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Charge {
    /// Which order's, as its key says.
    pub order: String,
    /// Reserved.
    pub authorised: i64,
    /// Taken.
    pub captured: i64,
    /// How often money was taken.
    pub captures: u32,
    /// Let go.
    pub voided: bool,
    /// Given back.
    pub refunded: i64,
}

/// What the bank knows.
#[derive(Debug, Default)]
pub struct Ledger {
    executed: BTreeMap<String, Outcome>,
    /// By the bank's name of the charge.
    pub charges: BTreeMap<String, Charge>,
    /// Keys that were executed under more than one body: a client's mistake.
    pub misused: BTreeSet<String>,
    asked: BTreeMap<String, Operation>,
}

impl Ledger {
    /// Answers a request; `declines` is the bank's mood for a card that it has not seen under this key.
    pub fn answer(&mut self, key: &str, operation: Option<&Operation>, declines: bool) -> Answer {
        let Some(operation) = operation else {
            let known = self.executed.get(key).cloned();
            return Answer::Queried(known.map_or(Queried::NeverHeard, Queried::Known));
        };
        if let Some(known) = self.executed.get(key) {
            if self.asked.get(key) != Some(operation) {
                self.misused.insert(key.to_owned());
            }
            return Answer::Outcome(known.clone());
        }
        let outcome = self.execute(key, operation, declines);
        self.asked.insert(key.to_owned(), operation.clone());
        self.executed.insert(key.to_owned(), outcome.clone());
        Answer::Outcome(outcome)
    }

    fn execute(&mut self, key: &str, operation: &Operation, declines: bool) -> Outcome {
        let refused = |reason: &str| Outcome::Refused { reason: reason.to_owned() };
        let done = |charge: &str| Outcome::Done { charge: charge.to_owned() };
        match operation {
            Operation::Authorise { amount_minor, card, .. } => {
                if declines || card == "tok_declined" {
                    return Outcome::Declined { reason: "insufficient_funds".to_owned() };
                }
                let name = format!("ch_{}", self.charges.len() + 1);
                let order = key.split(':').next().unwrap_or_default().to_owned();
                self.charges.insert(name.clone(), Charge { order, authorised: *amount_minor, ..Charge::default() });
                done(&name)
            }
            Operation::Capture { charge, amount_minor } => match self.charges.get_mut(charge) {
                Some(known) if !known.voided && known.captures == 0 && *amount_minor <= known.authorised => {
                    known.captured += amount_minor;
                    known.captures += 1;
                    done(charge)
                }
                Some(_) | None => refused("not_capturable"),
            },
            Operation::Void { charge } => match self.charges.get_mut(charge) {
                Some(known) if known.captures == 0 => {
                    known.voided = true;
                    done(charge)
                }
                Some(_) | None => refused("not_voidable"),
            },
            Operation::Refund { charge, amount_minor } => match self.charges.get_mut(charge) {
                Some(known) if known.refunded + amount_minor <= known.captured => {
                    known.refunded += amount_minor;
                    done(charge)
                }
                Some(_) | None => refused("more_than_captured"),
            },
        }
    }
}
