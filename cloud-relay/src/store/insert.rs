//! Many rows by few statements: chunks of fixed sizes, so that a handful of prepared statements serves every count. A statement costs a
//! round through the connection's thread, whatever it does.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

/// Rows in one statement, the largest first: each count is a sum of few. Seven columns of the largest stay below SQLite's limit of
/// parameters.
const CHUNKS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement being filled with values.
pub(crate) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A table's insertion: what stands before the rows' values and what after them.
pub(crate) struct Insert {
    /// `INSERT INTO table (columns) VALUES`.
    pub(crate) head: &'static str,
    /// How many columns.
    pub(crate) columns: usize,
    /// `ON CONFLICT ...`, or nothing.
    pub(crate) tail: &'static str,
}

impl Insert {
    /// Inserts all rows; `bind` puts a row's values into a statement.
    pub(crate) async fn all<'a, T>(
        &self,
        on: &mut SqliteConnection,
        mut rows: &'a [T],
        bind: impl for<'q> Fn(Statement<'q>, &'a T) -> Statement<'q>,
    ) -> Result<(), sqlx::Error> {
        for size in CHUNKS {
            while rows.len() >= size {
                let (chunk, rest) = rows.split_at(size);
                rows = rest;
                let mut statement = sqlx::query(AssertSqlSafe(self.sql(size)));
                for row in chunk {
                    statement = bind(statement, row);
                }
                statement.execute(&mut *on).await?;
            }
        }
        Ok(())
    }

    /// Only names of ours and question marks go into the text: values are bound.
    fn sql(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        format!("{} {} {}", self.head, vec![row.as_str(); rows].join(","), self.tail)
    }
}

/// Splits keys into chunks that a few prepared statements serve, each with the text of its `IN` list.
pub(crate) fn in_lists<T>(mut keys: &[T]) -> impl Iterator<Item = (&[T], String)> {
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| keys.len() >= *size)?;
        let (chunk, rest) = keys.split_at(size);
        keys = rest;
        Some((chunk, format!("({})", vec!["?"; size].join(","))))
    })
}
