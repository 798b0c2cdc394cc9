//! The JSON shapes of `/api/v1` and of the live feed: the only types that screens see.
//!
//! What the relay speaks too is in `pilotlight_edge::api::json`. TypeScript is generated from both into `kds-ui/src/generated/`; a test fails when it is stale. Amounts are integers in
//! minor units, times are milliseconds since 1970 UTC, ids are UUIDs in text.

pub use pilotlight_edge::api::json::*;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

macro_rules! shape {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
        #[ts(export_to = "api.ts")]
        $item
    )+};
}

macro_rules! words {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[ts(export_to = "api.ts")]
        $item
    )+};
}

words! {
    /// A field of a menu item.
    pub enum MenuFieldJson { Category, Position, Name, KitchenName, Description, Station, Prep, Tax, Variants, Groups, Tags, Allergens, QuantityMin }
    /// What a device or person is here to do.
    pub enum RoleJson { Customer, Kitchen, Staff, Manager, Admin }
    /// Where an order was taken.
    pub enum ChannelJson { Kiosk, Counter, Phone, QrTable, Cloud, Marketplace }
    /// How far a station's ticket is.
    pub enum TicketPhaseJson { Queued, Started, Ready, HandedOver }
    /// Why this epoch of a ticket was opened.
    pub enum EpochKindJson { First, LookAgain, CookAgain, More }
    /// What became of one kitchen action.
    pub enum OutcomeJson { Done, Already, Refused }
    /// What a live connection shows.
    pub enum ScreenJson { Kitchen, Kiosk, Counter, Pickup }
    /// Whether the relay is there; `none`: this restaurant works alone.
    pub enum UplinkStateJson { None, Connecting, Online, Offline }
}

