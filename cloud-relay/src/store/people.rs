//! Customers, riders and their sessions. Names, phones and addresses are only ever here, never in a site's log.

use crate::store::rows::{Read, to_cbor};
use crate::store::{Database, Sql, StoreError, to_sql};
use minicbor::{Decode, Encode};
use pilotlight_edge::tokens;
use pilotlight_sync::domain::id::{CustomerId, RiderId};
use pilotlight_sync::domain::timestamp::Timestamp;
use uuid::Uuid;

/// Somebody who orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Which.
    pub id: CustomerId,
    /// What we call them.
    pub name: String,
    /// To sign in with; a guest has none.
    pub email: Option<String>,
    /// For the rider.
    pub phone: Option<String>,
    /// Argon2id; a guest has none.
    pub password_hash: Option<String>,
}

/// Somebody who rides.
#[derive(Debug, Clone, PartialEq)]
pub struct Rider {
    /// Which.
    pub id: RiderId,
    /// What the customer sees.
    pub name: String,
    /// To sign in with.
    pub phone: String,
    /// Argon2id.
    pub password_hash: String,
    /// Whether they work now.
    pub on_shift: bool,
    /// Where they were last, in degrees north and east.
    pub place: Option<(f64, f64)>,
    /// When that was.
    pub seen_at: Timestamp,
}

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Address {
    /// Street and house.
    #[n(0)]
    pub street: String,
    /// Town.
    #[n(1)]
    pub city: String,
    /// Degrees north.
    #[n(2)]
    pub lat: f64,
    /// Degrees east.
    #[n(3)]
    pub lon: f64,
    /// For the rider.
    #[n(4)]
    pub note: Option<String>,
}

impl Address {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_cbor(self)
    }
}

/// Whose session a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A customer's.
    Customer(CustomerId),
    /// A rider's.
    Rider(RiderId),
}

impl Owner {
    const fn role(&self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Rider(_) => "rider",
        }
    }

    const fn bytes(&self) -> &[u8; 16] {
        match self {
            Self::Customer(id) => id.as_bytes(),
            Self::Rider(id) => id.as_bytes(),
        }
    }
}

/// Writes a customer; `false` when another has this e-mail address.
pub async fn add_customer(sql: &mut Sql, customer: &Customer, now: Timestamp) -> Result<bool, StoreError> {
    let statement =
        "INSERT INTO customer (id, name, email, phone, password_hash, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT DO NOTHING";
    let written = sqlx::query(statement)
        .bind(&customer.id.as_bytes()[..])
        .bind(customer.name.as_str())
        .bind(customer.email.as_deref())
        .bind(customer.phone.as_deref())
        .bind(customer.password_hash.as_deref())
        .bind(to_sql(now.0))
        .execute(&mut *sql)
        .await?;
    Ok(written.rows_affected() > 0)
}

/// A customer.
pub async fn customer(database: &Database, id: &CustomerId) -> Result<Option<Customer>, StoreError> {
    let row = sqlx::query("SELECT * FROM customer WHERE id = ?1").bind(&id.as_bytes()[..]);
    row.fetch_optional(database.pool()).await?.map(|row| read_customer(&Read::new("customer", &row))).transpose()
}

/// The customer with this e-mail address, which must be in lower case.
pub async fn customer_by_email(database: &Database, email: &str) -> Result<Option<Customer>, StoreError> {
    let row = sqlx::query("SELECT * FROM customer WHERE email = ?1").bind(email);
    row.fetch_optional(database.pool()).await?.map(|row| read_customer(&Read::new("customer", &row))).transpose()
}

fn read_customer(read: &Read<'_>) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: read.id("id")?,
        name: read.text("name")?,
        email: read.text_or_none("email")?,
        phone: read.text_or_none("phone")?,
        password_hash: read.text_or_none("password_hash")?,
    })
}

/// Writes a rider; `false` when another has this phone.
pub async fn add_rider(sql: &mut Sql, rider: &Rider, now: Timestamp) -> Result<bool, StoreError> {
    let statement = "INSERT INTO rider (id, name, phone, password_hash, made_at) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    let written = sqlx::query(statement)
        .bind(&rider.id.as_bytes()[..])
        .bind(rider.name.as_str())
        .bind(rider.phone.as_str())
        .bind(rider.password_hash.as_str())
        .bind(to_sql(now.0))
        .execute(&mut *sql)
        .await?;
    Ok(written.rows_affected() > 0)
}

/// A rider.
pub async fn rider(database: &Database, id: &RiderId) -> Result<Option<Rider>, StoreError> {
    let row = sqlx::query("SELECT * FROM rider WHERE id = ?1").bind(&id.as_bytes()[..]);
    row.fetch_optional(database.pool()).await?.map(|row| read_rider(&Read::new("rider", &row))).transpose()
}

