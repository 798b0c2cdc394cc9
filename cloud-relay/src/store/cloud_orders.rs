//! What the relay keeps beside the facts of an order that it placed: whose it is, where it goes, until when it waits for what.

use crate::store::amendments::Contact;
use crate::store::deliveries::{self, Delivery};
use crate::store::insert::in_lists;
use crate::store::people::Address;
use crate::store::rows::{Read, to_cbor};
use crate::store::{Database, Sql, StoreError, to_sql};
use pilotlight_sync::domain::id::{CustomerId, OrderId, PaymentId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

/// How far an order is for the relay; its facts say the same in more words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderPhase {
    /// Waits for the restaurant.
    Placed,
    /// It is being made.
    Confirmed,
    /// The customer wants it cancelled.
    Asked,
    /// Resolved without a verdict; one may still come.
    Resolved,
    /// Nothing more will be done about it.
    Ended,
}

impl OrderPhase {
    const ALL: [Self; 5] = [Self::Placed, Self::Confirmed, Self::Asked, Self::Resolved, Self::Ended];

    const fn word(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Asked => "asked",
            Self::Resolved => "resolved",
            Self::Ended => "ended",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.word() == word)
    }
}

/// A customer's request to cancel, as it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// Why, in the customer's words.
    pub why: String,
    /// What the table gives back, in minor units.
    pub table_minor: i64,
    /// The restaurant could not be asked.
    pub link_down: bool,
    /// Without a verdict by then it is resolved.
    pub verdict_due_at: Timestamp,
}

/// One order that the relay placed.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudOrder {
    /// Which.
    pub order: OrderId,
    /// Whose restaurant.
    pub site: SiteId,
    /// Whose.
    pub customer: CustomerId,
    /// How it was paid.
    pub payment: PaymentId,
    /// Where to.
    pub address: Option<Address>,
    /// Who is asked for, when that is not the customer.
    pub contact: Option<Contact>,
    /// How far.
    pub phase: OrderPhase,
    /// Authorised, in minor units.
    pub amount_minor: i64,
    /// Placed then.
    pub placed_at: Timestamp,
    /// It takes so many minutes at least, and at most.
    pub minutes: (u32, u32),
    /// The restaurant is away: the order waits here.
    pub held: bool,
    /// It was held, and the restaurant came back then.
    pub released_at: Option<Timestamp>,
    /// When it is not confirmed by then it is cancelled.
    pub expires_at: Timestamp,
    /// The request to cancel.
    pub asked: Option<Asked>,
    /// It is confirmed, the kitchen should have begun then, and the relay has not seen that anybody did.
    pub unbegun_since: Option<Timestamp>,
    /// At the promised time it was in the kitchen: it is waited for until then.
    pub given_until: Option<Timestamp>,
}

/// What nobody has begun so long after it should have been may be cancelled in full, in milliseconds.
const BEGIN_MS_MAX: u64 = 10 * 60_000;
/// An order is put off by no more than this, in milliseconds.
pub const LATER_MS_MAX: u64 = 3 * 3_600_000;
/// What is in the kitchen is waited for so much longer than promised, in milliseconds: one that only bumps never says that it began.
pub const KITCHEN_MS_MAX: u64 = 60 * 60_000;

impl CloudOrder {
    /// From then on it may be cancelled in full, because nobody has begun.
    pub fn free_from(&self) -> Option<Timestamp> {
        self.unbegun_since.map(|since| since.plus_ms(BEGIN_MS_MAX))
    }

    /// The relay ends what nobody has begun by then: at the promised time, no sooner than it may be cancelled in full.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let promised = |since: Timestamp| since.plus_ms((u64::from(self.minutes.1) * 60_000).max(BEGIN_MS_MAX));
        self.unbegun_since.map(|since| self.given_until.unwrap_or_else(|| promised(since)))
    }

    /// When the kitchen should begin it: when it was asked for, or as late as the order was put off. What another clock, or nobody's,
    /// said is no reason to wait for ever.
    pub fn begins_at(&self, ready_not_before: Option<Timestamp>, asked: Timestamp) -> Timestamp {
        let takes_ms = u64::from(self.minutes.0) * 60_000;
        let ready = ready_not_before.unwrap_or_default().min(asked.plus_ms(LATER_MS_MAX));
        Timestamp(ready.0.saturating_sub(takes_ms)).max(asked)
    }

    /// When it must be looked at again.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.phase {
            OrderPhase::Placed => Some(self.expires_at),
            OrderPhase::Asked => self.asked.as_ref().map(|asked| asked.verdict_due_at),
            OrderPhase::Confirmed => self.ends_at(),
            OrderPhase::Resolved | OrderPhase::Ended => None,
        }
    }
}

