//! What the relay does about a cloud order when facts come in, a customer asks, or time passes: one pure rule, asked again each time.
//!
//! It looks at how things stand, not at what just happened, so that asking twice does nothing twice. Its steps are carried out in the
//! transaction that applied the facts: accept or cancel is decided in one row (SPEC B1).

use pilotlight_sync::domain::payment::{CommercialPhase, DeliveryPhase};
use pilotlight_sync::domain::timestamp::Timestamp;

/// What the restaurant has said about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// It will make it.
    Accepted,
    /// It will not make it.
    Rejected,
    /// It stopped making it.
    Cancelled,
}

/// How an order stands, by its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The relay's own axis.
    pub commercial: CommercialPhase,
    /// The restaurant's.
    pub said: Said,
    /// Its answer to a cancel request.
    pub verdict: Option<bool>,
    /// The rider's axis.
    pub delivery: Option<DeliveryPhase>,
    /// Somebody has been seen to begin it.
    pub begun: bool,
}

/// A cancel request as it was when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What the table gives back, by the relay's clock at the request.
    pub by_table_minor: i64,
    /// The restaurant could not be asked.
    pub link_down: bool,
    /// Without a verdict by then the relay resolves it.
    pub verdict_due_at: Timestamp,
}

/// What the relay keeps beside the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// An order that is not confirmed by then is cancelled.
    pub expires_at: Timestamp,
    /// An order that nobody has begun by then is ended. `None`: it was begun, or is not confirmed.
    pub ends_at: Option<Timestamp>,
    /// The customer's request.
    pub request: Option<Request>,
    /// What was authorised, in minor units.
    pub amount_minor: i64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Write `CancelledEarly`, let the money go, take the stock back.
    CancelEarly(Why),
    /// Write `Confirmed`, take the money.
    Confirm,
    /// Write `Resolved`, give back so much. The stock stays used: the restaurant may have begun.
    Resolve {
        /// In minor units.
        refund_minor: i64,
        /// For what.
        why: Why,
    },
    /// Give back so much; the stock of what was not begun comes back.
    Refund {
        /// In minor units.
        refund_minor: i64,
        /// For what.
        why: Why,
    },
    /// A verdict came after the resolution: it moves no money, but what was not begun can be sold again.
    TakeStockBack,
}

/// Why an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The restaurant said no.
    Rejected,
    /// Nobody accepted it in time.
    Expired,
    /// The restaurant could not make it after all.
    ByRestaurant,
    /// The customer asked, and the restaurant agreed.
    Granted,
    /// It did not reach the customer.
    NotDelivered,
    /// The customer asked before it was confirmed.
    ByCustomer,
    /// The customer asked, and no verdict came.
    NoAnswer,
    /// Nobody began it in time.
    NotBegun,
}

impl Why {
    /// In plain words, for the customer.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Rejected => "the restaurant could not take the order",
            Self::Expired => "the restaurant did not answer in time",
            Self::ByRestaurant => "the restaurant cancelled the order",
            Self::Granted | Self::ByCustomer => "cancelled as you asked",
            Self::NoAnswer => "cancelled: the restaurant gave no answer",
            Self::NotBegun => "cancelled: the restaurant did not begin in time",
            Self::NotDelivered => "it could not be delivered",
        }
    }
}

/// The next step, if there is one. Nothing is ever done after `CancelledEarly`: never both (SPEC B1).
pub fn next(standing: &Standing, kept: &Kept, now: Timestamp) -> Option<Step> {
    match standing.commercial {
        CommercialPhase::Placed => match standing.said {
            Said::Rejected | Said::Cancelled => Some(Step::CancelEarly(Why::Rejected)),
            // An acceptance that comes late is too late, however long it was on the way.
            Said::Accepted | Said::Nothing if kept.expires_at <= now => Some(Step::CancelEarly(Why::Expired)),
            Said::Accepted => Some(Step::Confirm),
            Said::Nothing => None,
        },
        CommercialPhase::CancelledEarly => None,
        CommercialPhase::Confirmed => failed(standing, kept).or_else(|| not_begun(standing, kept, now)),
        CommercialPhase::CancelRequested => failed(standing, kept).or_else(|| {
            let request = kept.request?;
            match standing.verdict {
                Some(true) => Some(Step::Refund { refund_minor: request.by_table_minor, why: Why::Granted }),
                Some(false) => not_begun(standing, kept, now),
                None if request.verdict_due_at > now => None,
                None => {
                    let refund_minor = if request.link_down { kept.amount_minor } else { request.by_table_minor };
                    Some(Step::Resolve { refund_minor, why: Why::NoAnswer })
                }
            }
        }),
        CommercialPhase::Resolved => (standing.verdict == Some(true)).then_some(Step::TakeStockBack),
    }
}

/// Nobody has begun it by the time it was promised: perhaps its node is out of service. The customer gets everything back, the rider is
/// called off; a tap that comes later is history and moves no money (SPEC B10).
fn not_begun(standing: &Standing, kept: &Kept, now: Timestamp) -> Option<Step> {
    let late = !standing.begun && kept.ends_at.is_some_and(|at| at <= now);
    late.then_some(Step::Resolve { refund_minor: kept.amount_minor, why: Why::NotBegun })
}

