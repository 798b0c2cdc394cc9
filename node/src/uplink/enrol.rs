//! Makes the relay known to this node and this node to the relay: once, with a code that the relay's operator gave out.
//!
//! What comes of it (the relay's address, token, key, and the CA that vouches for it) is kept in one file beside the identity. A
//! node that has worked alone loses nothing: its log is sent from its first commit on.

use crate::store::StoreError;
use minicbor::{Decode, Encode};
use pilotlight_edge::files;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::{OriginId, SiteId};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The relay must answer within this time.
const ANSWER_MS_MAX: Duration = Duration::from_secs(15);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A relay that is busy and does not say for how long is asked again after so many seconds.
const WAIT_S: u64 = 30;
/// Nobody is asked to wait longer, in seconds.
const WAIT_S_MAX: u64 = 3_600;

/// What the node must know to dial its relay.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Enrolment {
    /// Where it is: `https://name` or `https://name:port`.
    #[n(0)]
    pub relay_url: String,
    /// What this node shows there.
    #[n(1)]
    pub token: String,
    /// The CA that vouches for the relay, beside those of the machine.
    #[n(2)]
    pub ca_pem: Option<String>,
    /// Under which origin the relay writes for this site.
    #[n(3)]
    pub relay_origin: OriginId,
    /// That origin's public key.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub relay_key: [u8; 32],
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment").field("relay_url", &self.relay_url).finish_non_exhaustive()
    }
}

impl Enrolment {
    /// Reads it; `None` when this node works alone.
    pub fn load(path: &Path) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = files::read_if_there(path)? else { return Ok(None) };
        let damaged = |error: minicbor::decode::Error| StoreError::Damaged { tree: "uplink", why: error.to_string() };
        minicbor::decode(&bytes).map(Some).map_err(damaged)
    }

    /// Writes it durably, readable by the owner only.
    pub fn save(&self, path: &Path) -> Result<(), StoreError> {
        Ok(files::write_whole(path, &minicbor::to_vec(self).unwrap_or_default())?)
    }
}

/// An origin as the enrolment call names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardJson {
    /// Which.
    pub origin: String,
    /// Its public Ed25519 key, hexadecimal.
    pub key: String,
    /// `node` or `relay`.
    pub role: String,
    /// What its order numbers begin with.
    pub letter: String,
}

/// What the node sends: `POST /api/v1/enrol`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequestJson {
    /// The one-time code.
    pub code: String,
    /// The site, as the node knows it; without one the node joins the site of the code.
    pub site: Option<String>,
    /// What guests call the restaurant.
    pub name: String,
    /// The newest protocol that the node speaks.
    pub protocol: u16,
    /// Who writes here: the node's own origin first.
    pub origins: Vec<CardJson>,
}

/// What the relay answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswerJson {
    /// What the node shows when it dials.
    pub uplink_token: String,
    /// The site that the node belongs to; a relay of an older version does not say.
    pub site: Option<String>,
    /// What its order numbers begin with from now on; a relay of an older version does not say.
    pub letter: Option<String>,
    /// Under which origin the relay, or the other node, writes for this site.
    pub relay: CardJson,
}

/// What comes of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What the node must know to dial.
    pub enrolment: Enrolment,
    /// The site, when that was told.
    pub site: Option<SiteId>,
    /// What the node's numbers begin with, when that was told.
    pub letter: Option<String>,
    /// Whether a relay answered, or another node of the site.
    pub by: OriginRole,
    /// What that node's numbers begin with; empty of a relay.
    pub by_letter: String,
}

/// Why a node was not enrolled. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The address cannot be a relay's.
    #[error("{0:?} is not a relay's address: write https://name or https://name:port")]
    BadUrl(String),
    /// The CA cannot be read.
    #[error("the CA cannot be read: {0}")]
    BadCa(String),
    /// The relay cannot be reached.
    #[error("the relay cannot be reached: {0}")]
    Unreachable(String),
    /// Nobody that is trusted here vouches for the relay.
    #[error("nobody that this machine trusts vouches for the relay: {0}")]
    Untrusted(String),
    /// The relay is there, and asks to wait.
    #[error("the relay asks to wait {retry_after_s} s")]
    Wait {
        /// So long, in seconds.
        retry_after_s: u64,
    },
    /// The relay failed.
    #[error("the relay failed: {0}")]
    Failed(String),
    /// The relay said no: a code that is used up, another site's, a version that it does not speak.
    #[error("the relay refused: {detail}")]
    Refused {
        /// Its code.
        code: String,
        /// Its words.
        detail: String,
    },
    /// What answered is no relay.
    #[error("what answered is no relay of this version: {0}")]
    NoRelay(String),
}

