//! The books of a site: which report of which business day has booked what. A report is made once, by the site's keeper, and signed; it
//! names the vector it was made at, and the report it builds on. What comes later is booked in a later one, as late for its day.
//!
//! Writers: the keeper's node. Readers: the owner, whoever audits.
//! Merge: reports are a set. Those that count are a chain: each builds on the one before it. Where two build on one, it is that of the
//! later keeper, else the lower day, else the lower name; the other, and what builds on it, is shown and counts nothing. What such a one
//! had booked the next report books. So it is with a report of which the vector names commits that no log has: one that was told of a
//! branch, and one that looked at a log of which the site has another.
//! Retention: for ever.

use crate::crdt::chain::ChainHash;
use crate::crdt::facts::{Fact, FactId, Way};
use crate::doc::change::{Seen, to_vec};
use crate::doc::order::{OrderDoc, OrderFact};
use crate::doc::order_view::{OrderView, view};
use crate::doc::site::Day;
use crate::doc::till::{ShiftDoc, ShiftView, TillFact};
use crate::domain::business_day::DayNumber;
use crate::domain::id::{OriginId, ReportId, ShiftId};
use crate::domain::payment::PaymentPhase;
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use crate::limits::{ORIGINS_MAX, OWN_COMMIT_BYTES_MAX};
use ed25519_dalek::{Signature, VerifyingKey};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Recovered facts that one report books at most; further ones are booked by the next.
pub const TOLD_MAX: usize = 2_000;
/// Closed days of which one report tells apart what was late; of older ones it tells the sum, under the last of them.
pub const LATE_MAX: usize = 128;
/// Bytes of shifts in one report; further ones are listed by the next.
pub const SHIFT_BYTES_MAX: usize = 24 * 1024;

// A name in a vector takes 27 bytes, in the report with a hash 44; a late day 120. A vector is in the report and in its commit.
const _: () =
    assert!(TOLD_MAX * 27 + LATE_MAX * 120 + SHIFT_BYTES_MAX + ORIGINS_MAX * (27 + 44) + 1024 <= OWN_COMMIT_BYTES_MAX);

/// Sums over orders: amounts in minor units. A correction of what is booked may be below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Totals {
    /// Orders that were sent to the kitchen and not cancelled.
    #[n(0)]
    pub orders: i64,
    /// Those that were cancelled afterwards.
    #[n(1)]
    pub cancelled: i64,
    /// What is wanted of them, charges and tax included.
    #[n(2)]
    pub sales_minor: i64,
    /// Tax contained in that.
    #[n(3)]
    pub tax_minor: i64,
    /// Tips contained in that.
    #[n(4)]
    pub tips_minor: i64,
    /// Lines that were voided or cancelled.
    #[n(5)]
    pub voids: i64,
    /// What these had cost.
    #[n(6)]
    pub voids_minor: i64,
    /// Payments taken.
    #[n(7)]
    pub payments: i64,
    /// Taken in the restaurant.
    #[n(8)]
    pub till_minor: i64,
    /// Taken online.
    #[n(9)]
    pub online_minor: i64,
    /// Given back.
    #[n(10)]
    pub refunds_minor: i64,
}

