//! Changes and commits: what is written, numbered, chained and sent.
//!
//! A commit is a list of changes that belong together. Each change is a kind and a body, so that a replica that does not know
//! a kind can keep it and pass it on byte for byte (SPEC C4).

use crate::crdt::counter::{BranchRow, Row, ShortRow};
use crate::crdt::hlc::Hlc;
use crate::doc::books::SignedReport;
use crate::doc::item::FieldsWrite;
use crate::doc::order::OrderFact;
use crate::doc::origin::{OriginCard, OriginRole};
use crate::doc::people::{Device, Person};
use crate::doc::recovered::Recovered;
use crate::doc::site::{Day, Off, Receipt, Settings};
use crate::doc::till::TillFact;
use crate::domain::id::{
    CategoryId, DeviceId, GroupId, IngredientId, IntentId, MenuItemId, OrderId, OriginId, ShiftId, StaffId,
};
use crate::domain::intake::Intake;
use crate::domain::menu::{Category, Ingredient, MenuItem, ModifierGroup, Station, StationId};
use crate::domain::role::Actor;
use crate::limits::{COMMIT_BYTES_MAX, COMMIT_CHANGES_MAX, OWN_COMMIT_BYTES_MAX};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// The kind of what happens to orders.
const ORDER: u16 = 1;
/// The kind of what tells of another's commit.
const RECOVERED: u16 = 5;
/// The kind of what happens to drawers.
const TILL: u16 = 40;

/// A write of a register: the whole value, or that it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Write<K, T> {
    /// Which register.
    #[n(0)]
    pub key: K,
    /// Its value; `None` removes it.
    #[n(1)]
    pub value: Option<T>,
    /// One more than the highest version its writer saw.
    #[n(2)]
    pub version: u64,
}

/// One replicated edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Something happened to an order.
    Order(OrderId, OrderFact),
    /// The writer's own row of an ingredient's stock, all cells absolute.
    Stock(IngredientId, Row),
    /// An origin was ended; its rows are no stock any more.
    Fence(OriginId),
    /// The writer says who it is: the first change of its log.
    Origin(OriginCard),
    /// What an origin did on a branch that the site does not have.
    Recovered(Recovered),
    /// What such a branch did to an ingredient's stock.
    Branch(IngredientId, BranchRow),
    /// So much of an ended origin's rights the writer has taken over in all; its own row has grown by it. Nobody has counted it.
    Adopted(IngredientId, OriginId, u64),
    /// What the writer's counts found missing and it had no right to use up, cells absolute.
    Short(IngredientId, ShortRow),
    /// A menu item.
    Item(Write<MenuItemId, MenuItem>),
    /// A heading.
    Category(Write<CategoryId, Category>),
    /// A modifier group.
    Group(Write<GroupId, ModifierGroup>),
    /// An ingredient.
    Ingredient(Write<IngredientId, Ingredient>),
    /// A station.
    Station(Write<StationId, Station>),
    /// Staff took an item off sale, or put it back (`None`).
    EightySix(Write<MenuItemId, Off>),
    /// A device.
    Device(Write<DeviceId, Device>),
    /// A person.
    Person(Write<StaffId, Person>),
    /// A delivery was booked, in the commit that raises the stock.
    Receipt(IntentId, Receipt),
    /// A business day began.
    Day(Day),
    /// The site's settings.
    Settings(Write<(), Settings>),
    /// Whether orders from home are taken now.
    Intake(Write<(), Intake>),
    /// Something happened to a drawer in a shift.
    Till(ShiftId, TillFact),
    /// A business day was closed, with its signed report.
    DayClosed(SignedReport),
    /// The node that books stock and closes days.
    Keeper(Write<(), OriginId>),
    /// Some fields of a menu item.
    ItemFields(FieldsWrite),
    /// Written by a later version: kept, passed on, without effect.
    Unknown(RawChange),
}

/// A change as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RawChange {
    /// Which kind of change; never reused.
    #[n(0)]
    pub kind: u16,
    /// Its canonical bytes.
    #[n(1)]
    pub body: ByteVec,
}

