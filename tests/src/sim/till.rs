//! Drawers and days: cashiers who open, fill, empty and count drawers, managers who close days, and what the books must say.

use crate::sim::checks::Finding;
use crate::sim::tenders;
use crate::sim::world::World;
use pilotlight_node::store::replica::{LiveOrder, Replica};
use pilotlight_node::store::store_handle::RunError;
use pilotlight_node::till::day::{self, CloseRefusal};
use pilotlight_node::till::shifts::{self, Begin, Move};
use pilotlight_sync::doc::books::{Books, Closing, SignedReport, Totals};
use pilotlight_sync::doc::till::ShiftView;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{IntentId, OriginId, ReportId, ShiftId};
use pilotlight_sync::domain::role::Actor;
use std::collections::{BTreeMap, BTreeSet};

/// A report that somebody holds in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Handed {
    number: DayNumber,
    report: ReportId,
    log: (OriginId, u64),
}

/// What cashiers and managers were told.
#[derive(Debug, Default)]
pub struct Till {
    minted: u64,
    handed: Vec<Handed>,
}

impl World {
    /// Cashiers and whoever closes the day come.
    pub(super) fn tills_begin(&mut self) {
        for at in self.mains() {
            let delay = self.between(4_000, 20_000);
            self.after(delay, move |world| world.cashier(at));
        }
        self.after(50_000, Self::closer);
    }

    fn mint_of_till(&mut self, kind: &str) -> String {
        self.till.minted += 1;
        format!("{kind} {} {}", self.plan.seed, self.till.minted)
    }

    /// Somebody at a drawer begins, moves cash, or counts.
    fn cashier(&mut self, at: usize) {
        let delay = if self.healed { 10_000 } else { self.between(8_000, 40_000) };
        self.after(delay, move |world| world.cashier(at));
        let at = self.beside(at);
        // In a healed world somebody comes for cash alone that waits for a drawer.
        if self.healed && tenders::cash_waits(self, at).is_none() {
            return;
        }
        let Some(replica) = &self.boxes[at].replica else { return };
        let own = replica.identity().origin;
        let ours = |shift: &ShiftView| shift.opening.node == own || replica.site().is_fenced(&shift.opening.node);
        let drawer = crate::sim::world::SEATS[self.boxes[at].seat];
        let open = replica.site().open_shifts().filter_map(|(id, _)| Some((*id, replica.site().shift_view(id)?)));
        let open = open.filter(|(_, shift)| ours(shift) && shift.opening.drawer == drawer).last();
        match open {
            None => {
                let begin = Begin {
                    shift: ShiftId::derived(&[&self.mint_of_till("shift")]),
                    drawer: drawer.to_owned(),
                    float_minor: 10_000,
                };
                let plan = move |replica: &Replica, now| shifts::open(replica, now, Actor::System, begin);
                self.ask(at, plan, |world, _, outcome| world.cash_heard("shift opened", outcome));
            }
            // It is booked in the node's own one: what a former name left open is counted before.
            Some((shift, known)) if self.healed => {
                if known.opening.node != own {
                    self.count_drawer(at, shift, known.expected_minor());
                }
            }
            Some((shift, _)) if self.chance(500) => {
                let amount_minor = if self.chance(500) { 2_500 } else { -1_500 };
                let intent = IntentId::derived(&[&self.mint_of_till("cash")]);
                let moved = Move { shift, intent, amount_minor, why: "change".to_owned() };
                let plan = move |replica: &Replica, _| shifts::move_cash(replica, Actor::System, moved);
                self.ask(at, plan, |world, _, outcome| world.cash_heard("cash moved", outcome));
            }
            Some((shift, known)) => self.count_drawer(at, shift, known.expected_minor()),
        }
    }

    fn count_drawer(&mut self, at: usize, shift: ShiftId, expected_minor: i64) {
        let counted_minor = if self.chance(700) { expected_minor.max(0) } else { expected_minor.max(50) - 50 };
        let plan = move |replica: &Replica, _| shifts::close(replica, Actor::System, shift, counted_minor);
        self.ask(at, plan, |world, _, outcome| world.cash_heard("shift closed", outcome));
    }

