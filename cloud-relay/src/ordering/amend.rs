//! What a customer wants otherwise about an order that is placed: at once while nobody makes it, as a request to the restaurant after that,
//! and how each request ends. Pure.

use crate::geo::Place;
use crate::ordering::quote::{self, QuoteRefusal};
use crate::ordering::work::is_over;
use crate::store::amendments::{AmendmentRow, Contact, Wanted};
use crate::store::cloud_orders::{CloudOrder, LATER_MS_MAX, OrderPhase};
use crate::store::people::Address;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::amendment::{AmendedField, Amendment, AmendmentState, AmendmentView};
use pilotlight_sync::domain::id::IntentId;
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::DeliveryPhase;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{NAME_CHARS_MAX, NOTE_CHARS_MAX};

/// Wishes about one order.
const WISHES_MAX: usize = 20;
/// Closer than this two points are one place, in metres.
const ONE_PLACE_M: u32 = 3;
/// Characters of a telephone number.
const PHONE_CHARS_MAX: usize = 40;

/// A customer's wish.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Minted by the device: sending it again changes nothing twice.
    pub intent: IntentId,
    /// What.
    pub wanted: Wanted,
}

/// Why it is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmendRefusal {
    /// It has ended, or is being cancelled.
    #[error("the order is {0:?}")]
    Finished(Status),
    /// The restaurant has not answered the last wish about this field.
    #[error("the restaurant has not answered the last one yet")]
    Waiting(AmendedField),
    /// The rider has it.
    #[error("the rider has it: the address is fixed")]
    AddressFixed,
    /// Nobody brings it.
    #[error("the order is fetched, not brought")]
    NotBrought,
    /// The address is none, or too far.
    #[error(transparent)]
    Address(QuoteRefusal),
    /// Another address with the place of the old one: a rider would be sent there.
    #[error("the address is another one, and its place is that of the old one")]
    OldPlace,
    /// Too long.
    #[error("the instructions have {chars} characters; {} is the most", NOTE_CHARS_MAX)]
    Instructions {
        /// So many.
        chars: usize,
    },
    /// Nobody can be asked for like that.
    #[error("the contact's {0} is missing, or too long")]
    Contact(&'static str),
    /// Sooner than it can be made, or later than anybody waits.
    #[error("between {earliest} and {latest}")]
    Time {
        /// At the earliest.
        earliest: Timestamp,
        /// At the latest.
        latest: Timestamp,
    },
    /// This id was used for another wish.
    #[error("this id was used for another wish")]
    SameIdOther,
    /// Nobody changes their mind that often.
    #[error("{} changes are the most", WISHES_MAX)]
    TooMany,
}

/// What a wish writes, all in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Amended {
    /// What the log says.
    pub change: Change,
    /// The order as the relay keeps it then.
    pub kept: CloudOrder,
    /// The wish itself.
    pub row: AmendmentRow,
}

/// Takes a wish: it is so, or the restaurant is asked. `None`: it was taken before.
pub fn plan(
    view: &OrderView,
    order: &CloudOrder,
    known: &[AmendmentRow],
    at: &Place,
    now: Timestamp,
    (wish, answer_ms): (&Wish, u64),
) -> Result<Option<Amended>, AmendRefusal> {
    let wish = &trimmed(wish);
    if let Some(row) = known.iter().find(|row| row.intent == wish.intent) {
        return if row.wanted == wish.wanted { Ok(None) } else { Err(AmendRefusal::SameIdOther) };
    }
    if !may_amend(view, order) {
        return Err(AmendRefusal::Finished(view.status));
    }
    if known.len() >= WISHES_MAX {
        return Err(AmendRefusal::TooMany);
    }
    let amendment = check(view, order, at, now, &wish.wanted)?;
    if view.amendments_asked().any(|request| request.wanted.field() == amendment.field()) {
        return Err(AmendRefusal::Waiting(amendment.field()));
    }
    // Who makes it is asked from the confirmation on: before that nothing was begun, and nobody has seen the old one (SPEC FA1).
    let direct = order.phase == OrderPhase::Placed;
    let (fact, kept) = if direct {
        (OrderFact::Amended { amendment }, with(order, &wish.wanted, now))
    } else {
        (OrderFact::AmendmentAsked { intent: wish.intent, amendment }, order.clone())
    };
    let row = AmendmentRow {
        order: order.order,
        intent: wish.intent,
        site: order.site,
        wanted: wish.wanted.clone(),
        asked_at: now,
        due_at: (!direct).then(|| now.plus_ms(answer_ms)),
    };
    Ok(Some(Amended { change: Change::Order(order.order, fact), kept, row }))
}

