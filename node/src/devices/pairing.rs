//! One-time codes that let a new device in, and the plans that pair and revoke.

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_edge::throttle::{Locked, Throttle};
use pilotlight_edge::tokens::{self, NoRandom};
use pilotlight_sync::doc::people::Device;
use pilotlight_sync::domain::id::DeviceId;
use pilotlight_sync::domain::role::{Actor, Role};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NAME_CHARS_MAX;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

/// A code is good for so long, in milliseconds.
pub const CODE_MS: u64 = 15 * 60_000;
/// Codes that wait at once.
const CODES_MAX: usize = 64;
/// Devices of a site, revoked ones included.
pub const DEVICES_MAX: usize = 1_000;

/// Why a device is not paired.
#[derive(Debug, thiserror::Error)]
pub enum PairRefusal {
    /// No such code, or it was used, or it has expired.
    #[error("the code is not good: it was never given out, was used, or has expired")]
    WrongCode,
    /// Too many wrong codes from there.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// A device needs a name.
    #[error("the name has {chars} characters; 1 to {} are allowed", NAME_CHARS_MAX)]
    Name {
        /// So many.
        chars: usize,
    },
    /// The site has too many devices.
    #[error("the site has {} devices, the most there may be", DEVICES_MAX)]
    TooMany,
    /// The machine is out of randomness.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    role: Role,
    expires_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Desk {
    codes: BTreeMap<String, Waiting>,
    throttle: Throttle,
}

/// Codes that wait for their device. They are not kept over a restart.
#[derive(Debug, Default)]
pub struct PairingDesk(Mutex<Desk>);

impl PairingDesk {
    /// Gives out a code. Without `expires_at` it is good until the node stops: the first admin's.
    pub fn give_out(&self, role: Role, expires_at: Option<Timestamp>, now: Timestamp) -> Result<String, NoRandom> {
        let code = tokens::new_code()?;
        let mut desk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desk.codes.retain(|_, waiting| waiting.expires_at.is_none_or(|expires| expires > now));
        if desk.codes.len() >= CODES_MAX {
            let first = desk.codes.iter().min_by_key(|(_, waiting)| waiting.expires_at).map(|(code, _)| code.clone());
            first.and_then(|code| desk.codes.remove(&code));
        }
        desk.codes.insert(tokens::plain_code(&code), Waiting { role, expires_at });
        Ok(code)
    }

    /// Takes a code: the second who brings it is refused. `from` is who is slowed down when it is wrong.
    pub fn take(&self, code: &str, from: &str, now: Timestamp) -> Result<Role, PairRefusal> {
        let mut desk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desk.throttle.check(from, now)?;
        let waiting = desk.codes.remove(&tokens::plain_code(code));
        match waiting.filter(|waiting| waiting.expires_at.is_none_or(|expires| expires > now)) {
            Some(waiting) => {
                desk.throttle.succeeded(from);
                Ok(waiting.role)
            }
            None => {
                desk.throttle.failed(from, now);
                Err(PairRefusal::WrongCode)
            }
        }
    }
}

/// Checks a device's or person's name; answers it without blanks around it.
pub fn check_name(name: &str) -> Result<String, PairRefusal> {
    let name = name.trim();
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX { Err(PairRefusal::Name { chars }) } else { Ok(name.to_owned()) }
}

/// Plans a new device.
pub fn plan(replica: &Replica, id: DeviceId, device: Device) -> Result<Plan<Device>, PlanError<PairRefusal>> {
    if replica.site().devices().count() >= DEVICES_MAX {
        return Err(PlanError::Refused(PairRefusal::TooMany));
    }
    let changes = vec![replica.site().write_device(id, device.clone())];
    Ok(Plan::new(Actor::Device(id), changes, move |_| device))
}

/// Plans that a device's token opens nothing any more; answers whether there is such a device.
pub fn revoke(replica: &Replica, by: Actor, id: DeviceId) -> Result<Plan<bool>, PlanError<Infallible>> {
    match replica.site().device(&id) {
        None => Ok(Plan::answer_only(by, false)),
        Some(device) if device.revoked => Ok(Plan::answer_only(by, true)),
        Some(device) => {
            let changes = vec![replica.site().write_device(id, Device { revoked: true, ..device.clone() })];
            Ok(Plan::new(by, changes, |_| true))
        }
    }
}