    fn cash_heard(&mut self, what: &'static str, outcome: Result<ShiftView, RunError<shifts::ShiftRefusal>>) {
        match outcome {
            Ok(_) => self.trace.rare(what),
            Err(RunError::Refused(_) | RunError::Unknown | RunError::Closed) => {}
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                self.found(Finding::new("a drawer cannot be worked at", error.to_string()));
            }
        }
    }

    /// Somebody closes the day, wherever they are: perhaps at a node that does not keep the days, perhaps one that does not know.
    fn closer(&mut self) {
        if self.healed {
            return;
        }
        let delay = self.between(20_000, 70_000);
        self.after(delay, Self::closer);
        let mains = self.mains();
        let choice = self.rng.below(mains.len());
        let at = mains.get(choice).copied().unwrap_or(self.main);
        let Some(replica) = &self.boxes[at].replica else { return };
        let own = replica.identity().origin;
        let number = replica.site().closable().map_or(DayNumber(1), |day| day.number);
        let plan = move |replica: &Replica, now| day::plan(replica, now, Actor::System, number);
        self.ask(at, plan, move |world, at, outcome| match outcome {
            Ok(signed) => world.day_closed(at, number, &signed),
            Err(RunError::Refused(CloseRefusal::ShiftOpen { .. })) => world.count_here(at),
            Err(RunError::Refused(CloseRefusal::OtherKeeper { .. })) => {
                world.trace.rare("close refused at another node");
                if world.chance(250) {
                    world.name_keeper(at, own);
                }
            }
            Err(RunError::Refused(_) | RunError::Unknown | RunError::Closed) => {}
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                world.found(Finding::new("a day cannot be closed", error.to_string()));
            }
        });
    }

    fn name_keeper(&mut self, at: usize, node: OriginId) {
        let plan = move |replica: &Replica, _| day::plan_keeper(replica, Actor::System, node);
        self.ask(at, plan, |world, _, outcome| {
            if outcome.is_ok() {
                world.trace.rare("keeper named");
            }
        });
    }

    /// All drawers that may be counted here are.
    fn count_here(&mut self, at: usize) {
        let Some(replica) = &self.boxes[at].replica else { return };
        let open = replica.site().open_shifts().filter_map(|(id, _)| Some((*id, replica.site().shift_view(id)?)));
        let open: Vec<_> = open.map(|(id, shift)| (id, shift.expected_minor())).collect();
        for (shift, expected_minor) in open {
            self.count_drawer(at, shift, expected_minor);
        }
    }

    fn day_closed(&mut self, at: usize, number: DayNumber, signed: &SignedReport) {
        let Some(replica) = &self.boxes[at].replica else { return };
        let position = replica.position();
        let report = signed.id();
        self.note(format_args!("box {at} closed day {} as {report}", number.0));
        self.trace.rare("day closed");
        if signed.read().is_some_and(|report| !report.late.is_empty()) {
            self.trace.rare("booked late for a closed day");
        }
        self.till.handed.push(Handed { number, report, log: (position.origin, position.head.seq) });
        books(self, at);
    }

    /// What nobody has closed in time closes by itself.
    pub(super) fn close_due(&mut self, at: usize) {
        self.ask(at, day::plan_due, |world, at, outcome| match outcome {
            Ok(Some(number)) => {
                world.note(format_args!("box {at}: day {} closed by itself", number.0));
                world.trace.rare("day closed by itself");
                books(world, at);
            }
            Ok(None) | Err(RunError::Unknown | RunError::Closed) => {}
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_) | RunError::Refused(_))) => {
                world.found(Finding::new("a day cannot be closed", error.to_string()));
            }
        });
    }
}

/// What reports have booked is booked once and is what the orders say; each is signed; a shift is in one at most (SPEC D3 to D6).
pub(super) fn books(world: &mut World, at: usize) {
    let Some(replica) = &world.boxes[at].replica else { return };
    let wrong = wrong_books(replica);
    if let Some((name, what)) = wrong {
        world.found(Finding::new(name, format!("box {at}: {what}")));
    }
}

