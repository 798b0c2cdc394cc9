//! What a customer's screen shows of one order besides its facts, and whose token watches it: all in one round to the database.

use crate::store::cloud_orders::{self, CloudOrder};
use crate::store::deliveries::{self, Delivery};
use crate::store::effects::{self, EffectRow};
use crate::store::people::{self, Owner, Rider};
use crate::store::rows::Read;
use crate::store::{Database, StoreError, to_sql};
use pilotlight_edge::tokens;
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::timestamp::Timestamp;

/// One order's rows.
#[derive(Debug, Default)]
pub struct Watched {
    /// Whose token it is.
    pub owner: Option<Owner>,
    /// The order, when the relay placed it.
    pub kept: Option<CloudOrder>,
    /// What was done outside for it.
    pub effects: Vec<EffectRow>,
    /// Who brings it.
    pub delivery: Option<(Delivery, Option<Rider>)>,
}

/// An order's rows as they were last committed.
pub async fn find(database: &Database, token: &str, order: &OrderId, now: Timestamp) -> Result<Watched, StoreError> {
    let statements = "SELECT 'session' AS part, owner, role FROM session WHERE token_hash = ? AND expires_at > ?;
        SELECT 'cloud_order' AS part, * FROM cloud_order WHERE order_id = ?;
        SELECT 'effect' AS part, * FROM effect WHERE order_id = ? ORDER BY n;
        SELECT 'rider' AS part, rider.* FROM delivery JOIN rider ON rider.id = delivery.rider WHERE order_id = ?;
        SELECT 'delivery' AS part, * FROM delivery WHERE order_id = ?";
    let (token, order) = (tokens::hash(token), order.as_bytes());
    let rows = sqlx::query(statements).bind(&token[..]).bind(to_sql(now.0));
    let rows = rows.bind(&order[..]).bind(&order[..]).bind(&order[..]).bind(&order[..]);
    let (mut watched, mut rider) = (Watched::default(), None);
    for row in rows.fetch_all(database.pool()).await? {
        match Read::new("order", &row).text("part")?.as_str() {
            "session" => watched.owner = Some(people::read_owner(&Read::new("session", &row))?),
            "cloud_order" => watched.kept = Some(cloud_orders::read(&Read::new("cloud_order", &row))?),
            "effect" => watched.effects.push(effects::read(&Read::new("effect", &row))?),
            "rider" => rider = Some(people::read_rider(&Read::new("rider", &row))?),
            _ => watched.delivery = Some((deliveries::read(&Read::new("delivery", &row))?, rider.take())),
        }
    }
    Ok(watched)
}