impl RawChange {
    /// Whether there may be amounts in it that a report books. No version adds another kind that has them (SPEC D3).
    pub(crate) const fn has_amounts(&self) -> bool {
        matches!(self.kind, ORDER | RECOVERED | TILL)
    }
}

/// Changes applied together, as one number of their origin's log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Commit {
    /// Who wrote it.
    #[n(0)]
    pub origin: OriginId,
    /// Its number: from 1, without gaps.
    #[n(1)]
    pub seq: u64,
    /// When, by its writer's hybrid clock.
    #[n(2)]
    pub at: Hlc,
    /// Whether the writer's clock was trusted.
    #[n(3)]
    pub clock_trusted: bool,
    /// Who caused it.
    #[n(4)]
    pub by: Actor,
    /// What its writer had newly seen of others: applied when these are.
    #[n(5)]
    pub seen: Vec<Seen>,
    /// The changes, in order.
    #[n(6)]
    pub changes: Vec<RawChange>,
}

/// A commit of another origin that its writer had seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Seen {
    /// Whose.
    #[n(0)]
    pub origin: OriginId,
    /// Up to which number.
    #[n(1)]
    pub seq: u64,
}

/// Why changes do not fit into one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitTooLarge {
    /// Too many bytes.
    #[error("the commit has {bytes} bytes; {} is the most", OWN_COMMIT_BYTES_MAX)]
    Bytes {
        /// So many.
        bytes: usize,
    },
    /// Too many changes.
    #[error("the commit has {changes} changes; {} is the most", COMMIT_CHANGES_MAX)]
    Changes {
        /// So many.
        changes: usize,
    },
}

/// A body that is not what its kind says.
#[derive(Debug, thiserror::Error)]
#[error("change {index} of kind {kind} cannot be read")]
pub struct UnreadableChange {
    /// Which change of the commit.
    pub index: usize,
    /// Its kind.
    pub kind: u16,
    /// What the decoder said.
    #[source]
    pub source: minicbor::decode::Error,
}

