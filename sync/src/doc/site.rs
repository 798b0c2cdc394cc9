//! A site's small documents: settings, menu, stock, days, devices, staff. Orders are kept one by one.
//!
//! Writers: see `Change`. Readers: everything that sells or cooks.
//! Merge: registers and counters, document by document; the menu is derived from its registers.
//! Retention: for ever, but receipts (as SPEC, Compaction).

use crate::crdt::chain::ChainHash;
use crate::crdt::counter::{BoundedCounter, Row};
use crate::crdt::facts::{Fact, Way};
use crate::crdt::register::{Register, Stamp};
use crate::doc::books::{Books, BusinessDay, SignedReport};
use crate::doc::change::{Change, Seen, Write, to_vec};
use crate::doc::item::{Conflict, FieldsWrite, ItemDoc};
use crate::doc::key::DocKey;
use crate::doc::origin::{OriginCard, OriginRole};
use crate::doc::people::{Device, Person};
use crate::doc::reading::Effect;
use crate::doc::till::{ShiftDoc, ShiftView, TillFact};
use crate::domain::business_day::{DayNumber, DayRule};
use crate::domain::id::{
    CategoryId, DeviceId, GroupId, IngredientId, MenuItemId, OriginId, PaymentId, ShiftId, SiteId, StaffId,
};
use crate::domain::intake::Intake;
use crate::domain::item_field::{FieldName, FieldValue};
use crate::domain::menu::{Category, Ingredient, Menu, MenuItem, ModifierGroup, Station, StationId};
use crate::domain::money::Currency;
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use crdts::{CmRDT, Dot, VClock};
use minicbor::{Decode, Encode};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

/// What a site is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Settings {
    /// Which.
    #[n(0)]
    pub site: SiteId,
    /// What guests call it.
    #[n(1)]
    pub name: String,
    /// Of all its prices.
    #[n(2)]
    pub currency: Currency,
    /// IANA name.
    #[n(3)]
    pub time_zone: String,
    /// Business days begin at this hour of local time.
    #[n(4)]
    pub roll_over_hour: u8,
    /// Tickets that a station makes side by side; 0: nobody looks at what the kitchen has to do. `None`: as usual (SPEC Q7).
    #[n(5)]
    pub side_by_side: Option<u32>,
}

/// A day that ends so much later than now carries a date that some clock got wrong.
const DATE_AHEAD_MS_MAX: u64 = 3 * 86_400_000;

/// A business day: numbered, opened once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Day {
    /// Its number, which keys order numbers.
    #[n(0)]
    pub number: DayNumber,
    /// The date it carries, `year * 10000 + month * 100 + day`.
    #[n(1)]
    pub date: u32,
}

/// The open day, and how many numbers each origin has given out on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct DayDoc {
    #[n(0)]
    day: Option<Day>,
    #[cbor(n(1), with = "crate::crdt::codec::vclock")]
    counters: VClock<OriginId>,
    /// Counters of days of which the numbers are known before the day itself; `None` when there are none.
    #[n(2)]
    early: Option<BTreeMap<DayNumber, Counters>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
struct Counters(#[cbor(with = "crate::crdt::codec::vclock")] VClock<OriginId>);

impl DayDoc {
    /// The open day.
    pub fn day(&self) -> Option<Day> {
        self.day
    }

    /// The last number that this origin gave out on it; 0 when none.
    pub fn counter(&self, origin: &OriginId) -> u32 {
        u32::try_from(self.counters.get(origin)).unwrap_or(u32::MAX)
    }

    /// The day with the higher number is the open one; its counters begin anew (SPEC D2). Of two that carry one number the later date
    /// is shown, and the counters are of both.
    fn open(&mut self, day: Day) {
        let newer = self.day.is_none_or(|open| day.number > open.number);
        self.day = self.day.max(Some(day));
        if newer {
            let mut early = self.early.take().unwrap_or_default();
            self.counters = early.remove(&day.number).unwrap_or_default().0;
            early.retain(|number, _| *number > day.number);
            self.early = Some(early).filter(|early| !early.is_empty());
        }
    }

    /// An origin has given out a number. Those of closed days count nowhere; those of a day that is not known yet wait for it, so that
    /// it does not matter which of both comes first.
    fn count(&mut self, number: DayNumber, dot: Dot<OriginId>) {
        match self.day.map(|open| open.number.cmp(&number)) {
            Some(Ordering::Greater) => {}
            Some(Ordering::Equal) => self.counters.apply(dot),
            Some(Ordering::Less) | None => {
                self.early.get_or_insert_default().entry(number).or_default().0.apply(dot);
            }
        }
    }
}

/// An item is off sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Off {
    /// It comes back by itself then.
    #[n(0)]
    pub until: Option<Timestamp>,
}

/// A delivery that was booked, or something that was found on the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// Of what.
    #[n(0)]
    pub ingredient: IngredientId,
    /// How much, in its unit.
    #[n(1)]
    pub amount: u64,
    /// The books had said that it was not there: why it was, in a person's words. Who says so is the commit's cause.
    #[n(2)]
    pub found: Option<String>,
    /// It was a count: what was on the shelf, against what.
    #[n(3)]
    pub counted: Option<Counted>,
    /// It was waste: why, in a person's words.
    #[n(4)]
    pub wasted: Option<String>,
}

