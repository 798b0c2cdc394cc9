//! Payments and the ledger: what was reserved, taken and given back, each movement once, under its effect's id.

use crate::store::effects::{EffectKind, NewEffect};
use crate::store::rows::Read;
use crate::store::{Database, Sql, StoreError, to_sql};
use pilotlight_sync::domain::id::{OrderId, PaymentId};
use pilotlight_sync::domain::timestamp::Timestamp;

/// One payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRow {
    /// Which.
    pub id: PaymentId,
    /// Of which order.
    pub order: OrderId,
    /// The gateway's name.
    pub charge: Option<String>,
    /// Reserved, in minor units.
    pub authorised_minor: i64,
    /// Taken.
    pub captured_minor: i64,
    /// Given back of that.
    pub refunded_minor: i64,
    /// Let go.
    pub voided: bool,
}

/// One movement of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The effect that moved it.
    pub effect: String,
    /// To this account.
    pub debit: String,
    /// From this one.
    pub credit: String,
    /// How much, in minor units.
    pub amount_minor: i64,
}

/// Books what an effect has moved. The ledger's key is the effect: booking twice is refused by the database.
pub async fn book(sql: &mut Sql, effect: &NewEffect, charge: &str, now: Timestamp) -> Result<(), StoreError> {
    let amount = effect.amount_minor;
    // The table's own checks refuse more captured than authorised, and more refunded than captured.
    let statement = match effect.id.kind {
        EffectKind::Authorise => {
            "INSERT INTO payment (id, order_id, site, charge, currency, authorised_minor, captured_minor, refunded_minor, voided)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0)"
        }
        EffectKind::Capture => "UPDATE payment SET captured_minor = captured_minor + ?2 WHERE id = ?1",
        EffectKind::Refund => "UPDATE payment SET refunded_minor = refunded_minor + ?2 WHERE id = ?1",
        EffectKind::Void => "UPDATE payment SET voided = 1 WHERE id = ?1",
    };
    let movement = sqlx::query(statement).bind(&effect.payment.as_bytes()[..]);
    let movement = match effect.id.kind {
        EffectKind::Authorise => movement
            .bind(&effect.id.order.as_bytes()[..])
            .bind(&effect.site.as_bytes()[..])
            .bind(charge)
            .bind(effect.currency.code())
            .bind(amount),
        EffectKind::Capture | EffectKind::Refund => movement.bind(amount),
        EffectKind::Void => movement,
    };
    movement.execute(&mut *sql).await?;
    let (debit, credit) = match effect.id.kind {
        EffectKind::Authorise => ("reserved", "customer"),
        EffectKind::Capture => ("gateway", "reserved"),
        EffectKind::Void => ("customer", "reserved"),
        EffectKind::Refund => ("customer", "gateway"),
    };
    let statement = "INSERT INTO ledger (at, effect, order_id, payment, debit, credit, amount_minor, currency)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    sqlx::query(statement)
        .bind(to_sql(now.0))
        .bind(effect.id.to_string())
        .bind(&effect.id.order.as_bytes()[..])
        .bind(&effect.payment.as_bytes()[..])
        .bind(debit)
        .bind(credit)
        .bind(amount)
        .bind(effect.currency.code())
        .execute(&mut *sql)
        .await?;
    Ok(())
}

/// The payments of an order.
pub async fn of_order(database: &Database, order: &OrderId) -> Result<Vec<PaymentRow>, StoreError> {
    let statement = "SELECT * FROM payment WHERE order_id = ?1 ORDER BY id";
    let rows = sqlx::query(statement).bind(&order.as_bytes()[..]).fetch_all(database.pool()).await?;
    rows.iter()
        .map(|row| {
            let read = Read::new("payment", row);
            Ok(PaymentRow {
                id: read.id("id")?,
                order: read.id("order_id")?,
                charge: read.text_or_none("charge")?,
                authorised_minor: read.minor("authorised_minor")?,
                captured_minor: read.minor("captured_minor")?,
                refunded_minor: read.minor("refunded_minor")?,
                voided: read.flag("voided")?,
            })
        })
        .collect()
}

/// The movements of an order, in their order.
pub async fn ledger_of(database: &Database, order: &OrderId) -> Result<Vec<LedgerRow>, StoreError> {
    let statement = "SELECT * FROM ledger WHERE order_id = ?1 ORDER BY n";
    let rows = sqlx::query(statement).bind(&order.as_bytes()[..]).fetch_all(database.pool()).await?;
    rows.iter()
        .map(|row| {
            let read = Read::new("ledger", row);
            Ok(LedgerRow {
                effect: read.text("effect")?,
                debit: read.text("debit")?,
                credit: read.text("credit")?,
                amount_minor: read.minor("amount_minor")?,
            })
        })
        .collect()
}
