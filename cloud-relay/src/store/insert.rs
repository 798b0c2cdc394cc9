//! Many rows by few statements: chunks of fixed sizes, so that a handful of prepared statements serves every count. A statement costs a
//! round through the connection's thread, whatever it does: the statements of a small unit of work go there together.

use sqlx::{AssertSqlSafe, SqliteConnection};

/// Rows in one statement, the largest first: each count is a sum of few. Seven columns of the largest stay below SQLite's limit of
/// parameters.
const CHUNKS: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];
/// Statements that go together at most: few enough that what one order's unit of work writes is prepared once and known the next time.
const TOGETHER_MAX: usize = 12;

/// A value of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// An integer.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

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
    /// Only names of ours and question marks go into the text: values are bound.
    fn sql(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        format!("{} {} {}", self.head, vec![row.as_str(); rows].join(","), self.tail)
    }
}

/// Statements that wait for being carried out, in this sequence.
#[derive(Debug, Default)]
pub(crate) struct Statements(Vec<(String, Vec<Value>)>);

impl Statements {
    /// Inserts all rows.
    pub(crate) fn insert<const N: usize>(&mut self, into: &Insert, mut rows: Vec<[Value; N]>) {
        for size in CHUNKS {
            while rows.len() >= size {
                let rest = rows.split_off(size);
                self.0.push((into.sql(size), rows.into_iter().flatten().collect()));
                rows = rest;
            }
        }
    }

    /// Does `statement`, which ends before the list, with each of these keys in it; `first` is bound before them.
    pub(crate) fn in_lists(&mut self, statement: &str, first: &Value, keys: &[Value]) {
        for (chunk, list) in in_lists(keys) {
            let values = std::iter::once(first).chain(chunk).cloned().collect();
            self.0.push((format!("{statement} {list}"), values));
        }
    }

    /// Does this, which has no values.
    pub(crate) fn push(&mut self, statement: &str) {
        self.0.push((statement.to_owned(), Vec::new()));
    }

    /// Carries them out.
    pub(crate) async fn run(self, on: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let rounds = if self.0.len() <= TOGETHER_MAX {
            let (statements, values): (Vec<String>, Vec<Vec<Value>>) = self.0.into_iter().unzip();
            vec![(statements.join("; "), values.concat())]
        } else {
            self.0
        };
        for (statements, values) in rounds.into_iter().filter(|(statements, _)| !statements.is_empty()) {
            let mut query = sqlx::query(AssertSqlSafe(statements));
            for value in values {
                query = match value {
                    Value::Int(number) => query.bind(number),
                    Value::Bytes(bytes) => query.bind(bytes),
                };
            }
            query.execute(&mut *on).await?;
        }
        Ok(())
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