/// Restaurant and platform give everything back for what they fail to do.
fn failed(standing: &Standing, kept: &Kept) -> Option<Step> {
    let in_full = |why| Some(Step::Refund { refund_minor: kept.amount_minor, why });
    if standing.said == Said::Rejected || standing.said == Said::Cancelled && standing.verdict != Some(true) {
        return in_full(Why::ByRestaurant);
    }
    match standing.delivery {
        Some(DeliveryPhase::Failed | DeliveryPhase::Returned) => in_full(Why::NotDelivered),
        Some(
            DeliveryPhase::Unassigned
            | DeliveryPhase::Assigned
            | DeliveryPhase::AtStore
            | DeliveryPhase::PickedUp
            | DeliveryPhase::OutForDelivery
            | DeliveryPhase::Delivered,
        )
        | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommercialPhase as C;

    const EXPIRES: Timestamp = Timestamp(600_000);
    const DUE: Timestamp = Timestamp(900_000);
    const PROMISED: Timestamp = Timestamp(20_000_000);

    fn standing(commercial: CommercialPhase) -> Standing {
        Standing { commercial, said: Said::Nothing, verdict: None, delivery: None, begun: false }
    }

    fn check(standing: Standing, request: Option<Request>, now_ms: u64, expected: Option<Step>) {
        let kept = Kept { expires_at: EXPIRES, ends_at: Some(PROMISED), request, amount_minor: 1_470 };
        assert_eq!(next(&standing, &kept, Timestamp(now_ms)), expected, "{standing:?} {request:?} {now_ms}");
    }

    fn asked(link_down: bool) -> Option<Request> {
        Some(Request { by_table_minor: 828, link_down, verdict_due_at: DUE })
    }

    #[test]
    fn b1_accept_or_cancel_is_decided_once() {
        let placed = standing(C::Placed);
        check(placed, None, 0, None);
        check(Standing { said: Said::Accepted, ..placed }, None, 599_999, Some(Step::Confirm));
        check(Standing { said: Said::Accepted, ..placed }, None, 600_000, Some(Step::CancelEarly(Why::Expired)));
        check(placed, None, 600_000, Some(Step::CancelEarly(Why::Expired)));
        check(Standing { said: Said::Rejected, ..placed }, None, 0, Some(Step::CancelEarly(Why::Rejected)));
        let gone = standing(C::CancelledEarly);
        for said in [Said::Accepted, Said::Rejected, Said::Cancelled] {
            check(Standing { said, ..gone }, None, 0, None);
        }
        check(Standing { said: Said::Accepted, ..standing(C::Confirmed) }, None, 10_000_000, None);
    }

    #[test]
    fn b4_a_cancel_request_ends_in_one_verdict_or_resolution() {
        let requested = Standing { said: Said::Accepted, ..standing(C::CancelRequested) };
        check(requested, asked(false), 899_999, None);
        check(requested, asked(false), 900_000, Some(Step::Resolve { refund_minor: 828, why: Why::NoAnswer }));
        check(requested, asked(true), 900_000, Some(Step::Resolve { refund_minor: 1_470, why: Why::NoAnswer }));
        let granted = Step::Refund { refund_minor: 828, why: Why::Granted };
        check(Standing { verdict: Some(true), ..requested }, asked(true), 0, Some(granted));
        check(Standing { verdict: Some(true), said: Said::Cancelled, ..requested }, asked(true), 0, Some(granted));
        check(Standing { verdict: Some(false), ..requested }, asked(true), 10_000_000, None);
        let resolved = standing(C::Resolved);
        check(resolved, asked(true), 10_000_000, None);
        check(Standing { verdict: Some(true), ..resolved }, asked(true), 0, Some(Step::TakeStockBack));
        check(Standing { verdict: Some(false), ..resolved }, asked(true), 0, None);
    }

    #[test]
    fn b10_what_nobody_has_begun_by_the_promised_time_is_ended_in_full() {
        let confirmed = Standing { said: Said::Accepted, ..standing(C::Confirmed) };
        let ended = Some(Step::Resolve { refund_minor: 1_470, why: Why::NotBegun });
        check(confirmed, None, 19_999_999, None);
        check(confirmed, None, 20_000_000, ended);
        // The restaurant has refused to cancel it, and then did not begin.
        let refused = Standing { verdict: Some(false), ..standing(C::CancelRequested) };
        check(refused, asked(false), 19_999_999, None);
        check(refused, asked(false), 20_000_000, ended);
        check(Standing { begun: true, ..confirmed }, None, 30_000_000, None);
        // What was begun after that is history.
        check(Standing { begun: true, ..standing(C::Resolved) }, None, 30_000_000, None);
    }

    #[test]
    fn b5_what_restaurant_or_platform_fail_to_do_is_given_back_in_full() {
        let confirmed = Standing { said: Said::Accepted, ..standing(C::Confirmed) };
        let full = |why| Some(Step::Refund { refund_minor: 1_470, why });
        check(Standing { said: Said::Cancelled, ..confirmed }, None, 0, full(Why::ByRestaurant));
        for phase in [DeliveryPhase::Failed, DeliveryPhase::Returned] {
            check(Standing { delivery: Some(phase), ..confirmed }, None, 0, full(Why::NotDelivered));
        }
        for phase in [DeliveryPhase::Assigned, DeliveryPhase::OutForDelivery, DeliveryPhase::Delivered] {
            check(Standing { delivery: Some(phase), ..confirmed }, None, 0, None);
        }
    }
}
