//! Quotes, and orders on their way from the customer's tap to the site's log.

use crate::store::people::Address;
use crate::store::rows::{Read, to_cbor};
use crate::store::{Database, Sql, StoreError, to_sql};
use minicbor::{Decode, Encode};
use pilotlight_sync::doc::order::Header;
use pilotlight_sync::domain::id::{CustomerId, OrderId, PaymentId, QuoteId, SiteId};
use pilotlight_sync::domain::order::Fulfilment;
use pilotlight_sync::domain::pricing::PricedLine;
use pilotlight_sync::domain::timestamp::Timestamp;

/// What was priced: all that says whether two requests mean the same order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PricedCart {
    /// How the customer gets it.
    #[n(0)]
    pub fulfilment: Fulfilment,
    /// Said to the kitchen.
    #[n(1)]
    pub note: Option<String>,
    /// What is wanted, at the prices of then.
    #[n(2)]
    pub lines: Vec<PricedLine>,
    /// For whoever brings it, in minor units.
    #[n(3)]
    pub tip_minor: i64,
}

/// A price that holds for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// Which.
    pub id: QuoteId,
    /// For whom.
    pub customer: CustomerId,
    /// Of which restaurant.
    pub site: SiteId,
    /// What was priced.
    pub cart: PricedCart,
    /// Where to.
    pub address: Option<Address>,
    /// Everything together, in minor units.
    pub total_minor: i64,
    /// It takes so many minutes at least, and at most.
    pub minutes: (u32, u32),
    /// Until then.
    pub expires_at: Timestamp,
}

/// How far a checkout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutState {
    /// The gateway was asked, or will be.
    Paying,
    /// It is an order.
    Placed,
    /// The bank said no. Another payment may be tried.
    Declined,
    /// What was wanted was sold while the customer paid; the money was let go.
    SoldOut,
    /// The payment took too long; the money was let go.
    TooLate,
    /// The restaurant was paused while the customer paid; the money was let go.
    Paused,
}

impl CheckoutState {
    const ALL: [Self; 6] = [Self::Paying, Self::Placed, Self::Declined, Self::SoldOut, Self::TooLate, Self::Paused];

    const fn word(self) -> &'static str {
        match self {
            Self::Paying => "paying",
            Self::Placed => "placed",
            Self::Declined => "declined",
            Self::SoldOut => "sold_out",
            Self::TooLate => "too_late",
            Self::Paused => "paused",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// An order on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkout {
    /// The order's id, minted by the customer's device.
    pub order: OrderId,
    /// Whose.
    pub customer: CustomerId,
    /// Of which restaurant.
    pub site: SiteId,
    /// The payment that is tried.
    pub payment: PaymentId,
    /// What was wanted.
    pub cart: PricedCart,
    /// Where to.
    pub address: Option<Address>,
    /// As it will be placed.
    pub header: Header,
    /// Everything together, in minor units.
    pub amount_minor: i64,
    /// It takes so many minutes at least, and at most.
    pub minutes: (u32, u32),
    /// How far.
    pub state: CheckoutState,
    /// Why it is no order.
    pub refusal: Option<String>,
    /// The how manieth payment, from 1.
    pub attempt: u32,
    /// Not placed after that.
    pub expires_at: Timestamp,
}

/// Keeps a quote. Those that ran out an hour ago are swept away.
pub async fn add_quote(sql: &mut Sql, quote: &Quote, now: Timestamp) -> Result<(), StoreError> {
    let swept = to_sql(now.0.saturating_sub(3_600_000));
    sqlx::query("DELETE FROM quote WHERE expires_at <= ?1").bind(swept).execute(&mut *sql).await?;
    let statement =
        "INSERT INTO quote (id, customer, site, cart, address, total_minor, minutes_min, minutes_max, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    sqlx::query(statement)
        .bind(&quote.id.as_bytes()[..])
        .bind(&quote.customer.as_bytes()[..])
        .bind(&quote.site.as_bytes()[..])
        .bind(to_cbor(&quote.cart))
        .bind(quote.address.as_ref().map(Address::to_bytes))
        .bind(quote.total_minor)
        .bind(quote.minutes.0)
        .bind(quote.minutes.1)
        .bind(to_sql(quote.expires_at.0))
        .execute(&mut *sql)
        .await?;
    Ok(())
}

/// A quote.
pub async fn quote(database: &Database, id: &QuoteId) -> Result<Option<Quote>, StoreError> {
    let row = sqlx::query("SELECT * FROM quote WHERE id = ?1").bind(&id.as_bytes()[..]);
    let Some(row) = row.fetch_optional(database.pool()).await? else { return Ok(None) };
    let read = Read::new("quote", &row);
    Ok(Some(Quote {
        id: read.id("id")?,
        customer: read.id("customer")?,
        site: read.id("site")?,
        cart: read.cbor("cart")?,
        address: read.cbor_or_none("address")?,
        total_minor: read.minor("total_minor")?,
        minutes: (read.small("minutes_min")?, read.small("minutes_max")?),
        expires_at: read.time("expires_at")?,
    }))
}

/// Begins a checkout of this quote, or begins a declined one again with another payment. `false`: the id is taken.
pub async fn begin(sql: &mut Sql, checkout: &Checkout, quote: &QuoteId, now: Timestamp) -> Result<bool, StoreError> {
    let statement =
        "INSERT INTO checkout (order_id, customer, site, payment, cart, address, header, amount_minor, minutes_min,
            minutes_max, state, attempt, made_at, expires_at, quote)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'paying', ?11, ?12, ?13, ?14)
        ON CONFLICT (order_id) DO UPDATE SET payment = excluded.payment, quote = excluded.quote, state = 'paying', refusal = NULL,
            attempt = excluded.attempt, header = excluded.header, expires_at = excluded.expires_at
            WHERE state = 'declined' AND attempt = excluded.attempt - 1";
    let written = sqlx::query(statement)
        .bind(&checkout.order.as_bytes()[..])
        .bind(&checkout.customer.as_bytes()[..])
        .bind(&checkout.site.as_bytes()[..])
        .bind(&checkout.payment.as_bytes()[..])
        .bind(to_cbor(&checkout.cart))
        .bind(checkout.address.as_ref().map(Address::to_bytes))
        .bind(to_cbor(&checkout.header))
        .bind(checkout.amount_minor)
        .bind(checkout.minutes.0)
        .bind(checkout.minutes.1)
        .bind(checkout.attempt)
        .bind(to_sql(now.0))
        .bind(to_sql(checkout.expires_at.0))
        .bind(&quote.as_bytes()[..])
        .execute(&mut *sql)
        .await?;
    Ok(written.rows_affected() > 0)
}

