//! A round of dispatch: reads how things stand, plans, and writes what riders are asked. What changed between reading and writing is
//! left to the next round.

use crate::dispatch::desk::{RiderDesk, back_to_waiting};
use crate::dispatch::kernel::explain::Names;
use crate::dispatch::kernel::world::{OrderNo, RiderNo, ShopNo};
use crate::dispatch::offers::{Courier, Job, Leg, Offer, Round, SHIFT_S, free, offers};
use crate::geo::Place;
use crate::sites::site_handle::SiteHandle;
use crate::store::deliveries::{self, Delivery, DeliveryState, ToBring};
use crate::store::people::{self, OnShift};
use crate::store::{StoreError, Tx};
use jiff::tz::TimeZone;
use pilotlight_sync::domain::id::{OrderId, RiderId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// A rider has so long to answer an offer, in milliseconds of business time.
pub const OFFER_MS: u64 = 120_000;
/// So many orders are planned in a round, those that are ready first; the rest waits for the next.
const ORDERS_MAX: u32 = 1_000;

/// How things stood when a round was planned.
#[derive(Debug, Default)]
struct Standing {
    jobs: Vec<Job>,
    couriers: Vec<Courier>,
    /// What riders are called.
    names: BTreeMap<RiderId, String>,
    /// Deliveries of the jobs.
    waiting: BTreeMap<OrderId, Delivery>,
    /// Those whose offer has lapsed.
    lapsed: BTreeSet<OrderId>,
    /// Everybody has passed them: they are asked again rather than nobody.
    asked_again: BTreeSet<OrderId>,
}

impl Standing {
    /// Orders of which another reason is kept than the one for which nobody brings them now.
    fn told_otherwise(&self, round: &Round) -> Vec<(OrderId, Option<String>)> {
        let waiting = self.waiting.values().filter(|delivery| delivery.state == DeliveryState::Waiting);
        let why_not = waiting.map(|delivery| {
            let why = round.unserved.get(&delivery.order).map(ToString::to_string);
            (delivery.order, why, &delivery.why)
        });
        why_not.filter(|(_, why, kept)| why != *kept).map(|(order, why, _)| (order, why)).collect()
    }
}

impl RiderDesk {
    /// Offers orders to riders; lapsed offers go on to the next. Returns how many riders were asked.
    pub async fn round(&self) -> Result<usize, StoreError> {
        if !deliveries::any_unassigned(&self.database).await? {
            return Ok(0);
        }
        let now = self.clock.now();
        let standing = self.standing(now).await?;
        let previous = self.planned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A plan takes up to a tenth of a second of a core: not one that serves.
        let planning = tokio::task::spawn_blocking(move || {
            let round = offers(&standing.jobs, &standing.couriers, &previous, now);
            (standing, round)
        });
        let Ok((standing, round)) = planning.await else {
            tracing::error!("a round of dispatch panicked; the next one begins without its plan");
            *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
            return Ok(0);
        };
        let asked = self.write(&standing, &round, now).await?;
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = round.planned;
        metrics::counter!("pilotlight_offers_total").increment(asked as u64);
        metrics::gauge!("pilotlight_orders_nobody_brings").set(round.unserved.len() as f64);
        Ok(asked)
    }

    async fn standing(&self, now: Timestamp) -> Result<Standing, StoreError> {
        let mut reader = self.database.reader().await?;
        let open = deliveries::unassigned(&mut reader, ORDERS_MAX).await?;
        let under_way = deliveries::under_way(&mut reader).await?;
        let on_shift = people::on_shift(&mut reader).await?;
        let mut passed = deliveries::passed(&mut reader).await?;
        let shift_began = Timestamp(self.clock.real().0.saturating_sub(u64::from(SHIFT_S.unsigned_abs()) * 1_000));
        let brought = deliveries::brought_since(&mut reader, shift_began).await?;
        drop(reader);
        let mut standing = Standing::default();
        let (asked, waiting): (Vec<ToBring>, Vec<ToBring>) =
            open.into_iter().partition(|open| is_asked(&open.delivery, now));
        let mut legs: BTreeMap<RiderId, Vec<Leg>> = BTreeMap::new();
        for busy in under_way.into_iter().chain(asked) {
            if let (Some(rider), Some(leg)) = (busy.delivery.rider, self.leg(&busy)) {
                legs.entry(rider).or_default().push(leg);
            }
        }
        for OnShift { rider, asked, said_yes } in on_shift {
            let Some(place) = rider.place.and_then(|(lat, lon)| Place::new(lat, lon)) else { continue };
            let under_way = legs.remove(&rider.id).unwrap_or_default();
            let brought = brought.get(&rider.id).copied().unwrap_or(0);
            let (seen_at, asked) = (rider.seen_at, (asked, said_yes));
            standing.couriers.push(Courier { rider: rider.id, place, seen_at, under_way, brought, asked });
            standing.names.insert(rider.id, rider.name);
        }
        for ToBring { delivery, address, placed_at } in waiting {
            let Some(site) = self.sites.get(&delivery.site) else { continue };
            let mut passed = passed.remove(&delivery.order).unwrap_or_default();
            if delivery.state == DeliveryState::Offered {
                standing.lapsed.insert(delivery.order);
                passed.extend(delivery.rider);
            }
            let mut others = standing.couriers.iter().filter(|courier| free(courier, now).is_some()).peekable();
            if others.peek().is_some() && others.all(|courier| passed.contains(&courier.rider)) {
                standing.asked_again.insert(delivery.order);
                passed.clear();
            }
            let to = address.and_then(|address| Place::new(address.lat, address.lon));
            let (store, ready_at) = (place_of(&site), delivery.ready_at);
            standing.jobs.push(Job {
                order: delivery.order,
                site: delivery.site,
                store,
                to,
                placed_at,
                ready_at,
                passed,
            });
            standing.waiting.insert(delivery.order, delivery);
        }
        Ok(standing)
    }

    fn leg(&self, busy: &ToBring) -> Option<Leg> {
        let to = busy.address.as_ref().and_then(|address| Place::new(address.lat, address.lon));
        let delivery = &busy.delivery;
        let picked_up = delivery.state == DeliveryState::PickedUp;
        let store = place_of(&self.sites.get(&delivery.site)?);
        Some(Leg { store, to, picked_up, ready_at: delivery.ready_at, since: delivery.since })
    }

    /// Writes what was decided, as far as it still holds. Returns how many riders were asked.
    async fn write(&self, standing: &Standing, round: &Round, now: Timestamp) -> Result<usize, StoreError> {
        let told_otherwise = standing.told_otherwise(round);
        if standing.lapsed.is_empty() && round.offers.is_empty() && told_otherwise.is_empty() {
            return Ok(0);
        }
        let numbers = self.numbers(round).await;
        let mut tx = self.database.begin().await?;
        for order in &standing.lapsed {
            let known = deliveries::find_in(&mut tx, order).await?;
            if let Some(known) = known.filter(|known| known.state == DeliveryState::Offered && !is_asked(known, now)) {
                back_to_waiting(&mut tx, known, now).await?;
            }
        }
        for order in &standing.asked_again {
            deliveries::forget_passed(&mut tx, order).await?;
        }
        for (order, why) in told_otherwise {
            if let Some(known) = waits(&mut tx, &order).await? {
                deliveries::put(&mut tx, &Delivery { why, ..known }).await?;
            }
        }
        let mut asked = 0;
        for offer in &round.offers {
            let names = LiveNames { round, desk: self, riders: &standing.names, numbers: &numbers, now };
            asked += usize::from(ask(&mut tx, offer, &names).await?);
        }
        tx.commit().await?;
        Ok(asked)
    }

    /// What the orders that are offered are called in their restaurants.
    async fn numbers(&self, round: &Round) -> BTreeMap<OrderId, String> {
        let offered = round.offers.iter().flat_map(|offer| offer.orders.iter().map(|order| (*order, offer.site)));
        let offered: Vec<(OrderId, SiteId)> = offered.collect();
        let mut numbers = BTreeMap::new();
        for (order, site) in offered {
            let Some(site) = self.sites.get(&site) else { continue };
            // Without its number it is called by its id: nothing depends on it.
            if let Ok(Some(live)) = site.order(&self.database, order).await
                && let Some((_, number)) = &live.view.number
            {
                numbers.insert(order, number.clone());
            }
        }
        numbers
    }
}

/// Whether a rider may still say yes.
fn is_asked(delivery: &Delivery, now: Timestamp) -> bool {
    delivery.state == DeliveryState::Offered && delivery.offer_expires_at.is_some_and(|at| at > now)
}

fn place_of(site: &SiteHandle) -> Place {
    Place { lat: site.facts.lat, lon: site.facts.lon }
}

/// The delivery, if it still waits for a rider.
async fn waits(tx: &mut Tx, order: &OrderId) -> Result<Option<Delivery>, StoreError> {
    Ok(deliveries::find_in(tx, order).await?.filter(|known| known.state == DeliveryState::Waiting))
}

/// Asks a rider for a trip, if all of it still waits and the rider has nothing else. `false`: not now.
async fn ask(tx: &mut Tx, offer: &Offer, names: &LiveNames<'_>) -> Result<bool, StoreError> {
    if deliveries::of_rider(tx, &offer.rider).await?.is_some() {
        return Ok(false);
    }
    let mut trip = Vec::new();
    for order in &offer.orders {
        let Some(known) = waits(tx, order).await? else { return Ok(false) };
        trip.push(known);
    }
    let why = offer.reason.line(names);
    for (stop, known) in (0..).zip(trip) {
        let (rider, offer_expires_at) = (Some(offer.rider), Some(names.now.plus_ms(OFFER_MS)));
        let (trip, why) = (offer.orders.first().copied(), Some(why.clone()));
        let (state, since) = (DeliveryState::Offered, names.now);
        deliveries::put(tx, &Delivery { state, rider, offer_expires_at, trip, stop, since, why, ..known }).await?;
    }
    // People are in the database only: the log calls them by their ids.
    let why = offer.reason.line(&LiveNames { riders: &BTreeMap::new(), ..*names });
    tracing::info!(rider = %offer.rider, orders = ?offer.orders, why, "a rider is asked");
    Ok(true)
}

/// What things are called in the line that says why.
#[derive(Clone, Copy)]
struct LiveNames<'a> {
    round: &'a Round,
    desk: &'a RiderDesk,
    riders: &'a BTreeMap<RiderId, String>,
    numbers: &'a BTreeMap<OrderId, String>,
    now: Timestamp,
}

