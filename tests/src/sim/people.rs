//! Who is there: guests at kiosks, a cashier, cooks, a manager, customers at home, riders. Each does small things now and then, and
//! repeats under the same id what was not answered.

use crate::sim::checks::{self, Finding};
use crate::sim::faults::Fault;
use crate::sim::reference::{Online, Told};
use crate::sim::relay::{self, PLACE};
use crate::sim::stockroom::Booking;
use crate::sim::world::World;
use pilotlight_node::inventory::{eighty_six, share};
use pilotlight_node::kitchen::act::{self, KitchenAction, Outcome, Tap};
use pilotlight_node::menu::edit::{self, Edit, EditRefusal};
use pilotlight_node::orders::accept::{DecideRefusal, Waits};
use pilotlight_node::orders::amend::{self, AddLine, Amendment, VoidLine};
use pilotlight_node::orders::cancel::CancelRefusal as Here;
use pilotlight_node::orders::place::{self, NewOrder, PlaceRefusal, Placed};
use pilotlight_node::orders::requests::AnswerRefusal;
use pilotlight_node::orders::{Order, accept, asked, cancel, intake, ownership, requests};
use pilotlight_node::store::replica::Replica;
use pilotlight_node::store::store_handle::{self as node, PlanError, RunError};
use pilotlight_relay::dispatch::desk::RiderStep;
use pilotlight_relay::ordering::amend::{AmendRefusal, Wish as Otherwise};
use pilotlight_relay::ordering::cancel::CancelRefusal;
use pilotlight_relay::ordering::desk::{PlaceRefusal as OnlineRefusal, PlaceRequest};
use pilotlight_relay::ordering::quote::{QuoteRefusal, QuoteRequest};
use pilotlight_relay::ordering::work::{AmendError, CancelError, is_over};
use pilotlight_relay::store::amendments::{Contact, Wanted};
use pilotlight_relay::store::checkouts::{CheckoutState, Quote};
use pilotlight_relay::store::cloud_orders::OrderPhase;
use pilotlight_relay::store::deliveries::DeliveryState;
use pilotlight_relay::store::people::Address;
use pilotlight_relay::store::site_tx::WorkError;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::site::{Off, Receipt, Settings};
use pilotlight_sync::domain::amendment::AmendmentState;
use pilotlight_sync::domain::asked::Asked;
use pilotlight_sync::domain::id::{
    CategoryId, CustomerId, IngredientId, IntentId, LineId, MenuItemId, OrderId, PaymentId, VariantId,
};
use pilotlight_sync::domain::intake::{IntakeCommand, PauseFor};
use pilotlight_sync::domain::item_field::FieldValue;
use pilotlight_sync::domain::menu::{Ingredient, MenuItem, RecipeLine, StationId, Unit, Variant};
use pilotlight_sync::domain::money::{BasisPoints, Currency};
use pilotlight_sync::domain::order::{Channel, Fulfilment, Status};
use pilotlight_sync::domain::payment::DeliveryPhase;
use pilotlight_sync::domain::pricing::CartLine;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::ticket::{TicketCommand, TicketPhase};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::sync::PoisonError;

/// Dishes: name, price in minor units, station, and what one needs of which ingredient.
type Dish = (&'static str, i64, &'static str, &'static [(&'static str, u64)]);
const DISHES: [Dish; 4] = [
    ("margherita", 1_050, "oven", &[("dough", 200), ("cheese", 90)]),
    ("funghi", 1_250, "oven", &[("dough", 200), ("mushrooms", 60)]),
    ("salad", 780, "cold", &[("mushrooms", 40)]),
    ("cola", 300, "cold", &[]),
];
/// What is delivered at once.
pub(super) const DELIVERED: [(&str, u64); 3] = [("dough", 2_400), ("cheese", 800), ("mushrooms", 500)];
const KIOSKS: usize = 4;
const CUSTOMERS: usize = 4;

/// A guest's order that is not answered yet.
#[derive(Debug, Clone)]
struct Wish {
    new: NewOrder,
    /// It was refused once: the guest walks away.
    tries: u32,
}

/// Where a customer at home is.
#[derive(Debug, Clone, Default)]
enum Home {
    /// Hungry or not.
    #[default]
    Idle,
    /// A request to place is out, or will be again.
    Placing(Box<(PlaceRequest, Quote)>),
    /// Waits for the card.
    Paying(Box<(PlaceRequest, Quote)>),
    /// Has an order.
    Waiting(OrderId),
}

/// What people are at.
#[derive(Debug, Default)]
pub struct People {
    wishes: Vec<Option<Wish>>,
    homes: Vec<Home>,
    minted: u64,
    /// Orders that were answered, the newest last.
    answered: Vec<(OrderId, i64)>,
    /// What was placed, to be sent again with another cart.
    placed: Vec<NewOrder>,
}

pub(super) fn ingredient(name: &str) -> IngredientId {
    IngredientId::derived(&[name])
}

/// The order's first fact names the commit; the log was durable at least that far when it was answered.
pub(super) fn log_of(replica: Option<&Replica>) -> Option<(pilotlight_sync::domain::id::OriginId, u64)> {
    let position = replica?.position();
    Some((position.origin, position.head.seq))
}

/// What the table gives back, written down a second time: 70 % under ten minutes, 40 % under thirty, nothing after or once ready.
fn by_table(view: &OrderView, amount_minor: i64, age_ms: u64) -> i64 {
    let charges = view.header.charges;
    let base = amount_minor - charges.delivery_minor - charges.tip_minor;
    let percent = match age_ms {
        _ if view.status == Status::ReadyForPickup => 0,
        0..600_000 => 70,
        600_000..1_800_000 => 40,
        _ => 0,
    };
    let assigned = view.delivery.is_some_and(|(_, phase)| phase >= DeliveryPhase::Assigned);
    let fee = if assigned { 0 } else { charges.delivery_minor };
    (base * percent + 50) / 100 + fee + charges.tip_minor
}