impl Commit {
    /// Its canonical bytes, within the limits (SPEC C3).
    pub fn to_bytes(&self) -> Result<Vec<u8>, CommitTooLarge> {
        if self.changes.len() > COMMIT_CHANGES_MAX {
            return Err(CommitTooLarge::Changes { changes: self.changes.len() });
        }
        let bytes = to_vec(self);
        // What tells of another commit may be as much longer as its telling takes: any commit can be told of.
        let telling = self.changes.iter().any(|raw| raw.kind == RECOVERED);
        if bytes.len() > if telling { COMMIT_BYTES_MAX } else { OWN_COMMIT_BYTES_MAX } {
            return Err(CommitTooLarge::Bytes { bytes: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads a commit back.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        minicbor::decode(bytes)
    }

    /// Its changes, in order.
    pub fn changes(&self) -> Result<Vec<Change>, UnreadableChange> {
        let read = |(index, raw): (usize, &RawChange)| {
            Change::from_raw(raw).map_err(|source| UnreadableChange { index, kind: raw.kind, source })
        };
        self.changes.iter().enumerate().map(read).collect()
    }
}

impl Change {
    /// The orders that it is about.
    pub fn orders(&self) -> Vec<OrderId> {
        match self {
            Self::Order(id, _) => vec![*id],
            Self::Recovered(recovered) => {
                let told = recovered.changes.iter().filter_map(|raw| Self::from_raw(raw).ok());
                // What tells of telling counts nowhere, and is not followed however deep it goes.
                told.filter(Self::is_recoverable).flat_map(|change| change.orders()).collect()
            }
            Self::Stock(..)
            | Self::Fence(_)
            | Self::Origin(_)
            | Self::Branch(..)
            | Self::Adopted(..)
            | Self::Short(..)
            | Self::Item(_)
            | Self::ItemFields(_)
            | Self::Category(_)
            | Self::Group(_)
            | Self::Ingredient(_)
            | Self::Station(_)
            | Self::EightySix(_)
            | Self::Device(_)
            | Self::Person(_)
            | Self::Receipt(..)
            | Self::Day(_)
            | Self::Settings(_)
            | Self::Intake(_)
            | Self::Till(..)
            | Self::DayClosed(_)
            | Self::Keeper(_)
            | Self::Unknown(_) => Vec::new(),
        }
    }

    /// Whether it may be told of a branch: what an origin says of itself, and its own stock, end with it (SPEC I8).
    pub const fn is_recoverable(&self) -> bool {
        !matches!(
            self,
            Self::Stock(..)
                | Self::Origin(_)
                | Self::Recovered(_)
                | Self::Branch(..)
                | Self::Adopted(..)
                | Self::Short(..)
        )
    }

    /// Whether this kind of origin may write it (SPEC N2): what cannot change between writing and applying.
    pub fn is_permitted(&self, writer: OriginRole) -> bool {
        match self {
            Self::Order(_, fact) => match fact {
                OrderFact::Sent { .. }
                | OrderFact::Accepted
                | OrderFact::Rejected { .. }
                | OrderFact::Verdict { .. }
                | OrderFact::Phase { .. }
                | OrderFact::EpochOpened { .. }
                | OrderFact::LineDone { .. }
                | OrderFact::Acknowledged { .. }
                | OrderFact::LineSeen { .. }
                | OrderFact::TakenOver { .. }
                | OrderFact::Resumed
                | OrderFact::AmendmentAnswered { .. }
                | OrderFact::Asked { .. }
                | OrderFact::Answered { .. }
                | OrderFact::Withdrawn { .. }
                | OrderFact::Booked { .. }
                | OrderFact::Cancelled { .. } => writer == OriginRole::Node,
                OrderFact::Commercial { .. }
                | OrderFact::Delivery { .. }
                | OrderFact::AmendmentAsked { .. }
                | OrderFact::AmendmentEnded { .. } => writer == OriginRole::Relay,
                // An order is born where it is taken; lines, stock and money are booked by whoever took them.
                OrderFact::Placed(header) => header.owner.is_some() == (writer == OriginRole::Relay),
                OrderFact::LinesAdded { .. }
                | OrderFact::LineVoided { .. }
                | OrderFact::StockReturned { .. }
                | OrderFact::Payment { .. }
                | OrderFact::Amended { .. }
                | OrderFact::Knew { .. }
                | OrderFact::Refunded { .. } => true,
            },
            Self::Day(_)
            | Self::Receipt(..)
            | Self::EightySix(_)
            | Self::Intake(_)
            | Self::Recovered(_)
            | Self::Branch(..)
            | Self::Adopted(..)
            | Self::Short(..)
            | Self::Till(..)
            | Self::DayClosed(_)
            | Self::Keeper(_) => writer == OriginRole::Node,
            Self::Stock(..)
            | Self::Fence(_)
            | Self::Origin(_)
            | Self::Item(_)
            | Self::ItemFields(_)
            | Self::Category(_)
            | Self::Group(_)
            | Self::Ingredient(_)
            | Self::Station(_)
            | Self::Device(_)
            | Self::Person(_)
            | Self::Settings(_)
            | Self::Unknown(_) => true,
        }
    }

    /// As it is stored and sent.
    pub fn to_raw(&self) -> RawChange {
        let raw = |kind: u16, body: Vec<u8>| RawChange { kind, body: body.into() };
        match self {
            Self::Order(order, fact) => raw(ORDER, to_vec((order, fact))),
            Self::Stock(ingredient, row) => raw(2, to_vec((ingredient, row))),
            Self::Fence(origin) => raw(3, to_vec(origin)),
            Self::Origin(card) => raw(4, to_vec(card)),
            Self::Recovered(recovered) => raw(RECOVERED, to_vec(recovered)),
            Self::Branch(ingredient, row) => raw(6, to_vec((ingredient, row))),
            Self::Short(ingredient, row) => raw(8, to_vec((ingredient, row))),
            Self::Adopted(ingredient, of, amount) => raw(7, to_vec((ingredient, of, amount))),
            Self::Item(write) => raw(10, to_vec(write)),
            Self::Category(write) => raw(11, to_vec(write)),
            Self::Group(write) => raw(12, to_vec(write)),
            Self::Ingredient(write) => raw(13, to_vec(write)),
            Self::Station(write) => raw(14, to_vec(write)),
            Self::EightySix(write) => raw(15, to_vec(write)),
            Self::Device(write) => raw(20, to_vec(write)),
            Self::Person(write) => raw(21, to_vec(write)),
            Self::Receipt(intent, receipt) => raw(22, to_vec((intent, receipt))),
            Self::Day(day) => raw(23, to_vec(day)),
            Self::Settings(write) => raw(24, to_vec(write)),
            Self::Intake(write) => raw(43, to_vec(write)),
            Self::Till(shift, fact) => raw(TILL, to_vec((shift, fact))),
            Self::DayClosed(signed) => raw(41, to_vec(signed)),
            Self::Keeper(write) => raw(42, to_vec(write)),
            Self::ItemFields(write) => raw(44, to_vec(write)),
            Self::Unknown(unknown) => unknown.clone(),
        }
    }

    /// Reads a stored change; a kind that this version does not know stays as it is.
    pub fn from_raw(raw: &RawChange) -> Result<Self, minicbor::decode::Error> {
        let body = raw.body.as_slice();
        Ok(match raw.kind {
            ORDER => minicbor::decode(body).map(|(order, fact)| Self::Order(order, fact))?,
            2 => minicbor::decode(body).map(|(ingredient, row)| Self::Stock(ingredient, row))?,
            3 => Self::Fence(minicbor::decode(body)?),
            4 => Self::Origin(minicbor::decode(body)?),
            RECOVERED => Self::Recovered(minicbor::decode(body)?),
            6 => minicbor::decode(body).map(|(ingredient, row)| Self::Branch(ingredient, row))?,
            8 => minicbor::decode(body).map(|(ingredient, row)| Self::Short(ingredient, row))?,
            7 => minicbor::decode(body).map(|(ingredient, of, amount)| Self::Adopted(ingredient, of, amount))?,
            10 => Self::Item(minicbor::decode(body)?),
            11 => Self::Category(minicbor::decode(body)?),
            12 => Self::Group(minicbor::decode(body)?),
            13 => Self::Ingredient(minicbor::decode(body)?),
            14 => Self::Station(minicbor::decode(body)?),
            15 => Self::EightySix(minicbor::decode(body)?),
            20 => Self::Device(minicbor::decode(body)?),
            21 => Self::Person(minicbor::decode(body)?),
            22 => minicbor::decode(body).map(|(intent, receipt)| Self::Receipt(intent, receipt))?,
            23 => Self::Day(minicbor::decode(body)?),
            24 => Self::Settings(minicbor::decode(body)?),
            43 => Self::Intake(minicbor::decode(body)?),
            TILL => minicbor::decode(body).map(|(shift, fact)| Self::Till(shift, fact))?,
            41 => {
                let signed: SignedReport = minicbor::decode(body)?;
                // Taken for understood it would not be read again after an upgrade.
                signed.try_read()?;
                Self::DayClosed(signed)
            }
            42 => Self::Keeper(minicbor::decode(body)?),
            44 => Self::ItemFields(minicbor::decode(body)?),
            _ => Self::Unknown(raw.clone()),
        })
    }
}

/// Canonical bytes of a value. Writing into memory cannot fail.
pub(crate) fn to_vec<T: Encode<()>>(value: T) -> Vec<u8> {
    minicbor::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::books::{Late, Report, ShiftLine, Totals, Upto};
    use crate::doc::till::Opening;
    use crate::domain::amendment::Amendment;
    use crate::domain::asked::Asked;
    use crate::domain::business_day::DayNumber;
    use crate::domain::id::{LineId, PaymentId, ReportId};
    use crate::domain::intake::{Busy, Span};
    use crate::domain::timestamp::Timestamp;

    fn commit(changes: Vec<RawChange>) -> Commit {
        Commit {
            origin: OriginId::derived(&["o"]),
            seq: 1,
            at: Hlc::default().tick(Timestamp(5)),
            clock_trusted: true,
            by: Actor::System,
            seen: vec![],
            changes,
        }
    }

    #[test]
    fn c3_a_commit_over_its_limits_is_refused_by_name() {
        let big = RawChange { kind: 999, body: vec![0; COMMIT_BYTES_MAX].into() };
        assert!(matches!(commit(vec![big]).to_bytes(), Err(CommitTooLarge::Bytes { .. })));
        let tiny = RawChange { kind: 999, body: vec![].into() };
        assert!(matches!(commit(vec![tiny; COMMIT_CHANGES_MAX + 1]).to_bytes(), Err(CommitTooLarge::Changes { .. })));
    }

    #[test]
    fn c4_a_change_of_an_unknown_kind_survives_a_round_trip_byte_for_byte() {
        let unknown = RawChange { kind: 60_000, body: vec![1, 2, 3].into() };
        let fence = Change::Fence(OriginId::derived(&["x"]));
        let bytes = commit(vec![unknown.clone(), fence.to_raw()]).to_bytes().unwrap();
        let read = Commit::from_bytes(&bytes).unwrap();
        assert_eq!(read.changes().unwrap(), [Change::Unknown(unknown), fence]);
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn y1_the_bytes_of_a_pause_are_as_they_were_released() {
        let from = Timestamp(1_000);
        let busy = Some(Busy { minutes: 10, span: Span { from, until: Timestamp(3_601_000) } });
        let intake = Intake { paused: Some(Span { from, until: Timestamp(901_000) }), busy };
        let raw = Change::Intake(Write { key: (), value: Some(intake), version: 2 }).to_raw();
        let hex: String = raw.body.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((raw.kind, hex.as_str()), (43, "838082821903e81a000dbf88820a821903e81a0036f26802"));
    }

    /// What a change is as bytes, with `I` for these of an id or key.
    fn golden(change: &Change, kind: u16, expected: &str) {
        let raw = change.to_raw();
        let hex: String = raw.body.iter().map(|byte| format!("{byte:02x}")).collect();
        let ids = [("S", 1_u8), ("N", 2), ("O", 3), ("P", 4), ("I", 5)];
        let expected = ids.iter().fold(expected.replace(' ', ""), |text, (name, byte)| {
            text.replace(name, &format!("50{}", format!("{byte:02x}").repeat(16)))
        });
        assert_eq!((raw.kind, hex), (kind, expected), "{change:?}");
        assert_eq!(Change::from_raw(&raw).unwrap(), *change);
    }

    #[test]
    fn y1_the_bytes_of_drawers_reports_and_keepers_are_as_they_were_released() {
        let (shift, node) = (ShiftId::from_bytes([1; 16]), OriginId::from_bytes([2; 16]));
        let (order, payment) = (OrderId::from_bytes([3; 16]), PaymentId::from_bytes([4; 16]));
        let intent = IntentId::from_bytes([5; 16]);
        let opening = Opening { drawer: "front".into(), node, day: DayNumber(3), float_minor: 100 };
        let why = "ice".to_owned();
        let facts = [
            (TillFact::Opened(opening), "82 S 82008184 6566726f6e74 N 03 1864"),
            (TillFact::Taken { order, payment, amount_minor: 9 }, "82 S 820183 O P 09"),
            (TillFact::Moved { intent, amount_minor: -7, why }, "82 S 820283 I 26 63696365"),
            (TillFact::Closed { counted_minor: 1, expected_minor: 2 }, "82 S 820382 01 02"),
        ];
        for (fact, expected) in facts {
            golden(&Change::Till(shift, fact), 40, expected);
        }
        let (report, bytes) = released_report();
        let signed = SignedReport::sign(&report, |_| [6; 64]);
        golden(&Change::DayClosed(signed), 41, &format!("82 58{:02x}{bytes} 5840{}", bytes.len() / 2, "06".repeat(64)));
        golden(&Change::Keeper(Write { key: (), value: Some(node), version: 3 }), 42, "83 80 N 03");
    }

    /// A report and its bytes.
    fn released_report() -> (Report, String) {
        let node = OriginId::from_bytes([2; 16]);
        let totals = |first| Totals { orders: first, cancelled: 2, sales_minor: 3, tax_minor: 4, ..Totals::default() };
        let line = ShiftLine {
            shift: ShiftId::from_bytes([1; 16]),
            drawer: "front".into(),
            node,
            day: DayNumber(3),
            float_minor: 1,
            taken_minor: 2,
            in_minor: 3,
            out_minor: 4,
            expected_minor: 5,
            counted_minor: 6,
        };
        let report = Report {
            day: Day { number: DayNumber(3), date: 20_261_121 },
            closed_at: Timestamp(1_000),
            by: Actor::System,
            node,
            after: Some(ReportId::from_bytes([9; 16])),
            keeper_version: 1,
            seen: vec![Upto { origin: node, seq: 7, hash: None }],
            totals: totals(1),
            late: vec![Late { day: DayNumber(2), changed: 1, totals: totals(-1) }],
            shifts: vec![line],
            more: None,
        };
        let id = |byte: &str| format!("50{}", byte.repeat(16));
        let node = id("02");
        let bytes = format!(
            "8a 82031a01352901 1903e8 820080 {node} {} 01 8182{node}07 8b0102030400000000000000 8183 02 01 8b2002030400000000000000 \
             818a{}6566726f6e74{node}03010203040506",
            id("09"),
            id("01")
        );
        (report, bytes.replace(' ', ""))
    }

    #[test]
    fn y1_the_bytes_that_a_report_is_signed_over_are_as_they_were_released() {
        let hex = |report: &Report| to_vec(report).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (report, bytes) = released_report();
        assert_eq!(hex(&report), bytes);
        let more = format!("8b{}f5", bytes.strip_prefix("8a").unwrap());
        assert_eq!(hex(&Report { more: Some(true), ..report.clone() }), more);
        let node = "50".to_owned() + &"02".repeat(16);
        let (was, is) = (format!("8182{node}07"), format!("8183{node}0750{}", "08".repeat(16)));
        let seen = vec![Upto { hash: Some([8; 16].into()), ..report.seen[0] }];
        assert_eq!(hex(&Report { seen, ..report }), bytes.replace(&was, &is));
    }

    #[test]
    fn n5_a_report_that_cannot_be_read_is_a_change_that_is_not_understood() {
        let (report, _) = released_report();
        let mut signed = SignedReport::sign(&report, |_| [6; 64]);
        assert!(Change::from_raw(&Change::DayClosed(signed.clone()).to_raw()).is_ok());
        // A later version may say by whom otherwise than is known here.
        let later = signed.report.iter().take(signed.report.len() - 3).copied().collect::<Vec<u8>>();
        signed.report = later.into();
        let raw = Change::DayClosed(signed.clone()).to_raw();
        assert!(Change::from_raw(&raw).is_err());
        let unread = commit(vec![raw]).changes().unwrap_err();
        assert_eq!((unread.index, unread.kind), (0, 41));
    }

    #[test]
    fn y1_the_bytes_of_wishes_are_as_they_were_released() {
        let intent = IntentId::from_bytes([1; 16]);
        let order = OrderId::from_bytes([2; 16]);
        let time = Amendment::Time(Some(Timestamp(7)));
        let facts = [
            (
                OrderFact::Amended { amendment: Amendment::Instructions(Some("ring".into())) },
                "82181e8182008164 72696e67",
            ),
            (OrderFact::Amended { amendment: Amendment::Contact }, "82181e81820180"),
            (
                OrderFact::AmendmentAsked { intent, amendment: Amendment::Address { distance_m: 9 } },
                "82181f82I82028109",
            ),
            (OrderFact::AmendmentAsked { intent, amendment: time }, "82181f82I82038107"),
            (OrderFact::AmendmentAnswered { intent, refused: None }, "82182081I"),
            (OrderFact::AmendmentAnswered { intent, refused: Some("no".into()) }, "82182082I626e6f"),
            (OrderFact::AmendmentEnded { intent, granted: None }, "82182181I"),
            (OrderFact::AmendmentEnded { intent, granted: Some(true) }, "82182182If5"),
        ];
        for (fact, expected) in facts {
            let raw = Change::Order(order, fact.clone()).to_raw();
            let hex: String = raw.body.iter().map(|byte| format!("{byte:02x}")).collect();
            let id = |byte: &str| format!("50{}", byte.repeat(16));
            let expected = format!("82{}{}", id("02"), expected.replace(' ', "").replace('I', &id("01")));
            assert_eq!((raw.kind, hex), (1, expected), "{fact:?}");
            assert_eq!(Change::from_raw(&raw).unwrap(), Change::Order(order, fact));
        }
    }

    #[test]
    fn y1_the_bytes_of_what_an_owner_is_asked_are_as_they_were_released() {
        let intent = IntentId::from_bytes([1; 16]);
        let (payment, shift) = (PaymentId::from_bytes([3; 16]), ShiftId::from_bytes([4; 16]));
        let asked = |what| OrderFact::Asked { intent, what };
        let facts = [
            (asked(Asked::Decide { rejected: None }), "82182282I820080"),
            (asked(Asked::Decide { rejected: Some("no".into()) }), "82182282I82008162 6e6f"),
            (asked(Asked::Cancel { why: "no".into() }), "82182282I8201816 26e6f"),
            (asked(Asked::Answer { request: intent, refused: None }), "82182282I820281I"),
            (asked(Asked::Tender { payment, amount_minor: 5, shift: None }), "82182282I820382P05"),
            (asked(Asked::Tender { payment, amount_minor: 5, shift: Some(shift) }), "82182282I820383P05S"),
            (OrderFact::Answered { intent, refused: None }, "82182381I"),
            (OrderFact::Withdrawn { intent }, "82182981I"),
            (OrderFact::Booked { intent }, "82182a81I"),
            (OrderFact::Answered { intent, refused: Some("no".into()) }, "82182382I626e6f"),
        ];
        for (fact, expected) in facts {
            let hex: String = to_vec(&fact).iter().map(|byte| format!("{byte:02x}")).collect();
            let id = |byte: &str| format!("50{}", byte.repeat(16));
            let expected = expected.replace(' ', "").replace('I', &id("01")).replace('P', &id("03"));
            assert_eq!(hex, expected.replace('S', &id("04")), "{fact:?}");
            assert_eq!(minicbor::decode::<OrderFact>(&to_vec(&fact)).unwrap(), fact);
        }
    }

    #[test]
    fn v3_the_bytes_of_what_changes_an_order_are_as_they_always_were_and_what_was_known_is_a_fact_of_its_own() {
        let (intent, line) = (IntentId::from_bytes([1; 16]), LineId::from_bytes([3; 16]));
        let seen = vec![Seen { origin: OriginId::from_bytes([4; 16]), seq: 7 }];
        let facts = [
            (OrderFact::LinesAdded { intent, lines: vec![] }, "820282I80"),
            (OrderFact::LineVoided { intent, line, why: "no".into() }, "820383IL626e6f"),
            (OrderFact::Cancelled { why: "no".into() }, "820981626e6f"),
            (OrderFact::Knew { seen }, "82182881 8182O07"),
        ];
        for (fact, expected) in facts {
            let hex: String = to_vec(&fact).iter().map(|byte| format!("{byte:02x}")).collect();
            let id = |byte: &str| format!("50{}", byte.repeat(16));
            let expected = expected.replace(' ', "").replace('I', &id("01")).replace('L', &id("03"));
            assert_eq!(hex, expected.replace('O', &id("04")), "{fact:?}");
            assert_eq!(minicbor::decode::<OrderFact>(&to_vec(&fact)).unwrap(), fact);
        }
    }

    #[test]
    fn c4_a_known_kind_with_a_broken_body_is_named() {
        let broken = RawChange { kind: 2, body: vec![0xff].into() };
        let error = commit(vec![broken]).changes().unwrap_err();
        assert_eq!((error.index, error.kind), (0, 2));
    }
}