impl Totals {
    /// Of one order. What has no number yet counts by its money alone.
    pub fn of(view: &OrderView) -> Self {
        let captured = view.payments.values().filter(|(phase, _)| *phase == PaymentPhase::Captured);
        let captured: Vec<i64> = captured.map(|(_, amount)| *amount).collect();
        let sum = captured.iter().fold(0_i64, |sum, amount| sum.saturating_add(*amount));
        let online = view.header.owner.is_some();
        let money = Self {
            payments: i64::try_from(captured.len()).unwrap_or(i64::MAX),
            till_minor: if online { 0 } else { sum },
            online_minor: if online { sum } else { 0 },
            refunds_minor: view.refunded_minor,
            ..Self::default()
        };
        if view.number.is_none() {
            return money;
        }
        let cancelled = view.cancelled.is_some();
        let gone = view.lines.iter().filter(|line| cancelled || line.voided.is_some());
        Self {
            orders: i64::from(!cancelled),
            cancelled: i64::from(cancelled),
            sales_minor: view.total_minor(),
            tax_minor: view.tax_minor(),
            tips_minor: if cancelled { 0 } else { view.header.charges.tip_minor },
            voids: i64::try_from(gone.clone().count()).unwrap_or(i64::MAX),
            voids_minor: gone.fold(0, |sum, line| sum.saturating_add(line.line.total_minor())),
            ..money
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            orders: self.orders.saturating_add(more.orders),
            cancelled: self.cancelled.saturating_add(more.cancelled),
            sales_minor: self.sales_minor.saturating_add(more.sales_minor),
            tax_minor: self.tax_minor.saturating_add(more.tax_minor),
            tips_minor: self.tips_minor.saturating_add(more.tips_minor),
            voids: self.voids.saturating_add(more.voids),
            voids_minor: self.voids_minor.saturating_add(more.voids_minor),
            payments: self.payments.saturating_add(more.payments),
            till_minor: self.till_minor.saturating_add(more.till_minor),
            online_minor: self.online_minor.saturating_add(more.online_minor),
            refunds_minor: self.refunds_minor.saturating_add(more.refunds_minor),
        }
    }

    /// Without what is booked already.
    #[must_use]
    pub const fn minus(self, booked: Self) -> Self {
        Self {
            orders: self.orders.saturating_sub(booked.orders),
            cancelled: self.cancelled.saturating_sub(booked.cancelled),
            sales_minor: self.sales_minor.saturating_sub(booked.sales_minor),
            tax_minor: self.tax_minor.saturating_sub(booked.tax_minor),
            tips_minor: self.tips_minor.saturating_sub(booked.tips_minor),
            voids: self.voids.saturating_sub(booked.voids),
            voids_minor: self.voids_minor.saturating_sub(booked.voids_minor),
            payments: self.payments.saturating_sub(booked.payments),
            till_minor: self.till_minor.saturating_sub(booked.till_minor),
            online_minor: self.online_minor.saturating_sub(booked.online_minor),
            refunds_minor: self.refunds_minor.saturating_sub(booked.refunds_minor),
        }
    }
}

/// What came after the close of its day, and is booked in a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Late {
    /// The closed day that it is of.
    #[n(0)]
    pub day: DayNumber,
    /// How many orders it is about.
    #[n(1)]
    pub changed: u32,
    /// Beyond what was booked of them.
    #[n(2)]
    pub totals: Totals,
}

/// A drawer's shift in a report.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ShiftLine {
    /// Which.
    #[n(0)]
    pub shift: ShiftId,
    /// Of which drawer.
    #[n(1)]
    pub drawer: String,
    /// Where that stands.
    #[n(2)]
    pub node: OriginId,
    /// The day that it belongs to: an earlier one than the report's is late.
    #[n(3)]
    pub day: DayNumber,
    /// At the beginning, in minor units.
    #[n(4)]
    pub float_minor: i64,
    /// Taken for orders, in minor units.
    #[n(5)]
    pub taken_minor: i64,
    /// Put in otherwise, in minor units.
    #[n(6)]
    pub in_minor: i64,
    /// Taken out, in minor units.
    #[n(7)]
    pub out_minor: i64,
    /// By the books when it was counted, in minor units.
    #[n(8)]
    pub expected_minor: i64,
    /// Counted, in minor units.
    #[n(9)]
    pub counted_minor: i64,
}

/// Up to where a log is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Upto {
    /// Whose log; of a recovered fact, its name.
    #[n(0)]
    pub origin: OriginId,
    /// The last number.
    #[n(1)]
    pub seq: u64,
    /// How the chain's hash begins there: another log with that number is not the one that was looked at. `None` of a recovered fact,
    /// and in reports of older versions.
    #[n(2)]
    pub hash: Option<ByteArray<16>>,
}

impl Upto {
    /// Whether it is of the log that has this hash there.
    pub fn is_of(&self, found: Option<ChainHash>) -> bool {
        self.hash.is_none_or(|hash| found.is_some_and(|found| found.0.starts_with(&*hash)))
    }
}

