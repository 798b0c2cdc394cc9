//! What a restaurant asks online, beside its menu: fees, and how long the relay waits for it.

use crate::store::rows::Read;
use crate::store::{Database, Sql, StoreError, to_sql};
use pilotlight_sync::domain::id::SiteId;

/// Terms of one site. Times are business time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// For bringing it, in minor units.
    pub delivery_fee_minor: i64,
    /// For packing it.
    pub packaging_minor: i64,
    /// For the service.
    pub service_minor: i64,
    /// While its link is down it takes orders all the same: they are held, with an expiry.
    pub accepts_held: bool,
    /// A held order is cancelled after this time, in milliseconds.
    pub hold_ms: u64,
    /// An order that reached the restaurant and is not accepted within this time is cancelled, in milliseconds.
    pub accept_ms: u64,
    /// A cancel request without a verdict is resolved after this time, in milliseconds.
    pub verdict_ms: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            delivery_fee_minor: 299,
            packaging_minor: 0,
            service_minor: 0,
            accepts_held: true,
            hold_ms: 10 * 60_000,
            accept_ms: 5 * 60_000,
            verdict_ms: 5 * 60_000,
        }
    }
}

/// A site's terms.
pub async fn of(database: &Database, site: &SiteId) -> Result<Terms, StoreError> {
    let row = sqlx::query("SELECT * FROM site_terms WHERE site = ?1").bind(&site.as_bytes()[..]);
    let Some(row) = row.fetch_optional(database.pool()).await? else { return Ok(Terms::default()) };
    let read = Read::new("site_terms", &row);
    Ok(Terms {
        delivery_fee_minor: read.minor("delivery_fee_minor")?,
        packaging_minor: read.minor("packaging_minor")?,
        service_minor: read.minor("service_minor")?,
        accepts_held: read.flag("accepts_held")?,
        hold_ms: read.number("hold_ms")?,
        accept_ms: read.number("accept_ms")?,
        verdict_ms: read.number("verdict_ms")?,
    })
}

/// Sets a site's terms.
pub async fn set(sql: &mut Sql, site: &SiteId, terms: &Terms) -> Result<(), StoreError> {
    let statement = "INSERT OR REPLACE INTO site_terms
        (site, delivery_fee_minor, packaging_minor, service_minor, accepts_held, hold_ms, accept_ms, verdict_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    sqlx::query(statement)
        .bind(&site.as_bytes()[..])
        .bind(terms.delivery_fee_minor)
        .bind(terms.packaging_minor)
        .bind(terms.service_minor)
        .bind(i64::from(terms.accepts_held))
        .bind(to_sql(terms.hold_ms))
        .bind(to_sql(terms.accept_ms))
        .bind(to_sql(terms.verdict_ms))
        .execute(&mut *sql)
        .await?;
    Ok(())
}
