//! The one connection that writes, and a unit of work on it.
//!
//! A statement costs a round through the connection's thread, whatever it does. So a unit of work begins with what it reads first, in
//! one round, and ends with what it writes last, in one; sqlx's own transactions take a round for each of their ends.

use crate::store::insert::Statements;
use crate::store::{StoreError, WAIT_MS_MAX};
use futures_util::FutureExt;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

/// What begins every unit of work: nobody else writes until it has ended, in this process or another.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// The connection, and how another one is made.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    line: Arc<Mutex<Line>>,
    options: SqliteConnectOptions,
    forgot: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Line {
    /// It can be written on.
    Open(SqliteConnection),
    /// Its thread is gone: whoever writes next makes another.
    Broken,
    /// Nobody writes any more.
    Closed,
}

impl Line {
    fn open(&mut self) -> Option<&mut SqliteConnection> {
        match self {
            Self::Open(connection) => Some(connection),
            Self::Broken | Self::Closed => None,
        }
    }
}

/// One unit of work. Dropped without commit, it leaves nothing.
#[derive(Debug)]
pub struct Tx {
    connection: OwnedMappedMutexGuard<Line, SqliteConnection>,
    ended: bool,
    /// Something was deleted that nobody may find: within seconds it is to be gone from the database's log too (SPEC A7).
    pub(super) forgets: bool,
    forgot: Arc<AtomicBool>,
}

impl Writer {
    pub(super) async fn connect(options: &SqliteConnectOptions) -> Result<Self, StoreError> {
        let line = Arc::new(Mutex::new(Line::Open(options.connect().await?)));
        // What an earlier run has deleted may still be in the log.
        Ok(Self { line, options: options.clone(), forgot: Arc::new(AtomicBool::new(true)) })
    }

    /// Waits for whoever writes; then begins with these statements, the first of which is `BEGIN`. Answers their rows. When the
    /// connection's thread is found gone that fails, and the next one begins on a new connection.
    pub(super) async fn begin(
        &self,
        statements: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<(Tx, Vec<SqliteRow>), StoreError> {
        let lock = tokio::time::timeout(WAIT_MS_MAX, self.line.clone().lock_owned()).await;
        let mut line = lock.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if matches!(*line, Line::Broken) {
            *line = Line::Open(self.options.connect().await?);
        }
        let connection = OwnedMutexGuard::try_map(line, Line::open).map_err(|_| sqlx::Error::PoolClosed)?;
        let mut tx = Tx { connection, ended: false, forgets: false, forgot: self.forgot.clone() };
        let rows = statements.fetch_all(&mut *tx).await;
        match rows {
            Ok(rows) => Ok((tx, rows)),
            Err(error) => {
                drop(tx);
                if matches!(error, sqlx::Error::WorkerCrashed) {
                    self.breaks().await;
                }
                Err(error.into())
            }
        }
    }

    /// The connection's thread is gone. Whoever waited for the lock meanwhile may have found out too, and connected anew.
    async fn breaks(&self) {
        let mut line = self.line.lock().await;
        if let Line::Open(connection) = &mut *line
            && connection.ping().await.is_err()
        {
            tracing::error!("the database's writer has lost its thread: the next unit of work connects anew");
            *line = Line::Broken;
        }
    }

    /// Whether something was deleted since this was last asked that nobody may find. Asking takes it as done.
    pub(super) fn take_forgot(&self) -> bool {
        self.forgot.swap(false, Ordering::SeqCst)
    }

    /// It was not done.
    pub(super) fn forgot(&self) {
        self.forgot.store(true, Ordering::SeqCst);
    }

    /// Waits for whoever writes, and closes it.
    pub(super) async fn close(&self) {
        let was = std::mem::replace(&mut *self.line.lock().await, Line::Closed);
        if let Line::Open(connection) = was
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database's writer was not closed in order");
        }
    }
}

