//! What tests of several modules need: a database in a directory of its own, and sites in it.

use crate::store::Database;
use crate::store::site_store::SiteNo;
use pilotlight_edge::tokens;

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
