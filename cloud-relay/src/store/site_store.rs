//! The relay's replica of one site on the database: the store port of `sync` as a few tables keyed by the site's row.
//!
//! A unit of work takes the site's row first (`take_turn`), so that two processes never write one site at the same time, and the one
//! that wrote in between is noticed. What the unit writes besides (effects, customers) goes into the same transaction.

use crate::store::insert::{Insert, in_lists};
use crate::store::{Database, StoreError, from_sql, to_sql};
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::store::{CommitError, LogEntry, Seal, SiteStore, Writes};
use sqlx::{AssertSqlSafe, Executor, Sqlite, SqliteConnection};
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

/// How the site's row stands in a unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Units of work so far, this one included.
    pub turn: u64,
}

/// Takes the site's row for this unit of work.
pub async fn take_turn(tx: &mut SqliteConnection, site: SiteNo) -> Result<Turn, StoreError> {
    let row: Option<i64> = sqlx::query_scalar("UPDATE site SET turn = turn + 1 WHERE no = ?1 RETURNING turn")
        .bind(site.0)
        .fetch_optional(tx)
        .await?;
    let turn = row.ok_or_else(|| damaged("site", format!("there is no row {}", site.0)))?;
    Ok(Turn { turn: from_sql(turn) })
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
        let hash: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT hash FROM site_log WHERE site = ?1 AND origin = ?2 AND seq = ?3")
                .bind(self.site.0)
                .bind(&origin.as_bytes()[..])
                .bind(to_sql(seq))
                .fetch_optional(self.database.pool())
                .await?;
        hash.map(|hash| chain_hash("site_log", hash)).transpose()
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

/// Where each log of this site ends.
pub async fn heads(
    on: impl Executor<'_, Database = Sqlite>,
    site: SiteNo,
) -> Result<BTreeMap<OriginId, Head>, StoreError> {
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> =
        sqlx::query_as("SELECT origin, seq, hash FROM site_head WHERE site = ?1").bind(site.0).fetch_all(on).await?;
    let head = |(origin, seq, hash): (Vec<u8>, i64, Vec<u8>)| {
        let origin = OriginId::from_bytes(fixed("site_head", origin)?);
        Ok((origin, Head { seq: from_sql(seq), hash: chain_hash("site_head", hash)? }))
    };
    rows.into_iter().map(head).collect()
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

/// Writes everything within a unit of work. What does not continue the logs is refused; then the unit must be dropped.
pub async fn write(tx: &mut SqliteConnection, site: SiteNo, writes: &Writes) -> Result<(), CommitError<StoreError>> {
    let stored = heads(&mut *tx, site).await.map_err(CommitError::Store)?;
    let new = continued(&stored, &writes.log)?;
    write_all(tx, site, writes, &new).await.map_err(|error| CommitError::Store(error.into()))
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

async fn write_all(
    tx: &mut SqliteConnection,
    site: SiteNo,
    writes: &Writes,
    new: &BTreeMap<OriginId, Head>,
) -> Result<(), sqlx::Error> {
    let origin = |origin: &OriginId| origin.as_bytes().to_vec();
    LOG.all(tx, &writes.log, |statement, entry| {
        let statement = statement.bind(site.0).bind(origin(&entry.origin)).bind(to_sql(entry.head.seq));
        statement.bind(entry.head.hash.0.to_vec()).bind(entry.bytes.clone())
    })
    .await?;
    SEALS
        .all(tx, &writes.seals, |statement, seal| {
            let statement = statement.bind(site.0).bind(origin(&seal.origin)).bind(to_sql(seal.seq));
            statement.bind(seal.signature.to_vec())
        })
        .await?;
    let new: Vec<(&OriginId, &Head)> = new.iter().collect();
    HEADS
        .all(tx, &new, |statement, (of, head)| {
            statement.bind(site.0).bind(origin(of)).bind(to_sql(head.seq)).bind(head.hash.0.to_vec())
        })
        .await?;
    let docs: Vec<(&DocKey, &Vec<u8>)> = writes.docs.iter().collect();
    DOCS.all(tx, &docs, |statement, (key, bytes)| {
        statement.bind(site.0).bind(i64::from(key.kind())).bind(key.id_bytes().to_vec()).bind((*bytes).clone())
    })
    .await?;
    let (put, removed): (Vec<_>, Vec<_>) = writes.index.iter().partition(|(_, put)| **put);
    INDEX.all(tx, &put, |statement, (key, _)| statement.bind(site.0).bind((*key).clone())).await?;
    for (chunk, list) in in_lists(&removed) {
        let mut delete =
            sqlx::query(AssertSqlSafe(format!("DELETE FROM site_index WHERE site = ? AND key IN {list}"))).bind(site.0);
        for (key, _) in chunk {
            delete = delete.bind((*key).clone());
        }
        delete.execute(&mut *tx).await?;
    }
    let notes: Vec<(&Vec<u8>, &Vec<u8>)> = writes.notes.iter().collect();
    NOTES
        .all(tx, &notes, |statement, (name, bytes)| statement.bind(site.0).bind((*name).clone()).bind((*bytes).clone()))
        .await
}

impl SiteStore for SqlSiteStore {
    type Error = StoreError;

    async fn heads(&self) -> Result<BTreeMap<OriginId, Head>, StoreError> {
        heads(self.database.pool(), self.site).await
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
        let mut tx = self.database.begin().await.map_err(CommitError::Store)?;
        take_turn(&mut tx, self.site).await.map_err(CommitError::Store)?;
        write(&mut tx, self.site, &writes).await?;
        tx.commit().await.map_err(|error| CommitError::Store(error.into()))
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
