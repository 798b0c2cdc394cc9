//! From a refusal to a status and a problem document: one table an operation, no wildcard, so a new refusal must choose.

use crate::store::StoreError;
use crate::store::operators::OperatorError;
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
