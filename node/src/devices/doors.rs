//! Opens doors: from a bearer token to who it speaks for. Kept in memory, rebuilt whenever a device or person changes.

use pilotlight_edge::tokens;
use pilotlight_sync::doc::people::Device;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::{DeviceId, StaffId};
use pilotlight_sync::domain::role::{Action, Actor, Role};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// A person stays signed in for so long without signing in again, in milliseconds.
pub const SESSION_MS: u64 = 12 * 3_600_000;
/// People signed in at once.
const SESSIONS_MAX: usize = 1_000;

/// Who a token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The device.
    pub device: DeviceId,
    /// The person signed in on it.
    pub staff: Option<StaffId>,
    /// The wider of both roles.
    pub role: Role,
}

impl Caller {
    /// As the cause of a change.
    pub fn actor(&self) -> Actor {
        self.staff.map_or(Actor::Device(self.device), |staff| Actor::Staff(staff, self.device))
    }
}

/// Why a door stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// No token.
    #[error("no token was sent")]
    NoToken,
    /// Nobody's token, or one that is not good any more.
    #[error("the token is not known, or was revoked, or has expired")]
    UnknownToken,
    /// Somebody's token, but not for this.
    #[error("role {} may not do this", role.word())]
    NotAllowed {
        /// Whose role does not suffice.
        role: Role,
    },
}

#[derive(Debug, Clone, Copy)]
struct Session {
    staff: StaffId,
    device: DeviceId,
    expires_at: Timestamp,
}

#[derive(Debug, Default)]
struct Known {
    by_token: BTreeMap<[u8; 32], DeviceId>,
    devices: BTreeMap<DeviceId, Role>,
    people: BTreeMap<StaffId, Role>,
    sessions: BTreeMap<[u8; 32], Session>,
}

/// All tokens that open something.
#[derive(Debug, Default)]
pub struct Doors(RwLock<Known>);

impl Doors {
    /// Takes over the site's devices and people; sessions of those who left end.
    pub fn refresh(&self, site: &Site) {
        let good = |(_, device): &(&DeviceId, &Device)| !device.revoked;
        let by_token = site.devices().filter(good).map(|(id, device)| (device.token_hash, *id)).collect();
        let devices: BTreeMap<_, _> = site.devices().filter(good).map(|(id, device)| (*id, device.role)).collect();
        let people: BTreeMap<_, _> =
            site.people().filter(|(_, person)| !person.removed).map(|(id, person)| (*id, person.role)).collect();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known
            .sessions
            .retain(|_, session| people.contains_key(&session.staff) && devices.contains_key(&session.device));
        *known = Known { by_token, devices, people, sessions: std::mem::take(&mut known.sessions) };
    }

    /// Who this token speaks for.
    pub fn caller(&self, token: &str, now: Timestamp) -> Result<Caller, Closed> {
        let hash = tokens::hash(token);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = known.by_token.get(&hash) {
            let role = known.devices.get(device).copied().ok_or(Closed::UnknownToken)?;
            return Ok(Caller { device: *device, staff: None, role });
        }
        let session =
            known.sessions.get(&hash).filter(|session| session.expires_at > now).ok_or(Closed::UnknownToken)?;
        let device = known.devices.get(&session.device).copied().ok_or(Closed::UnknownToken)?;
        let person = known.people.get(&session.staff).copied().ok_or(Closed::UnknownToken)?;
        Ok(Caller { device: session.device, staff: Some(session.staff), role: device.max(person) })
    }

    /// Who this token speaks for, when it may do this.
    pub fn open(&self, token: Option<&str>, action: Action, now: Timestamp) -> Result<Caller, Closed> {
        let caller = self.caller(token.ok_or(Closed::NoToken)?, now)?;
        if caller.role.may(action) { Ok(caller) } else { Err(Closed::NotAllowed { role: caller.role }) }
    }

    /// Signs a person in; answers when that ends. The session that ends first makes room when there are too many.
    pub fn sign_in(&self, token: &str, staff: StaffId, device: DeviceId, now: Timestamp) -> Timestamp {
        let expires_at = now.plus_ms(SESSION_MS);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.sessions.retain(|_, session| session.expires_at > now);
        if known.sessions.len() >= SESSIONS_MAX {
            let first = known.sessions.iter().min_by_key(|(_, session)| session.expires_at).map(|(hash, _)| *hash);
            first.and_then(|hash| known.sessions.remove(&hash));
        }
        known.sessions.insert(tokens::hash(token), Session { staff, device, expires_at });
        expires_at
    }

    /// Signs out whoever this token speaks for; a device's own token stays.
    pub fn sign_out(&self, token: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).sessions.remove(&tokens::hash(token));
    }

    /// Whether any device with this role is paired.
    pub fn has_role(&self, role: Role) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).devices.values().any(|known| *known == role)
    }
}
