//! Effects: what is to be done outside, each once. A row is written in the transaction that applies its cause, under an id derived
//! from the cause, unique for ever (SPEC A6).

use crate::store::rows::Read;
use crate::store::{Database, Sql, StoreError, Tx, to_sql};
use pilotlight_sync::domain::id::{OrderId, PaymentId, SiteId};
use pilotlight_sync::domain::money::Currency;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::fmt;

/// A claim that was not settled by then belongs to nobody: its holder is gone.
const CLAIM_MS: u64 = 60_000;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectKind {
    /// Reserve money.
    Authorise,
    /// Take it.
    Capture,
    /// Let it go.
    Void,
    /// Give it back, or a part.
    Refund,
}

impl EffectKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authorise, Self::Capture, Self::Void, Self::Refund];

    /// The word in ids and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authorise => "authorise",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Names an effect by its cause. Its text is the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectId {
    /// Of which order.
    pub order: OrderId,
    /// What.
    pub kind: EffectKind,
    /// The how manieth of its kind, from 1.
    pub n: u32,
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.order, self.kind.word(), self.n)
    }
}

/// An effect as its cause writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    /// Its name.
    pub id: EffectId,
    /// Whose order it is about.
    pub site: SiteId,
    /// Which payment.
    pub payment: PaymentId,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Of what.
    pub currency: Currency,
    /// The card's token, to authorise; forgotten once that is settled.
    pub card: Option<String>,
    /// Why, in plain words.
    pub why: String,
}

/// How far an effect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectState {
    /// To be done.
    Waiting,
    /// Somebody is at it.
    Claimed,
    /// Done.
    Done,
    /// The bank said no.
    Declined,
    /// A person must look: it makes no sense to the gateway, or no answer came for too long.
    Parked,
}

impl EffectState {
    const ALL: [Self; 5] = [Self::Waiting, Self::Claimed, Self::Done, Self::Declined, Self::Parked];

    /// The word in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Declined => "declined",
            Self::Parked => "parked",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// An effect that this worker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// What is to be done.
    pub effect: NewEffect,
    /// It was sent before, and nobody knows what came of it.
    pub tried_before: bool,
    /// Times it was claimed, this one included.
    pub tries: u32,
    /// Checked in each write of the holder.
    pub lease: u64,
    /// The gateway's name of the charge, once it has one.
    pub charge: Option<String>,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Performed {
    /// It is done.
    Done {
        /// The gateway's name of the charge.
        charge: String,
    },
    /// The bank said no.
    Declined {
        /// In the gateway's word.
        reason: String,
    },
    /// It makes no sense to the gateway; asking again would change nothing.
    Refused {
        /// In the gateway's word.
        reason: String,
    },
    /// Nobody knows yet.
    Unknown {
        /// What was seen instead of an answer.
        seen: String,
    },
    /// It was not sent at all; not before this real time.
    NotNow {
        /// When to try.
        retry_at: Timestamp,
    },
}

/// An effect as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectRow {
    /// What.
    pub effect: NewEffect,
    /// How far.
    pub state: EffectState,
    /// Times it was tried.
    pub tries: u32,
    /// Written then, in real time.
    pub made_at: Timestamp,
    /// Settled then, in real time.
    pub settled_at: Option<Timestamp>,
}

/// Writes an effect, unless its cause has written it before. Returns whether it is new.
pub async fn insert(sql: &mut Sql, effect: &NewEffect, now: Timestamp) -> Result<bool, StoreError> {
    let statement = "INSERT INTO effect (id, kind, number, order_id, site, payment, amount_minor, currency, card, why, state, due_at, made_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'waiting', ?11, ?11) ON CONFLICT (id) DO NOTHING";
    let written = sqlx::query(statement)
        .bind(effect.id.to_string())
        .bind(effect.id.kind.word())
        .bind(effect.id.n)
        .bind(&effect.id.order.as_bytes()[..])
        .bind(&effect.site.as_bytes()[..])
        .bind(&effect.payment.as_bytes()[..])
        .bind(effect.amount_minor)
        .bind(effect.currency.code())
        .bind(effect.card.as_deref())
        .bind(effect.why.as_str())
        .bind(to_sql(now.0))
        .execute(&mut *sql)
        .await?;
    Ok(written.rows_affected() > 0)
}

/// Takes what is due, the oldest first, and of each payment only its first open effect: they are done in their order.
pub async fn claim(sql: &mut Sql, now: Timestamp, limit: u32) -> Result<Vec<Claimed>, StoreError> {
    let statement = "UPDATE effect SET state = 'claimed', tries = tries + 1, lease = lease + 1, claimed_until = ?2
        WHERE n IN (
            SELECT n FROM effect AS e
            WHERE state IN ('waiting', 'claimed', 'parked') AND due_at <= ?1
            AND (state = 'waiting' OR state = 'claimed' AND claimed_until <= ?1)
            AND NOT EXISTS (SELECT 1 FROM effect AS before WHERE before.payment = e.payment AND before.n < e.n
                AND before.state IN ('waiting', 'claimed', 'parked'))
            ORDER BY due_at, n LIMIT ?3)
        RETURNING *, (SELECT charge FROM payment WHERE payment.id = effect.payment) AS charge";
    let rows = sqlx::query(statement)
        .bind(to_sql(now.0))
        .bind(to_sql(now.0 + CLAIM_MS))
        .bind(limit)
        .fetch_all(&mut *sql)
        .await?;
    rows.iter()
        .map(|row| {
            let read = Read::new("effect", row);
            let tries = read.small("tries")?;
            Ok(Claimed {
                effect: effect(&read)?,
                tried_before: tries > 1,
                tries,
                lease: read.number("lease")?,
                charge: read.text_or_none("charge")?,
            })
        })
        .collect()
}