impl From<Upto> for Seen {
    fn from(upto: Upto) -> Self {
        Self { origin: upto.origin, seq: upto.seq }
    }
}

/// What a day was, as it was known where and when it was closed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Report {
    /// Of which day.
    #[n(0)]
    pub day: Day,
    /// When it was closed.
    #[n(1)]
    pub closed_at: Timestamp,
    /// By whom; the program itself when nobody had, six hours after the roll-over.
    #[n(2)]
    pub by: Actor,
    /// At which node, whose key signs it.
    #[n(3)]
    pub node: OriginId,
    /// The report that it builds on; `None`: the site's first.
    #[n(4)]
    pub after: Option<ReportId>,
    /// How often the keeper had been moved.
    #[n(5)]
    pub keeper_version: u64,
    /// Up to where each log is booked; of recovered facts each by its name.
    #[n(6)]
    pub seen: Vec<Upto>,
    /// The day's own.
    #[n(7)]
    pub totals: Totals,
    /// What had come late for earlier days.
    #[n(8)]
    pub late: Vec<Late>,
    /// Shifts that were counted.
    #[n(9)]
    pub shifts: Vec<ShiftLine>,
    /// Recovered facts are left that had no room.
    #[n(10)]
    pub more: Option<bool>,
}

/// A report as it is kept and handed over: its bytes never change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct SignedReport {
    /// The report's canonical bytes.
    #[n(0)]
    pub report: ByteVec,
    /// Of these bytes' hash, by the node's key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl SignedReport {
    /// Signs a report's hash.
    pub fn sign(report: &Report, sign: impl FnOnce(&[u8; 32]) -> [u8; 64]) -> Self {
        let report = to_vec(report);
        let signature = sign(&Self::hash(&report));
        Self { report: report.into(), signature }
    }

    fn hash(report: &[u8]) -> [u8; 32] {
        blake3::derive_key("pilotlight day report 1", report)
    }

    /// Its name: one name, one report.
    pub fn id(&self) -> ReportId {
        let mut name = [0; 16];
        name.copy_from_slice(&Self::hash(&self.report)[..16]);
        ReportId::from_bytes(name)
    }

    /// What it says; `None`: a later version wrote it. Such a one is no change that is understood (SPEC N5).
    pub fn read(&self) -> Option<Report> {
        self.try_read().ok()
    }

    pub(crate) fn try_read(&self) -> Result<Report, minicbor::decode::Error> {
        minicbor::decode(&self.report)
    }

    /// Whether the node with this key has signed it.
    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        let key = VerifyingKey::from_bytes(key);
        let signature = Signature::from_bytes(&self.signature);
        key.is_ok_and(|key| key.verify_strict(&Self::hash(&self.report), &signature).is_ok())
    }
}

/// A business day and all reports that were made of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct BusinessDay {
    /// Number and date; of two dates the later. `None`: only its report is known.
    #[n(0)]
    pub day: Option<Day>,
    /// Of these at most one counts.
    #[n(1)]
    pub reports: BTreeSet<SignedReport>,
    /// Those that were told of a branch: they count nothing. `None` when there are none.
    #[n(2)]
    pub told: Option<BTreeSet<SignedReport>>,
    /// Those that looked at another log than the site has: they count nothing. `None` when there are none.
    #[n(3)]
    pub belied: Option<BTreeSet<SignedReport>>,
}

impl BusinessDay {
    /// All its reports, those that count nothing included.
    pub fn all(&self) -> impl Iterator<Item = &SignedReport> {
        self.reports.iter().chain(self.told.iter().flatten()).chain(self.belied.iter().flatten())
    }
}

/// Up to where logs are booked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cover(BTreeMap<OriginId, u64>);

impl Cover {
    /// This vector.
    pub fn of<S: Into<Seen>>(seen: impl IntoIterator<Item = S>) -> Self {
        let mut cover = Self::default();
        for seen in seen.into_iter().map(Into::into) {
            let upto = cover.0.entry(seen.origin).or_default();
            *upto = seen.seq.max(*upto);
        }
        cover
    }