/// What a count compared.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Counted {
    /// On the shelf, in the ingredient's unit.
    #[n(0)]
    pub shelf: u64,
    /// All rights, and what was held for open orders.
    #[n(1)]
    pub books: u64,
    /// Missing beyond the rights of who counted.
    #[n(2)]
    pub short: u64,
    /// Up to where each log was known.
    #[n(3)]
    pub seen: Vec<Seen>,
}

impl Receipt {
    /// A delivery.
    pub const fn delivered(ingredient: IngredientId, amount: u64) -> Self {
        Self { ingredient, amount, found: None, counted: None, wasted: None }
    }
}

/// What applying a commit has touched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// Documents to be written.
    pub docs: BTreeSet<DocKey>,
    /// The menu is another one.
    pub menu: bool,
    /// Something may be sold out, or back.
    pub availability: bool,
    /// A device or person came, changed or left.
    pub people: bool,
}

/// All small documents of a site, in memory.
#[derive(Debug, Clone)]
pub struct Site {
    settings: Register<Option<Settings>>,
    items: BTreeMap<MenuItemId, ItemDoc>,
    categories: BTreeMap<CategoryId, Register<Option<Category>>>,
    groups: BTreeMap<GroupId, Register<Option<ModifierGroup>>>,
    ingredients: BTreeMap<IngredientId, Register<Option<Ingredient>>>,
    stations: BTreeMap<StationId, Register<Option<Station>>>,
    eighty_six: BTreeMap<MenuItemId, Register<Option<Off>>>,
    devices: BTreeMap<DeviceId, Register<Option<Device>>>,
    people: BTreeMap<StaffId, Register<Option<Person>>>,
    stock: BTreeMap<IngredientId, BoundedCounter>,
    fenced: BTreeSet<OriginId>,
    origins: BTreeMap<OriginId, OriginCard>,
    day: DayDoc,
    intake: Register<Option<Intake>>,
    days: BTreeMap<DayNumber, BusinessDay>,
    books: Books,
    shifts: BTreeMap<ShiftId, ShiftDoc>,
    open_shifts: BTreeSet<ShiftId>,
    /// In which shift each payment is; of several that have booked it the first one.
    taken_in: BTreeMap<PaymentId, ShiftId>,
    /// By the day that they belong to; of two beginnings both.
    shift_days: BTreeSet<(DayNumber, ShiftId)>,
    /// Ended, and in no report that counts.
    unlisted_shifts: BTreeSet<ShiftId>,
    keeper: Register<Option<OriginId>>,
    menu: Menu,
    menu_version: u64,
}

/// A stored document that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("document {key:?} cannot be read")]
pub struct UnreadableDoc {
    /// Which.
    pub key: DocKey,
    /// What the decoder said.
    #[source]
    pub source: minicbor::decode::Error,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            settings: Register::default(),
            items: BTreeMap::new(),
            categories: BTreeMap::new(),
            groups: BTreeMap::new(),
            ingredients: BTreeMap::new(),
            stations: BTreeMap::new(),
            eighty_six: BTreeMap::new(),
            devices: BTreeMap::new(),
            people: BTreeMap::new(),
            stock: BTreeMap::new(),
            fenced: BTreeSet::new(),
            origins: BTreeMap::new(),
            day: DayDoc::default(),
            intake: Register::default(),
            days: BTreeMap::new(),
            books: Books::default(),
            shifts: BTreeMap::new(),
            open_shifts: BTreeSet::new(),
            taken_in: BTreeMap::new(),
            shift_days: BTreeSet::new(),
            unlisted_shifts: BTreeSet::new(),
            keeper: Register::default(),
            menu: Menu::empty(Currency::USD),
            menu_version: 0,
        }
    }
}

impl Site {
    /// What the site is; `None` before its first commit.
    pub fn settings(&self) -> Option<&Settings> {
        self.settings.get().and_then(Option::as_ref)
    }

    /// The menu as it is shown and priced.
    pub fn menu(&self) -> &Menu {
        &self.menu
    }

    /// Changes whenever the menu does; the same on a replica after the same changes is not promised.
    pub fn menu_version(&self) -> u64 {
        self.menu_version
    }

    /// Whether orders from home are taken, as it was last tapped.
    pub fn intake(&self) -> Intake {
        self.intake.get().copied().flatten().unwrap_or_default()
    }

    /// The open business day.
    pub fn day(&self) -> &DayDoc {
        &self.day
    }

    /// The business day of this moment, and whether it begins with it (SPEC D2): after the roll-over, and after a close, the next one. A
    /// clock that goes back opens none. `None` while the site has no time zone.
    pub fn business_day(&self, now: Timestamp) -> Option<(Day, bool)> {
        let settings = self.settings()?;
        let rule = DayRule::new(&settings.time_zone, settings.roll_over_hour).ok()?;
        let date = rule.date(now);
        // Then some clock was wrong when the day was opened, or ours is.
        let ahead = |day: &Day| rule.end(day.date).is_none_or(|end| end.ms_since(now) > DATE_AHEAD_MS_MAX);
        let over = |open: &Day| {
            let before = self.days.range(..open.number).rev().find_map(|(_, known)| known.day);
            // Of two clocks that stay days apart one would take the day back with every order, were the same date enough.
            date > open.date || ahead(open) && before.is_some_and(|before| before.date < date)
        };
        Some(match self.day.day() {
            Some(open) if self.books.of_day(open.number).is_none() && !over(&open) => (open, false),
            Some(last) => {
                let number = DayNumber(last.number.0.saturating_add(1));
                (Day { number, date: if ahead(&last) { date } else { date.max(last.date) } }, true)
            }
            None => (Day { number: DayNumber(1), date }, true),
        })
    }

