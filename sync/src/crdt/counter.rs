//! A bounded counter split into rights: no partition and no race spends what is not there.
//!
//! Source: Balegas et al., Extending Eventually Consistent Cloud Databases for Enforcing Numeric Invariants, 2015, with cells for
//! *returned*, and retired rows. Cells only grow, are written only by their row's origin and carried as absolute values.

use crate::crdt::codec::vclock;
use crate::domain::id::{BranchId, OriginId};
use crdts::{CmRDT, CvRDT, Dot, VClock};
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// The cells of one row: what its origin has done in all. `given` names the receivers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Row {
    /// R[i,i]: added by deliveries and counts.
    #[n(0)]
    pub added: u64,
    /// U[i]: used by sales and waste.
    #[n(1)]
    pub used: u64,
    /// Z[i]: returned by cancellations.
    #[n(2)]
    pub returned: u64,
    /// R[i,j]: rights given to others.
    #[n(3)]
    pub given: BTreeMap<OriginId, u64>,
}

/// A right that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} wanted, and the rights here are {rights}")]
pub struct NoRights {
    /// What was asked.
    pub wanted: u64,
    /// What is left.
    pub rights: u64,
}

/// All rows of one counter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct BoundedCounter {
    #[cbor(n(0), with = "vclock")]
    added: VClock<OriginId>,
    #[cbor(n(1), with = "vclock")]
    used: VClock<OriginId>,
    #[cbor(n(2), with = "vclock")]
    returned: VClock<OriginId>,
    /// Giver to receivers.
    #[n(3)]
    given: BTreeMap<OriginId, Given>,
    /// Rows that a fence has retired: no stock any more.
    #[cbor(n(4), with = "vclock")]
    retired: VClock<OriginId>,
    /// What was done under an origin's name on branches that the site does not have.
    #[cbor(n(5), skip_if = "BTreeMap::is_empty")]
    branches: BTreeMap<BranchId, BranchRow>,
    /// What others have taken over of an ended origin's rights: they have added as much to their own rows.
    #[cbor(n(6), skip_if = "BTreeMap::is_empty")]
    adopted: BTreeMap<OriginId, Given>,
    /// What counts found missing beyond their writers' rights.
    #[cbor(n(7), skip_if = "BTreeMap::is_empty")]
    short: BTreeMap<OriginId, ShortRow>,
}

/// What one origin's counts found missing and had no right to use up. Cells only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct ShortRow {
    /// Found missing, in all.
    #[n(0)]
    pub booked: u64,
    /// Explained by a count, or made good by a delivery, in all.
    #[n(1)]
    pub covered: u64,
}

/// What one branch did since it began. Its origin's row is another's: another store may go on under that name. Or how the row of a log stands
/// that is not kept to its end, see `BranchRow::of_log`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BranchRow {
    /// Which branch.
    #[n(0)]
    pub branch: BranchId,
    /// Whose name it was written under.
    #[n(1)]
    pub of: OriginId,
    /// Delivered or counted.
    #[n(2)]
    pub added: u64,
    /// Used.
    #[n(3)]
    pub used: u64,
    /// Returned.
    #[n(4)]
    pub returned: u64,
    /// Given to others, see `BoundedCounter::last_known`.
    #[cbor(n(5), skip_if = "BTreeMap::is_empty")]
    pub given: BTreeMap<OriginId, u64>,
}

impl BranchRow {
    /// How an origin's row stands at the end of a log of which there is only one, and of which some store keeps only the beginning: all
    /// that it says, since its first commit. It counts as far as it goes beyond the row, so it counts once wherever each store ends that log.
    pub fn of_log(origin: OriginId, row: &Row) -> Self {
        Self::beyond(BranchId::from_bytes(*origin.as_bytes()), origin, row, &Row::default())
    }