shape! {
    // ---- site, devices, people

    /// What anyone on the LAN may know of this site, before pairing.
    pub struct SiteJson {
        pub site: String,
        pub name: String,
        pub currency: String,
        /// IANA name.
        pub time_zone: String,
        /// The node's program version.
        pub version: String,
        /// The node's clock.
        #[ts(type = "number")]
        pub now: Millis,
        /// The store that writes here; another one means a replaced or rolled-back node.
        pub origin: String,
        /// Whether the store is open. When not, only recovery is possible.
        pub ready: bool,
    }
    /// A one-time code, typed or scanned on the new device.
    pub struct PairJson {
        pub code: String,
        pub name: String,
    }
    /// The device's own token: shown once, kept by the device.
    pub struct PairedJson {
        pub token: String,
        pub device: String,
        pub name: String,
        pub role: RoleJson,
        pub site_name: String,
    }
    /// Asks for a pairing code.
    pub struct NewPairingCodeJson {
        pub role: RoleJson,
    }
    /// A pairing code, good once, until it expires.
    pub struct PairingCodeJson {
        pub code: String,
        pub role: RoleJson,
        #[ts(type = "number")]
        pub expires_at: Millis,
        /// Opens the right screen on the new device and fills in the code.
        pub url: String,
        /// The same as a QR code, an SVG document.
        pub qr_svg: String,
    }
    pub struct DevicesJson {
        pub devices: Vec<DeviceJson>,
    }
    /// One paired device.
    pub struct DeviceJson {
        pub id: String,
        pub name: String,
        pub role: RoleJson,
        #[ts(type = "number")]
        pub paired_at: Millis,
        pub revoked: bool,
    }
    pub struct StaffListJson {
        pub staff: Vec<StaffJson>,
    }
    /// One person.
    pub struct StaffJson {
        pub id: String,
        pub name: String,
        pub role: RoleJson,
    }
    /// Adds a person.
    pub struct NewStaffJson {
        pub name: String,
        pub role: RoleJson,
        /// 4 to 8 digits.
        pub pin: String,
    }
    /// Signs a person in on this shared device.
    pub struct SignInJson {
        pub staff: String,
        pub pin: String,
    }
    /// Use this token instead of the device's until the person signs out.
    pub struct SignedInJson {
        pub token: String,
        pub staff: StaffJson,
        #[ts(type = "number")]
        pub expires_at: Millis,
    }
    /// Who this token speaks for.
    pub struct WhoAmIJson {
        pub device: DeviceJson,
        pub staff: Option<StaffJson>,
        /// What the token may do: the wider of the two roles.
        pub role: RoleJson,
    }

    // ---- menu

    /// 86s an item, or puts it back.
    pub struct EightySixJson {
        pub available: bool,
        /// Comes back by itself then.
        #[ts(type = "number | null")]
        pub until: Option<Millis>,
    }
    /// What is to be otherwise about an item; what is left out stays.
    pub struct ChangeItemJson {
        pub name: Option<String>,
        pub kitchen_name: Option<String>,
        pub description: Option<String>,
        pub prices: Option<Vec<VariantPriceJson>>,
        /// Which value of a field stays, of those that were written at the same time.
        pub keep: Option<Vec<KeepJson>>,
    }
    pub struct VariantPriceJson {
        pub variant: String,
        #[ts(type = "number")]
        pub price_minor: i64,
    }
    pub struct KeepJson {
        pub field: MenuFieldJson,
        /// As `menu/conflicts` calls it.
        pub choice: String,
    }
    /// Fields of items that were written at the same time in several places.
    pub struct MenuConflictsJson {
        pub conflicts: Vec<MenuConflictJson>,
    }
    pub struct MenuConflictJson {
        pub item: String,
        /// What guests read of the item.
        pub name: String,
        pub field: MenuFieldJson,
        /// The first one is shown, and charged.
        pub values: Vec<MenuValueJson>,
    }
    /// One of them.
    pub struct MenuValueJson {
        pub choice: String,
        /// In words; of sizes empty.
        pub text: String,
        /// Of sizes, each with its price.
        pub prices: Vec<SizePriceJson>,
        /// The letters of the node where it was written; empty: the relay.
        pub node: String,
        #[ts(type = "number")]
        pub at: Millis,
    }
    pub struct SizePriceJson {
        pub name: String,
        #[ts(type = "number")]
        pub price_minor: i64,
    }
    /// What an import did, and line by line what it did not understand.
    pub struct ImportReportJson {
        pub categories: u32,
        pub items: u32,
        pub variants: u32,
        pub groups: u32,
        pub options: u32,
        pub ingredients: u32,
        pub recipes: u32,
        pub not_understood: Vec<NotUnderstoodJson>,
    }
    pub struct NotUnderstoodJson {
        /// Line of a CSV file, or position in a JSON document (`categories[3].items[2]`).
        pub place: String,
        pub what: String,
        /// What was done instead, or what to change.
        pub remedy: String,
    }

    // ---- stock

    pub struct StockJson {
        pub ingredients: Vec<IngredientJson>,
        /// Machines that have written here under other names: what is known of their stock can be taken over when they are off.
        pub others: Vec<MachineJson>,
    }
    /// A machine that has written here under another name.
    pub struct MachineJson {
        pub origin: String,
        /// What its order numbers begin with.
        pub letters: String,
        /// It was ended: it sells nothing any more.
        pub ended: bool,
    }
    /// What was there and cannot be sold any more.
    pub struct WasteJson {
        /// Minted by the device: sending it again books nothing twice.
        pub id: String,
        /// In the ingredient's unit.
        #[ts(type = "number")]
        pub amount: u64,
        /// Burnt, dropped, past its date.
        pub why: String,
    }
    /// States that a machine is off: what is known of its stock is this node's to sell.
    pub struct AdoptJson {
        pub origin: String,
    }
    /// What was taken over; nothing when it had been before.
    pub struct AdoptedJson {
        pub amounts: Vec<AdoptedAmountJson>,
    }
    pub struct AdoptedAmountJson {
        pub ingredient: String,
        /// In the ingredient's unit. Nobody has counted it.
        #[ts(type = "number")]
        pub amount: u64,
    }
    pub struct IngredientJson {
        pub id: String,
        pub name: String,
        /// `g`, `ml` or `pc`.
        pub unit: String,
        /// What may still be sold, in the unit.
        #[ts(type = "number")]
        pub rights: u64,
        /// Sold, not begun to be cooked.
        #[ts(type = "number")]
        pub held: u64,
        /// Used in all, what was returned taken off.
        #[ts(type = "number")]
        pub used: u64,
        /// Running out stops the sale.
        pub enforced: bool,
        /// Taken over from machines that are off, in all: nobody has counted it.
        #[ts(type = "number")]
        pub uncounted: u64,
        /// Sold or taken over although it was not there, because two machines had the same rights.
        #[ts(type = "number")]
        pub missing: u64,
    }
    /// Books a delivery, or what was found.
    pub struct ReceiptJson {
        /// Minted by the device: sending it again books nothing twice.
        pub id: String,
        #[ts(type = "number")]
        pub amount: u64,
        /// Why it is there although the books say it is not; without this it is a delivery.
        #[serde(default)]
        pub found: Option<String>,
    }
    /// Books a count.
    pub struct CountJson {
        /// Minted by the device: sending it again books nothing twice.
        pub id: String,
        /// On the shelf, in the ingredient's unit.
        #[ts(type = "number")]
        pub amount: u64,
    }
    /// What a count was compared with.
    pub struct CountedJson {
        /// All rights of the site, and what is held for open orders.
        #[ts(type = "number")]
        pub books: u64,
        /// Missing beyond what this node could write off: the next deliveries make it good first.
        #[ts(type = "number")]
        pub missing: u64,
    }
    /// Something that is on the shelf although the books say it is not.
    pub struct FoundJson {
        /// Minted by the device: sending it again adds nothing twice.
        pub id: String,
        pub ingredient: String,
        /// In the ingredient's unit.
        #[ts(type = "number")]
        pub amount: u64,
        /// Where it was, in a few words.
        pub why: String,
    }
    /// Says whether running out of an ingredient stops the sale.
    pub struct EnforcedJson {
        pub enforced: bool,
    }

    // ---- orders

    /// A new order. The device mints all ids; sending it again is normal.
    pub struct PlaceOrderJson {
        pub id: String,
        pub channel: ChannelJson,
        pub fulfilment: FulfilmentJson,
        #[serde(default)]
        pub table: Option<String>,
        #[serde(default)]
        pub note: Option<String>,
        pub lines: Vec<PlaceLineJson>,
        /// What the guest was shown. When the menu says otherwise the order is refused as `price_changed`.
        #[ts(type = "number")]
        pub expected_total_minor: i64,
        /// "We have it": what is on the shelf although the books say it is not, added in the same step. For who may change the stock.
        #[serde(default)]
        pub found: Option<Vec<FoundJson>>,
    }
    /// Changes an order that is not finished: voids lines and adds lines, in one step.
    pub struct AmendOrderJson {
        /// Minted by the device: sending it again changes nothing twice.
        pub id: String,
        #[serde(default)]
        pub void: Vec<VoidLineJson>,
        #[serde(default)]
        pub add: Vec<AddLineJson>,
    }
    pub struct VoidLineJson {
        pub line: String,
        /// Why, in a few words; required.
        pub why: String,
    }
    pub struct AddLineJson {
        pub line: PlaceLineJson,
        /// The line it takes the place of, voided in the same amendment: shown to the cook as old against new.
        #[serde(default)]
        pub replaces: Option<String>,
    }
    /// Money that was taken for an order, in cash or by a card at the till's own terminal.
    pub struct TenderJson {
        /// Minted by the device: sending it again takes no money twice.
        pub id: String,
        #[ts(type = "number")]
        pub amount_minor: i64,
        /// Into which drawer of this node; without it into the only one that somebody works at.
        #[serde(default)]
        pub drawer: Option<String>,
    }
    /// Cancels an order.
    pub struct CancelOrderJson {
        pub why: String,
    }
    /// This node decides about the order from now on.
    pub struct TakeOverJson {
        pub why: String,
    }
    /// An order as everyone on this site sees it.
    pub struct OrderJson {
        pub id: String,
        /// For people, unique in the business day: `A042`.
        pub number: Option<String>,
        /// Others that people hold for it: it was made twice under one id, and joined.
        pub also: Vec<String>,
        pub status: StatusJson,
        pub history: Vec<HistoryJson>,
        pub channel: ChannelJson,
        pub fulfilment: FulfilmentJson,
        pub table: Option<String>,
        /// As it is now.
        pub note: Option<String>,
        /// To be ready then and not before.
        #[ts(type = "number | null")]
        pub ready_not_before: Option<Millis>,
        /// What the customer has asked for after the confirmation, the first one first.
        pub amendments: Vec<AmendmentJson>,
        #[ts(type = "number")]
        pub placed_at: Millis,
        pub lines: Vec<OrderLineJson>,
        #[ts(type = "number")]
        pub total_minor: i64,
        #[ts(type = "number")]
        pub tax_minor: i64,
        #[ts(type = "number")]
        pub paid_minor: i64,
        #[ts(type = "number")]
        pub due_minor: i64,
        pub currency: String,
        pub tickets: Vec<TicketJson>,
        /// The origin of the node that decides about it.
        pub owner: String,
        /// How often it was taken over.
        pub term: u32,
        /// On so many replicas it is durable.
        pub safe_on: u32,
    }
    /// What was done to an order, in plain words.
    pub struct OrderLogJson {
        /// More than one node had a hand in its lines.
        pub merged: bool,
        pub entries: Vec<OrderLogEntryJson>,
    }
    pub struct OrderLogEntryJson {
        #[ts(type = "number")]
        pub at: Millis,
        /// The letters of the node; empty: the relay.
        pub node: String,
        /// `device 3f2a…`, `staff 91bc…` or `system`.
        pub who: String,
        pub what: String,
        /// What people call the person or the device; null: it is nobody's, or not known any more.
        pub name: Option<String>,
        /// Somebody elsewhere changed the order at the same time: neither had heard of the other.
        pub concurrent: bool,
        /// It had no effect in the end: somebody was before it, or decides in its place.
        pub lost: bool,
    }
    /// A page of orders.
    pub struct OrdersJson {
        pub orders: Vec<OrderJson>,
    }
    /// One change of the state word.
    pub struct HistoryJson {
        pub from: Option<StatusJson>,
        pub to: StatusJson,
        /// `device 3f2a…`, `staff 91bc…` or `system`.
        pub who: String,
        pub why: String,
        #[ts(type = "number")]
        pub at: Millis,
    }
    pub struct OrderLineJson {
        pub id: String,
        pub item: String,
        pub variant: String,
        pub name: String,
        pub variant_name: String,
        pub quantity: u32,
        pub choices: Vec<LineChoiceJson>,
        pub note: Option<String>,
        #[ts(type = "number")]
        pub unit_minor: i64,
        #[ts(type = "number")]
        pub total_minor: i64,
        pub replaces: Option<String>,
        pub voided: Option<VoidedJson>,
    }
    pub struct LineChoiceJson {
        pub group: String,
        pub option: String,
        pub name: String,
        pub count: u32,
        #[ts(type = "number")]
        pub price_minor: i64,
        pub removal: bool,
    }
    pub struct VoidedJson {
        pub who: String,
        pub why: String,
        #[ts(type = "number")]
        pub at: Millis,
    }

    // ---- orders from home

    /// How orders from home are taken, and those that wait for a person.
    pub struct OnlineJson {
        pub intake: IntakeJson,
        /// Placed before the relay had heard of the pause; the first placed first. Nobody accepts them by itself.
        pub waiting: Vec<WaitingJson>,
        /// What customers want otherwise, and a person must answer: the kitchen has begun.
        pub requests: Vec<RequestJson>,
    }
    /// What a customer wants otherwise about an order that is being made.
    pub struct RequestJson {
        pub order: String,
        pub number: Option<String>,
        pub amendment: AmendmentJson,
    }
    /// A person's answer to it.
    pub struct AnswerRequestJson {
        pub order: String,
        pub accept: bool,
        /// Why not, in a few words; required when it is not accepted.
        #[serde(default)]
        pub why: Option<String>,
    }
    /// An order from home that waits for a person's word.
    pub struct WaitingJson {
        pub id: String,
        /// By the relay's clock; it runs out some minutes later, and is refunded.
        #[ts(type = "number")]
        pub placed_at: Millis,
        pub fulfilment: FulfilmentJson,
        /// `2 Margherita`.
        pub items: Vec<String>,
        pub note: Option<String>,
        #[ts(type = "number")]
        pub total_minor: i64,
        pub currency: String,
        /// By so many minutes the kitchen would miss what the guest was told; null: it waits because orders are paused.
        pub late_minutes: Option<u32>,
    }
    /// A person's word about such an order.
    pub struct DecisionJson {
        pub accept: bool,
        /// Why not, in a few words; required when it is not accepted.
        #[serde(default)]
        pub why: Option<String>,
    }

    // ---- kitchen

    /// An order as kitchen, expo, counter and pickup boards show it.
    pub struct BoardOrderJson {
        pub id: String,
        pub number: Option<String>,
        /// Others that people hold for it: it was made twice under one id, and joined.
        pub also: Vec<String>,
        pub status: StatusJson,
        pub channel: ChannelJson,
        pub fulfilment: FulfilmentJson,
        pub table: Option<String>,
        /// As it is now.
        pub note: Option<String>,
        /// To be ready then and not before.
        #[ts(type = "number | null")]
        pub ready_not_before: Option<Millis>,
        /// What the customer has asked for after the confirmation, the first one first.
        pub amendments: Vec<AmendmentJson>,
        #[ts(type = "number")]
        pub placed_at: Millis,
        /// Age counts from here.
        #[ts(type = "number")]
        pub start_at: Millis,
        pub tickets: Vec<TicketJson>,
    }
    /// One station's share of an order.
    pub struct TicketJson {
        pub station: String,
        pub course: u32,
        /// Opened again by recall (look again) or remake (cook again).
        pub epoch: u32,
        pub epoch_kind: EpochKindJson,
        pub phase: TicketPhaseJson,
        pub lines: Vec<TicketLineJson>,
        /// Estimated time to make, in seconds; yellow at 1x, red at 1.5x.
        pub estimate_s: u32,
        #[ts(type = "number")]
        pub queued_at: Millis,
        #[ts(type = "number | null")]
        pub started_at: Option<Millis>,
        #[ts(type = "number | null")]
        pub ready_at: Option<Millis>,
        /// A screen has shown it.
        pub acknowledged: bool,
    }
    pub struct TicketLineJson {
        pub id: String,
        /// The cook's name of the item.
        pub name: String,
        pub variant_name: String,
        pub quantity: u32,
        pub choices: Vec<TicketChoiceJson>,
        pub note: Option<String>,
        /// When the cook tapped it done.
        #[ts(type = "number | null")]
        pub done_at: Option<Millis>,
        /// Set when the line was added after the ticket was sent, or changed, or voided.
        pub change: Option<LineChangeJson>,
    }
    pub struct TicketChoiceJson {
        pub name: String,
        pub count: u32,
        pub removal: bool,
    }
    /// What a cook or counter does with a ticket or a line of it.
    pub struct KitchenActionsJson {
        /// At most 100, in the order they were tapped.
        pub actions: Vec<KitchenActionJson>,
    }
    pub struct KitchenActionJson {
        /// Minted by the screen.
        pub id: String,
        pub order: String,
        pub station: String,
        pub course: u32,
        /// The epoch that was on the screen when it was tapped.
        pub epoch: u32,
        pub action: ActionJson,
    }
    pub struct KitchenOutcomesJson {
        pub outcomes: Vec<KitchenOutcomeJson>,
    }
    pub struct KitchenOutcomeJson {
        pub id: String,
        pub outcome: OutcomeJson,
        /// When refused: the pinned code and what to do.
        pub code: Option<String>,
        pub detail: Option<String>,
    }

    // ---- live feed

    /// Where a screen is in the node's log.
    pub struct PositionJson {
        pub origin: String,
        #[ts(type = "number")]
        pub seq: u64,
        /// Chain hash after that commit, hex: a rolled-back node is noticed by it.
        pub hash: String,
    }

    // ---- problems

    /// How the node is.
    pub struct HealthJson {
        /// `ok` or `degraded`.
        pub status: String,
        pub store: String,
        pub open_orders: u32,
        /// Commits that hold something this version does not understand: kept and passed on, without effect until an upgrade.
        #[ts(type = "number")]
        pub unread_commits: u64,
        pub screens: u32,
        /// The business day that ended more than three days ago and is not closed: a manager closes it, or names another node that does.
        /// Nothing that was sold since is archived.
        pub overdue_day: Option<u32>,
        /// Orders in the archive.
        #[ts(type = "number")]
        pub archived_orders: u64,
        /// Files of the archive that cannot be read, each with what is wrong.
        pub archive_problems: Vec<String>,
        #[ts(type = "number")]
        pub uptime_ms: u64,
    }

    // ---- drawers and business days

    /// The drawers that somebody works at, and the days.
    pub struct TillJson {
        /// Which node closes days and books stock.
        pub keeper: KeeperJson,
        /// The day that is closed next; none while nothing has happened since the last close.
        pub closable: Option<OpenDayJson>,
        /// Shifts that have not ended, then those of that day that have.
        pub shifts: Vec<ShiftJson>,
        /// The last days with a report, the newest first.
        pub closed: Vec<ClosedDayJson>,
        /// Letters of nodes, or names of stores, whose later sales no report has: this version does not understand all of their amounts.
        /// An upgrade books them.
        pub held: Vec<String>,
    }
    /// The node that closes days and books deliveries, waste and counts.
    pub struct KeeperJson {
        /// Its store; none while no node has said who it is.
        pub origin: Option<String>,
        /// What its order numbers begin with.
        pub letters: String,
        /// It is this node.
        pub here: bool,
    }
    /// Names that node.
    pub struct NameKeeperJson {
        pub origin: String,
    }
    /// A business day that is not closed.
    pub struct OpenDayJson {
        pub number: u32,
        /// `year * 10000 + month * 100 + day`.
        pub date: u32,
        /// It closes by itself then.
        #[ts(type = "number | null")]
        pub closes_at: Option<Millis>,
        /// It ended more than three days ago: nothing that was sold since is archived until somebody closes it.
        pub overdue: bool,
    }
    /// A business day that is closed.
    pub struct ClosedDayJson {
        pub number: u32,
        /// `year * 10000 + month * 100 + day`.
        pub date: u32,
        #[ts(type = "number")]
        pub closed_at: Millis,
        #[ts(type = "number")]
        pub sales_minor: i64,
        /// Counted less expected, over its shifts.
        #[ts(type = "number")]
        pub over_minor: i64,
    }
    /// A drawer's shift. Amounts in minor units.
    pub struct ShiftJson {
        pub id: String,
        pub drawer: String,
        /// What order numbers of its node begin with.
        pub node: String,
        /// It is at this node.
        pub here: bool,
        pub day: u32,
        pub opened_by: String,
        #[ts(type = "number")]
        pub opened_at: Millis,
        #[ts(type = "number")]
        pub float_minor: i64,
        #[ts(type = "number")]
        pub taken_minor: i64,
        #[ts(type = "number")]
        pub in_minor: i64,
        #[ts(type = "number")]
        pub out_minor: i64,
        /// When it was counted; until then now.
        #[ts(type = "number")]
        pub expected_minor: i64,
        #[ts(type = "number | null")]
        pub counted_minor: Option<i64>,
        #[ts(type = "number | null")]
        pub ended_at: Option<Millis>,
    }
    /// Begins a drawer's shift.
    pub struct OpenShiftJson {
        /// Minted by the device: sending it again begins nothing twice.
        pub id: String,
        pub drawer: String,
        /// Counted in it at the beginning.
        #[ts(type = "number")]
        pub float_minor: i64,
    }
    /// Cash that is put in, or below zero taken out.
    pub struct MoveCashJson {
        /// Minted by the device: sending it again moves nothing twice.
        pub id: String,
        #[ts(type = "number")]
        pub amount_minor: i64,
        pub why: String,
    }
    /// Ends a drawer's shift.
    pub struct CloseShiftJson {
        #[ts(type = "number")]
        pub counted_minor: i64,
    }
    /// What a day was; of an open day what its report would say now.
    pub struct DayReportJson {
        pub number: u32,
        pub date: u32,
        pub totals: TotalsJson,
        /// What came after the close of its day, and is booked here.
        pub late: Vec<LateJson>,
        /// Shifts that were counted.
        pub shifts: Vec<ShiftLineJson>,
        /// None: the day is open.
        pub close: Option<DayCloseJson>,
        /// Other reports of this day, which count nothing: their node had been replaced as keeper and did not know,
        /// or had looked at logs that turned out to be another store's.
        pub void: u32,
    }
    /// Who closed a day, when, and the signed bytes.
    pub struct DayCloseJson {
        #[ts(type = "number")]
        pub closed_at: Millis,
        /// `system`: the program, six hours after the roll-over.
        pub by: String,
        /// The node, by its store.
        pub node: String,
        /// The report's name: it follows from its bytes.
        pub report: String,
        /// The canonical bytes, in hexadecimal digits.
        pub bytes: String,
        /// Ed25519, by the node's key, of BLAKE3 `derive_key("pilotlight day report 1")` of these bytes.
        pub signature: String,
    }
    /// Sums over orders, in minor units. A correction may be below zero.
    pub struct TotalsJson {
        #[ts(type = "number")]
        pub orders: i64,
        #[ts(type = "number")]
        pub cancelled: i64,
        /// What is wanted, charges and tax included.
        #[ts(type = "number")]
        pub sales_minor: i64,
        #[ts(type = "number")]
        pub tax_minor: i64,
        #[ts(type = "number")]
        pub tips_minor: i64,
        /// Lines that were voided or cancelled.
        #[ts(type = "number")]
        pub voids: i64,
        #[ts(type = "number")]
        pub voids_minor: i64,
        #[ts(type = "number")]
        pub payments: i64,
        /// Taken in the restaurant.
        #[ts(type = "number")]
        pub till_minor: i64,
        /// Taken online.
        #[ts(type = "number")]
        pub online_minor: i64,
        #[ts(type = "number")]
        pub refunds_minor: i64,
    }
    /// What was late for a day.
    pub struct LateJson {
        pub day: u32,
        /// So many orders.
        pub changed: u32,
        pub totals: TotalsJson,
    }
    /// A shift in a report.
    pub struct ShiftLineJson {
        pub drawer: String,
        pub node: String,
        /// An earlier day than the report's: it was late.
        pub day: u32,
        #[ts(type = "number")]
        pub float_minor: i64,
        #[ts(type = "number")]
        pub taken_minor: i64,
        #[ts(type = "number")]
        pub in_minor: i64,
        #[ts(type = "number")]
        pub out_minor: i64,
        #[ts(type = "number")]
        pub expected_minor: i64,
        #[ts(type = "number")]
        pub counted_minor: i64,
    }
}

