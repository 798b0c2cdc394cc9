//! What riders do: shifts, offers, deliveries. Each step of a delivery is a fact in the site's log, in one transaction with its row.

use crate::dispatch::offers::Planned;
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
use pilotlight_sync::domain::id::{OrderId, RiderId, SiteId};
use pilotlight_sync::domain::payment::DeliveryPhase;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NOTE_CHARS_MAX;
use std::sync::{Arc, Mutex};

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

impl RiderStep {
    /// Whether it is said of all orders of a trip at once; the rest is said of each.
    const fn is_of_the_trip(&self) -> bool {
        match self {
            Self::Accept | Self::Decline | Self::AtStore => true,
            Self::PickedUp | Self::Delivered | Self::Failed { .. } => false,
        }
    }
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
    /// The whole trip, this delivery included, in the sequence of the drop-offs.
    pub trip: Vec<Delivery>,
}

/// Riders' work.
#[derive(Debug)]
pub struct RiderDesk {
    pub(super) database: Database,
    pub(super) clock: Clock,
    pub(super) sites: Arc<Sites>,
    /// What the last round planned: a hint, nobody was told.
    pub(super) planned: Mutex<Planned>,
}

impl RiderDesk {
    /// A desk over this database and these restaurants.
    pub fn new(database: Database, clock: Clock, sites: Arc<Sites>) -> Self {
        Self { database, clock, sites, planned: Mutex::default() }
    }

    /// Moves a rider, and begins or ends the shift when that is said.
    pub async fn place(&self, rider: &RiderId, place: Place, on_shift: Option<bool>) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        people::place_rider(&mut tx, rider, (place.lat, place.lon), on_shift, self.clock.now()).await?;
        tx.commit().await
    }

    /// A rider, and what they do now.
    pub async fn task(&self, rider: &RiderId) -> Result<Option<(Rider, Option<Task>)>, StoreError> {
        let Some(rider) = people::rider(&self.database, rider).await? else { return Ok(None) };
        let mut reader = self.database.reader().await?;
        let Some(delivery) = deliveries::of_rider(&mut reader, &rider.id).await? else {
            return Ok(Some((rider, None)));
        };
        let trip = deliveries::of_trip(&mut reader, &delivery).await?;
        drop(reader);
        let lapsed = delivery.offer_expires_at.is_some_and(|at| at <= self.clock.now());
        if delivery.state == DeliveryState::Offered && lapsed {
            return Ok(Some((rider, None)));
        }
        let task = self.see(delivery, trip).await?;
        Ok(Some((rider, task)))
    }

    async fn see(&self, delivery: Delivery, trip: Vec<Delivery>) -> Result<Option<Task>, StoreError> {
        let kept = cloud_orders::find(&self.database, &delivery.order).await?;
        let (Some(kept), Some(site)) = (kept, self.sites.get(&delivery.site)) else { return Ok(None) };
        let damaged = |why: String| StoreError::Damaged { table: "site_doc", why };
        let live = site.order(&self.database, delivery.order).await.map_err(|error| damaged(error.to_string()))?;
        let Some(live) = live else { return Ok(None) };
        let customer = people::customer(&self.database, &kept.customer).await?;
        Ok(Some(Task { delivery, kept, live, site, customer, trip }))
    }

    /// A restaurant's deliveries, those that are due last first, each with its rider: for the operator.
    pub async fn of_site(&self, site: &SiteId, limit: u32) -> Result<Vec<(Delivery, Option<Rider>)>, StoreError> {
        let mut shown = Vec::new();
        for delivery in deliveries::of_site(&self.database, site, limit).await? {
            let rider = match &delivery.rider {
                Some(rider) => people::rider(&self.database, rider).await?,
                None => None,
            };
            shown.push((delivery, rider));
        }
        Ok(shown)
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

    /// Takes a rider's step. Saying it again changes nothing.
    pub async fn step(&self, rider: RiderId, order: OrderId, step: RiderStep) -> Result<(), WorkError<RiderRefusal>> {
        let delivery = deliveries::find(&self.database, &order).await?;
        let site = delivery.and_then(|delivery| self.sites.get(&delivery.site));
        let site = site.ok_or(WorkError::Refused(RiderRefusal::NotYours))?;
        let real = self.clock.real();
        site.run(move |tx| async move { take(tx, rider, order, &step, real).await }.boxed()).await
    }
}

/// A rider has passed: the next one is asked.
pub(super) async fn back_to_waiting(
    sql: &mut crate::store::Sql,
    delivery: Delivery,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(rider) = &delivery.rider {
        deliveries::pass(&mut *sql, &delivery.order, rider).await?;
        // A trip is one answer, whatever it holds.
        if delivery.trip.is_none_or(|trip| trip == delivery.order) {
            people::answered(&mut *sql, rider, false).await?;
        }
    }
    deliveries::put(&mut *sql, &delivery.waiting(now)).await
}

/// What a step does to a delivery: its next state and what the log says of it, or nothing when it was taken before.
fn plan(delivery: &Delivery, step: &RiderStep, now: Timestamp) -> Result<Option<Next>, RiderRefusal> {
    use DeliveryState as S;
    let to = |state, phases: &[DeliveryPhase]| Ok(Some(Next { state, phases: phases.to_vec() }));
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
struct Next {
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
    let Some(next) = plan(&delivery, step, tx.now()).map_err(WorkError::Refused)? else {
        return Ok(());
    };
    if let RiderStep::Failed { why } = step {
        tracing::warn!(%order, %rider, why, "a delivery has failed");
    }
    let moved = if step.is_of_the_trip() { trip_in_step(tx, &delivery).await? } else { vec![delivery] };
    if next.state == DeliveryState::Waiting {
        for passed in moved {
            let now = tx.now();
            back_to_waiting(tx.sql(), passed, now).await?;
        }
        return Ok(());
    }
    if *step == RiderStep::Accept {
        people::answered(tx.sql(), &rider, true).await?;
    }
    let mut facts = Vec::new();
    for delivery in moved {
        let moved = Delivery { state: next.state, offer_expires_at: None, since: tx.now(), ..delivery };
        deliveries::put(tx.sql(), &moved).await?;
        if matches!(next.state, DeliveryState::Delivered | DeliveryState::Failed)
            && let Some(live) = tx.order(&moved.order).await?
        {
            deliveries::earn(tx.sql(), &moved, &rider, live.view.header.currency, real).await?;
        }
        let fact = |phase: &DeliveryPhase| OrderFact::Delivery { attempt: moved.attempt, phase: *phase };
        facts.extend(next.phases.iter().map(|phase| Change::Order(moved.order, fact(phase))));
    }
    tx.commit(Actor::Rider(rider), &facts).await
}

/// What of a delivery's trip is as far as it is; a trip is of one restaurant, and so of one log.
async fn trip_in_step(tx: &mut SiteTx, delivery: &Delivery) -> Result<Vec<Delivery>, StoreError> {
    let mut trip = deliveries::of_trip(tx.sql(), delivery).await?;
    trip.retain(|other| other.state == delivery.state && other.site == delivery.site);
    Ok(trip)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            trip: None,
            stop: 0,
            since: now,
            why: None,
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
            let planned = plan(&delivery(state), &step, now).map(|planned| planned.map(|next| next.state));
            assert_eq!(planned, expected, "{step:?} {state:?}");
        }
        assert_eq!(plan(&delivery(S::Offered), &RiderStep::Accept, Timestamp(2_000)), Err(RiderRefusal::Lapsed));
    }
}
