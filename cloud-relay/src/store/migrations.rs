//! Numbered changes of the tables, each run once, in its own transaction. One that has been released is never edited.

use crate::store::{Database, StoreError};

/// All of them, in their order: a name that never changes, and its SQL.
const MIGRATIONS: &[(&str, &str)] = &[
    ("001_operator", include_str!("migrations/001_operator.sql")),
    ("002_site", include_str!("migrations/002_site.sql")),
    ("010_commerce", include_str!("migrations/010_commerce.sql")),
    ("011_quote_once", include_str!("migrations/011_quote_once.sql")),
    ("012_trips", include_str!("migrations/012_trips.sql")),
    ("013_site_node", include_str!("migrations/013_site_node.sql")),
    ("014_unbegun", include_str!("migrations/014_unbegun.sql")),
    ("015_amendments", include_str!("migrations/015_amendments.sql")),
];

/// Runs those that have not run yet.
pub(super) async fn run(database: &Database) -> Result<(), StoreError> {
    let table = "CREATE TABLE IF NOT EXISTS migration (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID";
    let mut tx = database.begin().await?;
    sqlx::raw_sql(table).execute(&mut *tx).await?;
    tx.commit().await?;
    for (name, sql) in MIGRATIONS {
        let mut tx = database.begin().await?;
        let new =
            sqlx::query("INSERT OR IGNORE INTO migration (name) VALUES (?1)").bind(*name).execute(&mut *tx).await?;
        if new.rows_affected() == 0 {
            continue;
        }
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        tx.commit().await?;
        tracing::info!(name, "the tables were changed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn e1_tables_are_changed_once_and_a_database_that_is_opened_again_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("relay.db").display());
        for _ in 0..2 {
            let database = Database::open(&url).await.unwrap();
            let ran: Vec<String> = sqlx::query_scalar("SELECT name FROM migration ORDER BY name")
                .fetch_all(database.pool())
                .await
                .unwrap();
            assert_eq!(ran, MIGRATIONS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(database.pool()).await.unwrap();
            let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(database.pool()).await.unwrap();
            assert_eq!((mode.as_str(), level), ("wal", 2));
            database.close().await;
        }
    }
}