impl World {
    pub(super) fn mint(&mut self, kind: &str) -> String {
        self.people.minted += 1;
        format!("{kind} {} {}", self.plan.seed, self.people.minted)
    }

    /// The first start of the shop: settings, menu, the first delivery.
    pub(super) fn set_up_shop(&mut self) {
        let Some(replica) = self.boxes[0].replica.as_mut() else { return };
        let dish = |(name, price_minor, station, needs): (&str, i64, &str, &[(&str, u64)])| {
            let recipe = needs.iter().map(|(of, amount)| RecipeLine { ingredient: ingredient(of), amount: *amount });
            Some(MenuItem {
                id: MenuItemId::derived(&[name]),
                category: CategoryId::derived(&["all"]),
                position: 0,
                name: name.to_owned(),
                kitchen_name: name.to_owned(),
                description: String::new(),
                station: StationId::parse(station)?,
                prep_s: 300,
                tax: BasisPoints(700),
                variants: vec![Variant {
                    id: VariantId::derived(&[name]),
                    name: String::new(),
                    price_minor,
                    recipe: recipe.collect(),
                }],
                groups: vec![],
                tags: vec![],
                allergens: vec![],
                quantity_min: 1,
            })
        };
        let site = replica.site();
        let mut changes = vec![site.write_settings(Settings {
            site: relay::site(),
            name: "Trattoria".to_owned(),
            currency: Currency::USD,
            time_zone: "Europe/Rome".to_owned(),
            roll_over_hour: 4,
            side_by_side: Some(2),
        })];
        changes
            .extend(DISHES.iter().filter_map(|one| dish(*one)).flat_map(|item| site.write_item(item.id, Some(item))));
        for (name, _) in DELIVERED {
            let known = Ingredient { id: ingredient(name), name: name.to_owned(), unit: Unit::Gram, enforced: true };
            changes.push(site.write_ingredient(known.id, Some(known)));
        }
        for (name, amount) in DELIVERED {
            let row = pilotlight_sync::crdt::counter::Row::default().deliver(amount);
            changes.push(Change::Stock(ingredient(name), row));
            *self.reference.shelf.entry(ingredient(name)).or_default() += amount;
        }
        let now = crate::sim::world::EVENING;
        let done = replica.commit(Actor::System, now, &changes).map_err(|error| error.to_string());
        let done = done.and_then(|()| replica.flush().map(drop).map_err(|error| error.to_string()));
        if let Err(error) = done {
            self.found(Finding::new("world", error));
        }
    }

    /// Everybody comes.
    pub(super) fn people_begin(&mut self) {
        self.people.wishes = vec![None; KIOSKS];
        self.people.homes = vec![Home::Idle; CUSTOMERS];
        for kiosk in 0..KIOSKS {
            let delay = self.between(1_000, 15_000);
            self.after(delay, move |world| world.guest(kiosk));
        }
        for who in 0..CUSTOMERS {
            let delay = self.between(35_000, 60_000);
            self.after(delay, move |world| world.customer(who));
        }
        for rider in 0..relay::riders().len() {
            let delay = self.between(60_000, 80_000);
            self.after(delay, move |world| world.rider(rider));
        }
        self.after(5_000, Self::cook);
        if self.has_siblings() {
            self.after(20_000, Self::waiter);
        }
        self.after(60_000, Self::manager);
        self.after(70_000, Self::pause_or_open);
    }

    /// An answer of the node did not reach the device.
    pub(super) fn wifi_lost(&mut self) -> bool {
        let lost = self.plays(Fault::Wifi) && self.chance(30);
        if lost {
            self.trace.rare("answer to a device lost");
        }
        lost
    }

    /// The machine that a kiosk talks to: with two under one name, some talk to the other.
    fn box_of(&self, kiosk: usize) -> usize {
        // The last kiosks stand at the bar and with the spare node.
        let seat = KIOSKS - kiosk;
        if seat < self.plan.nodes {
            return seat;
        }
        let on = self.in_service(0);
        if on.len() > 1 && kiosk % 2 == 1 { on.last().copied().unwrap_or(self.main) } else { self.main }
    }

    /// A machine that somebody works at: one of each place.
    pub(super) fn someones(&mut self) -> usize {
        let mains = self.mains();
        let choice = self.rng.below(mains.len());
        mains.get(choice).copied().unwrap_or(self.main)
    }

    // ---- Guests and the cashier ----

    fn guest(&mut self, kiosk: usize) {
        if self.people.wishes[kiosk].is_none() && !self.healed {
            self.people.wishes[kiosk] = Some(self.new_wish(kiosk));
        }
        let at = self.box_of(kiosk);
        if let Some(wish) = self.people.wishes[kiosk].as_mut() {
            wish.tries += 1;
            let new = wish.new.clone();
            if wish.tries > 1 {
                self.trace.rare("order sent again");
            }
            self.place_here(kiosk, at, new.clone(), Vec::new());
            if self.chance(80) {
                self.trace.rare("double tap");
                self.place_here(kiosk, at, new, Vec::new());
            }
        }
        if self.people.wishes[kiosk].is_none() && self.healed {
            return;
        }
        let delay =
            if self.people.wishes[kiosk].is_some() { self.between(2_000, 9_000) } else { self.between(10_000, 45_000) };
        self.after(delay, move |world| world.guest(kiosk));
        if self.chance(40) && !self.healed {
            self.other_cart(at);
        }
    }

    fn new_wish(&mut self, kiosk: usize) -> Wish {
        let name = self.mint("order");
        let mut lines = Vec::new();
        let mut total = 0;
        for line in 0..1 + self.rng.below(3) {
            let (dish, price, ..) = DISHES[self.rng.below(DISHES.len())];
            let quantity = 1 + u32::try_from(self.rng.below(2)).unwrap_or(0);
            total += price * i64::from(quantity);
            lines.push(CartLine {
                id: LineId::derived(&[&name, &line.to_string()]),
                item: MenuItemId::derived(&[dish]),
                variant: None,
                quantity,
                choices: vec![],
                note: None,
            });
        }
        let new = NewOrder {
            id: OrderId::derived(&[&name]),
            channel: if kiosk == 0 { Channel::Counter } else { Channel::Kiosk },
            fulfilment: if self.chance(500) { Fulfilment::DineIn } else { Fulfilment::Takeaway },
            table: None,
            note: None,
            lines,
            expected_total_minor: total,
        };
        Wish { new, tries: 0 }
    }