/// The order that a payment's id belongs to.
pub async fn order_of_payment(sql: &mut Sql, payment: &PaymentId) -> Result<Option<OrderId>, StoreError> {
    let row = sqlx::query("SELECT order_id FROM checkout WHERE payment = ?1").bind(&payment.as_bytes()[..]);
    row.fetch_optional(&mut *sql).await?.map(|row| Read::new("checkout", &row).id("order_id")).transpose()
}

/// The order that a quote of this customer became, or is becoming.
pub async fn order_of_quote(
    sql: impl sqlx::SqliteExecutor<'_>,
    customer: CustomerId,
    quote: &QuoteId,
) -> Result<Option<OrderId>, StoreError> {
    let statement =
        "SELECT order_id FROM checkout WHERE quote = ?1 AND customer = ?2 AND state IN ('paying', 'placed')";
    let row = sqlx::query(statement).bind(&quote.as_bytes()[..]).bind(&customer.as_bytes()[..]);
    row.fetch_optional(sql).await?.map(|row| Read::new("checkout", &row).id("order_id")).transpose()
}

/// Ends a checkout that is paying. `false`: it had ended.
pub async fn end(sql: &mut Sql, order: &OrderId, state: CheckoutState, refusal: &str) -> Result<bool, StoreError> {
    let statement = "UPDATE checkout SET state = ?2, refusal = NULLIF(?3, '') WHERE order_id = ?1 AND state = 'paying'";
    let written = sqlx::query(statement).bind(&order.as_bytes()[..]).bind(state.word()).bind(refusal);
    Ok(written.execute(&mut *sql).await?.rows_affected() > 0)
}

/// A checkout, as it was last committed.
pub async fn find(database: &Database, order: &OrderId) -> Result<Option<Checkout>, StoreError> {
    let row = sqlx::query("SELECT * FROM checkout WHERE order_id = ?1").bind(&order.as_bytes()[..]);
    let row = row.fetch_optional(database.pool()).await?;
    row.map(|row| read(&Read::new("checkout", &row))).transpose()
}

/// The same inside a unit of work: what it says holds until that is committed.
pub async fn find_in(sql: &mut Sql, order: &OrderId) -> Result<Option<Checkout>, StoreError> {
    let row = sqlx::query("SELECT * FROM checkout WHERE order_id = ?1").bind(&order.as_bytes()[..]);
    let row = row.fetch_optional(&mut *sql).await?;
    row.map(|row| read(&Read::new("checkout", &row))).transpose()
}

fn read(read: &Read<'_>) -> Result<Checkout, StoreError> {
    Ok(Checkout {
        order: read.id("order_id")?,
        customer: read.id("customer")?,
        site: read.id("site")?,
        payment: read.id("payment")?,
        cart: read.cbor("cart")?,
        address: read.cbor_or_none("address")?,
        header: read.cbor("header")?,
        amount_minor: read.minor("amount_minor")?,
        minutes: (read.small("minutes_min")?, read.small("minutes_max")?),
        state: read.word("state", CheckoutState::parse)?,
        refusal: read.text_or_none("refusal")?,
        attempt: read.small("attempt")?,
        expires_at: read.time("expires_at")?,
    })
}
