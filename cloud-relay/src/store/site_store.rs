//! The relay's replica of one site on the database: the store port of `sync` as a few tables keyed by the site's row.
//!
//! A unit of work takes the site's row first (`begin`), so that two processes never write one site at the same time, and the one
//! that wrote in between is noticed. What the unit writes besides (effects, customers) goes into the same transaction.

use crate::store::cloud_orders::{Among, Placed};
use crate::store::insert::{Insert, Statements, Value, in_lists};
use crate::store::site_rows::NodeNo;
use crate::store::{Database, StoreError, Tx, from_sql, to_sql};
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::store::{CommitError, LogEntry, Seal, SiteStore, Writes};
use sqlx::{AssertSqlSafe, Executor, Row as _, Sqlite, SqliteConnection, SqliteExecutor};
use std::collections::BTreeMap;

const LOG: Insert =
    Insert { head: "INSERT INTO site_log (site, origin, seq, hash, bytes) VALUES", columns: 5, tail: "" };
const SEALS: Insert = Insert {
    head: "INSERT INTO site_seal (site, origin, seq, signature) VALUES",
    columns: 4,
    tail: "ON CONFLICT DO UPDATE SET signature = excluded.signature",
};
const HEADS: Insert = Insert {
    head: "INSERT INTO site_head (site, origin, seq, hash) VALUES",
    columns: 4,
    tail: "ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
};
const DOCS: Insert = Insert {
    head: "INSERT INTO site_doc (site, kind, id, bytes) VALUES",
    columns: 4,
    tail: "ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
};
const INDEX: Insert =
    Insert { head: "INSERT INTO site_index (site, key) VALUES", columns: 2, tail: "ON CONFLICT DO NOTHING" };
const NOTES: Insert = Insert {
    head: "INSERT INTO site_note (site, name, bytes) VALUES",
    columns: 3,
    tail: "ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
};

/// Orders among the documents.
const ORDER_KIND: u8 = DocKey::Order(OrderId::from_bytes([0; 16])).kind();

/// The number of a site's row: what its other rows are keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteNo(pub i64);

/// How the site stands when a unit of work has taken its row; nobody else changes it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Units of work so far, this one included.
    pub turn: u64,
    /// The newest session of each of its nodes.
    pub sessions: BTreeMap<NodeNo, u64>,
    /// Where each log ends.
    pub heads: BTreeMap<OriginId, Head>,
}

/// Begins a unit of work: takes the site's row, and reads what each needs and the relay's rows of these orders, in one round.
pub async fn begin(
    database: &Database,
    site: SiteNo,
    orders: &[OrderId],
) -> Result<(Tx, Turn, Vec<Placed>), StoreError> {
    let mut statements = "BEGIN IMMEDIATE;
        UPDATE site SET turn = turn + 1 WHERE no = ? RETURNING turn;
        SELECT no, epoch FROM site_node WHERE site = ?;
        SELECT origin, seq, hash FROM site_head WHERE site = ?"
        .to_owned();
    let mut ids = Vec::with_capacity(2 * orders.len());
    for (chunk, list) in in_lists(orders) {
        statements = format!("{statements}; {}", Among::select(&list));
        ids.extend(chunk.iter().chain(chunk).map(|id| id.as_bytes().to_vec()));
    }
    let mut statements = sqlx::query(AssertSqlSafe(statements)).bind(site.0).bind(site.0).bind(site.0);
    for id in ids {
        statements = statements.bind(id);
    }
    let (tx, rows) = database.begin_with(statements).await?;
    let (mut turn, mut sessions, mut heads, mut among) = (None, BTreeMap::new(), BTreeMap::new(), Among::default());
    for row in rows {
        match row.len() {
            1 => turn = Some(from_sql(row.try_get(0)?)),
            2 => drop(sessions.insert(NodeNo(row.try_get(0)?), from_sql(row.try_get(1)?))),
            3 => heads.extend([head((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))?]),
            _ => among.take(&row)?,
        }
    }
    let turn = turn.ok_or_else(|| damaged("site", format!("there is no row {}", site.0)))?;
    Ok((tx, Turn { turn, sessions, heads }, among.found))
}

/// One site's store.
#[derive(Debug, Clone)]
pub struct SqlSiteStore {
    database: Database,
    site: SiteNo,
}

impl SqlSiteStore {
    /// The store of this site.
    pub fn new(database: Database, site: SiteNo) -> Self {
        Self { database, site }
    }

