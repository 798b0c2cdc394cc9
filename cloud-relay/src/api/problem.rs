//! From a refusal to a status and a problem document: one table an operation, no wildcard, so a new refusal must choose.

use crate::customers::accounts::AccountRefusal;
use crate::dispatch::desk::RiderRefusal;
use crate::ordering::amend::AmendRefusal;
use crate::ordering::cancel::CancelRefusal;
use crate::ordering::desk::PlaceRefusal;
use crate::ordering::place::CartField;
use crate::ordering::quote::QuoteRefusal;
use crate::ordering::work::{AmendError, CancelError};
use crate::payments::signature::SignatureRefusal;
use crate::sites::enrolment::{CreateRefusal, EnrolRefusal};
use crate::store::StoreError;
use crate::store::operators::OperatorError;
use crate::store::site_tx::WorkError;
use http::StatusCode;
pub use pilotlight_edge::api::problem::Problem;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        let again = "ask again with the same id: it is never done twice";
        match error {
            StoreError::Database(source) => {
                tracing::error!(%source, "the database failed");
                Self { retry_after_s: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unknown_outcome", detail) }
                    .remedy(again)
            }
            StoreError::Damaged { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", detail)
                .remedy("the log names the row; nothing was changed"),
        }
    }
}

impl<R: Into<Problem>> From<WorkError<R>> for Problem {
    fn from(error: WorkError<R>) -> Self {
        let again = "ask again with the same id: it is never done twice";
        match error {
            WorkError::Refused(refusal) => refusal.into(),
            WorkError::Store(error) => error.into(),
            WorkError::TooLarge(too_large) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_large", too_large.to_string())
                    .remedy("split it into smaller requests")
            }
            WorkError::Unknown => {
                let detail = "the database did not confirm; whether it was written is unknown";
                Self { retry_after_s: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unknown_outcome", detail) }
                    .remedy(again)
            }
            WorkError::Closed => Self {
                retry_after_s: Some(2),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_closed", "the site takes no requests now")
            }
            .remedy(again),
        }
    }
}

impl From<CreateRefusal> for Problem {
    fn from(refusal: CreateRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            CreateRefusal::Name => Self::bad_field("name", detail, "shorten it, or give one"),
            CreateRefusal::Place => Self::bad_field("lat", detail, "write degrees, as on a map"),
            CreateRefusal::UnknownSite => Self::new(StatusCode::NOT_FOUND, "unknown_site", detail),
            CreateRefusal::NoRandom(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "no_random", detail),
            CreateRefusal::Store(error) => error.into(),
        }
    }
}

impl From<EnrolRefusal> for Problem {
    fn from(refusal: EnrolRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            EnrolRefusal::WrongCode => Self::new(StatusCode::FORBIDDEN, "wrong_code", detail)
                .at("code")
                .remedy("ask the relay's operator for a new code"),
            EnrolRefusal::OtherSite => Self::new(StatusCode::CONFLICT, "other_site", detail)
                .at("site")
                .remedy("ask the operator for a code of this site"),
            EnrolRefusal::NoSite => Self::new(StatusCode::CONFLICT, "no_site", detail)
                .at("code")
                .remedy("ask the operator for a code of the site that this node is to join"),
            EnrolRefusal::SiteTaken => Self::new(StatusCode::CONFLICT, "site_taken", detail)
                .at("site")
                .remedy("POST /api/v1/sites/{site}/code gives one"),
            EnrolRefusal::Cards => Self::bad_field("origins", detail, "send the card of each origin once"),
            EnrolRefusal::TooOld(_) => {
                Self::new(StatusCode::CONFLICT, "node_too_old", detail).at("protocol").remedy("upgrade the node")
            }
            EnrolRefusal::NoRandom(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "no_random", detail),
            EnrolRefusal::Store(error) => error.into(),
        }
    }
}

impl From<OperatorError> for Problem {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Store(error) => error.into(),
            OperatorError::NoRandom(error) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "no_random", error.to_string())
            }
        }
    }
}