/// Gives a claim back, to be tried at this real time. `sent`: whether it may have reached the gateway.
pub async fn put_back(
    sql: &mut Sql,
    claimed: &Claimed,
    retry_at: Timestamp,
    sent: bool,
    seen: &str,
) -> Result<bool, StoreError> {
    let statement = "UPDATE effect SET state = 'waiting', due_at = ?3, seen = ?4, tries = tries - ?5
        WHERE id = ?1 AND lease = ?2 AND state = 'claimed'";
    let written = sqlx::query(statement)
        .bind(claimed.effect.id.to_string())
        .bind(to_sql(claimed.lease))
        .bind(to_sql(retry_at.0))
        .bind(seen)
        .bind(i64::from(!sent))
        .execute(&mut *sql)
        .await?;
    Ok(written.rows_affected() > 0)
}

/// Ends a claim. `false`: the lease was lost, and whoever holds it now settles it. A card's token is forgotten.
pub async fn settle(
    tx: &mut Tx,
    claimed: &Claimed,
    state: EffectState,
    seen: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let parked = state == EffectState::Parked;
    let statement = "UPDATE effect SET state = ?3, seen = ?4, settled_at = ?5, card = CASE WHEN ?6 THEN card END
        WHERE id = ?1 AND lease = ?2 AND state = 'claimed'";
    let written = sqlx::query(statement)
        .bind(claimed.effect.id.to_string())
        .bind(to_sql(claimed.lease))
        .bind(state.word())
        .bind(seen)
        .bind((!parked).then_some(to_sql(now.0)))
        .bind(parked)
        .execute(&mut **tx)
        .await?;
    tx.forgets |= claimed.effect.card.is_some() && !parked;
    Ok(written.rows_affected() > 0)
}

/// Something happened under this key: whoever waits to ask about it asks now.
pub async fn hurry(sql: &mut Sql, key: &str, now: Timestamp) -> Result<bool, StoreError> {
    let statement = "UPDATE effect SET due_at = ?2 WHERE id = ?1 AND state = 'waiting' AND due_at > ?2";
    let written = sqlx::query(statement).bind(key).bind(to_sql(now.0)).execute(&mut *sql).await?;
    Ok(written.rows_affected() > 0)
}

/// At the start of the one process on this database: nobody else holds a claim, and what is parked is given another chance.
pub async fn open_again(sql: &mut Sql, now: Timestamp) -> Result<u64, StoreError> {
    // What was claimed keeps its count of tries: it may have been sent, so it is queried first.
    let statement = "UPDATE effect SET state = 'waiting', due_at = ?1 WHERE state IN ('claimed', 'parked')";
    Ok(sqlx::query(statement).bind(to_sql(now.0)).execute(&mut *sql).await?.rows_affected())
}

/// When the next effect is due, in real time: one that waits, or one whose holder is gone.
pub async fn next_due(database: &Database) -> Result<Option<Timestamp>, StoreError> {
    let statement = "SELECT MIN(CASE state WHEN 'claimed' THEN claimed_until ELSE due_at END) FROM effect
        WHERE state IN ('waiting', 'claimed')";
    let due: Option<i64> = sqlx::query_scalar(statement).fetch_one(database.pool()).await?;
    Ok(due.map(|due| Timestamp(crate::store::from_sql(due))))
}

/// How many are open, and how many are parked.
pub async fn count_open(database: &Database) -> Result<(u64, u64), StoreError> {
    let statement = "SELECT COUNT(*) AS open, COALESCE(SUM(state = 'parked'), 0) AS parked FROM effect
        WHERE state IN ('waiting', 'claimed', 'parked')";
    let row = sqlx::query(statement).fetch_one(database.pool()).await?;
    let read = Read::new("effect", &row);
    Ok((read.number("open")?, read.number("parked")?))
}

/// All effects of an order, in the order of their causes.
pub async fn of_order(database: &Database, order: &OrderId) -> Result<Vec<EffectRow>, StoreError> {
    let statement = "SELECT * FROM effect WHERE order_id = ?1 ORDER BY n";
    let rows = sqlx::query(statement).bind(&order.as_bytes()[..]).fetch_all(database.pool()).await?;
    rows.iter().map(|row| read(&Read::new("effect", row))).collect()
}

pub(super) fn read(read: &Read<'_>) -> Result<EffectRow, StoreError> {
    Ok(EffectRow {
        effect: effect(read)?,
        state: read.word("state", EffectState::parse)?,
        tries: read.small("tries")?,
        made_at: read.time("made_at")?,
        settled_at: read.time_or_none("settled_at")?,
    })
}

fn effect(read: &Read<'_>) -> Result<NewEffect, StoreError> {
    let kind = read.word("kind", EffectKind::parse)?;
    Ok(NewEffect {
        id: EffectId { order: read.id("order_id")?, kind, n: read.small("number")? },
        site: read.id("site")?,
        payment: read.id("payment")?,
        amount_minor: read.minor("amount_minor")?,
        currency: read.currency("currency")?,
        card: read.text_or_none("card")?,
        why: read.text("why")?,
    })
}

#[cfg(test)]
mod tests;