/// The relay's problem document, as far as it is passed on.
#[derive(Debug, Deserialize)]
struct ProblemJson {
    code: String,
    detail: String,
}

/// The address without a slash at its end, when it can be a relay's.
pub fn relay_url(said: &str) -> Result<String, EnrolError> {
    let bad = || EnrolError::BadUrl(said.chars().take(200).collect());
    let url = said.trim().trim_end_matches('/');
    let uri: http::Uri = url.parse().map_err(|_| bad())?;
    let plain = uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    let host =
        uri.authority().is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    if plain && host && url.len() <= 200 { Ok(url.to_owned()) } else { Err(bad()) }
}

/// A client that talks to the relay, or to another node, and to nobody that these send it to.
pub(super) fn client(tls: &rustls::ClientConfig, answer_max: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(answer_max)
        .build()
}

/// Whom the relay is trusted by: the machine's CAs and the given one.
pub fn trust(ca_pem: Option<&str>) -> Result<Arc<rustls::ClientConfig>, EnrolError> {
    let bad = |error: &dyn std::fmt::Display| EnrolError::BadCa(error.to_string());
    let mut extra = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default().as_bytes()) {
        extra.push(certificate.map_err(|error| bad(&error))?);
    }
    if ca_pem.is_some() && extra.is_empty() {
        return Err(bad(&"there is no certificate in it"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider.clone());
    let verifier = verifier.map_err(|error| bad(&error))?;
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| bad(&error))?;
    // "Dangerous" is rustls's word for any verifier but its own; this one is WebPKI over the machine's roots.
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    Ok(Arc::new(config))
}

/// Asks the relay, or another node of the site, to take this node in. Without a site the node joins that of the code.
pub async fn enrol(
    url: &str,
    code: &str,
    ca_pem: Option<String>,
    site: Option<&SiteId>,
    name: &str,
    card: OriginCard,
) -> Result<Joined, EnrolError> {
    let relay_url = relay_url(url)?;
    let tls = trust(ca_pem.as_deref())?;
    let unreachable = |error: reqwest::Error| match untrusted(&error) {
        Some(why) => EnrolError::Untrusted(why),
        None => EnrolError::Unreachable(whole(&error)),
    };
    let client = client(&tls, ANSWER_MS_MAX).map_err(unreachable)?;
    let request = EnrolRequestJson {
        code: code.trim().to_owned(),
        site: site.map(ToString::to_string),
        name: name.to_owned(),
        protocol: pilotlight_sync::limits::PROTOCOL,
        origins: vec![CardJson {
            origin: card.origin.to_string(),
            key: hex(&card.key),
            role: "node".to_owned(),
            letter: card.letter,
        }],
    };
    let response = client.post(format!("{relay_url}/api/v1/enrol")).json(&request).send().await.map_err(unreachable)?;
    let status = response.status();
    let asked_to_wait = wait_s(response.headers());
    let body = bounded(response).await?;
    let no_relay = |why: &dyn std::fmt::Display| EnrolError::NoRelay(why.to_string());
    // A node, or any other server that speaks in problems, has no such path.
    if matches!(status.as_u16(), 404 | 405) {
        return Err(no_relay(&status));
    }
    if matches!(status.as_u16(), 429 | 503) {
        return Err(EnrolError::Wait { retry_after_s: asked_to_wait });
    }
    if status.is_server_error() {
        return Err(EnrolError::Failed(status.to_string()));
    }
    if !status.is_success() {
        let problem: ProblemJson = serde_json::from_slice(&body).map_err(|_| no_relay(&status))?;
        return Err(EnrolError::Refused { code: problem.code, detail: problem.detail });
    }
    let answer: EnrolAnswerJson = serde_json::from_slice(&body).map_err(|error| no_relay(&error))?;
    let relay_origin = answer.relay.origin.parse().map_err(|error| no_relay(&error))?;
    let relay_key = unhex(&answer.relay.key).ok_or_else(|| no_relay(&"its key is not 64 hexadecimal digits"))?;
    let told = answer.site.map(|site| site.parse().map_err(|error| no_relay(&error))).transpose()?;
    let by = if answer.relay.role == "node" { OriginRole::Node } else { OriginRole::Relay };
    let letter = answer.letter.filter(|letter| is_letter(letter));
    let enrolment = Enrolment { relay_url, token: answer.uplink_token, ca_pem, relay_origin, relay_key };
    Ok(Joined { enrolment, site: told, letter, by, by_letter: answer.relay.letter })
}

