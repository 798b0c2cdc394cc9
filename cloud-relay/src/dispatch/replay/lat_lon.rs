//! Reads a day by latitude and longitude: `orders.csv` and `couriers.csv` of three days in Colombia.
//!
//! Its files name neither speed, service nor pay: those below stand in, and the README says so.

use super::day::{Day, DayOrder, DayRider};
use super::table::Table;
use crate::dispatch::kernel::metric::{Metric, Spot, Surface};
use crate::dispatch::kernel::world::{Pay, Rules, ShopNo};
use std::collections::BTreeMap;
use std::path::Path;

/// As the crow flies, in metres a second: 320 m a minute, as in the benchmark.
const METRES_PER_S: f64 = 320.0 / 60.0;
/// Half of the service at either end.
const HALF_S: i32 = 120;
/// The promised click-to-door.
const TARGET_S: i32 = 40 * 60;
/// Pay as in the benchmark.
const PAY: Pay = Pay { order: 10.0, hour: 15.0 };
/// Seconds of a day: a shift that ends before it begins ends on the next.
const DAY_S: i32 = 86_400;

/// Reads a day's folder.
///
/// # Errors
/// Names the file, the column and the row that cannot be read.
pub fn read(folder: &Path) -> anyhow::Result<Day> {
    let orders = Table::read(&folder.join("orders.csv"), ',')?;
    let couriers = Table::read(&folder.join("couriers.csv"), ',')?;
    let spot = |table: &Table, row: &[String], lat: &str, lon: &str| {
        Ok::<Spot, anyhow::Error>(Spot { x: table.coordinate(row, lon)?, y: table.coordinate(row, lat)? })
    };
    // A restaurant is where orders are picked up: it has no other name.
    let mut numbers: BTreeMap<(String, String), ShopNo> = BTreeMap::new();
    let (mut names, mut spots) = (Vec::new(), BTreeMap::new());
    let mut read = Vec::new();
    for row in &orders.rows {
        let at = (orders.cell(row, "pick_up_lat")?.to_owned(), orders.cell(row, "pick_up_lng")?.to_owned());
        let next = ShopNo(u32::try_from(names.len())?);
        let shop = *numbers.entry(at).or_insert(next);
        if shop == next {
            spots.insert(shop, spot(&orders, row, "pick_up_lat", "pick_up_lng")?);
            names.push(format!("r{}", shop.0 + 1));
        }
        read.push(DayOrder {
            name: format!("o{}", orders.cell(row, "order_id")?),
            shop,
            to: spot(&orders, row, "drop_off_lat", "drop_off_lng")?,
            placed_s: orders.clock_s(row, "placement_time")?,
            ready_s: orders.clock_s(row, "ready_time")?,
        });
    }
    let rider = |row: &Vec<String>| {
        let (on_s, off_s) = (couriers.clock_s(row, "on_time")?, couriers.clock_s(row, "off_time")?);
        Ok(DayRider {
            name: format!("c{}", couriers.cell(row, "courier_id")?),
            place: spot(&couriers, row, "on_lat", "on_lng")?,
            on_s,
            off_s: if off_s < on_s { off_s + DAY_S } else { off_s },
        })
    };
    Ok(Day {
        name: folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        rules: Rules {
            metric: Metric { surface: Surface::Earth, metres_per_s: METRES_PER_S, step_s: 1 },
            pickup_half_s: HALF_S,
            dropoff_half_s: HALF_S,
            target_s: TARGET_S,
            pay: PAY,
            shops: spots,
        },
        shops: names,
        orders: read,
        riders: couriers.rows.iter().map(rider).collect::<anyhow::Result<_>>()?,
    })
}
