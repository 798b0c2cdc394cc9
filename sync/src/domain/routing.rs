//! Splits an order into one ticket a station. Reads nothing, writes nothing.

use crate::domain::id::LineId;
use crate::domain::pricing::PricedLine;
use crate::domain::ticket::TicketKey;
use std::collections::BTreeMap;

/// One station's share: its lines in the order's sequence, and how long it should take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// What to make.
    pub lines: Vec<LineId>,
    /// Estimated time to make it, in seconds.
    pub estimate_s: u32,
}

/// Every line on exactly one station (SPEC K1).
///
/// A station makes portions of a line side by side: each portion after the first adds a quarter of the line's time, and
/// the longest line decides.
pub fn route<'a>(lines: impl IntoIterator<Item = &'a PricedLine>) -> BTreeMap<TicketKey, Share> {
    let mut shares: BTreeMap<TicketKey, Share> = BTreeMap::new();
    for line in lines {
        let key = TicketKey { station: line.station.clone(), course: 0 };
        let share = shares.entry(key).or_insert(Share { lines: Vec::new(), estimate_s: 0 });
        share.lines.push(line.id);
        share.estimate_s = share.estimate_s.max(line_estimate_s(line));
    }
    shares
}

/// Estimated time to make one line, in seconds.
pub fn line_estimate_s(line: &PricedLine) -> u32 {
    let extra = line.prep_s / 4 * line.quantity.saturating_sub(1).min(20);
    line.prep_s.saturating_add(extra)
}
