//! Passes a request on to the node that alone may do it: over the LAN, by the address and token with which this node dials that one. Who
//! asked was checked here, and is named there.

use crate::uplink::enrol::{Enrolment, client, hex, trust, within};
use minicbor::Decode;
use pilotlight_sync::domain::role::Actor;
use std::time::Duration;

/// The header that names whom a node asks for.
pub const FOR: &str = "pilotlight-for";
/// A node of the same restaurant answers at once, or is away.
const ANSWER_MS_MAX: Duration = Duration::from_millis(4_000);

/// A report of a long day is this long at most.
const PASSED_BYTES_MAX: usize = 256 * 1024;

/// What the other node answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Its status.
    pub status: u16,
    /// Its JSON.
    pub body: Vec<u8>,
}

/// Why nothing is known of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPassed {
    /// Nobody was reached: nothing was done.
    #[error("it is away")]
    Away,
    /// It was reached, and did not answer: whether it was done is unknown.
    #[error("it did not answer; whether it was done is unknown")]
    Unknown,
    /// It answered more than a request about one thing is answered with.
    #[error("its answer is longer than {} KiB", PASSED_BYTES_MAX / 1024)]
    TooLong,
}

/// How an actor is written in the header.
pub(crate) fn named(actor: Actor) -> String {
    hex(&minicbor::to_vec(actor).unwrap_or_default())
}

/// Reads it back.
pub(crate) fn actor_of(text: &str) -> Option<Actor> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(pair).collect();
    let bytes = bytes.filter(|_| text.len() <= 128)?;
    let mut decoder = minicbor::Decoder::new(&bytes);
    let actor = Actor::decode(&mut decoder, &mut ()).ok()?;
    (decoder.position() == bytes.len()).then_some(actor)
}

/// Sends it and waits for the answer.
pub(super) async fn pass(to: &Enrolment, path: &str, by: Actor, body: Vec<u8>) -> Result<Passed, NotPassed> {
    let tls = trust(to.ca_pem.as_deref()).map_err(|_| NotPassed::Away)?;
    let client = client(&tls, ANSWER_MS_MAX).map_err(|_| NotPassed::Away)?;
    let request = client.post(format!("{}{path}", to.relay_url)).bearer_auth(&to.token).header(FOR, named(by));
    let request = request.header(http::header::CONTENT_TYPE, "application/json").body(body);
    let failed = |error: reqwest::Error| if error.is_connect() { NotPassed::Away } else { NotPassed::Unknown };
    let response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let body = within(response, PASSED_BYTES_MAX).await.map_err(|_| NotPassed::Unknown)?.ok_or(NotPassed::TooLong)?;
    Ok(Passed { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_sync::domain::id::{DeviceId, StaffId};

    #[test]
    fn s12_whom_a_node_asks_for_is_named_and_nonsense_is_nobody() {
        let somebody = Actor::Staff(StaffId::derived(&["s"]), DeviceId::derived(&["d"]));
        for actor in [Actor::System, somebody] {
            assert_eq!(actor_of(&named(actor)), Some(actor));
        }
        for nonsense in ["", "0", "zz", "ff00", &format!("{}00", named(Actor::System)), &"00".repeat(100), "ü"] {
            assert_eq!(actor_of(nonsense), None, "{nonsense}");
        }
    }
}