shape! {
    // ---- the link to the relay

    /// How the link to the relay is.
    pub struct UplinkJson {
        pub state: UplinkStateJson,
        pub relay_url: Option<String>,
        /// Since when it is in this state.
        #[ts(type = "number | null")]
        pub since: Option<Millis>,
        /// Own commits that the relay does not have on its disk yet.
        #[ts(type = "number")]
        pub waiting_commits: u64,
        /// How many replicas have everything that this node wrote, this one included.
        pub safe_on: u32,
        #[ts(type = "number | null")]
        pub last_online: Option<Millis>,
        /// What is wrong: why it is offline, or that the relay has another log of this node's.
        pub why: Option<String>,
    }
    /// Joins the site to a relay.
    pub struct EnrolJson {
        /// `https://name` or `https://name:port`.
        pub relay_url: String,
        /// The one-time code that the relay's operator gave out.
        pub code: String,
        /// The CA that vouches for the relay, when it is not one that this machine trusts already.
        pub ca_pem: Option<String>,
    }

    // ---- the site's other nodes

    /// The site's other nodes, as this one is linked with them.
    pub struct SiblingsJson {
        /// What the order numbers of this node begin with.
        pub letter: String,
        pub siblings: Vec<SiblingJson>,
    }
    /// Another node.
    pub struct SiblingJson {
        /// Under which origin it wrote when one of both took the other in.
        pub origin: String,
        /// What its order numbers begin with.
        pub letter: String,
        /// Where it is dialled; nothing when it dials.
        pub url: Option<String>,
        pub up: bool,
        #[ts(type = "number | null")]
        pub since: Option<Millis>,
        /// Its disk has everything that was written here.
        pub has_all: bool,
        /// Why it is not there.
        pub why: Option<String>,
    }
    /// The code that another node joins with: good once, for a quarter of an hour.
    pub struct SiblingCodeJson {
        pub code: String,
        /// Where it joins.
        pub url: String,
        /// The CA that vouches for this node.
        pub ca_pem: String,
        #[ts(type = "number")]
        pub expires_at: Millis,
    }
    /// Links this node with another one of its site.
    pub struct JoinSiblingJson {
        /// `https://name:port` of that node.
        pub url: String,
        /// The one-time code that it has given out.
        pub code: String,
        /// The CA that vouches for it.
        pub ca_pem: Option<String>,
    }
    /// An origin and its key.
    pub struct OriginCardJson {
        pub origin: String,
        /// Public Ed25519 key, hexadecimal.
        pub key: String,
        /// `node` or `relay`.
        pub role: String,
        /// What its order numbers begin with.
        pub letter: String,
    }
    /// What another node says of itself when it joins: as to a relay.
    pub struct EnrolSiblingJson {
        /// The one-time code.
        pub code: String,
        /// The site, as that node knows it; without one it is new.
        pub site: Option<String>,
        /// What guests call the restaurant.
        pub name: String,
        /// The newest protocol that it speaks.
        pub protocol: u16,
        /// Who writes there: its own origin first.
        pub origins: Vec<OriginCardJson>,
    }
    /// What it gets: the token is shown once.
    pub struct EnrolledSiblingJson {
        pub uplink_token: String,
        pub site: String,
        /// What its order numbers begin with from now on.
        pub letter: String,
        /// Who this node is.
        pub relay: OriginCardJson,
    }
}

