//! What customers want otherwise about orders that they have placed, in their words: only here, never in a site's log.

use crate::store::people::Address;
use crate::store::rows::{Read, to_cbor};
use crate::store::{Database, Sql, StoreError, to_sql};
use minicbor::{Decode, Encode};
use pilotlight_sync::domain::id::{IntentId, OrderId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;

/// Who is asked for, when that is not the customer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Contact {
    /// What they are called.
    #[n(0)]
    pub name: String,
    /// For the rider.
    #[n(1)]
    pub phone: String,
}

/// One field, as the customer wants it.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Wanted {
    /// Said to the kitchen and the rider; `None`: nothing.
    #[n(0)]
    Instructions(#[n(0)] Option<String>),
    /// Somebody else.
    #[n(1)]
    Contact(#[n(0)] Contact),
    /// Another place.
    #[n(2)]
    Address(#[n(0)] Address),
    /// Ready then and not before; `None`: as soon as possible.
    #[n(3)]
    Time(#[n(0)] Option<Timestamp>),
}

/// A wish.
#[derive(Debug, Clone, PartialEq)]
pub struct AmendmentRow {
    /// About which order.
    pub order: OrderId,
    /// Minted by the device.
    pub intent: IntentId,
    /// Of which restaurant.
    pub site: SiteId,
    /// What.
    pub wanted: Wanted,
    /// When.
    pub asked_at: Timestamp,
    /// Without an answer it ends then; `None`: it has ended.
    pub due_at: Option<Timestamp>,
}

/// Writes a new wish.
pub async fn insert(sql: &mut Sql, row: &AmendmentRow) -> Result<(), StoreError> {
    let statement =
        "INSERT INTO amendment (order_id, intent, site, wanted, asked_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    sqlx::query(statement)
        .bind(&row.order.as_bytes()[..])
        .bind(&row.intent.as_bytes()[..])
        .bind(&row.site.as_bytes()[..])
        .bind(to_cbor(&row.wanted))
        .bind(to_sql(row.asked_at.0))
        .bind(row.due_at.map(|at| to_sql(at.0)))
        .execute(&mut *sql)
        .await?;
    Ok(())
}

/// The wishes about an order, the first one first.
pub async fn of_order_in(sql: &mut Sql, order: &OrderId) -> Result<Vec<AmendmentRow>, StoreError> {
    let statement = "SELECT * FROM amendment WHERE order_id = ?1 ORDER BY asked_at, intent";
    let rows = sqlx::query(statement).bind(&order.as_bytes()[..]).fetch_all(&mut *sql).await?;
    rows.iter().map(|row| read(&Read::new("amendment", row))).collect()
}

/// It has ended.
pub async fn close(sql: &mut Sql, order: &OrderId, intent: &IntentId) -> Result<(), StoreError> {
    let statement = "UPDATE amendment SET due_at = NULL WHERE order_id = ?1 AND intent = ?2";
    sqlx::query(statement).bind(&order.as_bytes()[..]).bind(&intent.as_bytes()[..]).execute(&mut *sql).await?;
    Ok(())
}

/// Orders with a wish whose time is over, the most overdue first, with their sites.
pub async fn due(database: &Database, now: Timestamp, limit: u32) -> Result<Vec<(SiteId, OrderId)>, StoreError> {
    let statement = "SELECT site, order_id FROM amendment WHERE due_at <= ?1 ORDER BY due_at, order_id LIMIT ?2";
    let rows = sqlx::query(statement).bind(to_sql(now.0)).bind(limit).fetch_all(database.pool()).await?;
    let read = |row| {
        let read = Read::new("amendment", row);
        Ok((read.id("site")?, read.id("order_id")?))
    };
    rows.iter().map(read).collect()
}

/// How many have not ended.
pub async fn count_open(database: &Database) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM amendment WHERE due_at IS NOT NULL");
    Ok(count.fetch_one(database.pool()).await?)
}

fn read(read: &Read<'_>) -> Result<AmendmentRow, StoreError> {
    Ok(AmendmentRow {
        order: read.id("order_id")?,
        intent: read.id("intent")?,
        site: read.id("site")?,
        wanted: read.cbor("wanted")?,
        asked_at: read.time("asked_at")?,
        due_at: read.time_or_none("due_at")?,
    })
}