/// The rider with this phone.
pub async fn rider_by_phone(database: &Database, phone: &str) -> Result<Option<Rider>, StoreError> {
    let row = sqlx::query("SELECT * FROM rider WHERE phone = ?1").bind(phone);
    row.fetch_optional(database.pool()).await?.map(|row| read_rider(&Read::new("rider", &row))).transpose()
}

/// A rider on shift, and how often they say yes.
#[derive(Debug, Clone, PartialEq)]
pub struct OnShift {
    /// Who.
    pub rider: Rider,
    /// Offers that were answered, or lapsed; the latest ones.
    pub asked: u32,
    /// Those that were accepted.
    pub said_yes: u32,
}

/// Riders on shift.
pub async fn on_shift(sql: &mut Sql) -> Result<Vec<OnShift>, StoreError> {
    let rows = sqlx::query("SELECT * FROM rider WHERE on_shift = 1 ORDER BY id").fetch_all(&mut *sql).await?;
    let on_shift = |row| {
        let read = Read::new("rider", row);
        Ok(OnShift { rider: read_rider(&read)?, asked: read.small("asked")?, said_yes: read.small("said_yes")? })
    };
    rows.iter().map(on_shift).collect()
}

/// A rider has answered an offer, or let it lapse. What is long ago counts less: the counts are halved now and then.
pub async fn answered(sql: &mut Sql, rider: &RiderId, yes: bool) -> Result<(), StoreError> {
    let statement = "UPDATE rider SET asked = (asked + 1) / CASE WHEN asked >= 40 THEN 2 ELSE 1 END,
        said_yes = (said_yes + ?2) / CASE WHEN asked >= 40 THEN 2 ELSE 1 END WHERE id = ?1";
    sqlx::query(statement).bind(&rider.as_bytes()[..]).bind(i64::from(yes)).execute(&mut *sql).await?;
    Ok(())
}

/// Moves a rider, and begins or ends the shift when that is said.
pub async fn place_rider(
    sql: &mut Sql,
    id: &RiderId,
    place: (f64, f64),
    on_shift: Option<bool>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement =
        "UPDATE rider SET lat = ?2, lon = ?3, seen_at = ?4, on_shift = COALESCE(?5, on_shift) WHERE id = ?1";
    sqlx::query(statement)
        .bind(&id.as_bytes()[..])
        .bind(place.0)
        .bind(place.1)
        .bind(to_sql(now.0))
        .bind(on_shift.map(i64::from))
        .execute(&mut *sql)
        .await?;
    Ok(())
}

pub(super) fn read_rider(read: &Read<'_>) -> Result<Rider, StoreError> {
    Ok(Rider {
        id: read.id("id")?,
        name: read.text("name")?,
        phone: read.text("phone")?,
        password_hash: read.text("password_hash")?,
        on_shift: read.flag("on_shift")?,
        place: read.degrees_or_none("lat")?.zip(read.degrees_or_none("lon")?),
        seen_at: read.time("seen_at")?,
    })
}

/// Opens a session for this token. Those that have run out are swept away.
pub async fn open_session(
    sql: &mut Sql,
    token: &str,
    owner: Owner,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM session WHERE expires_at <= ?1").bind(to_sql(now.0)).execute(&mut *sql).await?;
    sqlx::query("INSERT INTO session (token_hash, owner, role, expires_at) VALUES (?1, ?2, ?3, ?4)")
        .bind(&tokens::hash(token)[..])
        .bind(&owner.bytes()[..])
        .bind(owner.role())
        .bind(to_sql(expires_at.0))
        .execute(&mut *sql)
        .await?;
    Ok(())
}

/// Whose token this is.
pub async fn owner_of(database: &Database, token: &str, now: Timestamp) -> Result<Option<Owner>, StoreError> {
    let statement = "SELECT owner, role FROM session WHERE token_hash = ?1 AND expires_at > ?2";
    let row = sqlx::query(statement).bind(&tokens::hash(token)[..]).bind(to_sql(now.0));
    row.fetch_optional(database.pool()).await?.map(|row| read_owner(&Read::new("session", &row))).transpose()
}

pub(super) fn read_owner(read: &Read<'_>) -> Result<Owner, StoreError> {
    let id: Uuid = read.id("owner")?;
    read.word("role", |role| match role {
        "customer" => Some(Owner::Customer(id.into())),
        "rider" => Some(Owner::Rider(id.into())),
        _ => None,
    })
}

/// Ends a session.
pub async fn close_session(sql: &mut Sql, token: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM session WHERE token_hash = ?1").bind(&tokens::hash(token)[..]).execute(&mut *sql).await?;
    Ok(())
}