/// What is done to a ticket or a line of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "api.ts")]
pub enum ActionJson {
    /// The cook begins.
    Start,
    /// The station is done.
    Bump,
    /// One line is done, or not after all.
    Line { line: String, done: bool },
    /// Brings a bumped ticket back to look at; nothing is cooked.
    Recall,
    /// Has it cooked again, with stock.
    Remake,
    /// The guest has it.
    HandOver,
    /// A screen shows it.
    Acknowledge,
    /// The cook has seen that a line was voided or changed.
    Seen { line: String },
}

/// A tap about orders from home. Each ends by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "api.ts")]
pub enum IntakeCommandJson {
    /// None for 15, 30 or 60 minutes.
    Pause { minutes: u32 },
    /// None until the business day ends.
    PauseUntilTomorrow,
    /// Again.
    Open,
    /// 10, 20 or 30 minutes more are promised for an hour; 0: as usual.
    Busy { minutes: u32 },
}

/// What a cook must notice on a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "api.ts")]
pub enum LineChangeJson {
    /// Added after the ticket was sent.
    Added { seen: bool },
    /// Takes the place of a line with this quantity and name.
    Changed { was_quantity: u32, was_name: String, seen: bool },
    /// Not wanted any more.
    Voided { why: String, seen: bool },
}