    /// Up to which number this log is; 0 when nothing of it is.
    pub fn upto(&self, origin: &OriginId) -> u64 {
        self.0.get(origin).copied().unwrap_or(0)
    }

    fn has(&self, id: &FactId) -> bool {
        self.upto(&id.origin) >= id.seq
    }
}

/// A report that counts.
#[derive(Debug, Clone)]
pub struct Booked {
    /// Its name.
    pub id: ReportId,
    /// What it says.
    pub report: Report,
    cover: Cover,
}

impl Booked {
    /// Of reports that build on one the least counts.
    fn rank(&self) -> Rank {
        (Reverse(self.report.keeper_version), self.report.day.number, self.id)
    }
}

type Rank = (Reverse<u64>, DayNumber, ReportId);

/// The reports that count, in the order in which they build on each other. They follow from the set of reports alone, in whatever order
/// these came.
#[derive(Debug, Clone, Default)]
pub struct Books {
    chain: Vec<Arc<Booked>>,
    /// All reports, by the one that they build on.
    all: BTreeMap<Option<ReportId>, BTreeMap<Rank, Arc<Booked>>>,
    /// Shifts in those that count.
    listed: BTreeSet<ShiftId>,
}

impl Books {
    /// The chain of these.
    pub fn of<'r>(reports: impl Iterator<Item = &'r SignedReport>) -> Self {
        let mut books = Self::default();
        for signed in reports {
            books.take(signed);
        }
        books
    }

    /// Takes a report in of which the signature is good. Whether one that had counted counts no more. It costs what follows from it.
    pub fn take(&mut self, signed: &SignedReport) -> bool {
        let Some(report) = signed.read() else { return false };
        let (id, cover) = (signed.id(), Cover::of(report.seen.iter().copied()));
        let booked = Arc::new(Booked { id, report, cover });
        let after = booked.report.after;
        self.all.entry(after).or_default().entry(booked.rank()).or_insert(booked);
        // Mostly it follows the last.
        let place = after.map_or(Some(0), |after| self.chain.iter().rposition(|one| one.id == after).map(|at| at + 1));
        let Some(place) = place else { return false };
        let counts = |at: usize| self.chain.get(at).map(|one| one.id);
        if self.following(place).map(|one| one.id) == counts(place) {
            return false;
        }
        let gone = self.chain.len() > place;
        self.chain.truncate(place);
        if gone {
            self.listed = self.chain.iter().flat_map(|one| &one.report.shifts).map(|line| line.shift).collect();
        }
        while let Some(next) = self.following(self.chain.len()) {
            self.listed.extend(next.report.shifts.iter().map(|line| line.shift));
            self.chain.push(next);
        }
        gone
    }

    /// The one that counts behind the `upto` first.
    fn following(&self, upto: usize) -> Option<Arc<Booked>> {
        let last = upto.checked_sub(1).and_then(|at| self.chain.get(at));
        let next = self.all.get(&last.map(|last| last.id))?;
        let number = last.map(|last| last.report.day.number);
        next.values().find(|one| number.is_none_or(|number| one.report.day.number > number)).cloned()
    }

    /// The reports that count, the oldest first.
    pub fn reports(&self) -> impl DoubleEndedIterator<Item = &Booked> {
        self.chain.iter().map(AsRef::as_ref)
    }

    /// The newest one.
    pub fn last(&self) -> Option<&Booked> {
        self.chain.last().map(AsRef::as_ref)
    }

    /// The report of a day that counts.
    pub fn of_day(&self, number: DayNumber) -> Option<&Booked> {
        let at = self.chain.binary_search_by_key(&number, |booked| booked.report.day.number).ok()?;
        self.chain.get(at).map(AsRef::as_ref)
    }

    /// Whether a report that counts has this shift.
    pub fn lists(&self, shift: &ShiftId) -> bool {
        self.listed.contains(shift)
    }

    /// Whether the `upto` first reports cover it. A vector of one contains those before it, but for recovered facts.
    fn covers(&self, upto: usize, id: &FactId, way: Option<Way>) -> bool {
        let some = self.chain.get(..upto).unwrap_or_default();
        match way {
            None => some.last().is_some_and(|booked| booked.cover.has(id)),
            Some(Way::Recovered) => some.iter().any(|booked| booked.cover.has(id)),
        }
    }

    /// What is booked of an order, in all.
    pub fn booked(&self, doc: &OrderDoc) -> Totals {
        for upto in (1..=self.chain.len()).rev() {
            let known = doc.only(|fact| self.covers(upto, &fact.id, fact.way));
            // Before its header was covered nothing of it was booked.
            let Some(known) = view(&known) else { break };
            let number = self.chain.get(upto - 1).map(|booked| booked.report.day.number);
            if known.number.as_ref().is_none_or(|(day, _)| Some(*day) <= number) {
                return Totals::of(&known);
            }
        }
        Totals::default()
    }

    /// What no report has booked yet of an order, and the day that it is of: what the report of this day, and of this vector, books.
    fn unbooked(&self, doc: &OrderDoc, now: &Closing) -> Option<(DayNumber, Totals)> {
        let known = doc.only(|fact| now.covers(self, fact));
        let known = view(&known)?;
        let day = known.number.as_ref().map_or(now.number, |(day, _)| *day);
        let left = Totals::of(&known).minus(self.booked(doc));
        (day <= now.number && left != Totals::default()).then_some((day, left))
    }

    /// Whether everything that is known of an order is booked.
    pub fn has_all(&self, doc: &OrderDoc, view: &OrderView) -> bool {
        Totals::of(view) == self.booked(doc)
    }

    /// A shift as this report lists it: the first with room that knows its end, of its own day or a later one.
    fn line(
        &self,
        id: ShiftId,
        doc: &ShiftDoc,
        now: &Closing,
        counts: impl Fn(&Fact<TillFact, Actor>) -> bool,
    ) -> Option<ShiftLine> {
        if self.lists(&id) {
            return None;
        }
        let view = doc.view(|fact| now.covers(self, fact) && counts(fact))?;
        let end = view.end.filter(|_| view.opening.day <= now.number)?;
        let (taken_minor, in_minor, out_minor) = (view.taken_minor(), view.in_minor(), view.out_minor());
        let ShiftView { opening, .. } = view;
        Some(ShiftLine {
            shift: id,
            drawer: opening.drawer,
            node: opening.node,
            day: opening.day,
            float_minor: opening.float_minor,
            taken_minor,
            in_minor,
            out_minor,
            expected_minor: end.expected_minor,
            counted_minor: end.counted_minor,
        })
    }
}

