//! From a refusal to a status and a problem document: one table an operation, no wildcard, so a new refusal must choose.

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