    fn place_here(&mut self, kiosk: usize, at: usize, new: NewOrder, found: Vec<(IntentId, Receipt)>) {
        let id = new.id;
        let (planned, lines) = (new.clone(), new.lines.clone());
        let plan = move |replica: &Replica, now| place::plan_finding(replica, now, Actor::System, planned, &found);
        self.ask(at, plan, move |world, at, outcome| {
            if world.has_siblings() && matches!(outcome, Err(RunError::Refused(PlaceRefusal::SoldOut { .. }))) {
                let wishes = world.boxes[at].replica.as_ref().map(|replica| share::wishes(replica, &lines));
                world.wish(at, wishes.unwrap_or_default());
            }
            if let Err(RunError::Refused(PlaceRefusal::SoldOut { ingredient_name, .. })) = &outcome
                && kiosk == 0
                && !world.healed
                && world.chance(60)
            {
                // The cashier looks, and there is some: on the shelf it was, whatever becomes of the order.
                let receipt = Receipt::delivered(ingredient(ingredient_name), 400);
                *world.reference.shelf.entry(receipt.ingredient).or_default() += receipt.amount;
                world.trace.rare("found on the shelf");
                let intent = IntentId::derived(&[&world.mint("found")]);
                let found = vec![(intent, Receipt { found: Some("behind the flour".to_owned()), ..receipt })];
                return world.place_here(kiosk, at, new, found);
            }
            if let Ok(Placed::Now(_)) = &outcome {
                // Known to the world though perhaps to no guest: an order is new once.
                *world.reference.times_new.entry(id).or_default() += 1;
                world.people.placed.push(new);
            }
            if !world.wifi_lost() {
                world.guest_heard(kiosk, at, id, outcome);
            }
        });
    }