/// What a screen sends on the live socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "api.ts")]
pub enum FromScreenJson {
    /// The first frame.
    Hello { token: String, screen: ScreenJson, position: Option<PositionJson> },
    /// Still there; answered by `pong`.
    Ping,
}

/// What the node sends on the live socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "api.ts")]
pub enum ToScreenJson {
    /// The token was good. `resumed`: only what was missed follows; otherwise a snapshot does.
    Welcome {
        resumed: bool,
        #[ts(type = "number")]
        now: Millis,
        menu_version: String,
        position: PositionJson,
    },
    /// Part of the whole board; replaces everything once `last` is set.
    Snapshot { position: PositionJson, orders: Vec<BoardOrderJson>, first: bool, last: bool },
    /// Orders that changed, whole, and orders that left the board.
    Delta { position: PositionJson, orders: Vec<BoardOrderJson>, gone: Vec<String> },
    /// What cannot be ordered now, whole.
    Availability { availability: AvailabilityJson },
    /// There is a new menu.
    Menu { version: String },
    /// The link to the relay changed. Not told to kiosks.
    Link(UplinkJson),
    /// Orders from home: paused, busy, or something waits for a person. Not told to kiosks.
    Online(OnlineJson),
    /// Answer to `ping`.
    Pong {
        #[ts(type = "number")]
        now: Millis,
    },
    /// The node closes this connection: `unauthorised`, `too_slow`, `stopping`, `hello_expected`.
    Bye { reason: String },
}

#[cfg(test)]
mod tests;