/// Whether anything can be changed about it.
pub fn may_amend(view: &OrderView, order: &CloudOrder) -> bool {
    let phase = matches!(order.phase, OrderPhase::Placed | OrderPhase::Confirmed);
    phase && !is_over(view) && view.status != Status::DeliveryFailed
}

fn trimmed(wish: &Wish) -> Wish {
    let wanted = match &wish.wanted {
        Wanted::Instructions(text) => {
            let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
            Wanted::Instructions(text.map(str::to_owned))
        }
        Wanted::Contact(contact) => {
            Wanted::Contact(Contact { name: contact.name.trim().to_owned(), phone: contact.phone.trim().to_owned() })
        }
        Wanted::Address(_) | Wanted::Time(_) => wish.wanted.clone(),
    };
    Wish { intent: wish.intent, wanted }
}

/// What the log may say of it, when it can be.
fn check(
    view: &OrderView,
    order: &CloudOrder,
    at: &Place,
    now: Timestamp,
    wanted: &Wanted,
) -> Result<Amendment, AmendRefusal> {
    match wanted {
        Wanted::Instructions(text) => {
            let chars = text.as_deref().unwrap_or_default().chars().count();
            if chars > NOTE_CHARS_MAX {
                return Err(AmendRefusal::Instructions { chars });
            }
            Ok(Amendment::Instructions(text.clone()))
        }
        Wanted::Contact(contact) => {
            for (field, text, max) in
                [("name", &contact.name, NAME_CHARS_MAX), ("phone", &contact.phone, PHONE_CHARS_MAX)]
            {
                if text.is_empty() || text.chars().count() > max {
                    return Err(AmendRefusal::Contact(field));
                }
            }
            Ok(Amendment::Contact)
        }
        Wanted::Address(_) if !view.to_be_brought() => Err(AmendRefusal::NotBrought),
        Wanted::Address(_) if is_with_the_rider(view) => Err(AmendRefusal::AddressFixed),
        Wanted::Address(address) => {
            let distance_m = quote::reach(address, at).map_err(AmendRefusal::Address)?;
            if order.address.as_ref().is_some_and(|old| has_old_place(old, address)) {
                return Err(AmendRefusal::OldPlace);
            }
            Ok(Amendment::Address { distance_m })
        }
        Wanted::Time(None) => Ok(Amendment::Time(None)),
        Wanted::Time(Some(ready)) => {
            // What is not made yet cannot be there sooner than was promised.
            let promised = order.placed_at.plus_ms(u64::from(order.minutes.0) * 60_000);
            let earliest = if order.phase == OrderPhase::Placed { promised.max(now) } else { now };
            // Again and again, it is not put off for ever.
            let latest = now.plus_ms(LATER_MS_MAX).min(order.placed_at.plus_ms(2 * LATER_MS_MAX));
            if *ready < earliest || *ready > latest {
                return Err(AmendRefusal::Time { earliest, latest });
            }
            Ok(Amendment::Time(Some(*ready)))
        }
    }
}

