//! The relay's database: the only folder that names one. SQLite by default, with WAL and `synchronous = FULL`.
//!
//! Writes go one after the other over a connection of their own, each in a `BEGIN IMMEDIATE` transaction; reads go beside them.
//! What COMMIT has answered survives a power cut; what was deleted is overwritten (SPEC A7).

pub mod amendments;
pub mod checkouts;
pub mod cloud_orders;
pub mod deliveries;
pub mod effects;
pub(crate) mod insert;
pub mod migrations;
pub mod operators;
pub mod payments;
pub mod people;
mod rows;
pub mod site_rows;
pub mod site_store;
pub mod site_tx;
pub mod terms;
#[cfg(test)]
pub(crate) mod testing;
pub mod watched;
mod writer;

use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Sqlite, SqlitePool, Transaction};
use std::str::FromStr;
use std::time::Duration;
use writer::{BEGIN, Writer};

pub use writer::Tx;

/// Connections that read at the same time.
const READERS_MAX: u32 = 8;
/// Memory for pages of each connection, in KiB: a negative number, as SQLite has it.
const CACHE_KIB: &str = "-32768";
/// Pages of 4 KiB in the write-ahead log before they are put in their places.
const WAL_PAGES: &str = "4000";
/// How long a connection, or the lock that another process holds, is waited for.
const WAIT_MS_MAX: Duration = Duration::from_secs(10);

/// How long the write-ahead log's sweeper keeps others waiting.
const SWEEP_MS_MAX: Duration = Duration::from_millis(100);

/// What was committed last, as one picture.
pub type Picture = Transaction<'static, Sqlite>;

/// A connection inside a unit of work.
pub type Sql = sqlx::SqliteConnection;

/// Why the database has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or did not answer. Whether a commit was written is unknown.
    #[error("the database did not answer; whether it was written is unknown")]
    Database(#[source] sqlx::Error),
    /// A stored value is not what was written.
    #[error("a stored value of {table} is damaged: {why}")]
    Damaged {
        /// In which table.
        table: &'static str,
        /// How it shows.
        why: String,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Database {
    readers: SqlitePool,
    writer: Writer,
    sweeper: SqlitePool,
}

impl Database {
    /// Opens or creates the database at this URL and brings its tables up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // A long log touches pages all over the database; what a statement may have to undo stays in memory too.
            .pragma("cache_size", CACHE_KIB)
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", WAL_PAGES)
            // Freed bytes are overwritten: a card's token is gone when it is deleted.
            .pragma("secure_delete", "ON")
            .busy_timeout(WAIT_MS_MAX)
            .statement_cache_capacity(256);
        // A connection to a file does not go stale: asking it first would double the way of every statement, and a new one is slow.
        let pool = |connections| {
            let options = SqlitePoolOptions::new().max_connections(connections).idle_timeout(None).max_lifetime(None);
            options.acquire_timeout(WAIT_MS_MAX).test_before_acquire(false)
        };
        let writer = Writer::connect(&options).await?;
        let sweeper = pool(1).connect_lazy_with(options.clone().busy_timeout(SWEEP_MS_MAX));
        let readers = pool(READERS_MAX).connect_lazy_with(options);
        let database = Self { readers, writer, sweeper };
        migrations::run(&database).await?;
        Ok(database)
    }

    /// Connections for reading.
    pub fn pool(&self) -> &SqlitePool {
        &self.readers
    }

    /// What was committed last: nobody waits for it, and it is only read.
    pub async fn reader(&self) -> Result<Picture, StoreError> {
        Ok(self.readers.begin().await?)
    }

    /// Begins a unit of work: nobody else writes until it is committed or dropped.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.writer.begin(sqlx::query(BEGIN)).await?.0)
    }

    /// Begins with these statements, `BEGIN IMMEDIATE` and what is read first. Answers their rows.
    async fn begin_with(
        &self,
        statements: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<(Tx, Vec<SqliteRow>), StoreError> {
        self.writer.begin(statements).await
    }

    /// Puts what the write-ahead log has into its place, so that no commit has to, and the log is written over from its beginning; after
    /// something was deleted that nobody may find (SPEC A7) the log is emptied, for it has rows as they were. `false`: somebody reads or
    /// writes just now; ask again later.
    pub async fn sweep_log(&self) -> Result<bool, StoreError> {
        let mut sweeper = self.sweeper.acquire().await?;
        // Beside the writers.
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *sweeper).await?;
        // An empty log grows, and that costs every commit: so not without need.
        if !self.writer.take_forgot() {
            return Ok(true);
        }
        // Only what came meanwhile while they wait.
        let emptied = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *sweeper).await;
        let is_empty = emptied.as_ref().is_ok_and(|(busy, _, _): &(i64, i64, i64)| *busy == 0);
        if !is_empty {
            self.writer.forgot();
        }
        Ok(emptied.map(|_| is_empty)?)
    }

    /// Whether it answers.
    pub async fn answers(&self) -> bool {
        sqlx::query_scalar::<_, i64>("SELECT 1").fetch_one(&self.readers).await.is_ok()
    }

    /// Waits for what is being done and closes it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.sweeper.close().await;
        self.writer.close().await;
    }
}

/// An integer of ours as the database keeps it.
///
/// Times and numbers of ours are far below its limit; what is above is kept as the limit rather than as something negative.
pub fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An integer of the database as one of ours.
pub fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
