//! Rows of sites and of their nodes: created by the operator, enrolled by each node, one session of a node at a time.

use crate::store::site_store::SiteNo;
use crate::store::{Database, StoreError, from_sql, to_sql};
use pilotlight_sync::doc::origin::OriginCard;
use pilotlight_sync::domain::id::{OriginId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;
use sqlx::FromRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, Row, Sqlite, SqliteConnection};

/// Columns of `SiteRow`, in any order.
const COLUMNS: &str = "no, id, name, lat, lon, own_origin, own_key, enrolled_at";

/// One site.
#[derive(Clone)]
pub struct SiteRow {
    /// Its row.
    pub no: SiteNo,
    /// Its id, as its node names it; `None` until that has enrolled.
    pub id: Option<SiteId>,
    /// What guests call it.
    pub name: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// The relay's origin there.
    pub own_origin: OriginId,
    /// That origin's secret key.
    pub own_key: [u8; 32],
    /// When its first node enrolled.
    pub enrolled_at: Option<Timestamp>,
}

/// The number of a node's row: in the order in which the nodes were enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeNo(pub i64);

/// One session of a node: a newer one of the same node ends it (SPEC E5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeSession {
    /// Whose.
    pub node: NodeNo,
    /// Which: the first is 1.
    pub number: u64,
}

/// What a token opens.
#[derive(Debug, Clone)]
pub struct Uplink {
    /// The site.
    pub site: SiteRow,
    /// The node whose token it is.
    pub node: NodeNo,
}

impl std::fmt::Debug for SiteRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SiteRow").field("no", &self.no).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What the operator says of a new site.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSite {
    /// What guests call it.
    pub name: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

/// Secrets of a new site, random.
pub struct NewSecrets {
    /// The relay's origin there.
    pub own_origin: OriginId,
    /// That origin's secret key.
    pub own_key: [u8; 32],
    /// The code that its node enrols with.
    pub code_hash: [u8; 32],
    /// Until then.
    pub code_expires_at: Timestamp,
}

impl std::fmt::Debug for NewSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSecrets").field("own_origin", &self.own_origin).finish_non_exhaustive()
    }
}

impl FromRow<'_, SqliteRow> for SiteRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let id: Option<Vec<u8>> = row.try_get("id")?;
        Ok(Self {
            no: SiteNo(row.try_get("no")?),
            id: id.map(|id| fixed("id", id).map(SiteId::from_bytes)).transpose()?,
            name: row.try_get("name")?,
            lat: row.try_get("lat")?,
            lon: row.try_get("lon")?,
            own_origin: OriginId::from_bytes(fixed("own_origin", row.try_get("own_origin")?)?),
            own_key: fixed("own_key", row.try_get("own_key")?)?,
            enrolled_at: row.try_get::<Option<i64>, _>("enrolled_at")?.map(|at| Timestamp(from_sql(at))),
        })
    }
}

fn fixed<const N: usize>(column: &str, bytes: Vec<u8>) -> Result<[u8; N], sqlx::Error> {
    let wrong = |bytes: Vec<u8>| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("{} bytes, {N} expected", bytes.len()).into(),
    };
    bytes.try_into().map_err(wrong)
}

/// Creates a site that waits for its node.
pub async fn create(
    database: &Database,
    site: &NewSite,
    secrets: &NewSecrets,
    now: Timestamp,
) -> Result<SiteNo, StoreError> {
    let mut tx = database.begin().await?;
    let no = sqlx::query_scalar(
        "INSERT INTO site (name, lat, lon, created_at, own_origin, own_key, code_hash, code_expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING no",
    )
    .bind(&site.name)
    .bind(site.lat)
    .bind(site.lon)
    .bind(to_sql(now.0))
    .bind(secrets.own_origin.as_bytes().to_vec())
    .bind(secrets.own_key.to_vec())
    .bind(secrets.code_hash.to_vec())
    .bind(to_sql(secrets.code_expires_at.0))
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(SiteNo(no))
}