    fn guest_heard(&mut self, kiosk: usize, at: usize, id: OrderId, outcome: Result<Placed, RunError<PlaceRefusal>>) {
        let mine = self.people.wishes[kiosk].as_ref().is_some_and(|wish| wish.new.id == id);
        match outcome {
            Ok(Placed::Now(order) | Placed::Before(order)) => {
                if mine {
                    self.people.wishes[kiosk] = None;
                }
                self.told_placed(at, &order);
                if self.chance(600) {
                    let delay = self.between(500, 30_000);
                    self.after(delay, move |world| world.pay_here(at, id));
                }
            }
            Err(RunError::Refused(refusal)) => {
                self.trace.rare(match refusal {
                    PlaceRefusal::SoldOut { .. } => "right refused",
                    PlaceRefusal::EightySixed { .. } => "item off sale refused",
                    PlaceRefusal::NotSetUp
                    | PlaceRefusal::Price(_)
                    | PlaceRefusal::PriceChanged { .. }
                    | PlaceRefusal::SameIdOtherCart { .. }
                    | PlaceRefusal::NothingFound { .. }
                    | PlaceRefusal::TextTooLong { .. } => "order refused otherwise",
                });
                if mine {
                    self.people.wishes[kiosk] = None;
                }
            }
            Err(RunError::Unknown) => self.trace.rare("unknown answered"),
            Err(RunError::Closed) => {}
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                self.found(Finding::new("an order cannot be placed", error.to_string()));
            }
        }
    }

    fn told_placed(&mut self, at: usize, order: &Order) {
        let Some(log) = log_of(self.boxes[at].replica.as_ref()) else { return };
        let view = &order.live.view;
        let total_minor = view.total_minor();
        let told = Told::Placed { number: view.number.clone(), total_minor };
        self.note(format_args!("box {at} told {} as {:?}", order.id, view.number));
        self.reference.promise(order.id, at, log, told);
        self.people.answered.push((order.id, total_minor));
    }

    /// The same id with another cart is refused, whatever became of the order.
    fn other_cart(&mut self, at: usize) {
        if self.people.placed.is_empty() {
            return;
        }
        let choice = self.rng.below(self.people.placed.len());
        let mut new = self.people.placed[choice].clone();
        let id = new.id;
        if let Some(line) = new.lines.first_mut() {
            line.quantity += 1;
        }
        let here = self.boxes[at].replica.as_ref().is_some_and(|replica| replica.order(&id).ok().flatten().is_some());
        // An id goes to the node that its device belongs to: another one that has not heard of it would take it for new.
        if self.has_siblings() && !here {
            return;
        }
        let plan = move |replica: &Replica, now| place::plan(replica, now, Actor::System, new);
        self.ask(at, plan, move |world, _, outcome| match outcome {
            Err(RunError::Refused(PlaceRefusal::SameIdOtherCart { .. })) => world.trace.rare("other cart under one id"),
            Ok(placed) if here => world.found(Finding::new("other cart taken", format!("{id}: {placed:?}"))),
            Ok(Placed::Now(_)) => *world.reference.times_new.entry(id).or_default() += 1,
            Ok(Placed::Before(_)) | Err(_) => {}
        });
    }

    /// What somebody was told that an order costs, in minor units.
    pub(super) fn cost_of(&self, order: &OrderId) -> i64 {
        self.people.answered.iter().find(|(id, _)| id == order).map_or(0, |(_, total)| *total)
    }

    // ---- The kitchen ----

    /// What a cook sees: an open order that is in the kitchen. Sorted by id, so that a seed sees the same.
    fn on_board(&self, at: usize) -> Vec<(OrderId, OrderView)> {
        let Some(replica) = &self.boxes[at].replica else { return Vec::new() };
        let open = replica
            .live_orders()
            .filter(|(_, order)| order.view.on_board() || order.view.status == Status::ReadyForPickup);
        open.map(|(id, order)| (*id, order.view.clone())).collect()
    }

    fn cook(&mut self) {
        let busy = if self.healed { 4 } else { 1 + self.rng.below(2) };
        let boxes = self.boxes.len();
        for _ in 0..busy {
            let at = if self.has_siblings() {
                self.someones()
            } else if self.healed || self.chance(850) {
                self.main
            } else {
                self.rng.below(boxes)
            };
            let board = self.on_board(at);
            if !board.is_empty() {
                let (id, view) = &board[self.rng.below(board.len())];
                let (id, view) = (*id, view.clone());
                self.work_on(at, id, &view);
            }
        }
        let delay = if self.healed { 1_500 } else { self.between(2_000, 12_000) };
        self.after(delay, Self::cook);
    }

    fn work_on(&mut self, at: usize, id: OrderId, view: &OrderView) {
        if view.cancelled.is_some() {
            // A cancelled order stays on the board until each of its lines was seen.
            let unseen = view.lines.iter().find(|line| !line.seen);
            let line = unseen.map(|line| (line.line.id, line.line.station.clone()));
            if let Some((line, station)) = line
                && let Some((key, ticket)) = view.tickets.iter().find(|(key, _)| key.station == station)
            {
                let action =
                    KitchenAction { order: id, ticket: key.clone(), epoch: ticket.epoch, tap: Tap::Seen { line } };
                self.tap(at, action, 0);
            }
            return;
        }
        let tickets: Vec<_> =
            view.tickets.iter().filter(|(_, ticket)| ticket.phase < TicketPhase::HandedOver).collect();
        if tickets.is_empty() {
            return;
        }
        let (key, ticket) = tickets[self.rng.below(tickets.len())];
        let (key, epoch, phase) = (key.clone(), ticket.epoch, ticket.phase);
        // A tap as it may come from a screen that lags behind.
        let epoch = if epoch > 0 && self.chance(50) { epoch - 1 } else { epoch };
        let playful = !self.healed;
        let tap = match phase {
            TicketPhase::Queued if self.chance(600) => Tap::Command(TicketCommand::Start),
            TicketPhase::Queued | TicketPhase::Started => Tap::Command(TicketCommand::Bump),
            TicketPhase::Ready if playful && self.chance(60) => Tap::Recall,
            TicketPhase::Ready if playful && self.chance(30) => Tap::Remake,
            TicketPhase::Ready | TicketPhase::HandedOver => Tap::Command(TicketCommand::HandOver),
        };
        let action = KitchenAction { order: id, ticket: key, epoch, tap };
        self.tap(at, action.clone(), 0);
        if self.chance(60) {
            self.tap(at, action, 0);
        }
    }

    fn tap(&mut self, at: usize, action: KitchenAction, tries: u32) {
        let planned = action.clone();
        let plan = move |replica: &Replica, now| act::plan(replica, now, Actor::System, planned);
        self.ask(at, plan, move |world, at, outcome| match outcome {
            Ok(Outcome::Done | Outcome::Already) => {
                world.told_ticket(at, &action);
            }
            Err(RunError::Unknown | RunError::Closed) if tries < 5 => {
                // A screen keeps its taps and sends them again.
                let delay = world.between(2_000, 10_000);
                world.after(delay, move |world| world.tap(at, action, tries + 1));
            }
            Err(RunError::Unknown | RunError::Closed) => {}
            Err(RunError::Refused(_)) => world.trace.rare("tap refused"),
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                world.found(Finding::new("a tap cannot be taken", error.to_string()));
            }
        });
    }

    fn told_ticket(&mut self, at: usize, action: &KitchenAction) {
        let phase = match action.tap {
            Tap::Command(TicketCommand::Start) => TicketPhase::Started,
            Tap::Command(TicketCommand::Bump) => TicketPhase::Ready,
            Tap::Command(TicketCommand::HandOver) => TicketPhase::HandedOver,
            Tap::Line { .. } | Tap::Recall | Tap::Remake | Tap::Acknowledge | Tap::Seen { .. } => return,
        };
        let told = Told::Ticket { ticket: action.ticket.clone(), epoch: action.epoch, phase };
        if let Some(log) = log_of(self.boxes[at].replica.as_ref()) {
            self.reference.promise(action.order, at, log, told);
        }
    }

    // ---- Waiters ----

    /// A waiter at one of the nodes changes a check: perhaps another one at another node does so too, and neither hears of it.
    fn waiter(&mut self) {
        if self.healed {
            return;
        }
        let at = self.someones();
        let delay = self.between(4_000, 20_000);
        self.after(delay, Self::waiter);
        let open: Vec<(OrderId, OrderView)> =
            self.on_board(at).into_iter().filter(|(_, view)| view.header.owner.is_none()).collect();
        if open.is_empty() {
            return;
        }
        let (order, view) = open[self.rng.below(open.len())].clone();
        let name = self.mint("amendment");
        let wanted: Vec<LineId> = view.wanted().map(|line| line.line.id).collect();
        let void = match wanted.as_slice() {
            [first, _, ..] if self.chance(300) => vec![VoidLine { line: *first, why: "sent back".to_owned() }],
            _ => vec![],
        };
        let add = if void.is_empty() || self.chance(300) {
            let line = self.new_wish(1).new.lines.into_iter().next();
            line.map(|line| AddLine { line, replaces: None }).into_iter().collect()
        } else {
            vec![]
        };
        let amendment = Amendment { order, intent: IntentId::derived(&[&name]), void, add };
        let lines: Vec<LineId> = amendment.add.iter().map(|add| add.line.id).collect();
        let voided: Vec<LineId> = amendment.void.iter().map(|void| void.line).collect();
        let plan = move |replica: &Replica, now| amend::plan(replica, now, Actor::System, amendment);
        self.ask(at, plan, move |world, at, outcome| match outcome {
            Ok(_) => {
                let Some(log) = log_of(world.boxes[at].replica.as_ref()) else { return };
                world.trace.rare("check changed by a waiter");
                for line in lines {
                    world.reference.promise(order, at, log, Told::Line { line, wanted: true });
                }
                for line in voided {
                    world.reference.promise(order, at, log, Told::Line { line, wanted: false });
                }
            }
            Err(RunError::Refused(_)) => world.trace.rare("change of a check refused"),
            Err(RunError::Unknown | RunError::Closed) => {}
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                world.found(Finding::new("a check cannot be changed", error.to_string()));
            }
        });
    }

    // ---- The manager ----

    fn manager(&mut self) {
        if self.healed {
            return;
        }
        let at = if self.has_siblings() { self.someones() } else { self.main };
        match self.rng.below(12) {
            10..12 => self.describe(at),
            0..3 => {
                let intent = self.wanted_in_the_books("delivery");
                let (name, amount) = DELIVERED[self.rng.below(DELIVERED.len())];
                let receipt = Receipt::delivered(ingredient(name), amount / 2);
                // On the shelf, booked or not.
                *self.reference.shelf.entry(receipt.ingredient).or_default() += receipt.amount;
                self.book(at, intent, Booking::Delivered(receipt), 0);
            }
            3..5 => {
                let item = MenuItemId::derived(&[DISHES[self.rng.below(DISHES.len())].0]);
                let until =
                    if self.chance(500) { None } else { Some(self.shown(self.boxes[at].skew_ms).plus_ms(90_000)) };
                let off = if self.chance(500) { Some(Off { until }) } else { None };
                let plan = move |replica: &Replica, now| eighty_six::plan(replica, now, Actor::System, item, off);
                self.ask(at, plan, |_, _, _| {});
            }
            5..8 => self.cancel_here(at),
            _ if self.has_siblings() => self.take_over_here(at),
            _ => {}
        }
        let delay = self.between(15_000, 60_000);
        self.after(delay, Self::manager);
    }

    /// A manager writes what guests read of a dish, wherever they are: perhaps at the same time as another one.
    fn describe(&mut self, at: usize) {
        let item = MenuItemId::derived(&[DISHES[self.rng.below(2)].0]);
        if self.has_siblings() {
            let other = self.someones();
            self.describe_as(other, item);
        }
        self.describe_as(at, item);
    }

    fn describe_as(&mut self, at: usize, item: MenuItemId) {
        let text = self.mint("dish");
        let overruled = self.reference.overruled.clone();
        let value = FieldValue::Description(text.clone());
        let plan = move |replica: &Replica, _| {
            let before = checks::descriptions(replica, &item);
            let seen = before.iter().map(|text| (item, text.clone()));
            overruled.lock().unwrap_or_else(PoisonError::into_inner).extend(seen);
            let plan = edit::plan(replica, Actor::System, item, Edit { values: vec![value], ..Edit::default() })?;
            let node::Plan { by, changes, more, .. } = plan;
            Ok::<_, PlanError<EditRefusal>>(node::Plan { by, changes, more, answer: Box::new(move |_| before) })
        };
        self.ask(at, plan, move |world, at, outcome| {
            let Ok(before) = outcome else { return };
            if before.len() > 1 {
                world.trace.rare("menu field written in two places");
            }
            if let Some(log) = log_of(world.boxes[at].replica.as_ref()) {
                world.reference.promise(OrderId::derived(&["no order"]), at, log, Told::Dish { item, text });
            }
        });
    }

    /// Somebody at a node pauses orders from home, opens again, is busy, or says yes or no to what waits.
    fn pause_or_open(&mut self) {
        let at = if self.has_siblings() { self.someones() } else { self.main };
        let now = self.shown(self.boxes[at].skew_ms);
        let Some(replica) = self.boxes[at].replica.as_ref().filter(|_| !self.healed) else {
            if !self.healed {
                self.after(20_000, Self::pause_or_open);
            }
            return;
        };
        let paused = replica.site().intake().paused_until(now).is_some();
        let waiting: Vec<(OrderId, Waits)> =
            accept::waiting(replica, now).into_iter().map(|(id, _, why)| (id, why)).collect();
        let asked: Vec<(OrderId, IntentId)> =
            requests::for_a_person(replica, now).into_iter().map(|(id, _, one)| (id, one.intent)).collect();
        for (id, why) in waiting {
            if self.chance(500) {
                let rejected = self.chance(300).then(|| "too much to do".to_owned());
                let what = Asked::Decide { rejected: rejected.clone() };
                let plan = move |replica: &Replica, _| accept::decide(replica, Actor::System, id, rejected);
                self.ask(at, plan, move |world, at, outcome| match outcome {
                    Ok(_) if why == Waits::Paused => world.trace.rare("decided by a person while paused"),
                    Ok(_) => world.trace.rare("decided by a person who saw that it would be late"),
                    Err(RunError::Refused(DecideRefusal::OtherNode(_))) => world.ask_owner(at, id, what),
                    Err(_) => {}
                });
            }
        }
        for about in asked {
            if self.chance(600) {
                let refused = self.chance(400).then(|| "it is in the oven".to_owned());
                let what = Asked::Answer { request: about.1, refused: refused.clone() };
                let plan = move |replica: &Replica, _| requests::decide(replica, Actor::System, about, refused);
                self.ask(at, plan, move |world, at, outcome| match outcome {
                    Ok(_) => world.trace.rare("wish answered by a person"),
                    Err(RunError::Refused(AnswerRefusal::OtherNode(_))) => world.ask_owner(at, about.0, what),
                    Err(_) => {}
                });
            }
        }
        let command = match self.rng.below(10) {
            0..8 if paused => Some(IntakeCommand::Open),
            0 if self.chance(300) => Some(IntakeCommand::Pause(PauseFor::Tomorrow)),
            0 => Some(IntakeCommand::Pause(PauseFor::Minutes([15, 30, 60][self.rng.below(3)]))),
            1 => Some(IntakeCommand::Busy([0, 10, 20, 30][self.rng.below(4)])),
            _ => None,
        };
        if let Some(command) = command {
            let plan = move |replica: &Replica, now| intake::plan(replica, now, Actor::System, command);
            self.ask(at, plan, move |world, at, outcome| {
                if outcome.is_ok() {
                    world.note(format_args!("box {at}: {command:?}"));
                    world.trace.rare("paused, busy or opened");
                }
            });
        }
        let delay = if paused { self.between(3_000, 10_000) } else { self.between(10_000, 40_000) };
        self.after(delay, Self::pause_or_open);
    }

    /// Somebody wants of an order what only the node that decides about it may do: that node is asked.
    fn ask_owner(&mut self, at: usize, order: OrderId, what: Asked) {
        let plan = move |replica: &Replica, _| asked::ask(replica, Actor::System, order, what);
        self.ask(at, plan, move |world, at, outcome| {
            if outcome.is_ok() {
                world.note(format_args!("box {at} asks the node that decides about {order}"));
            }
        });
    }

    /// A manager takes over what another node owns: perhaps because that is silent, perhaps because its cable is.
    fn take_over_here(&mut self, at: usize) {
        let Some(replica) = &self.boxes[at].replica else { return };
        let own = replica.identity().origin;
        let others: Vec<OrderId> = replica
            .live_orders()
            .filter(|(_, order)| order.view.owner != own && !is_over(&order.view))
            .map(|(id, _)| *id)
            .collect();
        if others.is_empty() {
            return;
        }
        let id = others[self.rng.below(others.len())];
        let plan = move |replica: &Replica, _| ownership::plan(replica, Actor::System, id, "it is silent");
        self.ask(at, plan, move |world, at, outcome| match outcome {
            Ok(order) => {
                world.note(format_args!("box {at} takes {id} over, term {}", order.live.view.term));
                world.trace.rare("taken over by a higher term");
            }
            Err(RunError::Refused(_) | RunError::Unknown | RunError::Closed) => {}
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                world.found(Finding::new("an order cannot be taken over", error.to_string()));
            }
        });
    }

    fn cancel_here(&mut self, at: usize) {
        let open: Vec<OrderId> = self.on_board(at).into_iter().map(|(id, _)| id).collect();
        if open.is_empty() {
            return;
        }
        let id = open[self.rng.below(open.len())];
        let plan = move |replica: &Replica, _| cancel::plan(replica, Actor::System, id, "no oven", None);
        self.ask(at, plan, move |world, at, outcome| match outcome {
            Ok(_) => {
                if let Some(log) = log_of(world.boxes[at].replica.as_ref()) {
                    world.reference.promise(id, at, log, Told::Cancelled);
                    world.trace.rare("order cancelled in the restaurant");
                }
            }
            Err(RunError::Refused(Here::OtherNode(_))) => {
                world.ask_owner(at, id, Asked::Cancel { why: "no oven".to_owned() });
            }
            Err(RunError::Refused(_)) => world.trace.rare("cancel refused in the restaurant"),
            Err(_) => {}
        });
    }

    // ---- Customers at home ----

    /// A process that a customer's request comes to.
    fn front(&mut self) -> Option<usize> {
        let up: Vec<usize> = (0..2).filter(|at| self.machines[*at].process.is_some()).collect();
        match up.as_slice() {
            [] => None,
            [only] => Some(*only),
            [first, second, ..] => {
                let (first, second) = (*first, *second);
                Some(if self.chance(800) { first } else { second })
            }
        }
    }

    fn customer(&mut self, who: usize) {
        let home = std::mem::take(&mut self.people.homes[who]);
        let (next, delay) = match home {
            Home::Idle if self.healed => return,
            Home::Idle => (self.quote(who), self.between(2_000, 30_000)),
            Home::Placing(wanted) => (self.place_online(who, wanted), self.between(1_500, 6_000)),
            Home::Paying(wanted) => (self.look_at_checkout(who, wanted), self.between(1_500, 6_000)),
            Home::Waiting(order) => (self.look_at_order(who, order), self.between(10_000, 60_000)),
        };
        self.people.homes[who] = next;
        self.after(delay, move |world| world.customer(who));
    }

    fn id_of(who: usize) -> CustomerId {
        CustomerId::derived(&["customer", &who.to_string()])
    }

    fn quote(&mut self, who: usize) -> Home {
        if self.chance(300) {
            return Home::Idle;
        }
        let Some(front) = self.front() else { return Home::Idle };
        let name = self.mint("online");
        let wish = self.new_wish(1).new;
        let delivery = self.chance(600);
        let address =
            Address { street: "Way 1".into(), city: "Town".into(), lat: PLACE.lat + 0.01, lon: PLACE.lon, note: None };
        let request = QuoteRequest {
            fulfilment: if delivery { Fulfilment::Delivery } else { Fulfilment::Takeaway },
            lines: wish.lines,
            tip_minor: if self.chance(300) { 150 } else { 0 },
            address: delivery.then_some(address),
            note: None,
        };
        let customer = Self::id_of(who);
        let quoted = self.at_relay(front, |process| {
            let (desk, site) = (process.desk.clone(), process.site.clone());
            process.block(async move { desk.quote(&site, customer, request).await })
        });
        match quoted {
            Some(Ok((quote, _))) => {
                let declined = self.chance(60);
                let request = PlaceRequest {
                    order: OrderId::derived(&[&name]),
                    quote: quote.id,
                    payment: PaymentId::derived(&[&name]),
                    card: if declined { "tok_declined" } else { "tok_ok" }.to_owned(),
                };
                self.note(format_args!("customer {who} is quoted {} for {}", quote.total_minor, request.order));
                Home::Placing(Box::new((request, quote)))
            }
            Some(Err(OnlineRefusal::Quote(QuoteRefusal::SoldOut { .. }))) => {
                self.trace.rare("right refused online");
                Home::Idle
            }
            Some(Err(OnlineRefusal::Quote(QuoteRefusal::Paused(_)))) => {
                self.trace.rare("refused while paused");
                Home::Idle
            }
            Some(Err(OnlineRefusal::Store(error))) => {
                self.found(Finding::new("the relay's store failed", error.to_string()));
                Home::Idle
            }
            Some(Err(_)) | None => Home::Idle,
        }
    }

    fn place_online(&mut self, who: usize, wanted: Box<(PlaceRequest, Quote)>) -> Home {
        let Some(front) = self.front() else { return Home::Placing(wanted) };
        let customer = Self::id_of(who);
        let taps = if self.chance(120) { 2 } else { 1 };
        for _ in 0..taps {
            let request = wanted.0.clone();
            let order = request.order;
            let begun = self.at_relay(front, |process| {
                let (desk, site) = (process.desk.clone(), process.site.clone());
                process.block(async move { desk.begin(&site, customer, request).await })
            });
            self.work_soon(front);
            match begun {
                None => return Home::Placing(wanted),
                Some(Ok(_)) => {
                    let total_minor = wanted.1.total_minor;
                    let new = Online {
                        customer,
                        total_minor,
                        placed: false,
                        times_new: 0,
                        cancel_taken: false,
                        wishes: Some(Vec::new()),
                        shown: BTreeSet::new(),
                    };
                    self.reference.online.entry(order).or_insert(new);
                    if taps == 2 {
                        self.trace.rare("double tap at home");
                    }
                }
                Some(Err(OnlineRefusal::Store(error))) => {
                    self.found(Finding::new("the relay's store failed", error.to_string()));
                }
                Some(Err(refusal)) => {
                    self.note(format_args!("customer {who} may not place {order}: {refusal}"));
                    self.trace.rare("online order refused");
                    return Home::Idle;
                }
            }
        }
        // The answer to the tap was lost: the same request again.
        if self.wifi_lost() { Home::Placing(wanted) } else { Home::Paying(wanted) }
    }

    fn look_at_checkout(&mut self, who: usize, mut wanted: Box<(PlaceRequest, Quote)>) -> Home {
        let Some(front) = self.front() else { return Home::Paying(wanted) };
        let (customer, order) = (Self::id_of(who), wanted.0.order);
        let found = self.at_relay(front, |process| {
            let desk = process.desk.clone();
            process.block(async move { desk.checkout(customer, &order).await })
        });
        let state = match found {
            None => return Home::Paying(wanted),
            Some(Ok(Some(checkout))) => checkout.state,
            Some(Ok(None)) => {
                self.found(Finding::new("lost", format!("the checkout of {order} is gone")));
                return Home::Idle;
            }
            Some(Err(error)) => {
                self.found(Finding::new("the relay's store failed", error.to_string()));
                return Home::Idle;
            }
        };
        match state {
            CheckoutState::Paying => Home::Paying(wanted),
            CheckoutState::Placed => {
                self.note(format_args!("customer {who} has {order}"));
                self.trace.rare("online order placed");
                if let Some(online) = self.reference.online.get_mut(&order) {
                    online.placed = true;
                }
                Home::Waiting(order)
            }
            CheckoutState::Declined if !self.healed && self.chance(500) => {
                self.trace.rare("paid with another card");
                let payment = PaymentId::derived(&[&self.mint("another payment")]);
                (wanted.0.payment, wanted.0.card) = (payment, "tok_ok".to_owned());
                Home::Placing(wanted)
            }
            CheckoutState::Declined => Home::Idle,
            CheckoutState::SoldOut => {
                self.trace.rare("sold out while paying");
                Home::Idle
            }
            CheckoutState::TooLate => {
                self.trace.rare("paid too late");
                Home::Idle
            }
            CheckoutState::Paused => {
                self.trace.rare("paused while paying");
                Home::Idle
            }
        }
    }

    fn look_at_order(&mut self, who: usize, order: OrderId) -> Home {
        let Some(front) = self.front() else { return Home::Waiting(order) };
        let customer = Self::id_of(who);
        let seen = self.at_relay(front, |process| {
            let desk = process.desk.clone();
            process.block(async move { desk.order(customer, &order).await })
        });
        let seen = match seen {
            None => return Home::Waiting(order),
            Some(Ok(Some(seen))) => seen,
            Some(Ok(None)) => {
                self.found(Finding::new("lost", format!("online order {order} is not there")));
                return Home::Idle;
            }
            Some(Err(error)) => {
                self.found(Finding::new("the relay's store failed", error.to_string()));
                return Home::Idle;
            }
        };
        let view = &seen.live.view;
        for request in &view.amendments {
            self.trace.rare(match request.state {
                AmendmentState::Asked => "wish waits",
                AmendmentState::Granted => "wish granted",
                AmendmentState::Refused(_) => "wish refused",
                AmendmentState::Lapsed => "wish lapsed",
            });
        }
        if is_over(view) || view.status == Status::DeliveryFailed {
            return Home::Idle;
        }
        if !self.healed && self.chance(250) {
            self.amend_online(front, customer, seen.clone());
        }
        if self.healed || !self.chance(220) {
            return Home::Waiting(order);
        }
        let now = self.shown(self.machines[front].skew_ms);
        self.cancel_online(front, customer, seen, now);
        Home::Waiting(order)
    }

    /// A customer wants something otherwise, and perhaps taps twice.
    fn amend_online(&mut self, front: usize, customer: CustomerId, seen: pilotlight_relay::ordering::desk::Seen) {
        let order = seen.kept.order;
        let name = self.mint("wish");
        let now = self.shown(self.machines[front].skew_ms);
        let wanted = match self.rng.below(4) {
            0 => Wanted::Instructions(Some(name.clone())),
            1 => Wanted::Contact(Contact { name: name.clone(), phone: "555".to_owned() }),
            2 => {
                let lat = PLACE.lat + 0.001 * (1 + self.rng.below(20)) as f64;
                Wanted::Address(Address { street: name.clone(), city: "Town".into(), lat, lon: PLACE.lon, note: None })
            }
            _ if self.chance(300) => Wanted::Time(None),
            _ => Wanted::Time(Some(now.plus_ms(self.between(5, 40) * 60_000))),
        };
        let intent = IntentId::derived(&[&name]);
        let taps = if self.chance(150) { 2 } else { 1 };
        for _ in 0..taps {
            let (wish, seen) = (Otherwise { intent, wanted: wanted.clone() }, seen.clone());
            let done = self.at_relay(front, |process| {
                let desk = process.desk.clone();
                process.block(async move { desk.amend(customer, &seen, wish).await })
            });
            match done {
                Some(Ok(())) => {
                    self.note(format_args!("{order}: {wanted:?} is wanted"));
                    let online = self.reference.online.get_mut(&order);
                    if let Some(wishes) = online.and_then(|online| online.wishes.as_mut())
                        && !wishes.iter().any(|(known, _)| *known == intent)
                    {
                        wishes.push((intent, wanted.clone()));
                    }
                }
                Some(Err(WorkError::Refused(AmendError::Refused(AmendRefusal::AddressFixed)))) => {
                    self.trace.rare("address fixed");
                }
                Some(Err(WorkError::Refused(_))) => self.trace.rare("wish not taken"),
                Some(Err(WorkError::Store(error))) => {
                    self.found(Finding::new("the relay's store failed", error.to_string()));
                }
                // Written or not: nobody was told.
                Some(Err(WorkError::TooLarge(_) | WorkError::Unknown | WorkError::Closed)) | None => {
                    if let Some(online) = self.reference.online.get_mut(&order) {
                        online.wishes = None;
                    }
                    return;
                }
            }
        }
    }

    fn cancel_online(
        &mut self,
        front: usize,
        customer: CustomerId,
        seen: pilotlight_relay::ordering::desk::Seen,
        now: Timestamp,
    ) {
        let order = seen.kept.order;
        let process = self.machines[front].process.as_ref();
        let preview = match process.map(|process| process.desk.preview(&seen)) {
            Some(Ok(preview)) => preview,
            Some(Err(CancelRefusal::RefusedBefore)) => return self.trace.rare("cancel refused by the kitchen"),
            Some(Err(_)) | None => return self.trace.rare("cancel refused online"),
        };
        // Ten minutes after its confirmation nobody has begun: everything, whatever the table says.
        let free = seen.kept.unbegun_since.is_some_and(|since| now.ms_since(since) >= 600_000);
        let free = free && !seen.live.view.tickets.values().any(|ticket| ticket.begun);
        let expected = if seen.kept.phase == OrderPhase::Placed || free {
            seen.kept.amount_minor
        } else {
            by_table(&seen.live.view, seen.kept.amount_minor, now.ms_since(seen.kept.placed_at))
        };
        if preview.refund_minor != expected {
            let what = format!("{order}: {} is shown, {expected} is the table's", preview.refund_minor);
            self.found(Finding::new("refund not by the table", what));
        }
        let confirmed = seen.kept.phase != OrderPhase::Placed;
        if let Some(online) = self.reference.online.get_mut(&order) {
            online.shown.insert(expected);
        }
        let done = self.at_relay(front, |process| {
            let desk = process.desk.clone();
            process.block(async move { desk.cancel(customer, &seen, "hungry no more".to_owned(), expected).await })
        });
        match done {
            Some(Ok(())) => {
                self.trace.rare(if confirmed { "cancel requested" } else { "cancelled early" });
                if let Some(online) = self.reference.online.get_mut(&order) {
                    online.cancel_taken = true;
                }
                self.work_soon(front);
            }
            Some(Err(WorkError::Refused(CancelError::Refused(CancelRefusal::RefusedBefore)))) => {
                self.trace.rare("cancel refused by the kitchen");
            }
            Some(Err(WorkError::Refused(_))) => self.trace.rare("cancel refused online"),
            Some(Err(WorkError::Store(error))) => {
                self.found(Finding::new("the relay's store failed", error.to_string()));
            }
            Some(Err(WorkError::TooLarge(_) | WorkError::Unknown | WorkError::Closed)) | None => {}
        }
    }

    // ---- Riders ----

    /// A rider's telephone says where it is: who has not been heard of is offered nothing.
    fn rider_moves(&mut self, rider: usize) {
        let Some(front) = self.front() else { return };
        let id = relay::riders()[rider];
        self.at_relay(front, |process| {
            let riders = &process.riders;
            process.block(async move { riders.place(&id, PLACE, None).await })
        });
    }

    fn rider(&mut self, rider: usize) {
        self.rider_moves(rider);
        let delay = if self.healed { 3_000 } else { self.between(10_000, 30_000) };
        self.after(delay, move |world| world.rider(rider));
        let Some(front) = self.front() else { return };
        let id = relay::riders()[rider];
        let task = self.at_relay(front, |process| {
            let riders = &process.riders;
            process.block(async move { riders.task(&id).await })
        });
        let Some(Ok(Some((_, Some(task))))) = task else { return };
        let ready = task.live.view.status == Status::ReadyForPickup;
        let step = match task.delivery.state {
            DeliveryState::Offered if !self.healed && self.chance(150) => RiderStep::Decline,
            DeliveryState::Offered => RiderStep::Accept,
            DeliveryState::Assigned if !ready => RiderStep::AtStore,
            DeliveryState::Assigned | DeliveryState::AtStore if ready => RiderStep::PickedUp,
            DeliveryState::PickedUp if !self.healed && self.chance(60) => {
                RiderStep::Failed { why: "nobody there".to_owned() }
            }
            DeliveryState::PickedUp => RiderStep::Delivered,
            DeliveryState::Assigned
            | DeliveryState::AtStore
            | DeliveryState::Waiting
            | DeliveryState::Delivered
            | DeliveryState::Failed
            | DeliveryState::Ended => return,
        };
        let order = task.delivery.order;
        self.note(format_args!("rider {rider}: {order} {step:?}"));
        if step == RiderStep::Delivered {
            self.trace.rare("delivered");
        }
        let done = self.at_relay(front, |process| {
            let riders = &process.riders;
            process.block(async move { riders.step(id, order, step).await })
        });
        if let Some(Err(WorkError::Store(error))) = done {
            self.found(Finding::new("the relay's store failed", error.to_string()));
        }
    }
}
