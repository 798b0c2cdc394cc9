//! Deliveries: which rider is asked, who has accepted, how far it is, and what riders have earned.

use crate::store::rows::Read;
use crate::store::{Database, Sql, StoreError, to_sql};
use pilotlight_sync::domain::id::{OrderId, RiderId, SiteId};
use pilotlight_sync::domain::money::Currency;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Nobody was asked, or nobody said yes.
    Waiting,
    /// A rider is asked.
    Offered,
    /// A rider is on the way to the restaurant.
    Assigned,
    /// The rider is there.
    AtStore,
    /// The rider has it.
    PickedUp,
    /// The customer has it.
    Delivered,
    /// It did not reach the customer.
    Failed,
    /// The order was cancelled.
    Ended,
}

impl DeliveryState {
    const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Offered,
        Self::Assigned,
        Self::AtStore,
        Self::PickedUp,
        Self::Delivered,
        Self::Failed,
        Self::Ended,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Offered => "offered",
            Self::Assigned => "assigned",
            Self::AtStore => "at_store",
            Self::PickedUp => "picked_up",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// One order's delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which order.
    pub order: OrderId,
    /// Whose restaurant.
    pub site: SiteId,
    /// How far.
    pub state: DeliveryState,
    /// The how manieth attempt, from 1.
    pub attempt: u32,
    /// Who is asked, or has it.
    pub rider: Option<RiderId>,
    /// The offer lapses then.
    pub offer_expires_at: Option<Timestamp>,
    /// When the kitchen is expected to be done.
    pub ready_at: Timestamp,
    /// What the rider earns, in minor units.
    pub earn_minor: i64,
}

/// Writes a delivery, whole.
pub async fn put(sql: &mut Sql, delivery: &Delivery) -> Result<(), StoreError> {
    let statement = "INSERT OR REPLACE INTO delivery (order_id, site, state, attempt, rider, offer_expires_at, ready_at, earn_minor)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    sqlx::query(statement)
        .bind(&delivery.order.as_bytes()[..])
        .bind(&delivery.site.as_bytes()[..])
        .bind(delivery.state.word())
        .bind(delivery.attempt)
        .bind(delivery.rider.as_ref().map(|rider| &rider.as_bytes()[..]))
        .bind(delivery.offer_expires_at.map(|at| to_sql(at.0)))
        .bind(to_sql(delivery.ready_at.0))
        .bind(delivery.earn_minor)
        .execute(&mut *sql)
        .await?;
    Ok(())
}

/// A delivery, as it was last committed.
pub async fn find(database: &Database, order: &OrderId) -> Result<Option<Delivery>, StoreError> {
    let row = sqlx::query("SELECT * FROM delivery WHERE order_id = ?1").bind(&order.as_bytes()[..]);
    let row = row.fetch_optional(database.pool()).await?;
    row.map(|row| read(&Read::new("delivery", &row))).transpose()
}

/// The same inside a unit of work: what it says holds until that is committed.
pub async fn find_in(sql: &mut Sql, order: &OrderId) -> Result<Option<Delivery>, StoreError> {
    let row = sqlx::query("SELECT * FROM delivery WHERE order_id = ?1").bind(&order.as_bytes()[..]);
    let row = row.fetch_optional(&mut *sql).await?;
    row.map(|row| read(&Read::new("delivery", &row))).transpose()
}

/// What this rider is asked or does now.
pub async fn of_rider(database: &Database, rider: &RiderId) -> Result<Option<Delivery>, StoreError> {
    let statement =
        "SELECT * FROM delivery WHERE rider = ?1 AND state IN ('offered', 'assigned', 'at_store', 'picked_up') LIMIT 1";
    let row = sqlx::query(statement).bind(&rider.as_bytes()[..]).fetch_optional(database.pool()).await?;
    row.map(|row| read(&Read::new("delivery", &row))).transpose()
}

/// Whether any delivery waits for a rider, or for a rider's answer.
pub async fn any_unassigned(database: &Database) -> Result<bool, StoreError> {
    let statement = "SELECT EXISTS (SELECT 1 FROM delivery WHERE state IN ('waiting', 'offered'))";
    let any: i64 = sqlx::query_scalar(statement).fetch_one(database.pool()).await?;
    Ok(any != 0)
}

/// Deliveries that wait for a rider, or for a rider's answer.
pub async fn unassigned(sql: &mut Sql) -> Result<Vec<Delivery>, StoreError> {
    let statement =
        "SELECT * FROM delivery WHERE state IN ('waiting', 'offered') ORDER BY ready_at, order_id LIMIT 500";
    let rows = sqlx::query(statement).fetch_all(&mut *sql).await?;
    rows.iter().map(|row| read(&Read::new("delivery", row))).collect()
}

/// Who has passed which of the deliveries that wait.
pub async fn passed(sql: &mut Sql) -> Result<BTreeMap<OrderId, BTreeSet<RiderId>>, StoreError> {
    let statement = "SELECT p.order_id, p.rider FROM delivery_passed AS p JOIN delivery AS d ON d.order_id = p.order_id
        WHERE d.state IN ('waiting', 'offered')";
    let mut passed: BTreeMap<OrderId, BTreeSet<RiderId>> = BTreeMap::new();
    for row in sqlx::query(statement).fetch_all(&mut *sql).await? {
        let read = Read::new("delivery_passed", &row);
        passed.entry(read.id("order_id")?).or_default().insert(read.id("rider")?);
    }
    Ok(passed)
}

/// A rider said no, or nothing.
pub async fn pass(sql: &mut Sql, order: &OrderId, rider: &RiderId) -> Result<(), StoreError> {
    sqlx::query("INSERT OR IGNORE INTO delivery_passed (order_id, rider) VALUES (?1, ?2)")
        .bind(&order.as_bytes()[..])
        .bind(&rider.as_bytes()[..])
        .execute(&mut *sql)
        .await?;
    Ok(())
}

/// Everybody has passed: all are asked again.
pub async fn forget_passed(sql: &mut Sql, order: &OrderId) -> Result<(), StoreError> {
    let statement = sqlx::query("DELETE FROM delivery_passed WHERE order_id = ?1").bind(&order.as_bytes()[..]);
    statement.execute(&mut *sql).await?;
    Ok(())
}

/// Books what a rider has earned with an attempt, once.
pub async fn earn(
    sql: &mut Sql,
    delivery: &Delivery,
    rider: &RiderId,
    currency: Currency,
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = "INSERT OR IGNORE INTO earning (order_id, attempt, rider, amount_minor, currency, at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    sqlx::query(statement)
        .bind(&delivery.order.as_bytes()[..])
        .bind(delivery.attempt)
        .bind(&rider.as_bytes()[..])
        .bind(delivery.earn_minor)
        .bind(currency.code())
        .bind(to_sql(now.0))
        .execute(&mut *sql)
        .await?;
    Ok(())
}

fn read(read: &Read<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        order: read.id("order_id")?,
        site: read.id("site")?,
        state: read.word("state", DeliveryState::parse)?,
        attempt: read.small("attempt")?,
        rider: read.id_or_none("rider")?,
        offer_expires_at: read.time_or_none("offer_expires_at")?,
        ready_at: read.time("ready_at")?,
        earn_minor: read.minor("earn_minor")?,
    })
}
