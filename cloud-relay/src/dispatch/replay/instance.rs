//! Reads a Meal Delivery Routing Problem instance and writes its three solution files.

use super::day::{Day, DayOrder, DayRider};
use super::play::{Played, Stop};
use super::table::Table;
use crate::dispatch::kernel::metric::{Metric, Spot, Surface};
use crate::dispatch::kernel::world::{OrderNo, Pay, RiderNo, Rules, ShopNo};
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

fn spot(table: &Table, row: &[String]) -> anyhow::Result<Spot> {
    Ok(Spot { x: table.coordinate(row, "x")?, y: table.coordinate(row, "y")? })
}

/// Reads an instance's folder.
///
/// # Errors
/// Names the file, the column and the row that cannot be read.
pub fn read(folder: &Path) -> anyhow::Result<Day> {
    let parameters = Table::read(&folder.join("instance_parameters.txt"), '\t')?;
    let row = parameters.rows.first().context("instance_parameters.txt has no row")?;
    let parameter = |name| parameters.number(row, name);
    let time_s = |name| parameters.minutes_s(row, name);
    let shops = Table::read(&folder.join("restaurants.txt"), '\t')?;
    let (mut shop_names, mut shop_spots, mut shop_of) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for (no, row) in (0..).zip(&shops.rows) {
        let name = shops.cell(row, "restaurant")?.to_owned();
        shop_spots.insert(ShopNo(no), spot(&shops, row)?);
        shop_of.insert(name.clone(), ShopNo(no));
        shop_names.push(name);
    }
    let metres_per_minute = parameter("meters_per_minute")?;
    if metres_per_minute <= 0.0 {
        bail!("meters_per_minute is {metres_per_minute}: riders must move");
    }
    let rules = Rules {
        metric: Metric { surface: Surface::Plane, metres_per_s: metres_per_minute / 60.0, step_s: 60 },
        pickup_half_s: time_s("pickup service minutes")? / 2,
        dropoff_half_s: time_s("dropoff service minutes")? / 2,
        target_s: time_s("target click-to-door")?,
        pay: Pay { order: parameter("pay per order")?, hour: parameter("guaranteed pay per hour")? },
        shops: shop_spots,
    };
    let couriers = Table::read(&folder.join("couriers.txt"), '\t')?;
    let rider = |row: &Vec<String>| {
        Ok(DayRider {
            name: couriers.cell(row, "courier")?.to_owned(),
            place: spot(&couriers, row)?,
            on_s: couriers.minutes_s(row, "on_time")?,
            off_s: couriers.minutes_s(row, "off_time")?,
        })
    };
    let orders = Table::read(&folder.join("orders.txt"), '\t')?;
    let order = |row: &Vec<String>| {
        Ok(DayOrder {
            name: orders.cell(row, "order")?.to_owned(),
            shop: shop_of.get(orders.cell(row, "restaurant")?).copied().unwrap_or(ShopNo(u32::MAX)),
            to: spot(&orders, row)?,
            placed_s: orders.minutes_s(row, "placement_time")?,
            ready_s: orders.minutes_s(row, "ready_time")?,
        })
    };
    Ok(Day {
        name: folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        rules,
        shops: shop_names,
        orders: orders.rows.iter().map(order).collect::<anyhow::Result<_>>()?,
        riders: couriers.rows.iter().map(rider).collect::<anyhow::Result<_>>()?,
    })
}

/// Writes `solution_info_{assignments,orders,couriers}.txt` into a folder.
///
/// # Errors
/// Names the file that cannot be written.
pub fn write(folder: &Path, day: &Day, played: &Played) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let order_name = |no: OrderNo| day.order(no).map_or("", |order| order.name.as_str());
    let rider_name = |no: RiderNo| day.rider(no).map_or("", |rider| rider.name.as_str());
    let mut assignments = String::from("assignment_time pickup_time courier orders\n");
    let mut orders = String::from("order placement_time ready_time pickup_time dropoff_time courier\n");
    for trip in &played.brought {
        let rider = rider_name(trip.rider);
        let (told, pickup) = (time(trip.told_s), time(trip.pickup_s));
        let names: Vec<&str> = trip.drops.iter().map(|(no, _)| order_name(*no)).collect();
        writeln!(assignments, "{told} {pickup} {rider} {}", names.join(" "))?;
        for (no, drop_s) in &trip.drops {
            let Some(order) = day.order(*no) else { continue };
            let (placed, ready) = (time(order.placed_s), time(order.ready_s));
            writeln!(orders, "{} {placed} {ready} {pickup} {} {rider}", order.name, time(*drop_s))?;
        }
    }
    let mut moves: Vec<_> = played.moves.iter().collect();
    moves.sort_by_key(|ride| ride.rider);
    let mut couriers = String::from("courier departure_time origin destination\n");
    let shop = |no: ShopNo| usize::try_from(no.0).ok().and_then(|no| day.shops.get(no)).map_or("", String::as_str);
    let stop = |stop: Stop| match stop {
        Stop::Start => "0",
        Stop::Shop(no) => shop(no),
        Stop::Order(no) => order_name(no),
    };
    for ride in moves {
        let (rider, depart) = (rider_name(ride.rider), time(ride.depart_s));
        writeln!(couriers, "{rider} {depart} {} {}", stop(ride.from), stop(ride.to))?;
    }
    for (name, text) in [("assignments", assignments), ("orders", orders), ("couriers", couriers)] {
        let path = folder.join(format!("solution_info_{name}.txt"));
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Minutes, without a fraction where there is none.
fn time(seconds: i32) -> String {
    if seconds % 60 == 0 { (seconds / 60).to_string() } else { format!("{:.4}", f64::from(seconds) / 60.0) }
}
