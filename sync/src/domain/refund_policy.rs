//! How much of a captured payment goes back when an order is cancelled: one table, rounded once.

use crate::domain::money::BasisPoints;

/// A step of the table: requests younger than this get this share of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundStep {
    /// The age of the request, in milliseconds, below which the step holds.
    pub below_ms: u64,
    /// Of the base.
    pub share: BasisPoints,
}

/// A site's table, the youngest step first; older requests get nothing of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPolicy {
    /// Rising by age.
    pub steps: Vec<RefundStep>,
}

impl Default for RefundPolicy {
    /// 70 % within ten minutes of placement, 40 % within thirty.
    fn default() -> Self {
        let step =
            |minutes: u64, percent: u32| RefundStep { below_ms: minutes * 60_000, share: BasisPoints(percent * 100) };
        Self { steps: vec![step(10, 70), step(30, 40)] }
    }
}

/// What was captured, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured {
    /// Items, their tax and packaging: what the table's share is taken of.
    pub base_minor: i64,
    /// For bringing it.
    pub delivery_minor: i64,
    /// For the people.
    pub tip_minor: i64,
}

impl Captured {
    /// All of it.
    pub const fn total_minor(&self) -> i64 {
        self.base_minor + self.delivery_minor + self.tip_minor
    }
}

/// Who ended the order, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Before it was confirmed, or by the restaurant or the platform, or with the link down at the request: everything goes back.
    InFull,
    /// By the customer, or without a verdict while the link was up: by the table.
    ByTable {
        /// From placement to the request, by the relay's clock, in milliseconds.
        age_ms: u64,
        /// All stations were done at the request.
        ready: bool,
        /// A rider had accepted at the request.
        rider_assigned: bool,
    },
}

impl RefundPolicy {
    /// How much goes back, in minor units (SPEC G1): the tip always, the delivery fee unless a rider was assigned, and the table's share.
    pub fn refund_minor(&self, captured: &Captured, cause: Cause) -> i64 {
        match cause {
            Cause::InFull => captured.total_minor(),
            Cause::ByTable { age_ms, ready, rider_assigned } => {
                let step = self.steps.iter().find(|step| age_ms < step.below_ms && !ready);
                let share = step.map_or(0, |step| step.share.of(captured.base_minor));
                let fee = if rider_assigned { 0 } else { captured.delivery_minor };
                share + fee + captured.tip_minor
            }
        }
    }

    /// Until when, counted from placement in milliseconds, the same share would go back; `None` when it is nothing already.
    pub fn step_ends_ms(&self, age_ms: u64) -> Option<u64> {
        self.steps.iter().map(|step| step.below_ms).find(|below| age_ms < *below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked examples of the specification.
    const EXAMPLES: &str = include_str!("refund_examples.csv");

    #[test]
    fn g1_the_worked_examples_come_out_to_the_cent() {
        let mut seen = 0;
        for row in EXAMPLES.lines().skip(1) {
            let cells: Vec<&str> = row.splitn(12, ',').collect();
            let number = |at: usize| cells[at].parse::<i64>().unwrap();
            let captured = Captured {
                base_minor: number(1) + number(2) + number(3),
                delivery_minor: number(4),
                tip_minor: number(5),
            };
            let by_table = Cause::ByTable {
                age_ms: cells[7].parse().unwrap(),
                ready: cells[8] == "ready",
                rider_assigned: cells[6] == "yes",
            };
            let cause = match (cells[8], cells[9]) {
                ("placed", _) | (_, "restaurant" | "unresolved_link_down") => Cause::InFull,
                _ => by_table,
            };
            assert_eq!(RefundPolicy::default().refund_minor(&captured, cause), number(10), "example {}", cells[0]);
            seen += 1;
        }
        assert_eq!(seen, 12);
    }

    #[test]
    fn g1_a_share_holds_until_the_end_of_its_step() {
        let policy = RefundPolicy::default();
        assert_eq!(policy.step_ends_ms(0), Some(600_000));
        assert_eq!(policy.step_ends_ms(600_000), Some(1_800_000));
        assert_eq!(policy.step_ends_ms(1_800_000), None);
    }
}