/// Gives an existing site another code, for a node that lost its token or was replaced. `false`: there is no such site.
pub async fn renew_code(
    database: &Database,
    id: &SiteId,
    code_hash: [u8; 32],
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = database.begin().await?;
    let done = sqlx::query("UPDATE site SET code_hash = ?2, code_expires_at = ?3 WHERE id = ?1")
        .bind(id.as_bytes().to_vec())
        .bind(code_hash.to_vec())
        .bind(to_sql(expires_at.0))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// The site that waits for a node with this code, now.
pub async fn by_code(
    tx: &mut SqliteConnection,
    code_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<SiteRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM site WHERE code_hash = ?1 AND code_expires_at > ?2");
    let row = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(code_hash.to_vec())
        .bind(to_sql(now.0))
        .fetch_optional(tx)
        .await?;
    Ok(row)
}

/// The site of this id.
pub async fn by_id(tx: &mut SqliteConnection, id: &SiteId) -> Result<Option<SiteRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM site WHERE id = ?1");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.as_bytes().to_vec()).fetch_optional(tx).await?)
}

/// A node has shown the code: the site has its id. The code is used up.
pub async fn enrol(tx: &mut SqliteConnection, no: SiteNo, id: &SiteId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE site SET id = ?2, enrolled_at = COALESCE(enrolled_at, ?3), code_hash = NULL, code_expires_at = NULL
         WHERE no = ?1",
    )
    .bind(no.0)
    .bind(id.as_bytes().to_vec())
    .bind(to_sql(now.0))
    .execute(tx)
    .await?;
    Ok(())
}

/// The token opens the uplink of the node that writes under this origin; one that it had before opens nothing any more.
pub async fn enrol_node(
    tx: &mut SqliteConnection,
    no: SiteNo,
    origin: &OriginId,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<NodeNo, StoreError> {
    let node = sqlx::query_scalar(
        "INSERT INTO site_node (site, origin, token_hash, enrolled_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (site, origin) DO UPDATE SET token_hash = excluded.token_hash RETURNING no",
    )
    .bind(no.0)
    .bind(origin.as_bytes().to_vec())
    .bind(token_hash.to_vec())
    .bind(to_sql(now.0))
    .fetch_one(tx)
    .await?;
    Ok(NodeNo(node))
}

/// Remembers who writes at a site. The first card of an origin counts.
pub async fn add_cards(tx: &mut SqliteConnection, no: SiteNo, cards: &[OriginCard]) -> Result<(), StoreError> {
    for card in cards {
        sqlx::query("INSERT INTO site_origin (site, origin, card) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .bind(no.0)
            .bind(card.origin.as_bytes().to_vec())
            .bind(minicbor::to_vec(card).unwrap_or_default())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Who writes at a site, as enrolment named them.
pub async fn cards(database: &Database, no: SiteNo) -> Result<Vec<OriginCard>, StoreError> {
    cards_in(database.pool(), no).await
}

/// The same within a unit of work.
pub async fn cards_in(on: impl Executor<'_, Database = Sqlite>, no: SiteNo) -> Result<Vec<OriginCard>, StoreError> {
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT card FROM site_origin WHERE site = ?1").bind(no.0).fetch_all(on).await?;
    let card = |bytes: Vec<u8>| {
        minicbor::decode(&bytes).map_err(|error| StoreError::Damaged { table: "site_origin", why: error.to_string() })
    };
    rows.into_iter().map(card).collect()
}

/// The node whose uplink this token opens, and its site.
pub async fn by_uplink_token(database: &Database, token_hash: &[u8; 32]) -> Result<Option<Uplink>, StoreError> {
    let found: Option<(i64, i64)> = sqlx::query_as("SELECT no, site FROM site_node WHERE token_hash = ?1")
        .bind(token_hash.to_vec())
        .fetch_optional(database.pool())
        .await?;
    let Some((node, site)) = found else { return Ok(None) };
    let sql = format!("SELECT {COLUMNS} FROM site WHERE no = ?1");
    let row = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(site).fetch_optional(database.pool()).await?;
    Ok(row.map(|site| Uplink { site, node: NodeNo(node) }))
}

/// A new session of a node begins; every older one of that node is over, in whatever process it is. Those of the site's other nodes
/// go on.
pub async fn begin_session(database: &Database, node: NodeNo) -> Result<NodeSession, StoreError> {
    let mut tx = database.begin().await?;
    let number: i64 = sqlx::query_scalar("UPDATE site_node SET epoch = epoch + 1 WHERE no = ?1 RETURNING epoch")
        .bind(node.0)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(NodeSession { node, number: from_sql(number) })
}

/// All sites, in the order in which they were created.
pub async fn all(database: &Database) -> Result<Vec<SiteRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM site ORDER BY no");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(database.pool()).await?)
}