    /// The day that can be closed next: the first one after the last that is closed. `None`: every day is.
    pub fn closable(&self) -> Option<Day> {
        let next = self.books.last().map_or(DayNumber(0), |last| DayNumber(last.report.day.number.0.saturating_add(1)));
        self.days_from(next).chain(self.day.day().filter(|day| day.number >= next)).min()
    }

    /// Days from this number on.
    pub fn days_from(&self, number: DayNumber) -> impl Iterator<Item = Day> {
        self.days.range(number..).filter_map(|(_, known)| known.day)
    }

    /// Business days with their reports.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = (&DayNumber, &BusinessDay)> {
        self.days.iter()
    }

    /// A business day with its reports.
    pub fn day_of(&self, number: DayNumber) -> Option<&BusinessDay> {
        self.days.get(&number)
    }

    /// The report of a day that counts, as it was signed.
    pub fn report_of(&self, number: DayNumber) -> Option<&SignedReport> {
        let booked = self.books.of_day(number)?;
        let found = |signed: &&SignedReport| signed.id() == booked.id && self.is_signed(signed);
        self.days.get(&number)?.reports.iter().find(found)
    }

    /// The reports that count.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// A drawer's shift.
    pub fn shift(&self, id: &ShiftId) -> Option<&ShiftDoc> {
        self.shifts.get(id)
    }

    /// A drawer's shift as everyone sees it.
    pub fn shift_view(&self, id: &ShiftId) -> Option<ShiftView> {
        self.shifts.get(id)?.view(|fact| self.is_here(id, fact))
    }

    /// Whether a fact of a shift counts there: not a payment that another drawer has booked before, because two nodes took it at once
    /// (SPEC D6).
    pub fn is_here(&self, id: &ShiftId, fact: &Fact<TillFact, Actor>) -> bool {
        match &fact.what {
            TillFact::Taken { payment, .. } => self.taken_in.get(payment).is_none_or(|first| first == id),
            TillFact::Opened(_) | TillFact::Moved { .. } | TillFact::Closed { .. } => true,
        }
    }

    /// Whether a shift, of whatever day, has taken this payment.
    pub fn is_in_a_drawer(&self, payment: &PaymentId) -> bool {
        self.taken_in.contains_key(payment)
    }

    /// The shifts of a day.
    pub fn shifts_of(&self, number: DayNumber) -> impl Iterator<Item = (&ShiftId, &ShiftDoc)> {
        let (from, to) = (ShiftId::from_bytes([0; 16]), ShiftId::from_bytes([0xff; 16]));
        let named = self.shift_days.range((number, from)..=(number, to));
        let known = named.filter_map(|(_, id)| Some((id, self.shifts.get(id)?)));
        known.filter(move |(_, doc)| doc.opening().is_some_and(|opening| opening.day == number))
    }

    /// Shifts that have not ended.
    pub fn open_shifts(&self) -> impl Iterator<Item = (&ShiftId, &ShiftDoc)> {
        self.open_shifts.iter().filter_map(|id| Some((id, self.shifts.get(id)?)))
    }

    /// Shifts that have ended and are in no report.
    pub fn unlisted_shifts(&self) -> impl Iterator<Item = (&ShiftId, &ShiftDoc)> {
        self.unlisted_shifts.iter().filter_map(|id| Some((id, self.shifts.get(id)?)))
    }

    /// The node that books stock and closes days: whom a manager has named, else the living node with the first initial. The
    /// second tells how often it was named.
    pub fn keeper(&self) -> (Option<OriginId>, u64) {
        let named = self.keeper.get().copied().flatten().filter(|keeper| !self.fenced.contains(keeper));
        let living = |card: &&OriginCard| card.role == OriginRole::Node && !self.fenced.contains(&card.origin);
        // Who goes on at the place of one that nobody has ended has its initial, and more letters.
        let place =
            |card: &&OriginCard| (card.letter.chars().next(), Reverse((card.letter.len(), card.letter.clone())));
        let first = self.origins.values().filter(living).min_by_key(place);
        (named.or(first.map(|card| card.origin)), self.keeper.next_version().saturating_sub(1))
    }

    /// What an origin has said of itself.
    pub fn origin(&self, origin: &OriginId) -> Option<&OriginCard> {
        self.origins.get(origin)
    }

    /// Everybody who writes here, or wrote.
    pub fn origins(&self) -> impl Iterator<Item = &OriginCard> {
        self.origins.values()
    }

    /// The relay's origin, if the site has one that is not fenced.
    pub fn relay(&self) -> Option<OriginId> {
        let live = |card: &&OriginCard| card.role == OriginRole::Relay && !self.fenced.contains(&card.origin);
        self.origins.values().find(live).map(|card| card.origin)
    }

    /// Whether a fence has ended this origin.
    pub fn is_fenced(&self, origin: &OriginId) -> bool {
        self.fenced.contains(origin)
    }

    /// All ingredients that were ever stocked, with their stock.
    pub fn stocks(&self) -> impl Iterator<Item = (&IngredientId, &BoundedCounter)> {
        self.stock.iter()
    }

    /// An ingredient's stock.
    pub fn stock(&self, ingredient: &IngredientId) -> Option<&BoundedCounter> {
        self.stock.get(ingredient)
    }

    /// What this origin may still sell of it; `None` is unlimited (SPEC S5).
    pub fn sellable(&self, ingredient: &IngredientId, origin: &OriginId) -> Option<u64> {
        let enforced = self.menu.ingredients.get(ingredient).is_some_and(|ingredient| ingredient.enforced);
        enforced.then(|| self.stock.get(ingredient).map_or(0, |stock| stock.rights(origin)))
    }

    /// Items that staff have taken off sale, with what they said; those whose time has come are back.
    pub fn eighty_sixed(&self, now: Timestamp) -> BTreeMap<MenuItemId, Off> {
        self.eighty_six.keys().filter_map(|item| Some((*item, self.off_sale(item, now)?))).collect()
    }

    /// What staff said when they took this item off sale; `None` when it is on sale, or back.
    pub fn off_sale(&self, item: &MenuItemId, now: Timestamp) -> Option<Off> {
        let off = self.eighty_six.get(item)?.get().copied().flatten()?;
        off.until.is_none_or(|until| until > now).then_some(off)
    }

    /// The next moment at which an item comes back by itself, or a pause ends.
    pub fn next_return(&self, now: Timestamp) -> Option<Timestamp> {
        let until = |register: &Register<Option<Off>>| register.get().copied().flatten().and_then(|off| off.until);
        let items = self.eighty_six.values().filter_map(until).filter(|until| *until > now);
        items.chain(self.intake().next_end(now)).min()
    }

    /// A device.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id)?.get()?.as_ref()
    }

    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = (&DeviceId, &Device)> {
        self.devices.iter().filter_map(|(id, register)| Some((id, register.get()?.as_ref()?)))
    }

    /// A person.
    pub fn person(&self, id: &StaffId) -> Option<&Person> {
        self.people.get(id)?.get()?.as_ref()
    }

    /// All people.
    pub fn people(&self) -> impl Iterator<Item = (&StaffId, &Person)> {
        self.people.iter().filter_map(|(id, register)| Some((id, register.get()?.as_ref()?)))
    }

    /// Applies one change that counts. Total: never fails, never refuses (SPEC F1).
    ///
    /// Order facts and receipts live in documents of their own; of an accepted order the day's counter is kept here.
    pub fn apply(&mut self, effect: &Effect, touched: &mut Touched) {
        let (clock_trusted, at, origin) = (effect.clock_trusted, effect.at, effect.id.origin);
        let stamp = |version| Stamp { version, clock_trusted, at, origin };
        match &effect.change {
            Change::Order(_, fact) => self.apply_number(effect.writer, fact, touched),
            Change::Receipt(..) | Change::Recovered(_) | Change::Unknown(_) => {}
            Change::Branch(ingredient, row) => self.stock_doc(*ingredient, touched).join_branch(row),
            Change::Stock(ingredient, row) => self.apply_row(*ingredient, origin, row, touched),
            Change::Short(ingredient, row) => self.stock_doc(*ingredient, touched).join_short(origin, *row),
            Change::Adopted(ingredient, of, amount) => {
                self.stock_doc(*ingredient, touched).join_adopted(*of, origin, *amount);
            }
            Change::Fence(origin) => self.apply_fence(*origin, touched),
            Change::Origin(card) => self.apply_card(origin, card, touched),
            Change::Item(w) => {
                self.items.entry(w.key).or_default().write_whole(w.value.clone(), stamp(w.version));
                self.menu_doc(DocKey::Item(w.key), touched);
            }
            Change::ItemFields(w) => {
                self.apply_fields(effect, w, stamp(w.version));
                self.menu_doc(DocKey::Item(w.item), touched);
            }
            Change::Category(w) => {
                self.categories.entry(w.key).or_default().write(w.value.clone(), stamp(w.version));
                self.menu_doc(DocKey::Category(w.key), touched);
            }
            Change::Group(w) => {
                self.groups.entry(w.key).or_default().write(w.value.clone(), stamp(w.version));
                self.menu_doc(DocKey::Group(w.key), touched);
            }
            Change::Ingredient(w) => {
                self.ingredients.entry(w.key).or_default().write(w.value.clone(), stamp(w.version));
                self.menu_doc(DocKey::Ingredient(w.key), touched);
                touched.availability = true;
            }
            Change::Station(w) => {
                self.stations.entry(w.key.clone()).or_default().write(w.value.clone(), stamp(w.version));
                self.menu_doc(DocKey::Station(w.key.clone()), touched);
            }
            Change::EightySix(w) => {
                self.eighty_six.entry(w.key).or_default().write(w.value, stamp(w.version));
                touched.docs.insert(DocKey::EightySix(w.key));
                touched.availability = true;
            }
            Change::Device(w) => {
                self.devices.entry(w.key).or_default().write(w.value.clone(), stamp(w.version));
                touched.docs.insert(DocKey::Device(w.key));
                touched.people = true;
            }
            Change::Person(w) => {
                self.people.entry(w.key).or_default().write(w.value.clone(), stamp(w.version));
                touched.docs.insert(DocKey::Person(w.key));
                touched.people = true;
            }
            Change::Day(day) => self.apply_day(*day, touched),
            Change::DayClosed(signed) => self.apply_report(effect, signed, touched),
            Change::Till(shift, what) => self.apply_till(*shift, effect, what, touched),
            Change::Keeper(w) => {
                self.keeper.write(w.value, stamp(w.version));
                touched.docs.insert(DocKey::Keeper);
            }
            Change::Settings(w) => {
                self.settings.write(w.value.clone(), stamp(w.version));
                self.menu_doc(DocKey::Settings, touched);
            }
            Change::Intake(w) => {
                self.intake.write(w.value, stamp(w.version));
                touched.docs.insert(DocKey::Intake);
                touched.availability = true;
            }
        }
    }

    fn apply_card(&mut self, writer: OriginId, card: &OriginCard, touched: &mut Touched) {
        // Nobody introduces another, and nobody twice.
        if card.origin == writer {
            self.origins.entry(card.origin).or_insert_with(|| card.clone());
            touched.docs.insert(DocKey::Origins);
        }
    }

    fn apply_day(&mut self, day: Day, touched: &mut Touched) {
        self.day.open(day);
        touched.docs.insert(DocKey::Day);
        let known = self.business_day_doc(day.number, touched);
        known.day = known.day.max(Some(day));
    }

    fn business_day_doc(&mut self, number: DayNumber, touched: &mut Touched) -> &mut BusinessDay {
        touched.docs.insert(DocKey::BusinessDay(number.0.to_be_bytes()));
        self.days.entry(number).or_default()
    }

    /// One that a later version wrote, or that another made than whose log it is in, is no report. Whether its signature is good is
    /// known at once: whoever's log counts has said its key.
    fn apply_report(&mut self, effect: &Effect, signed: &SignedReport, touched: &mut Touched) {
        let Some(report) = signed.read().filter(|report| report.node == effect.writer) else { return };
        let day = self.business_day_doc(report.day.number, touched);
        match effect.way {
            Some(Way::Recovered) => drop(day.told.get_or_insert_default().insert(signed.clone())),
            None => {
                let belied = day.belied.as_ref().is_some_and(|belied| belied.contains(signed));
                if !belied && day.reports.insert(signed.clone()) {
                    self.book(signed);
                    self.strike_listed_shifts();
                }
            }
        }
    }

    /// A report that looked at another log than the site has counts nothing (SPEC D5).
    pub(crate) fn belie(&mut self, signed: &SignedReport, touched: &mut Touched) {
        let Some(number) = signed.read().map(|report| report.day.number) else { return };
        let Some(day) = self.days.get_mut(&number) else { return };
        if day.reports.remove(signed) {
            day.belied.get_or_insert_default().insert(signed.clone());
            touched.docs.insert(DocKey::BusinessDay(number.0.to_be_bytes()));
            self.books = Books::default();
            self.unlisted_shifts = self.shifts.keys().filter(|id| !self.open_shifts.contains(id)).copied().collect();
            self.keep_books();
        }
    }

    /// Reports that looked at another log than the site has.
    pub(crate) fn belied(&self) -> impl Iterator<Item = &SignedReport> {
        self.days.values().flat_map(|day| day.belied.iter().flatten())
    }

    /// One that did not: the log had only not come as far (SPEC D5).
    pub(crate) fn believe(&mut self, signed: &SignedReport, touched: &mut Touched) {
        let Some(number) = signed.read().map(|report| report.day.number) else { return };
        let Some(day) = self.days.get_mut(&number) else { return };
        if day.belied.as_mut().is_some_and(|belied| belied.remove(signed)) {
            day.belied = day.belied.take().filter(|belied| !belied.is_empty());
            day.reports.insert(signed.clone());
            touched.docs.insert(DocKey::BusinessDay(number.0.to_be_bytes()));
            self.book(signed);
            self.strike_listed_shifts();
        }
    }

    /// Finds the reports that looked at other logs, by the chain's hash after a commit.
    pub(crate) fn check_reports<E>(
        &mut self,
        hash: impl Fn(&OriginId, u64) -> Result<Option<ChainHash>, E>,
    ) -> Result<(), E> {
        let mut belied = Vec::new();
        for signed in self.days.values().flat_map(|day| &day.reports) {
            for upto in signed.read().into_iter().flat_map(|report| report.seen).filter(|upto| upto.hash.is_some()) {
                if !upto.is_of(hash(&upto.origin, upto.seq)?) {
                    belied.push(signed.clone());
                    break;
                }
            }
        }
        belied.iter().for_each(|signed| self.belie(signed, &mut Touched::default()));
        Ok(())
    }

    fn is_signed(&self, signed: &SignedReport) -> bool {
        let card = signed.read().and_then(|report| self.origins.get(&report.node));
        card.is_some_and(|card| card.role == OriginRole::Node && signed.is_signed_by(&card.key))
    }

    fn book(&mut self, signed: &SignedReport) {
        if !self.is_signed(signed) {
            return;
        }
        if self.books.take(signed) {
            let ended = self.shifts.keys().filter(|id| !self.open_shifts.contains(id));
            self.unlisted_shifts.extend(ended.copied());
        }
    }

    fn strike_listed_shifts(&mut self) {
        self.unlisted_shifts.retain(|id| !self.books.lists(id));
    }

    /// Puts the chain of reports together again: after documents were loaded.
    pub(crate) fn keep_books(&mut self) {
        let reports: Vec<SignedReport> = self.days.values().flat_map(|day| &day.reports).cloned().collect();
        reports.iter().for_each(|signed| self.book(signed));
        self.strike_listed_shifts();
    }

    fn apply_till(&mut self, id: ShiftId, effect: &Effect, what: &TillFact, touched: &mut Touched) {
        let fact = Fact { id: effect.id, at: effect.at, by: effect.by, what: what.clone(), way: effect.way };
        let turns = !matches!(fact.what, TillFact::Taken { .. } | TillFact::Moved { .. });
        let shift = self.shifts.entry(id).or_default();
        shift.insert(fact);
        if let TillFact::Taken { payment, .. } = what {
            self.note_taken(*payment, id);
        }
        touched.docs.insert(DocKey::Shift(id));
        if turns {
            self.note_shift(id);
        }
    }

    /// Of several shifts that have booked one payment it is in the first, by the writers' clocks: the same on every replica.
    fn note_taken(&mut self, payment: PaymentId, id: ShiftId) {
        // A shift's payments are looked through only when two have the same one.
        let at = |id: &ShiftId| self.shifts.get(id).and_then(|shift| shift.taken_at(&payment));
        let known = self.taken_in.get(&payment).copied();
        if known.is_none_or(|known| known != id && at(&id) < at(&known)) {
            self.taken_in.insert(payment, id);
        }
    }

    fn note_shift(&mut self, id: ShiftId) {
        let shift = self.shifts.get(&id);
        self.shift_days.extend(shift.and_then(ShiftDoc::opening).map(|opening| (opening.day, id)));
        if shift.is_some_and(ShiftDoc::is_open) {
            self.open_shifts.insert(id);
            return;
        }
        self.open_shifts.remove(&id);
        if !self.books.lists(&id) {
            self.unlisted_shifts.insert(id);
        }
    }

    fn stock_doc(&mut self, ingredient: IngredientId, touched: &mut Touched) -> &mut BoundedCounter {
        touched.docs.insert(DocKey::Stock(ingredient));
        self.stock.entry(ingredient).or_default()
    }

    fn apply_row(&mut self, ingredient: IngredientId, origin: OriginId, row: &Row, touched: &mut Touched) {
        let stock = self.stock.entry(ingredient).or_default();
        stock.join_row(origin, row);
        // A row that comes late from an ended origin is no stock either.
        self.fenced.iter().for_each(|origin| stock.retire(*origin));
        touched.docs.insert(DocKey::Stock(ingredient));
        touched.availability = true;
    }

    fn apply_fence(&mut self, origin: OriginId, touched: &mut Touched) {
        self.fenced.insert(origin);
        self.stock.values_mut().for_each(|stock| stock.retire(origin));
        touched.docs.extend(self.stock.keys().copied().map(DocKey::Stock));
        touched.docs.insert(DocKey::Fences);
        touched.availability = true;
    }

    fn menu_doc(&mut self, key: DocKey, touched: &mut Touched) {
        self.refresh_menu(&key);
        self.menu_version += 1;
        touched.menu = true;
        touched.docs.insert(key);
    }

    fn apply_number(&mut self, writer: OriginId, fact: &crate::doc::order::OrderFact, touched: &mut Touched) {
        if let crate::doc::order::OrderFact::Sent { day, counter, .. } = fact {
            self.day.count(*day, Dot::new(writer, u64::from(*counter)));
            touched.docs.insert(DocKey::Day);
        }
    }

    fn apply_fields(&mut self, effect: &Effect, write: &FieldsWrite, stamp: Stamp) {
        let (mut write, mut stamp) = (write.clone(), stamp);
        if effect.way.is_some() {
            // On the branch these were other commits than those that the site has under their numbers; and all of them are of one writer.
            write.seen.retain(|seen| seen.origin != effect.writer);
            stamp.origin = OriginId::derived(&["branch", &effect.writer.to_string()]);
        }
        self.items.entry(write.item).or_default().write_fields(&write, stamp, effect.id.seq);
    }

    fn refresh_item(&mut self, id: &MenuItemId) {
        match self.items.get(id).and_then(ItemDoc::shown) {
            Some(item) => drop(self.menu.items.insert(*id, item)),
            None => drop(self.menu.items.remove(id)),
        }
    }

    /// Fields of items on the menu that were written at the same time in several places: which is right a person says (SPEC W2).
    pub fn menu_conflicts(&self) -> Vec<Conflict<'_>> {
        let items = self.items.iter().filter(|(_, doc)| !doc.is_plain());
        let shown = items.filter_map(|(id, doc)| Some((doc, self.menu.items.get(id)?)));
        shown.flat_map(|(doc, item)| doc.conflicts(item)).collect()
    }

    fn refresh_menu(&mut self, key: &DocKey) {
        match key {
            DocKey::Item(id) => self.refresh_item(id),
            DocKey::Category(id) => refresh(&mut self.menu.categories, &self.categories, id),
            DocKey::Group(id) => refresh(&mut self.menu.groups, &self.groups, id),
            DocKey::Ingredient(id) => refresh(&mut self.menu.ingredients, &self.ingredients, id),
            DocKey::Station(id) => refresh(&mut self.menu.stations, &self.stations, id),
            DocKey::Settings => {
                if let Some(currency) = self.settings().map(|settings| settings.currency) {
                    self.menu.currency = currency;
                }
            }
            DocKey::Order(_)
            | DocKey::Stock(_)
            | DocKey::EightySix(_)
            | DocKey::Device(_)
            | DocKey::Person(_)
            | DocKey::Receipt(_)
            | DocKey::Day
            | DocKey::Fences
            | DocKey::Intake
            | DocKey::BusinessDay(_)
            | DocKey::Shift(_)
            | DocKey::Keeper
            | DocKey::Origins => {}
        }
    }

    /// The document's canonical bytes; `None` when it is not one of these or not there.
    pub fn encode(&self, key: &DocKey) -> Option<Vec<u8>> {
        match key {
            DocKey::Item(id) => self.items.get(id).map(to_vec),
            DocKey::Category(id) => self.categories.get(id).map(to_vec),
            DocKey::Group(id) => self.groups.get(id).map(to_vec),
            DocKey::Ingredient(id) => self.ingredients.get(id).map(to_vec),
            DocKey::Station(id) => self.stations.get(id).map(to_vec),
            DocKey::EightySix(id) => self.eighty_six.get(id).map(to_vec),
            DocKey::Device(id) => self.devices.get(id).map(to_vec),
            DocKey::Person(id) => self.people.get(id).map(to_vec),
            DocKey::Stock(id) => self.stock.get(id).map(to_vec),
            DocKey::Day => Some(to_vec(&self.day)),
            DocKey::Settings => Some(to_vec(&self.settings)),
            DocKey::Intake => self.intake.get().map(|_| to_vec(&self.intake)),
            DocKey::Fences => Some(to_vec(self.fenced.iter().collect::<Vec<_>>())),
            DocKey::Origins => Some(to_vec(self.origins.values().collect::<Vec<_>>())),
            DocKey::BusinessDay(number) => self.days.get(&DayNumber(u32::from_be_bytes(*number))).map(to_vec),
            DocKey::Shift(id) => self.shifts.get(id).map(to_vec),
            DocKey::Keeper => self.keeper.get().map(|_| to_vec(&self.keeper)),
            DocKey::Order(_) | DocKey::Receipt(_) => None,
        }
    }

    /// All small documents with their canonical bytes, by name.
    pub fn docs(&self) -> impl Iterator<Item = (DocKey, Vec<u8>)> {
        let mut keys: Vec<DocKey> =
            vec![DocKey::Day, DocKey::Settings, DocKey::Fences, DocKey::Origins, DocKey::Intake];
        keys.extend(self.items.keys().copied().map(DocKey::Item));
        keys.extend(self.categories.keys().copied().map(DocKey::Category));
        keys.extend(self.groups.keys().copied().map(DocKey::Group));
        keys.extend(self.ingredients.keys().copied().map(DocKey::Ingredient));
        keys.extend(self.stations.keys().cloned().map(DocKey::Station));
        keys.extend(self.eighty_six.keys().copied().map(DocKey::EightySix));
        keys.extend(self.devices.keys().copied().map(DocKey::Device));
        keys.extend(self.people.keys().copied().map(DocKey::Person));
        keys.extend(self.stock.keys().copied().map(DocKey::Stock));
        keys.extend(self.days.keys().map(|number| DocKey::BusinessDay(number.0.to_be_bytes())));
        keys.extend(self.shifts.keys().copied().map(DocKey::Shift));
        keys.push(DocKey::Keeper);
        keys.sort_by(|a, b| (a.kind(), a.id_bytes()).cmp(&(b.kind(), b.id_bytes())));
        keys.into_iter().filter_map(|key| self.encode(&key).map(|bytes| (key, bytes)))
    }

    /// Takes a stored document in, at boot.
    pub fn load(&mut self, key: &DocKey, bytes: &[u8]) -> Result<(), UnreadableDoc> {
        let unreadable = |source| UnreadableDoc { key: key.clone(), source };
        self.load_doc(key, bytes).map_err(unreadable)?;
        self.refresh_menu(key);
        Ok(())
    }

    fn load_doc(&mut self, key: &DocKey, bytes: &[u8]) -> Result<(), minicbor::decode::Error> {
        match key {
            DocKey::Item(id) => drop(self.items.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Category(id) => drop(self.categories.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Group(id) => drop(self.groups.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Ingredient(id) => drop(self.ingredients.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Station(id) => drop(self.stations.insert(id.clone(), minicbor::decode(bytes)?)),
            DocKey::EightySix(id) => drop(self.eighty_six.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Device(id) => drop(self.devices.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Person(id) => drop(self.people.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Stock(id) => drop(self.stock.insert(*id, minicbor::decode(bytes)?)),
            DocKey::Day => self.day = minicbor::decode(bytes)?,
            DocKey::Settings => self.settings = minicbor::decode(bytes)?,
            DocKey::Intake => self.intake = minicbor::decode(bytes)?,
            DocKey::Fences => self.fenced = minicbor::decode::<Vec<OriginId>>(bytes)?.into_iter().collect(),
            DocKey::Origins => {
                let cards: Vec<OriginCard> = minicbor::decode(bytes)?;
                self.origins = cards.into_iter().map(|card| (card.origin, card)).collect();
            }
            DocKey::BusinessDay(number) => {
                self.days.insert(DayNumber(u32::from_be_bytes(*number)), minicbor::decode(bytes)?);
            }
            DocKey::Shift(id) => {
                let shift: ShiftDoc = minicbor::decode(bytes)?;
                let payments: Vec<PaymentId> = shift.payments().collect();
                self.shifts.insert(*id, shift);
                payments.into_iter().for_each(|payment| self.note_taken(payment, *id));
                self.note_shift(*id);
            }
            DocKey::Keeper => self.keeper = minicbor::decode(bytes)?,
            DocKey::Order(_) | DocKey::Receipt(_) => {}
        }
        Ok(())
    }

    /// Writes of the whole menu draft's parts carry versions from here: one more than was seen. Of an item that is there only the fields
    /// that differ are written: others may be writing the rest.
    pub fn write_item(&self, id: MenuItemId, value: Option<MenuItem>) -> Vec<Change> {
        if let (Some(known), Some(new)) = (self.menu.items.get(&id), &value) {
            let differs = |field: &FieldName| FieldValue::of(known, *field) != FieldValue::of(new, *field);
            let values = FieldName::ALL.into_iter().filter(differs).map(|field| FieldValue::of(new, field));
            let values: Vec<FieldValue> = values.collect();
            return if values.is_empty() { Vec::new() } else { vec![self.write_fields(id, values)] };
        }
        let version = self.items.get(&id).map_or(1, ItemDoc::next_version);
        let mut changes = vec![Change::Item(Write { key: id, value, version })];
        // What was seen of its fields is overruled too; an older version that writes the whole item does not say so, and overrules nothing.
        let seen = self.items.get(&id).map(|doc| doc.seen(FieldName::ALL.into_iter())).unwrap_or_default();
        if !seen.is_empty() {
            changes.push(Change::ItemFields(FieldsWrite { item: id, values: Vec::new(), version, seen }));
        }
        changes
    }

    /// A write of some fields of an item; it overrules every value of them that is known here.
    pub fn write_fields(&self, item: MenuItemId, values: Vec<FieldValue>) -> Change {
        let doc = self.items.get(&item);
        let seen = doc.map(|doc| doc.seen(values.iter().map(FieldValue::name))).unwrap_or_default();
        let version = doc.map_or(1, ItemDoc::next_version);
        Change::ItemFields(FieldsWrite { item, values, version, seen })
    }

    /// A write of a heading.
    pub fn write_category(&self, id: CategoryId, value: Option<Category>) -> Change {
        Change::Category(Write { key: id, value, version: version_of(&self.categories, &id) })
    }

    /// A write of a modifier group.
    pub fn write_group(&self, id: GroupId, value: Option<ModifierGroup>) -> Change {
        Change::Group(Write { key: id, value, version: version_of(&self.groups, &id) })
    }

    /// A write of an ingredient.
    pub fn write_ingredient(&self, id: IngredientId, value: Option<Ingredient>) -> Change {
        Change::Ingredient(Write { key: id, value, version: version_of(&self.ingredients, &id) })
    }

    /// A write of a station.
    pub fn write_station(&self, id: StationId, value: Option<Station>) -> Change {
        let version = version_of(&self.stations, &id);
        Change::Station(Write { key: id, value, version })
    }

    /// Takes an item off sale, or puts it back.
    pub fn write_eighty_six(&self, id: MenuItemId, value: Option<Off>) -> Change {
        Change::EightySix(Write { key: id, value, version: version_of(&self.eighty_six, &id) })
    }

    /// A write of a device.
    pub fn write_device(&self, id: DeviceId, value: Device) -> Change {
        Change::Device(Write { key: id, value: Some(value), version: version_of(&self.devices, &id) })
    }

    /// A write of a person.
    pub fn write_person(&self, id: StaffId, value: Person) -> Change {
        Change::Person(Write { key: id, value: Some(value), version: version_of(&self.people, &id) })
    }

    /// Names the node that books stock and closes days.
    pub fn write_keeper(&self, node: OriginId) -> Change {
        Change::Keeper(Write { key: (), value: Some(node), version: self.keeper.next_version() })
    }

    /// A write of the settings.
    pub fn write_settings(&self, value: Settings) -> Change {
        Change::Settings(Write { key: (), value: Some(value), version: self.settings.next_version() })
    }

    /// A tap on pause, busy or open again.
    pub fn write_intake(&self, value: Intake) -> Change {
        Change::Intake(Write { key: (), value: Some(value), version: self.intake.next_version() })
    }
}

fn version_of<K: Ord, T: PartialEq>(registers: &BTreeMap<K, Register<T>>, key: &K) -> u64 {
    registers.get(key).map_or(1, Register::next_version)
}

fn refresh<K: Ord + Clone, T: Clone + PartialEq>(
    shown: &mut BTreeMap<K, T>,
    registers: &BTreeMap<K, Register<Option<T>>>,
    key: &K,
) {
    match registers.get(key).and_then(|register| register.get()) {
        Some(Some(value)) => drop(shown.insert(key.clone(), value.clone())),
        Some(None) | None => drop(shown.remove(key)),
    }
}

#[cfg(test)]
mod tests;
