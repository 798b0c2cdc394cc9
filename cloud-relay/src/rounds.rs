//! What the relay does by the clock: sites that went away or came back, orders whose time is over, offers to riders, wishes for rights;
//! and it sweeps the database's log, so that no commit waits for that and what was deleted is gone.

use crate::app::App;
use crate::ordering::desk::Desk;
use crate::sites::node_registry::Sites;
use pilotlight_edge::clock::Stopwatch;
use pilotlight_sync::domain::id::SiteId;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Looks so often, in real time: business time may run faster.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Planning for riders takes no more than one part in so many of the time: who is flooded with orders plans less often.
const PLANNING_SHARE: u32 = 10;
/// Nor is it done more often than this, in business or in real time, whichever is faster.
const PLAN_EVERY: Duration = Duration::from_secs(2);

/// The database's log is swept so often, in looks.
const LOOKS_A_SWEEP: u32 = 100;

/// Makes its rounds until the relay stops.
pub async fn run(app: Arc<App>) {
    let mut open = BTreeMap::new();
    let mut looks = 0;
    let (watch, mut planned_again_at, mut planned_at) = (Stopwatch::start(), Duration::ZERO, None);
    while tokio::time::timeout(LOOK_EVERY, app.stopping.cancelled()).await.is_err() {
        follow_links(&app.sites, &app.desk, &mut open).await;
        if let Err(error) = app.desk.sweep().await {
            tracing::error!(%error, "orders whose time has come could not be found");
        }
        let (begun, now) = (watch.elapsed(), app.clock.now());
        let is_due = planned_at.is_none_or(|(real, business): (Duration, Timestamp)| {
            (begun - real).max(Duration::from_millis(now.ms_since(business))) >= PLAN_EVERY
        });
        if begun >= planned_again_at && is_due {
            planned_at = Some((begun, now));
            if let Err(error) = app.riders.round().await {
                tracing::error!(%error, "orders could not be offered to riders");
            }
            let ended = watch.elapsed();
            planned_again_at = ended + (ended - begun) * (PLANNING_SHARE - 1);
        }
        looks += 1;
        if looks >= LOOKS_A_SWEEP {
            let swept = app.database.sweep_log().await.unwrap_or_else(|error| {
                tracing::error!(%error, "the database's log could not be swept");
                false
            });
            // Who writes has waited a little: it is tried again after a second, not at once.
            looks = if swept { 0 } else { LOOKS_A_SWEEP - 10 };
        }
    }
}

/// Holds and releases orders as sites close and open. A site that was not looked at before counts as closed: what an earlier run
/// left unaccepted is held until its node is back.
pub async fn follow_links(sites: &Sites, desk: &Desk, known: &mut BTreeMap<SiteId, bool>) {
    for site in sites.all() {
        let is_open = sites.is_open(&site);
        let was_open = known.insert(site.facts.id, is_open);
        let done = match (was_open, is_open) {
            (Some(true), false) => desk.hold(&site).await,
            (None, is_open) => match desk.hold(&site).await {
                Ok(()) if is_open => desk.release(&site).await,
                other => other,
            },
            (Some(false), true) => desk.release(&site).await,
            (Some(true), true) => desk.wish(&site).await,
            (Some(false), false) => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(site = %site.facts.id, %error, "a site's orders could not be held, released or supplied");
            // Looked at again as if for the first time: holding and releasing twice changes nothing.
            known.remove(&site.facts.id);
        }
    }
}