fn wrong_books(replica: &Replica) -> Option<(&'static str, String)> {
    let site = replica.site();
    let mut signed = Totals::default();
    let mut shifts: BTreeSet<ShiftId> = BTreeSet::new();
    for booked in site.books().reports() {
        let report = &booked.report;
        let number = report.day.number;
        let Some(known) = site.report_of(number) else {
            return Some(("a report that counts is not kept", format!("day {}", number.0)));
        };
        let key = site.origin(&report.node).map(|card| card.key);
        if !key.is_some_and(|key| known.is_signed_by(&key)) {
            return Some(("a report is not signed", format!("day {}", number.0)));
        }
        signed = report.late.iter().fold(signed.plus(report.totals), |sum, late| sum.plus(late.totals));
        if let Some(twice) = report.shifts.iter().find(|line| !shifts.insert(line.shift)) {
            return Some(("a shift in two reports", format!("{} again on day {}", twice.shift, number.0)));
        }
    }
    let stored = replica.order_docs_after(None, usize::MAX).unwrap_or_default();
    let orders = stored.iter().filter_map(|one| LiveOrder::from_bytes(&one.document).ok());
    let booked = orders.fold(Totals::default(), |sum, order| sum.plus(site.books().booked(&order.doc)));
    if booked != signed {
        return Some(("reports and orders differ", format!("reports {signed:?}, orders {booked:?}")));
    }
    wrong_indexes(replica)
}

/// What is kept so that a close need not look at everything says what everything says.
fn wrong_indexes(replica: &Replica) -> Option<(&'static str, String)> {
    let site = replica.site();
    let signed = |signed: &&SignedReport| {
        let card = signed.read().and_then(|report| site.origin(&report.node));
        card.is_some_and(|card| signed.is_signed_by(&card.key))
    };
    let again = Books::of(site.days().flat_map(|(_, day)| &day.reports).filter(signed));
    let ids = |books: &Books| books.reports().map(|booked| booked.id).collect::<Vec<_>>();
    if ids(&again) != ids(site.books()) {
        return Some(("other reports count", format!("{:?}, and {:?} of all", ids(site.books()), ids(&again))));
    }
    let day = site.closable()?.number;
    let found = day::gather(replica, day).ok()?;
    let mut all = Closing::begin(day, replica.state().understood());
    replica.each_order(&mut |order| all.order(site.books(), &order.doc)).ok()?;
    let (found, all) = (found.gathered(), all.gathered());
    let differs = (found.0, &found.1) != (all.0, &all.1);
    differs.then(|| ("a close overlooks orders", format!("{:?}, and {:?} of all", (found.0, found.1), (all.0, all.1))))
}

/// At the end of a run: of two closes of one day one counts.
pub(super) fn ended(world: &mut World) {
    let Some(replica) = &world.boxes[world.main].replica else { return };
    let site = replica.site();
    let there: BTreeSet<ReportId> = site.days().flat_map(|(_, day)| day.all().map(SignedReport::id)).collect();
    if there.len() > site.books().reports().count() {
        world.trace.rare("report that counts nothing");
    }
}

/// When all is quiet: what somebody holds in hand is there as it was, and everything is booked by one more close of every day.
pub(super) fn settled(world: &mut World) {
    books(world, world.main);
    let Some(replica) = &world.boxes[world.main].replica else { return };
    let site = replica.site();
    let there: BTreeMap<ReportId, DayNumber> =
        site.days().flat_map(|(number, day)| day.all().map(|signed| (signed.id(), *number))).collect();
    let here: BTreeSet<OriginId> = replica.state().heads().keys().copied().collect();
    // A disk that went back may have had the only copy.
    let mut lost = world.till.handed.iter().filter(|one| there.get(&one.report) != Some(&one.number));
    let lost = lost.find(|one| !world.reference.out_of_order && here.contains(&one.log.0));
    if let Some(lost) = lost {
        let what = format!("the report of day {} that was handed out is gone", lost.number.0);
        return world.found(Finding::new("report lost", what));
    }
    let Some(last) = site.day().day().map(|day| day.number) else { return };
    let Ok(closing) = day::gather(replica, last) else {
        return world.found(Finding::new("a day cannot be closed", "orders cannot be read".to_owned()));
    };
    let (totals, late, _) = closing.gathered();
    let mut all = late.iter().fold(totals, |sum, late| sum.plus(late.totals));
    for booked in site.books().reports() {
        all = booked.report.late.iter().fold(all.plus(booked.report.totals), |sum, late| sum.plus(late.totals));
    }
    let stored = replica.order_docs_after(None, usize::MAX).unwrap_or_default();
    let orders = stored.iter().filter_map(|one| LiveOrder::from_bytes(&one.document).ok());
    let sold = orders.fold(Totals::default(), |sum, order| sum.plus(Totals::of(&order.view)));
    if all != sold {
        let what = format!("with one more close {all:?} are booked, {sold:?} were sold");
        world.found(Finding::new("a payment is in no report, or in two", what));
    }
}