/// A close of a day: what it books is gathered order by order.
#[derive(Debug, Clone)]
pub struct Closing {
    number: DayNumber,
    heads: Cover,
    hashes: BTreeMap<OriginId, ByteArray<16>>,
    told: BTreeMap<OriginId, u64>,
    totals: Totals,
    late: BTreeMap<DayNumber, Late>,
    shifts: Vec<ShiftLine>,
    shift_bytes: usize,
    more: bool,
    looked: usize,
}

impl Closing {
    /// Of this day, up to where the logs are understood here: what was not read no report claims.
    pub fn begin(number: DayNumber, read: impl IntoIterator<Item = Seen>) -> Self {
        Self {
            number,
            heads: Cover::of(read),
            hashes: BTreeMap::new(),
            told: BTreeMap::new(),
            totals: Totals::default(),
            late: BTreeMap::new(),
            shifts: Vec::new(),
            shift_bytes: 0,
            more: false,
            looked: 0,
        }
    }

    fn covers<T>(&self, books: &Books, fact: &Fact<T, Actor>) -> bool {
        match fact.way {
            None => self.heads.has(&fact.id),
            Some(Way::Recovered) => {
                let told = |known: &BTreeMap<OriginId, u64>| known.get(&fact.id.origin) == Some(&fact.id.seq);
                told(&self.told) || books.covers(books.chain.len(), &fact.id, fact.way)
            }
        }
    }