/// Whether these are two addresses at one place (SPEC FA6). The same house, written otherwise or with another flat, stays where it is.
fn has_old_place(old: &Address, new: &Address) -> bool {
    let place = |address: &Address| Place::new(address.lat, address.lon);
    let near = place(old).zip(place(new)).is_some_and(|(old, new)| old.distance_m(&new) <= ONE_PLACE_M);
    near && !is_one_house(old, new)
}

/// Whether two addresses name one house: capitals, spaces, marks, typing errors and what follows the house's number aside.
pub(crate) fn is_one_house(one: &Address, other: &Address) -> bool {
    // The first number, and the letters around it.
    let parts = |text: &str| -> (String, String, String) {
        let mut text = text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).peekable();
        let letters = |letter: &char| !letter.is_numeric();
        let before = std::iter::from_fn(|| text.next_if(letters)).collect();
        let number = std::iter::from_fn(|| text.next_if(|letter| !letters(letter))).collect();
        (before, number, text.filter(letters).collect())
    };
    let ((before, number, after), (other_before, other_number, other_after)) =
        (parts(&one.street), parts(&other.street));
    // Where the number comes first the street comes after it, and then the flat.
    let first = before.is_empty() && other_before.is_empty();
    let begins = after.starts_with(&other_after) || other_after.starts_with(&after);
    let street = if first { begins || is_typo(&after, &other_after) } else { is_typo(&before, &other_before) };
    let ((city, ..), (other_city, ..)) = (parts(&one.city), parts(&other.city));
    number == other_number && street && is_typo(&city, &other_city)
}

/// Whether one word may be the other, mistyped: in one letter of five.
fn is_typo(one: &str, other: &str) -> bool {
    strsim::levenshtein(one, other) <= other.chars().count() / 5
}

fn is_with_the_rider(view: &OrderView) -> bool {
    view.delivery.is_some_and(|(_, phase)| phase >= DeliveryPhase::PickedUp)
}

/// The order as the relay keeps it once the wish is so.
fn with(order: &CloudOrder, wanted: &Wanted, now: Timestamp) -> CloudOrder {
    match wanted {
        Wanted::Address(address) => CloudOrder { address: Some(address.clone()), ..order.clone() },
        Wanted::Contact(contact) => CloudOrder { contact: Some(contact.clone()), ..order.clone() },
        // These are in the log; who waits for the kitchen waits as long (SPEC B10).
        Wanted::Time(ready) if order.unbegun_since.is_some() => {
            CloudOrder { unbegun_since: Some(order.begins_at(*ready, now)), given_until: None, ..order.clone() }
        }
        Wanted::Instructions(_) | Wanted::Time(_) => order.clone(),
    }
}

/// How a request that has not ended ends now; `None`: it waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Ends {
    /// Granted: the order as the relay keeps it from here on.
    Granted(Box<CloudOrder>),
    /// It stays as it was.
    Refused,
    /// Nobody answered in time, the order has ended, or the rider has it: the log says so.
    Lapses,
}

/// Looks at a request and at how the order stands. Asked again it says the same, so that a request ends once (SPEC FA3).
pub fn ends(
    view: &OrderView,
    request: &AmendmentView,
    order: &CloudOrder,
    row: &AmendmentRow,
    now: Timestamp,
) -> Option<Ends> {
    match request.state {
        AmendmentState::Granted => Some(Ends::Granted(Box::new(with(order, &row.wanted, now)))),
        AmendmentState::Refused(_) => Some(Ends::Refused),
        AmendmentState::Lapsed => Some(Ends::Lapses),
        AmendmentState::Asked => {
            let over = is_over(view)
                || view.cancelled.is_some()
                || view.status == Status::DeliveryFailed
                || matches!(order.phase, OrderPhase::Ended | OrderPhase::Resolved);
            let fixed = request.wanted.field() == AmendedField::Address && is_with_the_rider(view);
            let late = row.due_at.is_none_or(|due| due <= now);
            (over || fixed || late).then_some(Ends::Lapses)
        }
    }
}
