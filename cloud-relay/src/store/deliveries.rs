//! Deliveries: which rider is asked, who has accepted, how far it is, and what riders have earned.

use crate::store::people::Address;
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
    /// The trip that it is part of, named by the trip's first order; `None` while nobody is asked.
    pub trip: Option<OrderId>,
    /// Its place among the trip's drop-offs, from 0.
    pub stop: u32,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Why this rider is asked, or why nobody is, in one line.
    pub why: Option<String>,
}

impl Delivery {
    /// The same, as it is while nobody is asked.
    #[must_use]
    pub fn waiting(self, now: Timestamp) -> Self {
        let (state, rider, trip, why) = (DeliveryState::Waiting, None, None, None);
        Self { state, rider, offer_expires_at: None, trip, stop: 0, since: now, why, ..self }
    }
}

/// A delivery, and what of its order decides who brings it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToBring {
    /// The delivery.
    pub delivery: Delivery,
    /// Where to; `None` when nobody knows.
    pub address: Option<Address>,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// Writes a delivery, whole.
pub async fn put(sql: &mut Sql, delivery: &Delivery) -> Result<(), StoreError> {
    let statement = "INSERT OR REPLACE INTO delivery (order_id, site, state, attempt, rider, offer_expires_at, ready_at, earn_minor,
            trip, stop, since, why)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    sqlx::query(statement)
        .bind(&delivery.order.as_bytes()[..])
        .bind(&delivery.site.as_bytes()[..])
        .bind(delivery.state.word())
        .bind(delivery.attempt)
        .bind(delivery.rider.as_ref().map(|rider| &rider.as_bytes()[..]))
        .bind(delivery.offer_expires_at.map(|at| to_sql(at.0)))
        .bind(to_sql(delivery.ready_at.0))
        .bind(delivery.earn_minor)
        .bind(delivery.trip.as_ref().map(|trip| &trip.as_bytes()[..]))
        .bind(delivery.stop)
        .bind(to_sql(delivery.since.0))
        .bind(delivery.why.as_deref())
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

/// The one thing that this rider is asked or does now: of a trip what is to be fetched before what is to be brought.
pub async fn of_rider(sql: &mut Sql, rider: &RiderId) -> Result<Option<Delivery>, StoreError> {
    let statement =
        "SELECT * FROM delivery WHERE rider = ?1 AND state IN ('offered', 'assigned', 'at_store', 'picked_up')
        ORDER BY state = 'picked_up', stop, order_id LIMIT 1";
    let row = sqlx::query(statement).bind(&rider.as_bytes()[..]).fetch_optional(&mut *sql).await?;
    row.map(|row| read(&Read::new("delivery", &row))).transpose()
}

/// All of the trip that this delivery is part of, in the sequence of the drop-offs; what was cancelled is not.
pub async fn of_trip(sql: &mut Sql, delivery: &Delivery) -> Result<Vec<Delivery>, StoreError> {
    let (Some(trip), Some(rider)) = (&delivery.trip, &delivery.rider) else { return Ok(vec![delivery.clone()]) };
    let statement = "SELECT * FROM delivery WHERE trip = ?1 AND rider = ?2 AND state NOT IN ('waiting', 'ended')
        ORDER BY stop, order_id";
    let rows = sqlx::query(statement).bind(&trip.as_bytes()[..]).bind(&rider.as_bytes()[..]);
    let rows = rows.fetch_all(&mut *sql).await?;
    rows.iter().map(|row| read(&Read::new("delivery", row))).collect()
}

/// A restaurant's deliveries, those that are due last before the others.
pub async fn of_site(database: &Database, site: &SiteId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let statement = "SELECT * FROM delivery WHERE site = ?1 ORDER BY ready_at DESC, order_id LIMIT ?2";
    let rows = sqlx::query(statement).bind(&site.as_bytes()[..]).bind(limit).fetch_all(database.pool()).await?;
    rows.iter().map(|row| read(&Read::new("delivery", row))).collect()
}

/// Whether any delivery waits for a rider, or for a rider's answer.
pub async fn any_unassigned(database: &Database) -> Result<bool, StoreError> {
    let statement = "SELECT EXISTS (SELECT 1 FROM delivery WHERE state IN ('waiting', 'offered'))";
    let any: i64 = sqlx::query_scalar(statement).fetch_one(database.pool()).await?;
    Ok(any != 0)
}

/// Deliveries that wait for a rider, or for a rider's answer: those that are ready first, so many at most.
pub async fn unassigned(sql: &mut Sql, limit: u32) -> Result<Vec<ToBring>, StoreError> {
    let statement =
        "SELECT d.*, o.address, o.placed_at FROM delivery AS d JOIN cloud_order AS o ON o.order_id = d.order_id
        WHERE d.state IN ('waiting', 'offered') ORDER BY d.ready_at, d.order_id LIMIT ?1";
    let rows = sqlx::query(statement).bind(limit).fetch_all(&mut *sql).await?;
    rows.iter().map(|row| read_to_bring(&Read::new("delivery", row))).collect()
}

/// Deliveries that a rider has taken on, in the sequence of the drop-offs.
pub async fn under_way(sql: &mut Sql) -> Result<Vec<ToBring>, StoreError> {
    let statement =
        "SELECT d.*, o.address, o.placed_at FROM delivery AS d JOIN cloud_order AS o ON o.order_id = d.order_id
        WHERE d.state IN ('assigned', 'at_store', 'picked_up') ORDER BY d.stop, d.order_id";
    let rows = sqlx::query(statement).fetch_all(&mut *sql).await?;
    rows.iter().map(|row| read_to_bring(&Read::new("delivery", row))).collect()
}

/// How many orders each rider has brought since then, by the machine's clock.
pub async fn brought_since(sql: &mut Sql, since: Timestamp) -> Result<BTreeMap<RiderId, u32>, StoreError> {
    let statement = "SELECT rider, COUNT(*) AS orders FROM earning WHERE at >= ?1 GROUP BY rider";
    let rows = sqlx::query(statement).bind(to_sql(since.0)).fetch_all(&mut *sql).await?;
    let read = |row| {
        let read = Read::new("earning", row);
        Ok((read.id("rider")?, read.small("orders")?))
    };
    rows.iter().map(read).collect()
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

fn read_to_bring(row: &Read<'_>) -> Result<ToBring, StoreError> {
    Ok(ToBring { delivery: read(row)?, address: row.cbor_or_none("address")?, placed_at: row.time("placed_at")? })
}

pub(super) fn read(read: &Read<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        order: read.id("order_id")?,
        site: read.id("site")?,
        state: read.word("state", DeliveryState::parse)?,
        attempt: read.small("attempt")?,
        rider: read.id_or_none("rider")?,
        offer_expires_at: read.time_or_none("offer_expires_at")?,
        ready_at: read.time("ready_at")?,
        earn_minor: read.minor("earn_minor")?,
        trip: read.id_or_none("trip")?,
        stop: read.small("stop")?,
        since: read.time("since")?,
        why: read.text_or_none("why")?,
    })
}
