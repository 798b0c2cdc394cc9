//! What riders do: shifts, offers, deliveries. Each step of a delivery is a fact in the site's log, in one transaction with its row.

use crate::dispatch::nearest::{FreeRider, Job, Offer, nearest};
use crate::geo::Place;
use crate::sites::node_registry::Sites;
use crate::sites::site_handle::SiteHandle;
use crate::store::cloud_orders::{self, CloudOrder};
use crate::store::deliveries::{self, Delivery, DeliveryState};
use crate::store::people::{self, Customer, Rider};
use crate::store::site_tx::{SiteTx, WorkError};
use crate::store::{Database, StoreError};
use futures_util::FutureExt;
use pilotlight_edge::clock::Clock;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::replica::LiveOrder;
use pilotlight_sync::domain::id::{OrderId, RiderId};
use pilotlight_sync::domain::payment::DeliveryPhase;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NOTE_CHARS_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A rider has so long to answer an offer, in milliseconds of business time.
pub const OFFER_MS: u64 = 120_000;

/// Why a rider's step was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RiderRefusal {
    /// No such offer or delivery of this rider.
    #[error("this order is not yours")]
    NotYours,
    /// The offer has lapsed, or went to somebody else.
    #[error("the offer has lapsed")]
    Lapsed,
    /// The delivery is elsewhere.
    #[error("the delivery is {0:?}")]
    OutOfOrder(DeliveryState),
    /// A failure says why.
    #[error("say why in 1 to {} characters", NOTE_CHARS_MAX)]
    Why,
}

/// What a rider says about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RiderStep {
    /// Takes it.
    Accept,
    /// Does not take it.
    Decline,
    /// Is at the restaurant.
    AtStore,
    /// Has it.
    PickedUp,
    /// The customer has it.
    Delivered,
    /// It did not reach the customer.
    Failed {
        /// In the rider's words; kept in the log only.
        why: String,
    },
}

/// The one thing that a rider does now.
#[derive(Debug, Clone)]
pub struct Task {
    /// The delivery.
    pub delivery: Delivery,
    /// The order as the relay keeps it.
    pub kept: CloudOrder,
    /// The order by its facts.
    pub live: Arc<LiveOrder>,
    /// The restaurant.
    pub site: SiteHandle,
    /// Whose order it is.
    pub customer: Option<Customer>,
}

/// Riders' work.
#[derive(Debug)]
pub struct RiderDesk {
    database: Database,
    clock: Clock,
    sites: Arc<Sites>,
}

impl RiderDesk {
    /// A desk over this database and these restaurants.
    pub fn new(database: Database, clock: Clock, sites: Arc<Sites>) -> Self {
        Self { database, clock, sites }
    }

