//! How a restaurant comes to the relay: the operator creates a site and gets a code, its node shows the code once and gets a token.

use crate::sites::node_registry::Sites;
use crate::store::StoreError;
use crate::store::site_rows::{self, NewSecrets, NewSite};
use pilotlight_edge::tokens::{self, NoRandom};
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::{OriginId, SiteId};
use pilotlight_sync::limits::{ORIGINS_MAX, PROTOCOL_MIN};

/// A code is good for so many milliseconds of business time: a week, because somebody travels with it.
const CODE_MS: u64 = 7 * 86_400_000;
/// Characters of a site's name.
const NAME_MAX: usize = 80;

/// A code, shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteCode {
    /// What the node shows.
    pub code: String,
    /// Until then, in milliseconds since 1970.
    pub expires_at: u64,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrol {
    /// The one-time code.
    pub code: String,
    /// The site, as the node knows it.
    pub site: SiteId,
    /// The newest protocol that the node speaks.
    pub protocol: u16,
    /// Who writes there: the node's own origin first.
    pub cards: Vec<OriginCard>,
}

/// What the node gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Opens its uplink; shown once.
    pub uplink_token: String,
    /// Who the relay is at this site.
    pub relay: OriginCard,
}

/// Why a site was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateRefusal {
    /// Its name is empty or too long.
    #[error("a name has 1 to {NAME_MAX} characters")]
    Name,
    /// It is not on earth.
    #[error("latitudes are -90 to 90 degrees, longitudes -180 to 180")]
    Place,
    /// There is no such site.
    #[error("there is no such site")]
    UnknownSite,
    /// The machine is out of randomness.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a node was not enrolled. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum EnrolRefusal {
    /// The code is not known, was used, or has expired.
    #[error("the code is not good, was used, or has expired")]
    WrongCode,
    /// The code is that of another site.
    #[error("this code belongs to another site")]
    OtherSite,
    /// The site is enrolled with another code.
    #[error("this site is enrolled already: ask the operator for a new code of that site")]
    SiteTaken,
    /// A card is missing, double, or says that a node is a relay.
    #[error("the origins must be 1 to {ORIGINS_MAX}, each once, and none of them the relay's")]
    Cards,
    /// The node speaks an older protocol.
    #[error("the node speaks protocol {0}; {PROTOCOL_MIN} is the oldest that is understood")]
    TooOld(u16),
    /// The machine is out of randomness.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Sites {
    /// Creates a site that waits for its node, and the code for it.
    pub async fn create(&self, site: NewSite) -> Result<SiteCode, CreateRefusal> {
        let length = site.name.trim().chars().count();
        if length == 0 || length > NAME_MAX {
            return Err(CreateRefusal::Name);
        }
        if !(-90.0..=90.0).contains(&site.lat) || !(-180.0..=180.0).contains(&site.lon) {
            return Err(CreateRefusal::Place);
        }
        let now = self.clock().now();
        let code = tokens::new_code()?;
        let secrets = NewSecrets {
            own_origin: OriginId::from_bytes(tokens::random()?),
            own_key: tokens::random()?,
            code_hash: tokens::hash(&tokens::plain_code(&code)),
            code_expires_at: now.plus_ms(CODE_MS),
        };
        site_rows::create(self.database(), &site, &secrets, now).await?;
        Ok(SiteCode { code, expires_at: secrets.code_expires_at.0 })
    }

    /// Another code for a site, whose node lost its token or was replaced.
    pub async fn renew_code(&self, site: &SiteId) -> Result<SiteCode, CreateRefusal> {
        let code = tokens::new_code()?;
        let expires_at = self.clock().now().plus_ms(CODE_MS);
        let hash = tokens::hash(&tokens::plain_code(&code));
        if site_rows::renew_code(self.database(), site, hash, expires_at).await? {
            Ok(SiteCode { code, expires_at: expires_at.0 })
        } else {
            Err(CreateRefusal::UnknownSite)
        }
    }

    /// Takes a node in. The code is used up; a token that was given before is good no more.
    pub async fn enrol(&self, enrol: Enrol) -> Result<Enrolled, EnrolRefusal> {
        if enrol.protocol < PROTOCOL_MIN {
            return Err(EnrolRefusal::TooOld(enrol.protocol));
        }
        if !are_good(&enrol.cards) {
            return Err(EnrolRefusal::Cards);
        }
        let now = self.clock().now();
        let uplink_token = tokens::new_token()?;
        let mut tx = self.database().begin().await?;
        let code_hash = tokens::hash(&tokens::plain_code(&enrol.code));
        let row = site_rows::by_code(&mut tx, &code_hash, now).await?.ok_or(EnrolRefusal::WrongCode)?;
        if row.id.is_some_and(|id| id != enrol.site) {
            return Err(EnrolRefusal::OtherSite);
        }
        if row.id.is_none() && site_rows::by_id(&mut tx, &enrol.site).await?.is_some() {
            return Err(EnrolRefusal::SiteTaken);
        }
        if enrol.cards.iter().any(|card| card.origin == row.own_origin) {
            return Err(EnrolRefusal::Cards);
        }
        site_rows::enrol(&mut tx, row.no, &enrol.site, &tokens::hash(&uplink_token), now).await?;
        site_rows::add_cards(&mut tx, row.no, &enrol.cards).await?;
        tx.commit().await.map_err(StoreError::from)?;
        let row = site_rows::SiteRow { id: Some(enrol.site), ..row };
        let site = self.open(&row).await?.ok_or(EnrolRefusal::WrongCode)?;
        tracing::info!(site = %enrol.site, name = row.name, "a node was enrolled");
        Ok(Enrolled { uplink_token, relay: site.facts.identity.card() })
    }
}

fn are_good(cards: &[OriginCard]) -> bool {
    let mut origins: Vec<OriginId> = cards.iter().map(|card| card.origin).collect();
    origins.sort_unstable();
    origins.dedup();
    (1..=ORIGINS_MAX).contains(&cards.len())
        && origins.len() == cards.len()
        && cards.iter().all(|card| card.role == OriginRole::Node && card.letter.len() <= 8)
}