impl From<AccountRefusal> for Problem {
    fn from(refusal: AccountRefusal) -> Self {
        use AccountRefusal as R;
        let detail = refusal.to_string();
        match refusal {
            R::Field { field, what } => Self::bad_field(field, detail, format!("send {what}")),
            R::Taken(what) => Self::new(StatusCode::CONFLICT, "taken", detail)
                .at(if what == "phone" { "phone" } else { "email" })
                .remedy("sign in instead"),
            R::Wrong => Self::new(StatusCode::UNAUTHORIZED, "wrong_password", detail).at("password"),
            R::Locked(locked) => locked.into(),
            R::Hash(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "hash_failed", detail),
            R::Store(error) => error.into(),
        }
    }
}

impl From<QuoteRefusal> for Problem {
    fn from(refusal: QuoteRefusal) -> Self {
        use QuoteRefusal as R;
        let detail = refusal.to_string();
        let bad = |code, field: &str, remedy: &str| {
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.clone()).at(field).remedy(remedy)
        };
        match refusal {
            R::NotSetUp => Self::new(StatusCode::CONFLICT, "restaurant_closed", detail).remedy("try later"),
            R::Paused(until) => Self::new(StatusCode::CONFLICT, "restaurant_paused", detail)
                .remedy(format!("order again after {until}, or at another restaurant")),
            R::Price(refusal) => refusal.into(),
            R::EightySixed { line, .. } => Self::new(StatusCode::CONFLICT, "eighty_six", detail)
                .at(format!("lines[{line}].item"))
                .remedy("take it out of the cart"),
            R::SoldOut { line, left_portions, .. } => Self::new(StatusCode::CONFLICT, "sold_out", detail)
                .at(format!("lines[{line}]"))
                .remedy(match left_portions {
                    0 => "take it out of the cart".to_owned(),
                    left => format!("order {left} or fewer"),
                }),
            R::NoAddress => bad("no_address", "address", "say where to"),
            R::Address(field) => bad("bad_address", &format!("address.{field}"), "say where to"),
            R::TooFar { .. } => bad("too_far", "address", "choose a restaurant that is nearer, or fetch it yourself"),
            R::TooLarge { .. } => bad("too_large", "lines", "place a second order"),
            R::Tip => bad("bad_tip", "tip_minor", "send what the customer chose"),
            R::TextTooLong { field, max, .. } => {
                bad("text_too_long", field, &format!("shorten it to {max} characters"))
            }
        }
    }
}

impl From<PlaceRefusal> for Problem {
    fn from(refusal: PlaceRefusal) -> Self {
        use PlaceRefusal as R;
        let detail = refusal.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        let again = "ask for a new quote";
        match refusal {
            R::UnknownSite => Self::new(StatusCode::NOT_FOUND, "unknown_site", detail).at("site"),
            R::Closed(_) => conflict("restaurant_closed").remedy("try later, or another restaurant"),
            R::UnknownQuote => Self::new(StatusCode::NOT_FOUND, "unknown_quote", detail).at("quote").remedy(again),
            R::QuoteUsed(order) => conflict("quote_used")
                .at("quote")
                .remedy(format!("GET /api/v1/orders/{order} shows it; to order once more, ask for a new quote")),
            R::QuoteExpired => conflict("quote_expired").at("quote").remedy(again),
            R::Quote(refusal) => refusal.into(),
            R::PriceChanged { .. } => conflict("price_changed").at("quote").remedy(again),
            R::SameIdOtherCart(field) => conflict("same_id_other_cart")
                .at(match field {
                    CartField::Id => "id".to_owned(),
                    CartField::Fulfilment => "fulfilment".to_owned(),
                    CartField::Note => "note".to_owned(),
                    CartField::LineCount => "lines".to_owned(),
                    CartField::Line(line) => format!("lines[{line}]"),
                    CartField::Tip => "tip_minor".to_owned(),
                    CartField::Address => "address".to_owned(),
                    CartField::Payment => "payment".to_owned(),
                })
                .remedy("mint a new id for another cart"),
            R::SoldOutMeanwhile(_) => conflict("sold_out").at("lines").remedy(again),
            R::Declined(_) => Self::new(StatusCode::PAYMENT_REQUIRED, "declined", detail)
                .at("card")
                .remedy("try another card, with a new payment id"),
            R::TooLate => conflict("payment_too_late").remedy(again),
            R::PausedMeanwhile => conflict("restaurant_paused").remedy("order when it is open again, or elsewhere"),
            R::Card => Self::bad_field("card.token", detail, "send the gateway's token"),
            R::NoRandom(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "no_random", detail),
            R::Store(error) => error.into(),
        }
    }
}