    /// Moves a rider, and begins or ends the shift when that is said.
    pub async fn place(&self, rider: &RiderId, place: Place, on_shift: Option<bool>) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        people::place_rider(&mut tx, rider, (place.lat, place.lon), on_shift, self.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// A rider, and what they do now.
    pub async fn task(&self, rider: &RiderId) -> Result<Option<(Rider, Option<Task>)>, StoreError> {
        let Some(rider) = people::rider(&self.database, rider).await? else { return Ok(None) };
        let Some(delivery) = deliveries::of_rider(&self.database, &rider.id).await? else {
            return Ok(Some((rider, None)));
        };
        let lapsed = delivery.offer_expires_at.is_some_and(|at| at <= self.clock.now());
        if delivery.state == DeliveryState::Offered && lapsed {
            return Ok(Some((rider, None)));
        }
        let task = self.see(delivery).await?;
        Ok(Some((rider, task)))
    }

    async fn see(&self, delivery: Delivery) -> Result<Option<Task>, StoreError> {
        let kept = cloud_orders::find(&self.database, &delivery.order).await?;
        let (Some(kept), Some(site)) = (kept, self.sites.get(&delivery.site)) else { return Ok(None) };
        let damaged = |why: String| StoreError::Damaged { table: "site_doc", why };
        let live = site.order(delivery.order).await.map_err(|error| damaged(error.to_string()))?;
        let Some(live) = live else { return Ok(None) };
        let customer = people::customer(&self.database, &kept.customer).await?;
        Ok(Some(Task { delivery, kept, live, site, customer }))
    }

    /// The delivery of an order and its rider, for its customer.
    pub async fn of_order(&self, order: &OrderId) -> Result<Option<(Delivery, Option<Rider>)>, StoreError> {
        let Some(delivery) = deliveries::find(&self.database, order).await? else { return Ok(None) };
        let rider = match &delivery.rider {
            Some(rider) => people::rider(&self.database, rider).await?,
            None => None,
        };
        Ok(Some((delivery, rider)))
    }

    /// Offers orders to riders; lapsed offers go on to the next. Returns how many offers were made.
    pub async fn round(&self) -> Result<usize, StoreError> {
        if !deliveries::any_unassigned(&self.database).await? {
            return Ok(0);
        }
        let now = self.clock.now();
        // Looked at beside the writers first: they wait only when there is something to write.
        let mut beside = self.database.pool().begin().await?;
        if self.draft(&mut beside, now).await?.is_empty() {
            return Ok(0);
        }
        drop(beside);
        let mut tx = self.database.begin().await?;
        let draft = self.draft(&mut tx, now).await?;
        for (rider, lapsed) in &draft.lapsed {
            deliveries::pass(&mut tx, &lapsed.order, rider).await?;
            deliveries::put(&mut tx, lapsed).await?;
        }
        for order in &draft.ask_again {
            deliveries::forget_passed(&mut tx, order).await?;
        }
        for offered in &draft.offers {
            deliveries::put(&mut tx, offered).await?;
        }
        tx.commit().await?;
        metrics::counter!("pilotlight_offers_total").increment(draft.offers.len() as u64);
        Ok(draft.offers.len())
    }

    /// What a round would write now.
    async fn draft(&self, sql: &mut crate::store::Sql, now: Timestamp) -> Result<Draft, StoreError> {
        let mut draft = Draft::default();
        let mut waiting = BTreeMap::new();
        let mut passed = deliveries::passed(sql).await?;
        for delivery in deliveries::unassigned(sql).await? {
            if delivery.offer_expires_at.is_some_and(|at| at > now) {
                continue;
            }
            let freed = freed(delivery.clone());
            if let (DeliveryState::Offered, Some(rider)) = (delivery.state, delivery.rider) {
                passed.entry(delivery.order).or_default().insert(rider);
                draft.lapsed.push((rider, freed.clone()));
            }
            waiting.insert(freed.order, freed);
        }
        // A rider who has just passed is free in the next round.
        let riders = people::free_riders(sql).await?;
        let free: Vec<FreeRider> = riders.iter().filter_map(free_rider).collect();
        let mut jobs = Vec::new();
        for delivery in waiting.values() {
            let Some(site) = self.sites.get(&delivery.site) else { continue };
            let mut passed = passed.remove(&delivery.order).unwrap_or_default();
            // Everybody has said no: they are asked again rather than nobody.
            if !free.is_empty() && free.iter().all(|rider| passed.contains(&rider.rider)) {
                draft.ask_again.push(delivery.order);
                passed.clear();
            }
            let store = Place { lat: site.facts.lat, lon: site.facts.lon };
            jobs.push(Job { order: delivery.order, store, ready_at: delivery.ready_at, passed });
        }
        for Offer { order, rider, .. } in nearest(&jobs, &free, now) {
            if let Some(delivery) = waiting.remove(&order) {
                let (rider, offer_expires_at) = (Some(rider), Some(now.plus_ms(OFFER_MS)));
                draft.offers.push(Delivery { state: DeliveryState::Offered, rider, offer_expires_at, ..delivery });
            }
        }
        Ok(draft)
    }

    /// Takes a rider's step. Saying it again changes nothing.
    pub async fn step(&self, rider: RiderId, order: OrderId, step: RiderStep) -> Result<(), WorkError<RiderRefusal>> {
        let delivery = deliveries::find(&self.database, &order).await?;
        let site = delivery.and_then(|delivery| self.sites.get(&delivery.site));
        let site = site.ok_or(WorkError::Refused(RiderRefusal::NotYours))?;
        let real = self.clock.real();
        site.run(move |tx| async move { take(tx, rider, order, &step, real).await }.boxed()).await
    }
}

fn free_rider(rider: &Rider) -> Option<FreeRider> {
    let (lat, lon) = rider.place?;
    Some(FreeRider { rider: rider.id, place: Place::new(lat, lon)?, seen_at: rider.seen_at })
}

/// A rider has passed: the next one is asked.
async fn back_to_waiting(sql: &mut crate::store::Sql, delivery: Delivery) -> Result<Delivery, StoreError> {
    if let Some(rider) = &delivery.rider {
        deliveries::pass(&mut *sql, &delivery.order, rider).await?;
    }
    let waiting = freed(delivery);
    deliveries::put(&mut *sql, &waiting).await?;
    Ok(waiting)
}

/// The delivery, with nobody asked or on the way.
fn freed(delivery: Delivery) -> Delivery {
    Delivery { state: DeliveryState::Waiting, rider: None, offer_expires_at: None, ..delivery }
}

/// What a round writes.
#[derive(Debug, Default)]
struct Draft {
    /// Offers that ran out: who let them, and the delivery waiting again.
    lapsed: Vec<(RiderId, Delivery)>,
    /// Orders that everybody has passed.
    ask_again: Vec<OrderId>,
    /// New offers.
    offers: Vec<Delivery>,
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.lapsed.is_empty() && self.ask_again.is_empty() && self.offers.is_empty()
    }
}

