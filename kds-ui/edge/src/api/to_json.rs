//! From the inner nouns to the shapes that both programs speak, and back where a device sends them.

use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::request::id;
use crate::api::text;
use pilotlight_sync::domain::amendment::{AmendedField, Amendment, AmendmentState, AmendmentView};
use pilotlight_sync::domain::intake::Intake;
use pilotlight_sync::domain::order::{Fulfilment, Status};
use pilotlight_sync::domain::pricing::{CartChoice, CartLine};
use pilotlight_sync::domain::timestamp::Timestamp;

/// How the guest gets it.
pub fn fulfilment(fulfilment: Fulfilment) -> FulfilmentJson {
    match fulfilment {
        Fulfilment::DineIn => FulfilmentJson::DineIn,
        Fulfilment::Takeaway => FulfilmentJson::Takeaway,
        Fulfilment::Delivery => FulfilmentJson::Delivery,
    }
}

/// What a customer asked for, against what it was.
pub fn amendment(request: &AmendmentView) -> AmendmentJson {
    let (mut old, mut old_at) = (None, None);
    match &request.before {
        Some(Amendment::Instructions(text)) => old.clone_from(text),
        Some(Amendment::Time(at)) => old_at = at.map(|at| at.0),
        Some(Amendment::Contact | Amendment::Address { .. }) | None => {}
    }
    let (mut new, mut new_at, mut far) = (None, None, None);
    match &request.wanted {
        Amendment::Instructions(text) => new.clone_from(text),
        Amendment::Time(at) => new_at = at.map(|at| at.0),
        Amendment::Address { distance_m } => far = Some(*distance_m),
        Amendment::Contact => {}
    }
    let (state, why) = match &request.state {
        AmendmentState::Asked => (AmendmentStateJson::Asked, None),
        AmendmentState::Granted => (AmendmentStateJson::Granted, None),
        AmendmentState::Refused(why) => (AmendmentStateJson::Refused, Some(why.clone())),
        AmendmentState::Lapsed => (AmendmentStateJson::Lapsed, None),
    };
    AmendmentJson {
        id: request.intent.to_string(),
        field: match request.wanted.field() {
            AmendedField::Instructions => AmendedFieldJson::Instructions,
            AmendedField::Contact => AmendedFieldJson::Contact,
            AmendedField::Address => AmendedFieldJson::Address,
            AmendedField::Time => AmendedFieldJson::Time,
        },
        old,
        new,
        old_at,
        new_at,
        distance_m: far,
        asked_at: request.asked_at.0,
        state,
        why,
    }
}

/// Whether orders from home are taken at this moment.
pub fn intake(intake: &Intake, now: Timestamp) -> IntakeJson {
    let busy = intake.busy_until(now);
    IntakeJson {
        paused_until: intake.paused_until(now).map(|until| until.0),
        busy_minutes: busy.map_or(0, |(minutes, _)| minutes),
        busy_until: busy.map(|(_, until)| until.0),
    }
}

/// How the guest wants it.
pub fn from_fulfilment(fulfilment: FulfilmentJson) -> Fulfilment {
    match fulfilment {
        FulfilmentJson::DineIn => Fulfilment::DineIn,
        FulfilmentJson::Takeaway => Fulfilment::Takeaway,
        FulfilmentJson::Delivery => Fulfilment::Delivery,
    }
}

/// The state word.
pub fn status(status: Status) -> StatusJson {
    match status {
        Status::OrderPlaced => StatusJson::OrderPlaced,
        Status::OrderConfirmed => StatusJson::OrderConfirmed,
        Status::Preparing => StatusJson::Preparing,
        Status::ReadyForPickup => StatusJson::ReadyForPickup,
        Status::PickedUp => StatusJson::PickedUp,
        Status::OutForDelivery => StatusJson::OutForDelivery,
        Status::Completed => StatusJson::Completed,
        Status::DeliveryFailed => StatusJson::DeliveryFailed,
        Status::Cancelled => StatusJson::Cancelled,
        Status::Refunded => StatusJson::Refunded,
    }
}

/// A cart's line as a device sent it; `at` is its place in the body, for what is not understood.
pub fn cart_line(at: &str, line: &PlaceLineJson) -> Result<CartLine, Problem> {
    let choice = |(index, choice): (usize, &PlaceChoiceJson)| {
        Ok::<_, Problem>(CartChoice {
            group: id(format!("{at}.choices[{index}].group"), &choice.group)?,
            option: id(format!("{at}.choices[{index}].option"), &choice.option)?,
            count: choice.count,
        })
    };
    text::note(format!("{at}.note"), line.note.as_deref().unwrap_or_default())?;
    Ok(CartLine {
        id: id(format!("{at}.id"), &line.id)?,
        item: id(format!("{at}.item"), &line.item)?,
        variant: line.variant.as_deref().map(|variant| id(format!("{at}.variant"), variant)).transpose()?,
        quantity: line.quantity,
        choices: line.choices.iter().enumerate().map(choice).collect::<Result<_, _>>()?,
        note: line.note.clone(),
    })
}