    /// What a branch did: how the row stands at its end, beyond how it stood where it began.
    pub fn beyond(branch: BranchId, of: OriginId, row: &Row, was: &Row) -> Self {
        Self {
            branch,
            of,
            added: row.added.saturating_sub(was.added),
            used: row.used.saturating_sub(was.used),
            returned: row.returned.saturating_sub(was.returned),
            given: given_beyond(&row.given, &was.given),
        }
    }

    fn is_of_log(&self) -> bool {
        self.branch.as_bytes() == self.of.as_bytes()
    }
}

fn given_beyond(given: &BTreeMap<OriginId, u64>, was: &BTreeMap<OriginId, u64>) -> BTreeMap<OriginId, u64> {
    let beyond = |(to, amount): (&OriginId, &u64)| (*to, amount.saturating_sub(was.get(to).copied().unwrap_or(0)));
    given.iter().map(beyond).filter(|(_, amount)| *amount > 0).collect()
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
struct Given(#[cbor(with = "vclock")] VClock<OriginId>);

impl BoundedCounter {
    /// What this row has done in all.
    pub fn row(&self, origin: &OriginId) -> Row {
        let given = self.given.get(origin).map(|given| given.0.dots.clone()).unwrap_or_default();
        Row { added: self.added.get(origin), used: self.used.get(origin), returned: self.returned.get(origin), given }
    }

    /// Takes a row's cells in: each the higher of both (SPEC S1).
    pub fn join_row(&mut self, origin: OriginId, row: &Row) {
        self.added.apply(Dot::new(origin, row.added));
        self.used.apply(Dot::new(origin, row.used));
        self.returned.apply(Dot::new(origin, row.returned));
        if !row.given.is_empty() {
            let given = self.given.entry(origin).or_default();
            for (to, amount) in &row.given {
                given.0.apply(Dot::new(*to, *amount));
            }
        }
    }

    /// Takes in what a branch did: it explains its origin's row, and touches none (SPEC I8).
    pub fn join_branch(&mut self, row: &BranchRow) {
        let known = self.branches.entry(row.branch).or_insert_with(|| row.clone());
        known.of = known.of.max(row.of);
        known.added = known.added.max(row.added);
        known.used = known.used.max(row.used);
        known.returned = known.returned.max(row.returned);
        for (to, amount) in &row.given {
            let cell = known.given.entry(*to).or_default();
            *cell = (*cell).max(*amount);
        }
    }

    /// What was told of branches beyond the rows themselves.
    fn told(&self) -> impl Iterator<Item = BranchRow> {
        self.branches.values().map(|told| {
            let row = if told.is_of_log() { self.row(&told.of) } else { Row::default() };
            let cells = Row { added: told.added, used: told.used, returned: told.returned, given: told.given.clone() };
            BranchRow::beyond(told.branch, told.of, &cells, &row)
        })
    }

    /// What branches have used in all, what was returned taken off.
    pub fn used_on_branches(&self) -> u64 {
        self.told().map(|row| row.used.saturating_sub(row.returned)).fold(0, u64::saturating_add)
    }

    /// Takes in that `by` has taken over so much of an ended origin's rights, in all.
    pub fn join_adopted(&mut self, of: OriginId, by: OriginId, amount: u64) {
        self.adopted.entry(of).or_default().0.apply(Dot::new(by, amount));
    }

    /// What `by` has taken over of an origin's rights so far.
    pub fn adopted(&self, of: &OriginId, by: &OriginId) -> u64 {
        self.adopted.get(of).map_or(0, |adopted| adopted.0.get(by))
    }

    /// What `by` has taken over of all origins.
    pub fn adopted_by(&self, by: &OriginId) -> u64 {
        self.adopted.values().map(|adopted| adopted.0.get(by)).fold(0, u64::saturating_add)
    }

    /// What is left of an origin's rights by all that is known of it, whether it was ended or not: what branches under its name did
    /// and what was taken over counted in. Below nothing when more was sold, or taken over, than there was (SPEC S8, S9).
    pub fn last_known(&self, of: &OriginId) -> i128 {
        self.without_gifts(of) + self.by_gifts(of)
    }

    /// What rights that were given on branches make of that. What the receiver has used, and had from there only, is gone from the giver's;
    /// of what nobody has used the giver's row knows nothing, and has it still.
    fn by_gifts(&self, of: &OriginId) -> i128 {
        let mut lacking: BTreeMap<OriginId, i128> = BTreeMap::new();
        let mut sum = 0;
        for row in self.told() {
            for (to, amount) in &row.given {
                let lacks = lacking.entry(*to).or_insert_with(|| (-self.without_gifts(to)).max(0));
                let moved = i128::from(*amount).min(*lacks);
                *lacks -= moved;
                sum += if to == of { moved } else { 0 };
                sum -= if row.of == *of { moved } else { 0 };
            }
        }
        sum
    }

    fn without_gifts(&self, of: &OriginId) -> i128 {
        let sum = |clock: &VClock<OriginId>| clock.dots.values().map(|n| i128::from(*n)).sum::<i128>();
        let cell = |clock: &VClock<OriginId>| i128::from(clock.get(of));
        let received: i128 = self.given.values().map(|given| i128::from(given.0.get(of))).sum();
        let given = self.given.get(of).map_or(0, |given| sum(&given.0));
        let adopted = self.adopted.get(of).map_or(0, |adopted| sum(&adopted.0));
        let branches = self.told().filter(|row| row.of == *of);
        let branched: i128 =
            branches.map(|row| i128::from(row.added) + i128::from(row.returned) - i128::from(row.used)).sum();
        cell(&self.added) + cell(&self.returned) + received + branched - cell(&self.used) - given - adopted
    }

    /// What was sold, or taken over, that was not there: two stores have sold the same rights (SPEC S9).
    pub fn shortage(&self) -> u64 {
        let mut suspects: Vec<OriginId> = self.branches.values().map(|row| row.of).collect();
        suspects.extend(self.adopted.keys());
        suspects.sort_unstable();
        suspects.dedup();
        let missing = |of: &OriginId| u64::try_from(-self.last_known(of)).unwrap_or(0);
        let sold = suspects.iter().map(missing).fold(0, u64::saturating_add);
        let booked = self.short.values().map(|row| row.booked).fold(sold, u64::saturating_add);
        let covered = self.short.values().map(|row| row.covered).fold(0, u64::saturating_add);
        booked.saturating_sub(covered)
    }

    /// Takes in what an origin's counts found missing: each cell the higher of both.
    pub fn join_short(&mut self, origin: OriginId, row: ShortRow) {
        let known = self.short.entry(origin).or_default();
        known.booked = known.booked.max(row.booked);
        known.covered = known.covered.max(row.covered);
    }

    /// What this origin's counts found missing.
    pub fn short(&self, origin: &OriginId) -> ShortRow {
        self.short.get(origin).copied().unwrap_or_default()
    }

    /// Takes in that a fence has ended this origin.
    pub fn retire(&mut self, origin: OriginId) {
        self.retired.apply(Dot::new(origin, 1));
    }

    /// Joins two counters, cell by cell (SPEC S1).
    pub fn merge(&mut self, other: Self) {
        self.added.merge(other.added);
        self.used.merge(other.used);
        self.returned.merge(other.returned);
        self.retired.merge(other.retired);
        other.branches.values().for_each(|row| self.join_branch(row));
        other.short.iter().for_each(|(origin, row)| self.join_short(*origin, *row));
        for (of, adopted) in other.adopted {
            self.adopted.entry(of).or_default().0.merge(adopted.0);
        }
        for (giver, given) in other.given {
            self.given.entry(giver).or_default().0.merge(given.0);
        }
    }

    /// What this origin may still use or give. A stale view of *others* only lowers it, so the check is safe (SPEC S2).
    pub fn rights(&self, origin: &OriginId) -> u64 {
        if self.retired.get(origin) > 0 {
            return 0;
        }
        let received: u64 = self.given.values().map(|given| given.0.get(origin)).fold(0, u64::saturating_add);
        let gained = self.added.get(origin).saturating_add(self.returned.get(origin)).saturating_add(received);
        let given: u64 =
            self.given.get(origin).map_or(0, |given| given.0.dots.values().copied().fold(0, u64::saturating_add));
        gained.saturating_sub(self.used.get(origin).saturating_add(given))
    }

    /// Whether nothing was ever added.
    pub fn is_never_stocked(&self) -> bool {
        self.added.is_empty()
    }

    /// Stock of the site: the rights of all live rows.
    pub fn stock(&self) -> u64 {
        self.origins().iter().map(|origin| self.rights(origin)).fold(0, u64::saturating_add)
    }

    /// What was used in all, what was returned taken off.
    pub fn used(&self) -> u64 {
        let sum = |clock: &VClock<OriginId>| clock.dots.values().copied().fold(0, u64::saturating_add);
        sum(&self.used).saturating_sub(sum(&self.returned))
    }

    fn origins(&self) -> Vec<OriginId> {
        let mut origins: Vec<_> = self.added.dots.keys().chain(self.returned.dots.keys()).copied().collect();
        origins.extend(self.given.values().flat_map(|given| given.0.dots.keys().copied()));
        origins.sort_unstable();
        origins.dedup();
        origins
    }
}

impl Row {
    /// This row after a delivery or a count; always allowed.
    pub fn deliver(mut self, amount: u64) -> Self {
        self.added = self.added.saturating_add(amount);
        self
    }

    /// This row after using, when there is a right to (SPEC S2).
    pub fn spend(mut self, amount: u64, rights: u64) -> Result<Self, NoRights> {
        if amount > rights {
            return Err(NoRights { wanted: amount, rights });
        }
        self.used = self.used.saturating_add(amount);
        Ok(self)
    }

    /// This row after giving rights to another, when it has them (SPEC S2).
    pub fn give(mut self, to: OriginId, amount: u64, rights: u64) -> Result<Self, NoRights> {
        if amount > rights {
            return Err(NoRights { wanted: amount, rights });
        }
        let cell = self.given.entry(to).or_default();
        *cell = cell.saturating_add(amount);
        Ok(self)
    }

    /// This row after taking back what it once used (SPEC S3).
    pub fn take_back(mut self, amount: u64) -> Self {
        self.returned = self.returned.saturating_add(amount).min(self.used);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn origin(n: u8) -> OriginId {
        OriginId::from_bytes([n; 16])
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(u64),
        Spend(u64),
        TakeBack(u64),
        Give(u8, u64),
        Merge(u8),
    }

    fn step() -> impl Strategy<Value = (u8, Step)> {
        let step = prop_oneof![
            (0u64..50).prop_map(Step::Add),
            (0u64..40).prop_map(Step::Spend),
            (0u64..10).prop_map(Step::TakeBack),
            (0u8..3, 0u64..30).prop_map(|(to, n)| Step::Give(to, n)),
            (0u8..3).prop_map(Step::Merge),
        ];
        (0u8..3, step)
    }

    proptest! {
        #[test]
        fn s1_s2_replicas_converge_and_never_use_more_than_was_added(steps in prop::collection::vec(step(), 0..60)) {
            let mut replicas = vec![BoundedCounter::default(); 3];
            let (mut added, mut used) = (0u64, 0u64);
            for (who, step) in steps {
                let me = origin(who);
                let here = &replicas[usize::from(who)];
                let (row, rights) = (here.row(&me), here.rights(&me));
                let next = match step {
                    Step::Add(n) => { added += n; Ok(row.deliver(n)) }
                    Step::Spend(n) => row.spend(n, rights).inspect(|_| used += n),
                    Step::TakeBack(n) => {
                        let back = n.min(row.used - row.returned);
                        used -= back;
                        Ok(row.take_back(back))
                    }
                    Step::Give(to, n) if to != who => row.give(origin(to), n, rights),
                    Step::Give(..) => Ok(row),
                    Step::Merge(from) => {
                        let other = replicas[usize::from(from)].clone();
                        replicas[usize::from(who)].merge(other);
                        continue;
                    }
                };
                if let Ok(next) = next {
                    replicas[usize::from(who)].join_row(me, &next);
                }
                prop_assert!(used <= added, "oversold");
            }
            let mut all = BoundedCounter::default();
            for replica in &replicas {
                all.merge(replica.clone());
            }
            for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
                let mut other = BoundedCounter::default();
                for at in order {
                    other.merge(replicas[at].clone());
                    other.merge(replicas[at].clone());
                }
                prop_assert_eq!(&other, &all);
            }
            prop_assert_eq!(all.stock(), added - used, "rights are conserved");
            let bytes = minicbor::to_vec(&all).unwrap();
            prop_assert_eq!(minicbor::decode::<BoundedCounter>(&bytes).unwrap(), all);
        }
    }

    /// What three replicas may have heard of rows that only grow, and of fences.
    fn heard() -> impl Strategy<Value = BoundedCounter> {
        prop::collection::vec((0u8..3, 0u64..6, any::<bool>()), 0..12).prop_map(|heard| {
            let mut counter = BoundedCounter::default();
            for (who, n, fenced) in heard {
                let row = Row::default().deliver(3 * n).spend(n, u64::MAX).unwrap();
                let row = row.give(origin((who + 1) % 3), n, u64::MAX).unwrap().take_back(n / 2);
                counter.join_row(origin(who), &row);
                if fenced && n == 5 {
                    counter.retire(origin(who));
                }
            }
            counter
        })
    }

    proptest! {
        #[test]
        fn s1_join_is_commutative_associative_and_idempotent(a in heard(), b in heard(), c in heard()) {
            let joined = |left: &BoundedCounter, right: &BoundedCounter| {
                let mut left = left.clone();
                left.merge(right.clone());
                left
            };
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            prop_assert_eq!(joined(&a, &a), a.clone());
            prop_assert_eq!(joined(&BoundedCounter::default(), &a), a.clone(), "nothing is neutral");
            let bytes = |counter: &BoundedCounter| minicbor::to_vec(counter).unwrap();
            prop_assert_eq!(bytes(&joined(&a, &b)), bytes(&joined(&b, &a)));
        }
    }

    #[test]
    fn s2_using_or_giving_without_a_right_is_refused() {
        let row = Row::default().deliver(10);
        assert_eq!(row.clone().spend(11, 10), Err(NoRights { wanted: 11, rights: 10 }));
        assert_eq!(row.clone().give(origin(2), 11, 10), Err(NoRights { wanted: 11, rights: 10 }));
        assert_eq!(row.spend(10, 10).map(|row| row.used), Ok(10));
    }

    #[test]
    fn s3_a_row_takes_back_no_more_than_it_used() {
        let row = Row::default().deliver(10).spend(4, 10).unwrap();
        assert_eq!(row.take_back(9).returned, 4);
    }

    #[test]
    fn s4_a_retired_row_is_no_stock() {
        let mut counter = BoundedCounter::default();
        counter.join_row(origin(1), &Row::default().deliver(10));
        counter.join_row(origin(2), &Row::default().deliver(5));
        counter.retire(origin(1));
        assert_eq!((counter.rights(&origin(1)), counter.stock()), (0, 5));
    }

    fn branch(n: u8, of: u8, added: u64, used: u64, returned: u64) -> BranchRow {
        let given = BTreeMap::new();
        BranchRow { branch: BranchId::from_bytes([n; 16]), of: origin(of), added, used, returned, given }
    }

    #[test]
    fn s9_i8_what_was_given_on_a_branch_and_used_is_the_givers_and_no_shortage_while_that_has_it() {
        let mut counter = BoundedCounter::default();
        let row = Row::default().deliver(1_000);
        counter.join_row(origin(1), &row);
        let told = BranchRow { given: [(origin(2), 150)].into(), ..branch(9, 1, 0, 0, 0) };
        counter.join_branch(&told);
        assert_eq!(
            (counter.last_known(&origin(1)), counter.last_known(&origin(2))),
            (1_000, 0),
            "nobody has heard of it"
        );
        // The receiver's log is kept without what builds on the branch: it has used 100.
        let used = BranchRow::of_log(origin(2), &Row { used: 100, ..Row::default() });
        [&used, &told].into_iter().for_each(|row| counter.join_branch(row));
        assert_eq!((counter.last_known(&origin(1)), counter.last_known(&origin(2)), counter.shortage()), (900, 0, 0));
        assert_eq!((counter.rights(&origin(1)), counter.rights(&origin(2))), (1_000, 0), "no right is made of it");
        let bytes = minicbor::to_vec(&counter).unwrap();
        assert_eq!(minicbor::decode::<BoundedCounter>(&bytes).unwrap(), counter);
        // What gave nothing has the bytes that it always had.
        assert_eq!(minicbor::to_vec(branch(9, 1, 0, 5, 0)).unwrap().first(), Some(&0x85), "five fields");
        // The giver goes on, and sells all that it has.
        counter.join_row(origin(1), &row.spend(1_000, 1_000).unwrap());
        assert_eq!(counter.shortage(), 100);
    }

    #[test]
    fn s9_what_two_stores_sold_of_the_same_rights_is_a_shortage_and_never_less_than_nothing() {
        let mut counter = BoundedCounter::default();
        counter.join_row(origin(1), &Row::default().deliver(100).spend(70, 100).unwrap());
        counter.join_branch(&branch(9, 1, 0, 50, 10));
        assert_eq!((counter.last_known(&origin(1)), counter.shortage()), (-10, 10));
        assert_eq!((counter.rights(&origin(1)), counter.stock()), (30, 30), "the row is its origin's");
        counter.join_branch(&branch(9, 1, 0, 40, 10));
        assert_eq!(counter.used_on_branches(), 40, "a branch's cells only grow");
        counter.join_branch(&branch(8, 1, 20, 0, 0));
        assert_eq!(
            (counter.last_known(&origin(1)), counter.shortage()),
            (10, 0),
            "what was delivered there is on the shelf"
        );
        counter.retire(origin(1));
        counter.join_adopted(origin(1), origin(2), 10);
        assert_eq!((counter.last_known(&origin(1)), counter.shortage()), (0, 0));
        counter.join_adopted(origin(1), origin(3), 10);
        assert_eq!(counter.shortage(), 10, "two have taken it over");
        let bytes = minicbor::to_vec(&counter).unwrap();
        assert_eq!(minicbor::decode::<BoundedCounter>(&bytes).unwrap(), counter);
    }

    #[test]
    fn i8_of_one_log_that_some_keep_longer_what_is_told_counts_once() {
        let (first, second) = (Row { used: 100, ..Row::default() }, Row { used: 250, returned: 20, ..Row::default() });
        let told = [BranchRow::of_log(origin(2), &second), BranchRow::of_log(origin(2), &first)];
        for kept in [Row::default(), first, second] {
            let mut counter = BoundedCounter::default();
            counter.join_row(origin(1), &Row::default().deliver(1_000).give(origin(2), 500, 1_000).unwrap());
            counter.join_row(origin(2), &kept);
            told.iter().chain(&told).for_each(|row| counter.join_branch(row));
            assert_eq!((counter.last_known(&origin(2)), counter.shortage()), (270, 0), "kept up to {kept:?}");
        }
    }

    #[test]
    fn n4_a_counter_without_branches_has_the_bytes_it_always_had() {
        let mut counter = BoundedCounter::default();
        counter.join_row(origin(1), &Row::default().deliver(5));
        let bytes = minicbor::to_vec(&counter).unwrap();
        assert_eq!(bytes.first(), Some(&0x85), "five fields");
        counter.join_short(origin(1), ShortRow { booked: 5, covered: 2 });
        let bytes = minicbor::to_vec(&counter).unwrap();
        assert_eq!(minicbor::decode::<BoundedCounter>(&bytes).unwrap(), counter, "with a gap before it");
        assert_eq!(counter.shortage(), 3);
    }
}