/// Writes an order, whole.
pub async fn put(sql: &mut Sql, order: &CloudOrder) -> Result<(), StoreError> {
    let statement = "INSERT OR REPLACE INTO cloud_order (order_id, site, customer, payment, address, phase, amount_minor, placed_at,
            minutes_min, minutes_max, held, released_at, expires_at, asked_at, asked_why, asked_table_minor, asked_link_down,
            verdict_due_at, due_at, unbegun_since, given_until, contact)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
    let asked = order.asked.as_ref();
    sqlx::query(statement)
        .bind(&order.order.as_bytes()[..])
        .bind(&order.site.as_bytes()[..])
        .bind(&order.customer.as_bytes()[..])
        .bind(&order.payment.as_bytes()[..])
        .bind(order.address.as_ref().map(Address::to_bytes))
        .bind(order.phase.word())
        .bind(order.amount_minor)
        .bind(to_sql(order.placed_at.0))
        .bind(order.minutes.0)
        .bind(order.minutes.1)
        .bind(i64::from(order.held))
        .bind(order.released_at.map(|at| to_sql(at.0)))
        .bind(to_sql(order.expires_at.0))
        .bind(asked.map(|asked| to_sql(asked.at.0)))
        .bind(asked.map(|asked| asked.why.as_str()))
        .bind(asked.map(|asked| asked.table_minor))
        .bind(asked.map(|asked| i64::from(asked.link_down)))
        .bind(asked.map(|asked| to_sql(asked.verdict_due_at.0)))
        .bind(order.due_at().map(|at| to_sql(at.0)))
        .bind(order.unbegun_since.map(|at| to_sql(at.0)))
        .bind(order.given_until.map(|at| to_sql(at.0)))
        .bind(order.contact.as_ref().map(to_cbor))
        .execute(&mut *sql)
        .await?;
    Ok(())
}

/// An order, as it was last committed.
pub async fn find(database: &Database, order: &OrderId) -> Result<Option<CloudOrder>, StoreError> {
    let row = sqlx::query("SELECT * FROM cloud_order WHERE order_id = ?1").bind(&order.as_bytes()[..]);
    let row = row.fetch_optional(database.pool()).await?;
    row.map(|row| read(&Read::new("cloud_order", &row))).transpose()
}

/// The same inside a unit of work: what it says holds until that is committed.
pub async fn find_in(sql: &mut Sql, order: &OrderId) -> Result<Option<CloudOrder>, StoreError> {
    let row = sqlx::query("SELECT * FROM cloud_order WHERE order_id = ?1").bind(&order.as_bytes()[..]);
    let row = row.fetch_optional(&mut *sql).await?;
    row.map(|row| read(&Read::new("cloud_order", &row))).transpose()
}

/// An order that the relay placed, and who brings it.
pub type Placed = (CloudOrder, Option<Delivery>);

/// Those of these orders that the relay placed, by their ids, and who brings each: in one round. Within a unit of work.
pub async fn among(sql: &mut Sql, orders: &[OrderId]) -> Result<Vec<Placed>, StoreError> {
    let mut among = Among::default();
    for (chunk, list) in in_lists(orders) {
        let mut select = sqlx::query(AssertSqlSafe(Among::select(&list)));
        for order in chunk.iter().chain(chunk) {
            select = select.bind(order.as_bytes().to_vec());
        }
        for row in select.fetch_all(&mut *sql).await? {
            among.take(&row)?;
        }
    }
    Ok(among.found)
}

/// Orders and who brings each, as their rows come.
#[derive(Debug, Default)]
pub(super) struct Among {
    pub(super) found: Vec<Placed>,
    brought: BTreeMap<OrderId, Delivery>,
}

impl Among {
    /// Two statements; the orders' ids are bound to each.
    pub(super) fn select(list: &str) -> String {
        format!(
            "SELECT 'delivery' AS part, * FROM delivery WHERE order_id IN {list};
            SELECT 'cloud_order' AS part, * FROM cloud_order WHERE order_id IN {list} ORDER BY order_id"
        )
    }

    pub(super) fn take(&mut self, row: &SqliteRow) -> Result<(), StoreError> {
        if Read::new("order", row).text("part")? == "delivery" {
            let delivery = deliveries::read(&Read::new("delivery", row))?;
            self.brought.insert(delivery.order, delivery);
        } else {
            let order = read(&Read::new("cloud_order", row))?;
            let delivery = self.brought.remove(&order.order);
            self.found.push((order, delivery));
        }
        Ok(())
    }
}

