//! Whether a kitchen that has so much to do keeps what a guest at home was told. A pure forecast: no clock, no order, only work.

use crate::domain::menu::StationId;

/// What passes beside making and riding: packing, handing over, in minutes.
const HANDLING_MINUTES: u32 = 5;
/// Tickets that a station makes side by side, unless the site says otherwise.
pub const SIDE_BY_SIDE: u32 = 12;

/// One ticket at one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Where.
    pub station: StationId,
    /// How long it still takes, in seconds.
    pub left_s: u32,
}

/// When the last of what an order needs is made, in seconds from now. Each station takes its tickets in the order of `open`, so many side
/// by side, and the order's own after them.
pub fn ready_in_s(open: &[Work], needs: &[Work], side_by_side: u32) -> u64 {
    needs.iter().map(|need| starts_in_s(open, &need.station, side_by_side) + u64::from(need.left_s)).max().unwrap_or(0)
}

/// When a station has a place for one more.
fn starts_in_s(open: &[Work], station: &StationId, side_by_side: u32) -> u64 {
    let places = usize::try_from(side_by_side.max(1)).unwrap_or(usize::MAX);
    // When each taken place is free.
    let mut free: Vec<u64> = Vec::new();
    for work in open.iter().filter(|work| work.station == *station) {
        let left_s = u64::from(work.left_s);
        if free.len() < places {
            free.push(left_s);
        } else if let Some(first) = free.iter_mut().min() {
            *first += left_s;
        }
    }
    if free.len() < places { 0 } else { free.into_iter().min().unwrap_or(0) }
}

/// What a guest is told, in minutes from when it can begin: what is to be done, handling, and what a kitchen says that it is busy; at most half
/// as much again.
pub fn told_minutes(doing_s: u32, busy_minutes: u32) -> (u32, u32) {
    let least = doing_s.div_ceil(60).saturating_add(HANDLING_MINUTES).saturating_add(busy_minutes);
    (least, least.saturating_add(least / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(station: &str, minutes: u32) -> Work {
        Work { station: StationId::parse(station).unwrap(), left_s: minutes * 60 }
    }

    #[test]
    fn q7_what_a_kitchen_has_open_says_when_one_more_is_ready() {
        let full = |minutes: &[u32]| minutes.iter().map(|minutes| work("oven", *minutes)).collect::<Vec<_>>();
        let needs = [work("oven", 10), work("cold", 2)];
        let rows: [(&[u32], u32, u64); 7] = [
            (&[], 2, 10),
            (&[9], 2, 10),
            // Both places are taken: it begins when the first is free.
            (&[9, 4], 2, 14),
            (&[4, 9], 2, 14),
            // The third takes the first free place, the order the next one.
            (&[4, 9, 10], 2, 19),
            (&[5, 5, 5, 5], 1, 30),
            // A kitchen with no place has one.
            (&[5], 0, 15),
        ];
        for (open, side_by_side, minutes) in rows {
            assert_eq!(ready_in_s(&full(open), &needs, side_by_side), minutes * 60, "{open:?} {side_by_side}");
        }
        let elsewhere = [work("fry", 50), work("fry", 50)];
        assert_eq!(ready_in_s(&elsewhere, &needs, 1), 600, "another station's work is no matter");
        assert_eq!(ready_in_s(&full(&[5]), &[], 1), 0);
    }

    #[test]
    fn q7_a_guest_was_told_making_handling_and_busy_and_half_as_much_again() {
        for (making_s, busy, minutes) in [(300, 0, (10, 15)), (301, 0, (11, 16)), (300, 20, (30, 45)), (0, 0, (5, 7))] {
            assert_eq!(told_minutes(making_s, busy), minutes, "{making_s} {busy}");
        }
        assert_eq!(told_minutes(u32::MAX, u32::MAX), (u32::MAX, u32::MAX));
    }
}
