//! Rows of the database as our own nouns: a value that is not what was written is named with its table.

use crate::store::StoreError;
use minicbor::{Decode, Encode};
use pilotlight_sync::domain::money::Currency;
use pilotlight_sync::domain::timestamp::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// One row, with its table's name for complaints.
pub(super) struct Read<'row> {
    row: &'row SqliteRow,
    table: &'static str,
}

impl<'row> Read<'row> {
    pub(super) fn new(table: &'static str, row: &'row SqliteRow) -> Self {
        Self { row, table }
    }

    pub(super) fn damaged(&self, why: impl ToString) -> StoreError {
        StoreError::Damaged { table: self.table, why: why.to_string() }
    }

    pub(super) fn id<T: From<Uuid>>(&self, column: &str) -> Result<T, StoreError> {
        self.id_or_none(column)?.ok_or_else(|| self.damaged(format!("{column} is empty")))
    }

    pub(super) fn id_or_none<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let bytes: Option<Vec<u8>> = self.row.try_get(column)?;
        let read = |bytes: Vec<u8>| Uuid::from_slice(&bytes).map(T::from).map_err(|error| self.damaged(error));
        bytes.map(read).transpose()
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn text_or_none(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn minor(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn minor_or_none(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn degrees_or_none(&self, column: &str) -> Result<Option<f64>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.minor(column)? != 0)
    }

    pub(super) fn number(&self, column: &str) -> Result<u64, StoreError> {
        u64::try_from(self.minor(column)?).map_err(|error| self.damaged(format!("{column}: {error}")))
    }

    pub(super) fn small(&self, column: &str) -> Result<u32, StoreError> {
        u32::try_from(self.minor(column)?).map_err(|error| self.damaged(format!("{column}: {error}")))
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.number(column).map(Timestamp)
    }

    pub(super) fn time_or_none(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let number = self.minor_or_none(column)?;
        let read = |number: i64| u64::try_from(number).map_err(|error| self.damaged(format!("{column}: {error}")));
        Ok(number.map(read).transpose()?.map(Timestamp))
    }

    pub(super) fn currency(&self, column: &str) -> Result<Currency, StoreError> {
        let code = self.text(column)?;
        Currency::parse(&code).ok_or_else(|| self.damaged(format!("{column} is {code:?}")))
    }

    /// A value of one of our enums, by its word.
    pub(super) fn word<T>(&self, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let word = self.text(column)?;
        parse(&word).ok_or_else(|| self.damaged(format!("{column} is {word:?}")))
    }

    pub(super) fn cbor<T: for<'b> Decode<'b, ()>>(&self, column: &str) -> Result<T, StoreError> {
        self.cbor_or_none(column)?.ok_or_else(|| self.damaged(format!("{column} is empty")))
    }

    pub(super) fn cbor_or_none<T: for<'b> Decode<'b, ()>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let bytes: Option<Vec<u8>> = self.row.try_get(column)?;
        let read =
            |bytes: Vec<u8>| minicbor::decode(&bytes).map_err(|error| self.damaged(format!("{column}: {error}")));
        bytes.map(read).transpose()
    }
}

/// A value as bytes.
pub(super) fn to_cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    // Writing into memory cannot fail.
    minicbor::to_vec(value).unwrap_or_default()
}