/// Whether order numbers may begin with this.
pub fn is_letter(letter: &str) -> bool {
    (1..=8).contains(&letter.len()) && letter.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// How long somebody who is busy asks to wait, in seconds. A date instead of a number says as little as nothing.
fn wait_s(headers: &http::HeaderMap) -> u64 {
    let said = headers.get(http::header::RETRY_AFTER).and_then(|said| said.to_str().ok()?.trim().parse().ok());
    said.unwrap_or(WAIT_S).clamp(1, WAIT_S_MAX)
}

/// What is wrong with the other side's certificate, if it is that.
fn untrusted(error: &reqwest::Error) -> Option<String> {
    let first: &(dyn std::error::Error + 'static) = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    let wrong = causes.filter_map(of_tls).find(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
    wrong.map(ToString::to_string)
}

/// TLS's own error: an I/O error does not name as its source what it wraps, and may wrap another one.
fn of_tls<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let wrapped = || of_tls(cause.downcast_ref::<std::io::Error>()?.get_ref()?);
    cause.downcast_ref().or_else(wrapped)
}

/// The body, as far as it may be long.
pub(super) async fn bounded(response: reqwest::Response) -> Result<Vec<u8>, EnrolError> {
    let body = within(response, ANSWER_BYTES_MAX).await.map_err(|error| EnrolError::Unreachable(whole(&error)))?;
    body.ok_or_else(|| EnrolError::NoRelay("its answer is too long".to_owned()))
}

/// A body of so many bytes at most; `None`: it is longer.
pub(super) async fn within(mut response: reqwest::Response, bytes_max: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// An error with its causes: reqwest's own words say only that sending failed. What a cause repeats is said once.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    for cause in std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string) {
        if !said.ends_with(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y11_a_relay_s_address_is_https_and_nothing_but_a_name_and_a_port() {
        for good in ["https://relay.example", "https://relay.example:8443/", " https://127.0.0.1:1 "] {
            assert_eq!(relay_url(good).ok().as_deref(), Some(good.trim().trim_end_matches('/')));
        }
        for bad in [
            "",
            "relay.example",
            "http://relay.example",
            "https://relay.example/path",
            "https://a@b",
            "https://r?x=1",
            "https://",
        ] {
            assert!(matches!(relay_url(bad), Err(EnrolError::BadUrl(_))), "{bad}");
        }
    }

    #[test]
    fn y11_the_enrolment_is_kept_and_a_damaged_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("uplink");
        assert_eq!(Enrolment::load(&path).unwrap(), None);
        let enrolment = Enrolment {
            relay_url: "https://relay".to_owned(),
            token: "secret".to_owned(),
            ca_pem: None,
            relay_origin: OriginId::derived(&["relay"]),
            relay_key: [7; 32],
        };
        enrolment.save(&path).unwrap();
        assert_eq!(Enrolment::load(&path).unwrap(), Some(enrolment.clone()));
        assert!(!format!("{enrolment:?}").contains("secret"));
        std::fs::write(&path, b"nonsense").unwrap();
        assert!(matches!(Enrolment::load(&path), Err(StoreError::Damaged { tree: "uplink", .. })));
    }

    #[test]
    fn y11_an_error_is_told_with_its_causes_once() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = StoreError::io("dialling")(refused);
        assert_eq!(whole(&error), "dialling failed: connection refused");
        let twice = EnrolError::Unreachable("no route".to_owned());
        assert_eq!(whole(&twice), "the relay cannot be reached: no route");
    }

    #[test]
    fn y11_a_relay_that_is_busy_is_given_a_sensible_time() {
        let asked = |said: Option<&str>| {
            let said = said.map(|said| (http::header::RETRY_AFTER, said.parse().unwrap()));
            wait_s(&said.into_iter().collect())
        };
        let never = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(
            [asked(Some("17")), asked(None), asked(never), asked(Some("0")), asked(Some("99999"))],
            [17, 30, 30, 1, 3_600]
        );
    }

    #[test]
    fn y11_keys_read_back_from_their_text() {
        assert_eq!(unhex(&hex(&[0xa5; 32])), Some([0xa5; 32]));
        assert_eq!((unhex("a5"), unhex(&"x".repeat(64))), (None, None));
    }
}
