//! Fills the archive of a data directory with so many old orders, copies of its latest one: what `cargo figures history` measures on.
//!
//! `old_orders DATA ORDERS DAYS`. The store must have an order that was handed over, and no node may have it open. The ids are derived
//! from `old order` and a number, so that whoever measures knows them.

use anyhow::{Context as _, ensure};
use pilotlight_edge::clock::Clock;
use pilotlight_node::archive::taking::Stored;
use pilotlight_node::opening::{self, Paths};
use pilotlight_sync::crdt::facts::Fact;
use pilotlight_sync::doc::order::{OrderDoc, OrderFact};
use pilotlight_sync::domain::business_day::{DayNumber, DayRule};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::timestamp::Timestamp;

const DAY_MS: u64 = 86_400_000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("old_orders DATA ORDERS DAYS");
    let paths = Paths { data: next()?.into() };
    let (orders, days): (u32, u32) = (next()?.parse()?, next()?.parse()?);
    ensure!(days > 0 && orders >= days, "at least one order a day");
    let replica = opening::open(&paths, &Clock::machine())?;
    let (newest, latest) = *replica.latest_here(Timestamp(u64::MAX), 1)?.first().context("a store with an order")?;
    let model = replica.order(&latest)?.context("its latest order")?;
    let settings = replica.site().settings().context("a site")?;
    let rule = DayRule::new(&settings.time_zone, settings.roll_over_hour)?;
    let archive = replica.archive();
    ensure!(archive.make_ready()?, "the archive cannot be written");
    let of_day = orders / days;
    for day in 0..days {
        // The first day lies the furthest back; its orders come one after the other within ten hours.
        let begin = newest.0.saturating_sub(u64::from(days - day + 3) * DAY_MS);
        let copies = (0..of_day).map(|n| {
            let placed_at = Timestamp(begin + u64::from(n) * 36_000_000 / u64::from(of_day));
            let id = OrderId::derived(&["old order", &(day * of_day + n).to_string()]);
            let document = minicbor::to_vec(copy(&model.doc, placed_at, day, n)).unwrap_or_default();
            Stored { id, placed_at, document }
        });
        let taken = archive.take_in(copies.collect(), &rule);
        ensure!(taken.len() == of_day as usize, "day {day} was not archived");
    }
    Ok(archive.sweep()?)
}

/// The order as if it had been placed then.
fn copy(model: &OrderDoc, placed_at: Timestamp, day: u32, number: u32) -> OrderDoc {
    let mut copy = OrderDoc::default();
    for fact in model.in_order() {
        let mut what = fact.what.clone();
        if let OrderFact::Placed(header) = &mut what {
            header.placed_at = placed_at;
        }
        if let OrderFact::Sent { day: of, counter, .. } = &mut what {
            (*of, *counter) = (DayNumber(day), number);
        }
        copy.insert(Fact { id: fact.id, at: fact.at, by: fact.by, what, way: fact.way });
    }
    copy
}