/// A customer's orders, the newest first.
pub async fn of_customer(
    database: &Database,
    customer: &CustomerId,
    limit: u32,
) -> Result<Vec<CloudOrder>, StoreError> {
    let statement = "SELECT * FROM cloud_order WHERE customer = ?1 ORDER BY placed_at DESC, order_id DESC LIMIT ?2";
    let rows = sqlx::query(statement).bind(&customer.as_bytes()[..]).bind(limit).fetch_all(database.pool()).await?;
    rows.iter().map(|row| read(&Read::new("cloud_order", row))).collect()
}

/// Orders whose time has come, the most overdue first, with their sites.
pub async fn due(database: &Database, now: Timestamp, limit: u32) -> Result<Vec<(SiteId, OrderId)>, StoreError> {
    let statement = "SELECT site, order_id FROM cloud_order WHERE due_at <= ?1 ORDER BY due_at, order_id LIMIT ?2";
    let rows = sqlx::query(statement).bind(to_sql(now.0)).bind(limit).fetch_all(database.pool()).await?;
    let read = |row| {
        let read = Read::new("cloud_order", row);
        Ok((read.id("site")?, read.id("order_id")?))
    };
    rows.iter().map(read).collect()
}

/// However often a link comes and goes, an order waits no longer than so many times the site's hold, counted from placement.
const HOLDS_MAX: u64 = 6;

/// The site went away: what it has not accepted is held, and waits for so long.
pub async fn hold(sql: &mut Sql, site: &SiteId, now: Timestamp, hold_ms: u64) -> Result<Vec<OrderId>, StoreError> {
    let statement = "UPDATE cloud_order SET held = 1, released_at = NULL, expires_at = MIN(?2, placed_at + ?3),
            due_at = MIN(?2, placed_at + ?3)
        WHERE site = ?1 AND phase = 'placed' AND held = 0 RETURNING order_id";
    let rows = sqlx::query(statement)
        .bind(&site.as_bytes()[..])
        .bind(to_sql(now.plus_ms(hold_ms).0))
        .bind(to_sql(hold_ms.saturating_mul(HOLDS_MAX)))
        .fetch_all(&mut *sql)
        .await?;
    rows.iter().map(|row| Read::new("cloud_order", row).id("order_id")).collect()
}

/// The site is back: what is held and has not run out goes to it, in the order in which it was placed.
pub async fn release(
    sql: &mut Sql,
    site: &SiteId,
    now: Timestamp,
    accept_ms: u64,
    hold_ms: u64,
) -> Result<Vec<OrderId>, StoreError> {
    let statement = "UPDATE cloud_order SET held = 0, released_at = ?2, expires_at = MIN(?3, placed_at + ?4),
            due_at = MIN(?3, placed_at + ?4)
        WHERE site = ?1 AND phase = 'placed' AND held = 1 AND expires_at > ?2 RETURNING order_id, placed_at";
    let rows = sqlx::query(statement)
        .bind(&site.as_bytes()[..])
        .bind(to_sql(now.0))
        .bind(to_sql(now.plus_ms(accept_ms).0))
        .bind(to_sql(accept_ms.saturating_add(hold_ms.saturating_mul(HOLDS_MAX))));
    let mut released = Vec::new();
    for row in rows.fetch_all(&mut *sql).await? {
        let read = Read::new("cloud_order", &row);
        released.push((read.time("placed_at")?, read.id("order_id")?));
    }
    released.sort();
    Ok(released.into_iter().map(|(_, order)| order).collect())
}

pub(super) fn read(read: &Read<'_>) -> Result<CloudOrder, StoreError> {
    let asked = match read.time_or_none("asked_at")? {
        None => None,
        Some(at) => Some(Asked {
            at,
            why: read.text("asked_why")?,
            table_minor: read.minor("asked_table_minor")?,
            link_down: read.flag("asked_link_down")?,
            verdict_due_at: read.time("verdict_due_at")?,
        }),
    };
    Ok(CloudOrder {
        order: read.id("order_id")?,
        site: read.id("site")?,
        customer: read.id("customer")?,
        payment: read.id("payment")?,
        address: read.cbor_or_none("address")?,
        contact: read.cbor_or_none("contact")?,
        phase: read.word("phase", OrderPhase::parse)?,
        amount_minor: read.minor("amount_minor")?,
        placed_at: read.time("placed_at")?,
        minutes: (read.small("minutes_min")?, read.small("minutes_max")?),
        held: read.flag("held")?,
        released_at: read.time_or_none("released_at")?,
        expires_at: read.time("expires_at")?,
        asked,
        unbegun_since: read.time_or_none("unbegun_since")?,
        given_until: read.time_or_none("given_until")?,
    })
}