impl From<CancelRefusal> for Problem {
    fn from(refusal: CancelRefusal) -> Self {
        use CancelRefusal as R;
        let detail = refusal.to_string();
        match refusal {
            R::Finished(_) => Self::new(StatusCode::CONFLICT, "finished", detail),
            R::RefusedBefore => Self::new(StatusCode::CONFLICT, "cancel_refused", detail),
            R::RefundChanged { .. } => Self::new(StatusCode::CONFLICT, "refund_changed", detail)
                .at("expected_refund_minor")
                .remedy("ask for the preview again"),
            R::Why => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "why", detail).at("why").remedy("say why"),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Unknown => Self::new(StatusCode::NOT_FOUND, "unknown_order", error.to_string()).at("id"),
            CancelError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<AmendRefusal> for Problem {
    fn from(refusal: AmendRefusal) -> Self {
        use AmendRefusal as R;
        let detail = refusal.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        let bad = |code, field: String, remedy: &str| {
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.clone()).at(field).remedy(remedy)
        };
        match refusal {
            R::Finished(_) => conflict("finished").remedy("write to the restaurant"),
            R::Waiting(_) => conflict("answer_pending").at("change").remedy("wait for the restaurant's answer"),
            R::AddressFixed => conflict("address_fixed").at("change.address").remedy("talk to the rider"),
            R::OldPlace => {
                bad("place_of_old_address", "change.address.lat".into(), "send the place of the new address")
            }
            R::NotBrought => conflict("not_brought").at("change.address").remedy("fetch it at the restaurant"),
            R::Address(refusal) => {
                let problem = Self::from(refusal);
                let field = problem.field.as_ref().map(|field| format!("change.{field}"));
                Self { field, ..problem }
            }
            R::Instructions { .. } => bad("text_too_long", "change.text".into(), "shorten it"),
            R::Contact(field) => bad("bad_contact", format!("change.contact.{field}"), "send a name and a number"),
            R::Time { .. } => bad("bad_time", "change.at".into(), "choose a time in between"),
            R::SameIdOther => conflict("same_id_other_amendment").at("id").remedy("mint a new id for another wish"),
            R::TooMany => conflict("too_many_amendments").remedy("write to the restaurant"),
        }
    }
}

impl From<AmendError> for Problem {
    fn from(error: AmendError) -> Self {
        match error {
            AmendError::Unknown => Self::new(StatusCode::NOT_FOUND, "unknown_order", error.to_string()).at("id"),
            AmendError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<RiderRefusal> for Problem {
    fn from(refusal: RiderRefusal) -> Self {
        use RiderRefusal as R;
        let detail = refusal.to_string();
        match refusal {
            R::NotYours => Self::new(StatusCode::NOT_FOUND, "not_yours", detail).at("order"),
            R::Lapsed => Self::new(StatusCode::CONFLICT, "offer_lapsed", detail).remedy("wait for the next one"),
            R::OutOfOrder(_) => Self::new(StatusCode::CONFLICT, "out_of_order", detail).remedy("read the task again"),
            R::Why => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "why", detail).at("why").remedy("say why"),
        }
    }
}

impl From<SignatureRefusal> for Problem {
    fn from(refusal: SignatureRefusal) -> Self {
        let code = match refusal {
            SignatureRefusal::Missing => "no_signature",
            SignatureRefusal::Wrong => "wrong_signature",
            SignatureRefusal::Stale => "stale_signature",
        };
        Self::new(StatusCode::UNAUTHORIZED, code, refusal.to_string()).at("pilotlight-signature")
    }
}
