//! How a restaurant comes to the relay: the operator creates a site and gets a code, its node shows the code once and gets a token. Each
//! further node of the site comes with a code of its own.

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
    /// The site, as the node knows it; `None`: the node is new, and joins the site of the code.
    pub site: Option<SiteId>,
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
    /// The site that it belongs to.
    pub site: SiteId,
    /// What its order numbers begin with from now on: its own letter, unless another node of the site has that (SPEC I4).
    pub letter: String,
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
    /// Neither the code nor the node knows which site it is.
    #[error("this code is a new site's: only a node that has a site can be its first")]
    NoSite,
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

    /// Another code for a site: for a further node, or for one that lost its token.
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

    /// Takes a node in, beside the others of its site. The code is used up; a token that this node had before is good no more.
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
        if row.id.zip(enrol.site).is_some_and(|(id, said)| id != said) {
            return Err(EnrolRefusal::OtherSite);
        }
        // A node that has no site yet takes that of the code; a new site takes that of its first node.
        let site = row.id.or(enrol.site).ok_or(EnrolRefusal::NoSite)?;
        if row.id.is_none() && site_rows::by_id(&mut tx, &site).await?.is_some() {
            return Err(EnrolRefusal::SiteTaken);
        }
        if enrol.cards.iter().any(|card| card.origin == row.own_origin) {
            return Err(EnrolRefusal::Cards);
        }
        let Some(own) = enrol.cards.first() else { return Err(EnrolRefusal::Cards) };
        site_rows::enrol(&mut tx, row.no, &site, now).await?;
        site_rows::enrol_node(&mut tx, row.no, &own.origin, &tokens::hash(&uplink_token), now).await?;
        let others = site_rows::cards_in(&mut *tx, row.no).await?;
        let letter = letter_for(own, &others);
        let mut cards = enrol.cards.clone();
        if let Some(first) = cards.first_mut() {
            first.letter.clone_from(&letter);
        }
        site_rows::add_cards(&mut tx, row.no, &cards).await?;
        tx.commit().await?;
        let row = site_rows::SiteRow { id: Some(site), ..row };
        let opened = self.open(&row).await?.ok_or(EnrolRefusal::WrongCode)?;
        tracing::info!(%site, name = row.name, letter, "a node was enrolled");
        Ok(Enrolled { uplink_token, site, letter, relay: opened.facts.identity.card() })
    }
}

/// The node's own letter, unless another node of the site has it: then the next one that is free.
fn letter_for(own: &OriginCard, others: &[OriginCard]) -> String {
    if let Some(known) = others.iter().find(|card| card.origin == own.origin) {
        return known.letter.clone();
    }
    let taken = |letter: &str| others.iter().any(|card| card.letter == letter);
    if !own.letter.is_empty() && !taken(&own.letter) {
        return own.letter.clone();
    }
    let single = ('A'..='Z').map(String::from);
    let double = ('A'..='Z').flat_map(|first| ('A'..='Z').map(move |second| format!("{first}{second}")));
    // There are more letters than origins of a site.
    single.chain(double).find(|letter| !taken(letter)).unwrap_or_default()
}

fn are_good(cards: &[OriginCard]) -> bool {
    let mut origins: Vec<OriginId> = cards.iter().map(|card| card.origin).collect();
    origins.sort_unstable();
    origins.dedup();
    (1..=ORIGINS_MAX).contains(&cards.len())
        && origins.len() == cards.len()
        && cards.iter().all(|card| card.role == OriginRole::Node && card.letter.len() <= 8)
}