    /// The chain's hash after this commit, if the log has it.
    pub async fn hash_at(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, StoreError> {
        hash_at(self.database.pool(), self.site, origin, seq).await
    }

    /// An origin's log from this number on: at most so many entries and so many bytes of commits, but one at least.
    pub async fn log_page(
        &self,
        origin: &OriginId,
        from: u64,
        commits_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        let mut page = self.log(origin, from, commits_max).await?;
        let mut bytes = 0;
        let fitting = page.iter().take_while(|entry| {
            bytes += entry.bytes.len();
            bytes <= bytes_max
        });
        let count = fitting.count().max(1);
        page.truncate(count);
        Ok(page)
    }
}

/// The chain's hash after this commit, if the log has it.
pub(super) async fn hash_at(
    rows: impl SqliteExecutor<'_>,
    site: SiteNo,
    origin: &OriginId,
    seq: u64,
) -> Result<Option<ChainHash>, StoreError> {
    let hash: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM site_log WHERE site = ?1 AND origin = ?2 AND seq = ?3")
            .bind(site.0)
            .bind(&origin.as_bytes()[..])
            .bind(to_sql(seq))
            .fetch_optional(rows)
            .await?;
    hash.map(|hash| chain_hash("site_log", hash)).transpose()
}

fn head((origin, seq, hash): (Vec<u8>, i64, Vec<u8>)) -> Result<(OriginId, Head), StoreError> {
    let origin = OriginId::from_bytes(fixed("site_head", origin)?);
    Ok((origin, Head { seq: from_sql(seq), hash: chain_hash("site_head", hash)? }))
}

/// A document of this site.
pub async fn doc(
    on: impl Executor<'_, Database = Sqlite>,
    site: SiteNo,
    key: &DocKey,
) -> Result<Option<Vec<u8>>, StoreError> {
    let found = sqlx::query_scalar("SELECT bytes FROM site_doc WHERE site = ?1 AND kind = ?2 AND id = ?3")
        .bind(site.0)
        .bind(i64::from(key.kind()))
        .bind(key.id_bytes())
        .fetch_optional(on)
        .await?;
    Ok(found)
}

/// Those of these orders that are stored.
pub async fn orders(
    on: &mut SqliteConnection,
    site: SiteNo,
    ids: &[OrderId],
) -> Result<BTreeMap<OrderId, Vec<u8>>, StoreError> {
    let mut found = BTreeMap::new();
    for (chunk, list) in in_lists(ids) {
        let select = format!("SELECT id, bytes FROM site_doc WHERE site = ? AND kind = ? AND id IN {list}");
        let mut select = sqlx::query_as::<_, (Vec<u8>, Vec<u8>)>(AssertSqlSafe(select)).bind(site.0);
        select = select.bind(i64::from(ORDER_KIND));
        for id in chunk {
            select = select.bind(id.as_bytes().to_vec());
        }
        for (id, bytes) in select.fetch_all(&mut *on).await? {
            found.insert(OrderId::from_bytes(fixed("site_doc", id)?), bytes);
        }
    }
    Ok(found)
}

/// Writes everything within a unit of work that began with this turn, and commits. What does not continue the logs is refused, and
/// then nothing was written.
pub async fn finish(tx: Tx, site: SiteNo, turn: &Turn, writes: &Writes) -> Result<(), CommitError<StoreError>> {
    let new = continued(&turn.heads, &writes.log)?;
    tx.commit_with(statements(site, writes, &new)).await.map_err(CommitError::Store)
}

/// Where the logs end after these entries, when each continues its chain.
fn continued(
    stored: &BTreeMap<OriginId, Head>,
    log: &[LogEntry],
) -> Result<BTreeMap<OriginId, Head>, CommitError<StoreError>> {
    let mut new: BTreeMap<OriginId, Head> = BTreeMap::new();
    for entry in log {
        let origin = entry.origin;
        let known = new.get(&origin).or_else(|| stored.get(&origin)).copied().unwrap_or_else(|| Head::start(&origin));
        if entry.head.seq != known.seq + 1 {
            return Err(CommitError::Gap { origin, stored: known.seq, found: entry.head.seq });
        }
        if known.then(&entry.bytes) != entry.head {
            let why = format!("commit {} of {origin} is not on the stored chain", entry.head.seq);
            return Err(CommitError::Store(damaged("site_log", why)));
        }
        new.insert(origin, entry.head);
    }
    Ok(new)
}

fn statements(site: SiteNo, writes: &Writes, new: &BTreeMap<OriginId, Head>) -> Statements {
    let bytes = |bytes: &[u8]| Value::from(bytes);
    let (site, number) = (Value::Int(site.0), |number| Value::Int(to_sql(number)));
    let mut all = Statements::default();
    let log = writes.log.iter().map(|entry| {
        let (origin, hash) = (bytes(entry.origin.as_bytes()), bytes(&entry.head.hash.0));
        [site.clone(), origin, number(entry.head.seq), hash, bytes(&entry.bytes)]
    });
    all.insert(&LOG, log.collect());
    let seals = writes
        .seals
        .iter()
        .map(|seal| [site.clone(), bytes(seal.origin.as_bytes()), number(seal.seq), bytes(&seal.signature)]);
    all.insert(&SEALS, seals.collect());
    let heads =
        new.iter().map(|(of, head)| [site.clone(), bytes(of.as_bytes()), number(head.seq), bytes(&head.hash.0)]);
    all.insert(&HEADS, heads.collect());
    let docs = writes
        .docs
        .iter()
        .map(|(key, doc)| [site.clone(), Value::Int(i64::from(key.kind())), bytes(key.id_bytes()), bytes(doc)]);
    all.insert(&DOCS, docs.collect());
    let (put, removed): (Vec<_>, Vec<_>) = writes.index.iter().partition(|(_, put)| **put);
    all.insert(&INDEX, put.into_iter().map(|(key, _)| [site.clone(), bytes(key)]).collect());
    let removed: Vec<Value> = removed.into_iter().map(|(key, _)| bytes(key)).collect();
    all.in_lists("DELETE FROM site_index WHERE site = ? AND key IN", &site, &removed);
    let notes = writes.notes.iter().map(|(name, note)| [site.clone(), bytes(name), bytes(note)]);
    all.insert(&NOTES, notes.collect());
    all
}

impl SiteStore for SqlSiteStore {
    type Error = StoreError;