    /// Names what was recovered, as far as there is room: all of a document or nothing.
    fn tell(&mut self, books: &Books, ids: impl Iterator<Item = FactId>) {
        let new = |id: &FactId| !books.covers(books.chain.len(), id, Some(Way::Recovered));
        let ids: Vec<FactId> = ids.filter(new).collect();
        if self.told.len().saturating_add(ids.len()) <= TOLD_MAX {
            self.told.extend(ids.into_iter().map(|id| (id.origin, id.seq)));
        } else {
            self.more = true;
        }
    }

    /// Books what is not booked of an order.
    pub fn order(&mut self, books: &Books, doc: &OrderDoc) {
        self.looked += 1;
        let of_money = |what: &OrderFact| !what.is_without_amount();
        let facts = doc.in_order().into_iter().filter(|fact| fact.way.is_some() && of_money(&fact.what));
        self.tell(books, facts.map(|fact| fact.id));
        let Some((day, left)) = books.unbooked(doc, self) else { return };
        if day == self.number {
            self.totals = self.totals.plus(left);
            return;
        }
        let late = self.late.entry(day).or_insert(Late { day, changed: 0, totals: Totals::default() });
        late.changed = late.changed.saturating_add(1);
        late.totals = late.totals.plus(left);
    }

    /// Lists a shift that has ended and is in no report, when there is room. Not every payment counts there, see `Site::is_here`.
    pub fn shift(
        &mut self,
        books: &Books,
        id: ShiftId,
        doc: &ShiftDoc,
        counts: impl Fn(&Fact<TillFact, Actor>) -> bool,
    ) {
        self.tell(books, doc.told().copied());
        let Some(line) = books.line(id, doc, self, counts) else { return };
        let bytes = to_vec(&line).len();
        if self.shift_bytes + bytes <= SHIFT_BYTES_MAX {
            self.shift_bytes += bytes;
            self.shifts.push(line);
        }
    }

    /// What was gathered: the day's own, what was late, shifts.
    pub fn gathered(&self) -> (Totals, Vec<Late>, &[ShiftLine]) {
        (self.totals, few(self.late.clone()), &self.shifts)
    }

    /// Up to where it books each log.
    pub const fn cover(&self) -> &Cover {
        &self.heads
    }

    /// How many orders were looked at.
    pub const fn looked(&self) -> usize {
        self.looked
    }

    /// Names the logs that it looked at, by the chain's hash after a commit: see [`Upto`].
    pub fn name_logs<E>(&mut self, hash: impl Fn(&OriginId, u64) -> Result<Option<ChainHash>, E>) -> Result<(), E> {
        for (origin, seq) in &self.heads.0 {
            let found = hash(origin, *seq)?.and_then(|hash| hash.0.first_chunk().copied());
            self.hashes.extend(found.map(|hash| (*origin, ByteArray::from(hash))));
        }
        Ok(())
    }

    /// The report.
    pub fn report(
        self,
        books: &Books,
        day: Day,
        (node, keeper_version): (OriginId, u64),
        by: Actor,
        now: Timestamp,
    ) -> Report {
        let hashes = self.hashes;
        let logs = self.heads.0.into_iter();
        let logs = logs.map(|(origin, seq)| Upto { origin, seq, hash: hashes.get(&origin).copied() });
        let seen = logs.chain(self.told.into_iter().map(|(origin, seq)| Upto { origin, seq, hash: None }));
        Report {
            day,
            closed_at: now,
            by,
            node,
            after: books.last().map(|booked| booked.id),
            keeper_version,
            seen: seen.collect(),
            totals: self.totals,
            late: few(self.late),
            shifts: self.shifts,
            more: self.more.then_some(true),
        }
    }
}

/// So many days that a report has room for them.
fn few(mut late: BTreeMap<DayNumber, Late>) -> Vec<Late> {
    while late.len() > LATE_MAX {
        let Some((_, oldest)) = late.pop_first() else { break };
        if let Some(mut next) = late.first_entry() {
            let next = next.get_mut();
            next.changed = next.changed.saturating_add(oldest.changed);
            next.totals = next.totals.plus(oldest.totals);
        }
    }
    late.into_values().collect()
}

#[cfg(test)]
mod tests;
