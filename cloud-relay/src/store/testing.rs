//! What tests of several modules need: a database in a directory of its own, and sites in it.

use crate::store::Database;
use crate::store::site_store::SiteNo;
use pilotlight_edge::tokens;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use sqlx::SqliteConnection;

/// A database file that goes away with its test.
pub(crate) struct TestDatabase(tempfile::TempDir);

impl TestDatabase {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Opens it, once more if it is open.
    pub(crate) async fn open(&self) -> Database {
        Database::open(&format!("sqlite://{}", self.0.path().join("relay.db").display())).await.unwrap()
    }
}

impl TestDatabase {
    /// Whether these bytes are in the database's file, its log or beside them.
    pub(crate) fn has(&self, bytes: &[u8]) -> bool {
        has(self.0.path(), bytes)
    }
}

/// Empties the database's log, once whoever still reads is done.
pub(crate) async fn empty_log(database: &Database) {
    for _ in 0..100 {
        if database.sweep_log().await.unwrap() {
            return;
        }
    }
    panic!("somebody reads for ever");
}

/// Whether a file of this directory has these bytes.
pub(crate) fn has(dir: &std::path::Path, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.into_iter().any(|path| std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes))
}

/// A site's row that no node has enrolled at.
pub(crate) async fn new_site(database: &Database, name: &str) -> SiteNo {
    let mut tx = database.begin().await.unwrap();
    let no = sqlx::query_scalar(
        "INSERT INTO site (name, lat, lon, created_at, own_origin, own_key) VALUES (?1, 0, 0, 0, ?2, ?3) RETURNING no",
    )
    .bind(name)
    .bind(tokens::random::<16>().unwrap().to_vec())
    .bind(tokens::random::<32>().unwrap().to_vec())
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    SiteNo(no)
}

/// Writes a row beside a site's commits, once for each order and kind.
pub(crate) async fn add_effect(on: &mut SqliteConnection, kind: &str, order: &OrderId) {
    let name = [kind.as_bytes(), order.as_bytes()].concat();
    let insert = sqlx::query("INSERT INTO site_note (site, name, bytes) VALUES (1, ?1, x'01')");
    insert.bind(name).execute(on).await.unwrap();
}

/// How many rows `add_effect` has left.
pub(crate) async fn count_effects(database: &Database) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM site_note WHERE bytes = x'01'").fetch_one(database.pool()).await.unwrap()
}

/// The database loses an origin's log after its first commit, as a disk does that went back.
pub(crate) async fn go_back(database: &Database, origin: &OriginId) {
    let mut tx = database.begin().await.unwrap();
    for sql in [
        "DELETE FROM site_log WHERE origin = ?1 AND seq > 1",
        "UPDATE site_head SET seq = 1, hash = (SELECT hash FROM site_log WHERE origin = ?1) WHERE origin = ?1",
    ] {
        sqlx::query(sql).bind(origin.as_bytes().to_vec()).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Makes a note of every site unreadable.
pub(crate) async fn spoil_note(database: &Database, name: &[u8]) {
    let spoil = sqlx::query("UPDATE site_note SET bytes = x'ff' WHERE name = ?1").bind(name);
    assert!(spoil.execute(database.pool()).await.unwrap().rows_affected() > 0, "the note was written");
}