    async fn heads(&self) -> Result<BTreeMap<OriginId, Head>, StoreError> {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> =
            sqlx::query_as("SELECT origin, seq, hash FROM site_head WHERE site = ?1")
                .bind(self.site.0)
                .fetch_all(self.database.pool())
                .await?;
        rows.into_iter().map(head).collect()
    }

    async fn load(&self, keys: &[DocKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            found.push(doc(self.database.pool(), self.site, key).await?);
        }
        Ok(found)
    }

    async fn load_site(&self) -> Result<Vec<(DocKey, Vec<u8>)>, StoreError> {
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT kind, id, bytes FROM site_doc WHERE site = ?1 AND kind NOT IN (1, 11) ORDER BY kind, id",
        )
        .bind(self.site.0)
        .fetch_all(self.database.pool())
        .await?;
        let doc = |(kind, id, bytes): (i64, Vec<u8>, Vec<u8>)| {
            let key = u8::try_from(kind).ok().and_then(|kind| DocKey::parse(kind, &id));
            Ok((key.ok_or_else(|| damaged("site_doc", format!("key {kind} {id:02x?}")))?, bytes))
        };
        rows.into_iter().map(doc).collect()
    }

    async fn index(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let keys = sqlx::query_scalar(
            "SELECT key FROM site_index WHERE site = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
        )
        .bind(self.site.0)
        .bind(from)
        .bind(to)
        .bind(to_sql(limit as u64))
        .fetch_all(self.database.pool())
        .await?;
        Ok(keys)
    }

    async fn log(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT seq, hash, bytes FROM site_log WHERE site = ?1 AND origin = ?2 AND seq >= ?3 ORDER BY seq LIMIT ?4",
        )
        .bind(self.site.0)
        .bind(&origin.as_bytes()[..])
        .bind(to_sql(from))
        .bind(to_sql(limit as u64))
        .fetch_all(self.database.pool())
        .await?;
        let entry = |(seq, hash, bytes): (i64, Vec<u8>, Vec<u8>)| {
            let head = Head { seq: from_sql(seq), hash: chain_hash("site_log", hash)? };
            Ok(LogEntry { origin: *origin, head, bytes })
        };
        rows.into_iter().map(entry).collect()
    }

    async fn seals(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT seq, signature FROM site_seal WHERE site = ?1 AND origin = ?2 AND seq BETWEEN ?3 AND ?4 ORDER BY seq")
                .bind(self.site.0)
                .bind(&origin.as_bytes()[..])
                .bind(to_sql(from))
                .bind(to_sql(to))
                .fetch_all(self.database.pool())
                .await?;
        rows.into_iter()
            .map(|(seq, signature)| {
                let signature =
                    signature.try_into().map_err(|_| damaged("site_seal", "a signature's length".into()))?;
                Ok(Seal { origin: *origin, seq: from_sql(seq), signature })
            })
            .collect()
    }

    async fn note(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = sqlx::query_scalar("SELECT bytes FROM site_note WHERE site = ?1 AND name = ?2")
            .bind(self.site.0)
            .bind(name)
            .fetch_optional(self.database.pool())
            .await?;
        Ok(found)
    }

    async fn commit(&mut self, writes: Writes) -> Result<(), CommitError<StoreError>> {
        let (tx, turn, _) = begin(&self.database, self.site, &[]).await.map_err(CommitError::Store)?;
        finish(tx, self.site, &turn, &writes).await
    }
}

fn damaged(table: &'static str, why: String) -> StoreError {
    StoreError::Damaged { table, why }
}

fn fixed<const N: usize>(table: &'static str, bytes: Vec<u8>) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|bytes: Vec<u8>| damaged(table, format!("{} bytes, {N} expected", bytes.len())))
}

fn chain_hash(table: &'static str, bytes: Vec<u8>) -> Result<ChainHash, StoreError> {
    fixed(table, bytes).map(ChainHash)
}

#[cfg(test)]
mod tests;
