//! Who runs the relay: tokens kept as hashes.

use crate::store::{Database, StoreError};
use pilotlight_edge::tokens::{self, NoRandom};
use pilotlight_sync::domain::timestamp::Timestamp;

/// Why a token could not be made or checked.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine is out of randomness.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// The operator's tokens.
#[derive(Debug, Clone)]
pub struct Operators {
    database: Database,
}

impl Operators {
    /// The tokens in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Makes a token when there is none yet, and shows it this once.
    pub async fn first_token(&self, now: Timestamp) -> Result<Option<String>, OperatorError> {
        let token = tokens::new_token()?;
        let made = sqlx::query(
            "INSERT INTO operator (token_hash, made_at) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM operator)",
        )
        .bind(&tokens::hash(&token)[..])
        .bind(now.0 as i64)
        .execute(self.database.pool())
        .await
        .map_err(StoreError::Database)?;
        Ok((made.rows_affected() > 0).then_some(token))
    }

    /// Whether this is an operator's token.
    pub async fn is_operator(&self, token: &str) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM operator WHERE token_hash = ?1")
            .bind(&tokens::hash(token)[..])
            .fetch_optional(self.database.pool())
            .await
            .map_err(StoreError::Database)?;
        Ok(found.is_some())
    }
}
