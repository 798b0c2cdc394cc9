//! The envelope of everything that says no, RFC 9457, and the refusals that both programs know.
//!
//! Each program keeps its own table from its refusals to statuses beside this one: no wildcard, so a new refusal must choose.

use crate::api::json::ProblemJson;
use crate::throttle::Locked;
use http::StatusCode;
use pilotlight_sync::domain::pricing::PriceRefusal;
use std::convert::Infallible;

/// An answer that says no, or that something broke.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The pinned word.
    pub code: &'static str,
    /// What happened.
    pub detail: String,
    /// The field it is about.
    pub field: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// Try again after so many seconds.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem without field and remedy.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, remedy: None, retry_after_s: None }
    }

    /// It is about this field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Do this.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// A field that is not what it must be.
    pub fn bad_field(field: impl Into<String>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_field", detail).at(field).remedy(remedy)
    }

    /// The document as it is sent.
    pub fn to_json(&self) -> ProblemJson {
        ProblemJson {
            kind: format!("/problems/{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            remedy: self.remedy.clone(),
        }
    }
}

impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<Locked> for Problem {
    fn from(locked: Locked) -> Self {
        let seconds = locked.retry_after_ms.div_ceil(1000);
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "locked", locked.to_string());
        Self { retry_after_s: Some(seconds), ..problem }.remedy(format!("wait {seconds} s"))
    }
}

impl From<PriceRefusal> for Problem {
    fn from(refusal: PriceRefusal) -> Self {
        use PriceRefusal as P;
        let detail = refusal.to_string();
        let bad = |code, field: String, remedy: &str| {
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.clone()).at(field).remedy(remedy)
        };
        let missing = |code, field: String, remedy: &str| {
            Self::new(StatusCode::NOT_FOUND, code, detail.clone()).at(field).remedy(remedy)
        };
        let reload = "read the menu again";
        match refusal {
            P::NoLines => bad("no_lines", "lines".into(), "add a line"),
            P::TooManyLines { .. } => bad("too_many_lines", "lines".into(), "place a second order"),
            P::LineIdTwice { line } => bad("line_id_twice", format!("lines[{line}].id"), "mint a new id for each line"),
            P::UnknownItem { line, .. } => missing("unknown_item", format!("lines[{line}].item"), reload),
            P::UnknownVariant { line, .. } => {
                missing("unknown_variant", format!("lines[{line}].variant"), "name one of these variants")
            }
            P::Quantity { line, min, max, .. } => {
                bad("quantity", format!("lines[{line}].quantity"), &format!("order {min} to {max}"))
            }
            P::UnknownGroup { line, choice, .. } => {
                missing("unknown_group", format!("lines[{line}].choices[{choice}].group"), reload)
            }
            P::UnknownOption { line, choice, .. } => {
                missing("unknown_option", format!("lines[{line}].choices[{choice}].option"), reload)
            }
            P::ChoiceCount { line, choice, max, .. } => {
                bad("choice_count", format!("lines[{line}].choices[{choice}].count"), &format!("choose 1 to {max}"))
            }
            P::GroupBounds { line, min, max, ref group_name, .. } => {
                bad("group_bounds", format!("lines[{line}].choices"), &format!("choose {min} to {max} of {group_name}"))
            }
            P::NoteTooLong { line, .. } => bad("note_too_long", format!("lines[{line}].note"), "shorten it"),
        }
    }
}

/// The body is over the limit, or broke off.
pub fn body_too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is over the limit, or broke off")
        .at("body")
        .remedy("send at most 256 KiB with a good token, 16 KiB without; an import at most 8 MiB")
}
