//! People who sign in by PIN on shared devices. PINs are kept as Argon2id; guessing is slowed down.

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_edge::secret::{self, NoHash};
use pilotlight_sync::doc::people::Person;
use pilotlight_sync::domain::id::StaffId;
use pilotlight_sync::domain::role::Actor;
use std::convert::Infallible;

/// People of a site, those who left included.
pub const STAFF_MAX: usize = 2_000;
/// Why a PIN is not accepted as one.
#[derive(Debug, thiserror::Error)]
pub enum PinRefusal {
    /// Not a PIN.
    #[error("a PIN is 4 to 8 digits")]
    NotAPin,
    /// The machine is out of randomness, or the hash failed.
    #[error(transparent)]
    Hash(#[from] NoHash),
}

/// Hashes a PIN. Slow on purpose: call it where blocking is allowed.
pub fn hash_pin(pin: &str) -> Result<String, PinRefusal> {
    if !(4..=8).contains(&pin.len()) || !pin.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(PinRefusal::NotAPin);
    }
    Ok(secret::hash(pin)?)
}

/// Whether this is the PIN. Slow on purpose: call it where blocking is allowed.
pub fn is_pin(pin: &str, hash: &str) -> bool {
    secret::is(pin, hash)
}

/// Plans a new person, or a changed one; `false` when there are too many.
pub fn plan(replica: &Replica, by: Actor, id: StaffId, person: Person) -> Result<Plan<bool>, PlanError<Infallible>> {
    if replica.site().people().count() >= STAFF_MAX {
        return Ok(Plan::answer_only(by, false));
    }
    let changes = vec![replica.site().write_person(id, person)];
    Ok(Plan::new(by, changes, |_| true))
}

/// Plans that a person leaves; answers whether there is such a person.
pub fn remove(replica: &Replica, by: Actor, id: StaffId) -> Result<Plan<bool>, PlanError<Infallible>> {
    match replica.site().person(&id) {
        None => Ok(Plan::answer_only(by, false)),
        Some(person) => {
            let left = Person { removed: true, pin_hash: String::new(), ..person.clone() };
            let changes = vec![replica.site().write_person(id, left)];
            Ok(Plan::new(by, changes, |_| true))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_a_pin_is_kept_as_a_salted_argon2id_hash() {
        let hash = hash_pin("4711").unwrap();
        assert!(hash.starts_with("$argon2id$") && !hash.contains("4711"));
        assert!(is_pin("4711", &hash) && !is_pin("4712", &hash) && !is_pin("4711", "nonsense"));
        assert_ne!(hash, hash_pin("4711").unwrap());
        for wrong in ["", "123", "123456789", "12a4", "١٢٣٤"] {
            assert!(matches!(hash_pin(wrong), Err(PinRefusal::NotAPin)), "{wrong}");
        }
    }
}