impl Tx {
    /// Durable when it returns.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.commit_with(Statements::default()).await
    }

    /// Carries these out and commits, in one round when they are few. Durable when it returns.
    pub(super) async fn commit_with(mut self, mut statements: Statements) -> Result<(), StoreError> {
        statements.push("COMMIT");
        let done = statements.run(&mut self).await;
        // After an error whether it is done is unknown.
        self.forgot.fetch_or(self.forgets, Ordering::SeqCst);
        self.ended = done.is_ok();
        Ok(done?)
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.ended {
            // Asking once hands it to the connection's thread, which does it before anything that is asked of it later, after what
            // it was asked before. Where nothing is left to roll back that is an error, and nobody's.
            let _sent = sqlx::query("ROLLBACK").execute(&mut *self.connection).now_or_never();
        }
    }
}

impl Deref for Tx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::TestDatabase;
    use futures_util::FutureExt;
    use sqlx::{Connection, SqliteConnection};

    const WRITE: &str = "INSERT INTO migration (name) VALUES ('late')";

    /// E2: whatever becomes of a unit of work that is not committed, the next one begins, and finds nothing of it.
    #[tokio::test]
    async fn e2_a_unit_of_work_that_is_dropped_at_any_moment_leaves_nothing_and_is_in_nobodys_way() {
        let test = TestDatabase::new();
        let database = test.open().await;
        let dropped = database.begin().await.unwrap();
        drop(dropped);
        // Dropped while it is being asked.
        let mut dropped = database.begin().await.unwrap();
        let _asked = sqlx::query(WRITE).execute(&mut *dropped).now_or_never();
        drop(dropped);
        // What failed is no better.
        let mut dropped = database.begin().await.unwrap();
        sqlx::query(WRITE).execute(&mut *dropped).await.unwrap();
        sqlx::query("INSERT INTO nowhere VALUES (1)").execute(&mut *dropped).await.unwrap_err();
        drop(dropped);
        // Dropped while it waits for its turn.
        let one = database.begin().await.unwrap();
        assert!(database.begin().now_or_never().is_none(), "one at a time");
        one.commit().await.unwrap();
        let mut last = database.begin().await.unwrap();
        let late = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM migration WHERE name = 'late'");
        assert_eq!(late.fetch_one(&mut *last).await.unwrap(), 0);
        // Another process waits no longer than it takes.
        drop(last);
        test.open().await.begin().await.unwrap().commit().await.unwrap();
    }

    /// Ends the connection's thread as sqlx does by itself, when it can tell nobody how a transaction began.
    async fn end_thread(connection: &mut SqliteConnection) {
        loop {
            let mut outer = connection.begin().await.unwrap();
            // Inside another one it is refused; the thread ends when nobody hears that.
            if Connection::begin_with(&mut *outer, "BEGIN IMMEDIATE").now_or_never().is_none() {
                break;
            }
        }
        while !matches!(connection.ping().now_or_never(), Some(Err(_))) {
            tokio::task::yield_now().await;
        }
    }

    /// E2: one unit of work finds that the connection has lost its thread; the next one has another connection.
    #[tokio::test]
    async fn e2_after_the_connection_has_lost_its_thread_the_next_but_one_unit_of_work_is_done() {
        let test = TestDatabase::new();
        let database = test.open().await;
        let mut tx = database.begin().await.unwrap();
        sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
        end_thread(&mut tx).await;
        drop(tx);
        database.begin().await.unwrap_err();
        let mut next = database.begin().await.unwrap();
        sqlx::query(WRITE).execute(&mut *next).await.unwrap();
        next.commit().await.unwrap();
        database.close().await;
        assert!(database.begin().await.is_err(), "closed is closed");
    }

    /// E2: a COMMIT that nobody waits for any more is done or not done, and the next unit of work is not inside it.
    #[tokio::test]
    async fn e2_a_commit_that_nobody_waits_for_is_whole() {
        let test = TestDatabase::new();
        let database = test.open().await;
        let mut tx = database.begin().await.unwrap();
        sqlx::query(WRITE).execute(&mut *tx).await.unwrap();
        let _asked = tx.commit().now_or_never();
        let mut next = database.begin().await.unwrap();
        let late = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM migration WHERE name = 'late'");
        assert_eq!(late.fetch_one(&mut *next).await.unwrap(), 1, "it was asked before the rollback was");
        next.commit().await.unwrap();
        database.close().await;
        assert!(database.begin().await.is_err(), "closed");
    }
}