/// What a step does to a delivery: its next state and what the log says of it, or nothing when it was taken before.
fn plan(delivery: &Delivery, step: &RiderStep, now: Timestamp) -> Result<Option<Planned>, RiderRefusal> {
    use DeliveryState as S;
    let to = |state, phases: &[DeliveryPhase]| Ok(Some(Planned { state, phases: phases.to_vec() }));
    match (step, delivery.state) {
        (RiderStep::Accept, S::Offered) if delivery.offer_expires_at.is_some_and(|at| at <= now) => {
            Err(RiderRefusal::Lapsed)
        }
        (RiderStep::Accept, S::Offered) => to(S::Assigned, &[DeliveryPhase::Assigned]),
        (RiderStep::Decline, S::Offered) => to(S::Waiting, &[]),
        (RiderStep::AtStore, S::Assigned) => to(S::AtStore, &[DeliveryPhase::AtStore]),
        // Some riders do not say that they have arrived.
        (RiderStep::PickedUp, S::Assigned | S::AtStore) => {
            to(S::PickedUp, &[DeliveryPhase::PickedUp, DeliveryPhase::OutForDelivery])
        }
        (RiderStep::Delivered, S::PickedUp) => to(S::Delivered, &[DeliveryPhase::Delivered]),
        (RiderStep::Failed { why }, S::Assigned | S::AtStore | S::PickedUp) => {
            let chars = why.trim().chars().count();
            if chars == 0 || chars > NOTE_CHARS_MAX {
                return Err(RiderRefusal::Why);
            }
            to(S::Failed, &[DeliveryPhase::Failed])
        }
        (RiderStep::Accept, S::Assigned | S::AtStore | S::PickedUp | S::Delivered)
        | (RiderStep::AtStore, S::AtStore | S::PickedUp | S::Delivered)
        | (RiderStep::PickedUp, S::PickedUp | S::Delivered)
        | (RiderStep::Delivered, S::Delivered)
        | (RiderStep::Failed { .. }, S::Failed) => Ok(None),
        (
            RiderStep::Accept
            | RiderStep::Decline
            | RiderStep::AtStore
            | RiderStep::PickedUp
            | RiderStep::Delivered
            | RiderStep::Failed { .. },
            state,
        ) => Err(RiderRefusal::OutOfOrder(state)),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Planned {
    state: DeliveryState,
    phases: Vec<DeliveryPhase>,
}

async fn take(
    tx: &mut SiteTx,
    rider: RiderId,
    order: OrderId,
    step: &RiderStep,
    real: Timestamp,
) -> Result<(), WorkError<RiderRefusal>> {
    let known = deliveries::find_in(tx.sql(), &order).await?;
    let delivery = known.ok_or(WorkError::Refused(RiderRefusal::NotYours))?;
    if delivery.rider != Some(rider) {
        // An offer that went on to the next is not a secret: this rider has seen it.
        let refusal = if *step == RiderStep::Accept { RiderRefusal::Lapsed } else { RiderRefusal::NotYours };
        return Err(WorkError::Refused(refusal));
    }
    let Some(Planned { state, phases }) = plan(&delivery, step, tx.now()).map_err(WorkError::Refused)? else {
        return Ok(());
    };
    if state == DeliveryState::Waiting {
        back_to_waiting(tx.sql(), delivery).await?;
        return Ok(());
    }
    if let RiderStep::Failed { why } = step {
        tracing::warn!(%order, %rider, why, "a delivery has failed");
    }
    let moved = Delivery { state, offer_expires_at: None, ..delivery };
    deliveries::put(tx.sql(), &moved).await?;
    if matches!(state, DeliveryState::Delivered | DeliveryState::Failed)
        && let Some(live) = tx.order(&order).await?
    {
        deliveries::earn(tx.sql(), &moved, &rider, live.view.header.currency, real).await?;
    }
    let attempt = moved.attempt;
    let fact = |phase| Change::Order(order, OrderFact::Delivery { attempt, phase });
    let facts: Vec<Change> = phases.into_iter().map(fact).collect();
    tx.commit(Actor::Rider(rider), &facts).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_sync::domain::id::SiteId;

    #[test]
    fn u3_a_delivery_goes_its_way_and_a_repeated_tap_changes_nothing() {
        use DeliveryState as S;
        let now = Timestamp(1_000);
        let delivery = |state| Delivery {
            order: OrderId::derived(&["o"]),
            site: SiteId::derived(&["s"]),
            state,
            attempt: 1,
            rider: Some(RiderId::derived(&["r"])),
            offer_expires_at: Some(Timestamp(2_000)),
            ready_at: now,
            earn_minor: 1,
        };
        let failed = || RiderStep::Failed { why: "nobody there".into() };
        let rows = [
            (RiderStep::Accept, S::Offered, Ok(Some(S::Assigned))),
            (RiderStep::Accept, S::Assigned, Ok(None)),
            (RiderStep::Accept, S::Ended, Err(RiderRefusal::OutOfOrder(S::Ended))),
            (RiderStep::Decline, S::Offered, Ok(Some(S::Waiting))),
            (RiderStep::Decline, S::Assigned, Err(RiderRefusal::OutOfOrder(S::Assigned))),
            (RiderStep::AtStore, S::Assigned, Ok(Some(S::AtStore))),
            (RiderStep::PickedUp, S::Assigned, Ok(Some(S::PickedUp))),
            (RiderStep::PickedUp, S::AtStore, Ok(Some(S::PickedUp))),
            (RiderStep::PickedUp, S::PickedUp, Ok(None)),
            (RiderStep::Delivered, S::PickedUp, Ok(Some(S::Delivered))),
            (RiderStep::Delivered, S::AtStore, Err(RiderRefusal::OutOfOrder(S::AtStore))),
            (RiderStep::Delivered, S::Delivered, Ok(None)),
            (failed(), S::PickedUp, Ok(Some(S::Failed))),
            (failed(), S::Delivered, Err(RiderRefusal::OutOfOrder(S::Delivered))),
            (RiderStep::Failed { why: " ".into() }, S::PickedUp, Err(RiderRefusal::Why)),
        ];
        for (step, state, expected) in rows {
            let planned = plan(&delivery(state), &step, now).map(|planned| planned.map(|planned| planned.state));
            assert_eq!(planned, expected, "{step:?} {state:?}");
        }
        assert_eq!(plan(&delivery(S::Offered), &RiderStep::Accept, Timestamp(2_000)), Err(RiderRefusal::Lapsed));
    }
}
