//! The gateway as effects see it: an effect becomes an operation, behind the breaker, and its outcome is told.

use crate::payments::breaker::Breaker;
use crate::payments::provider::{Operation, Outcome, Provider, perform_once};
use crate::store::effects::{Claimed, EffectKind, Performed};
use pilotlight_edge::clock::Clock;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A gateway and its breaker.
#[derive(Debug)]
pub struct Gateway {
    /// None is configured: no card can be charged.
    provider: Option<Arc<dyn Provider>>,
    breaker: Mutex<Breaker>,
    clock: Clock,
}

impl Gateway {
    /// A gateway over this provider.
    pub fn new(provider: Option<Arc<dyn Provider>>, clock: Clock) -> Self {
        Self { provider, breaker: Mutex::default(), clock }
    }

    /// Whether cards can be charged at all.
    pub fn is_configured(&self) -> bool {
        self.provider.is_some()
    }

    /// Does the effect, at most once for its id, which is the idempotency key.
    pub async fn perform(&self, claimed: &Claimed) -> Performed {
        let Some(provider) = &self.provider else {
            return Performed::Refused { reason: "no_gateway".to_owned() };
        };
        let Some(operation) = operation(claimed) else {
            return Performed::Refused { reason: "nothing_was_authorised".to_owned() };
        };
        let now_ms = self.clock.real().0;
        if let Err(retry_at) = self.breaker().enter(now_ms) {
            return Performed::NotNow { retry_at: Timestamp(retry_at) };
        }
        let key = claimed.effect.id.to_string();
        let outcome = perform_once(provider.as_ref(), &key, &operation, claimed.tried_before).await;
        match outcome {
            Outcome::Done { charge } => {
                self.breaker().answered();
                Performed::Done { charge }
            }
            Outcome::Declined { reason } => {
                self.breaker().answered();
                Performed::Declined { reason }
            }
            Outcome::Refused { reason } => {
                self.breaker().answered();
                Performed::Refused { reason }
            }
            Outcome::Unknown { seen } => {
                if self.breaker().silent(self.clock.real().0) {
                    metrics::counter!("pilotlight_gateway_breaker_opened_total").increment(1);
                    tracing::warn!(seen, "the gateway does not answer: it is left alone for a while");
                }
                Performed::Unknown { seen }
            }
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the gateway is asked; `None` when the charge that it is about was never made.
fn operation(claimed: &Claimed) -> Option<Operation> {
    let effect = &claimed.effect;
    let amount_minor = effect.amount_minor;
    Some(match effect.id.kind {
        EffectKind::Authorise => Operation::Authorise {
            amount_minor,
            currency: effect.currency.to_string(),
            card: effect.card.clone().unwrap_or_default(),
        },
        EffectKind::Capture => Operation::Capture { charge: claimed.charge.clone()?, amount_minor },
        EffectKind::Void => Operation::Void { charge: claimed.charge.clone()? },
        EffectKind::Refund => Operation::Refund { charge: claimed.charge.clone()?, amount_minor },
    })
}