/// An id that has no name, short enough for a line.
fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(8).collect()
}

fn at<T: Copy>(list: &[T], no: u32) -> Option<T> {
    list.get(usize::try_from(no).ok()?).copied()
}

impl LiveNames<'_> {
    fn site(&self, shop: ShopNo) -> Option<SiteHandle> {
        let site: SiteId = at(&self.round.sites, shop.0)?;
        self.desk.sites.get(&site)
    }
}

impl Names for LiveNames<'_> {
    fn order(&self, order: OrderNo) -> String {
        let Some(order) = at(&self.round.orders, order.0) else { return String::new() };
        self.numbers.get(&order).cloned().unwrap_or_else(|| short(&order))
    }

    fn rider(&self, rider: RiderNo) -> String {
        let Some(rider) = at(&self.round.riders, rider.0) else { return String::new() };
        self.riders.get(&rider).cloned().unwrap_or_else(|| short(&rider))
    }

    fn shop(&self, shop: ShopNo) -> String {
        self.site(shop).map_or_else(String::new, |site| site.facts.name.clone())
    }

    fn clock(&self, shop: ShopNo, at_s: i32) -> String {
        let zone = self.site(shop).and_then(|site| Some(site.shown().borrow().settings.as_ref()?.time_zone.clone()));
        let zone = zone.and_then(|zone| TimeZone::get(&zone).ok()).unwrap_or(TimeZone::UTC);
        let now_ms = i64::try_from(self.now.0).unwrap_or(i64::MAX);
        let moment = jiff::Timestamp::from_millisecond(now_ms.saturating_add(i64::from(at_s) * 1_000));
        moment.map_or_else(|_| String::new(), |moment| moment.to_zoned(zone).strftime("%H:%M").to_string())
    }
}
