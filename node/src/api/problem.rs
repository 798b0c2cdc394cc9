//! From a refusal to a status and a problem document: one table an operation, no wildcard, so a new refusal must choose.

use crate::archive::ArchiveError;
use crate::devices::doors::Closed;
use crate::devices::pairing::PairRefusal;
use crate::devices::staff::PinRefusal;
use crate::inventory::OtherKeeper;
use crate::inventory::adopt::AdoptRefusal;
use crate::inventory::count::CountRefusal;
use crate::inventory::eighty_six::EightySixRefusal;
use crate::inventory::receive::ReceiveRefusal;
use crate::inventory::waste::WasteRefusal;
use crate::menu::edit::EditRefusal;
use crate::menu::import::ImportRefusal;
use crate::orders::accept::DecideRefusal;
use crate::orders::amend::{AmendRefusal, AmendmentField};
use crate::orders::asked::AskRefusal;
use crate::orders::cancel::CancelRefusal;
use crate::orders::intake::IntakeRefusal;
use crate::orders::ownership::TakeOverRefusal;
use crate::orders::place::{CartField, PlaceRefusal};
use crate::orders::requests::AnswerRefusal;
use crate::store::store_handle::RunError;
use crate::till::day::{CloseRefusal, KeeperRefusal};
use crate::till::shifts::ShiftRefusal;
use crate::till::tender::TenderRefusal;
use http::StatusCode;
pub use pilotlight_edge::api::problem::Problem;
use pilotlight_sync::domain::intake::IntakeRefusal as Unknown;

impl<R: Into<Problem>> From<RunError<R>> for Problem {
    fn from(error: RunError<R>) -> Self {
        let again = "ask again with the same id: it is never done twice";
        match error {
            RunError::Refused(refusal) => refusal.into(),
            RunError::TooLarge(too_large) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_large", too_large.to_string())
                    .remedy("split it into smaller requests")
            }
            RunError::Unknown => {
                let detail = "the disk did not confirm; whether it was written is unknown";
                Self { retry_after_s: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unknown_outcome", detail) }
                    .remedy(again)
            }
            RunError::Closed => Self {
                retry_after_s: Some(2),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_closed", "the store takes no requests now")
            }
            .remedy(again),
            RunError::Damaged(error) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", format!("stored data cannot be read: {error}"))
                    .remedy("the log names the document; nothing was changed")
            }
        }
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        tracing::error!(%error, "archived orders could not be read");
        let detail = "what was asked for is in the archive, and its file cannot be read";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "archive_damaged", detail)
            .remedy("restore the file that /health names from a backup")
    }
}

impl From<Closed> for Problem {
    fn from(closed: Closed) -> Self {
        let detail = closed.to_string();
        match closed {
            Closed::NoToken => Self::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
                .at("authorization")
                .remedy("pair this device, then send: Authorization: Bearer <token>"),
            Closed::UnknownToken => Self::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
                .at("authorization")
                .remedy("pair this device again, or sign in again"),
            Closed::NotAllowed { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", detail).remedy("sign in as somebody who may")
            }
        }
    }
}

impl From<EditRefusal> for Problem {
    fn from(refusal: EditRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            EditRefusal::UnknownItem(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_item", detail).at("id").remedy("read the menu again")
            }
            EditRefusal::UnknownVariant { at, .. } => {
                let field = format!("prices[{at}].variant");
                Self::new(StatusCode::CONFLICT, "unknown_variant", detail).at(field).remedy("read the menu again")
            }
            EditRefusal::ChoiceGone { at } => {
                let field = format!("keep[{at}].choice");
                Self::new(StatusCode::CONFLICT, "choice_gone", detail).at(field).remedy("read the conflicts again")
            }
        }
    }
}

impl From<PairRefusal> for Problem {
    fn from(refusal: PairRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            PairRefusal::WrongCode => Self::new(StatusCode::FORBIDDEN, "wrong_code", detail)
                .at("code")
                .remedy("ask for a new code at a device with the role admin"),
            PairRefusal::Locked(locked) => locked.into(),
            PairRefusal::Name { .. } => Self::bad_field("name", detail, "shorten it, or give one"),
            PairRefusal::TooMany => {
                Self::new(StatusCode::CONFLICT, "too_many_devices", detail).remedy("pair fewer devices")
            }
            PairRefusal::NoRandom(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "no_random", detail),
        }
    }
}

impl From<PinRefusal> for Problem {
    fn from(refusal: PinRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            PinRefusal::NotAPin => Self::bad_field("pin", detail, "choose 4 to 8 digits"),
            PinRefusal::Hash(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "hash_failed", detail),
        }
    }
}

impl From<PlaceRefusal> for Problem {
    fn from(refusal: PlaceRefusal) -> Self {
        use PlaceRefusal as R;
        let detail = refusal.to_string();
        match refusal {
            R::NotSetUp => Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_set_up", detail)
                .remedy("start the node with a name, a currency and a time zone"),
            R::Price(refusal) => refusal.into(),
            R::PriceChanged { actual_minor, .. } => Self::new(StatusCode::CONFLICT, "price_changed", detail)
                .at("expected_total_minor")
                .remedy(format!("read the menu again, show the guest {actual_minor}, and send that")),
            R::EightySixed { line, .. } => Self::new(StatusCode::CONFLICT, "eighty_six", detail)
                .at(format!("lines[{line}].item"))
                .remedy("take it out of the cart"),
            R::SoldOut { line, left_portions, ingredient_name, .. } => {
                let detail = format!("{detail} ({ingredient_name} is short)");
                let remedy = match left_portions {
                    0 => "take it out of the cart".to_owned(),
                    left => format!("order {left} or fewer"),
                };
                Self::new(StatusCode::CONFLICT, "sold_out", detail).at(format!("lines[{line}]")).remedy(remedy)
            }
            R::SameIdOtherCart { field, .. } => Self::new(StatusCode::CONFLICT, "same_id_other_cart", detail)
                .at(match field {
                    CartField::Channel => "channel".to_owned(),
                    CartField::Fulfilment => "fulfilment".to_owned(),
                    CartField::Table => "table".to_owned(),
                    CartField::Note => "note".to_owned(),
                    CartField::LineCount => "lines".to_owned(),
                    CartField::Line(line) => format!("lines[{line}]"),
                })
                .remedy("mint a new id for another cart, or send the cart that was placed"),
            R::NothingFound { .. } => {
                Self::bad_field("found", detail, "name an ingredient of the stock and an amount in its unit")
            }
            R::TextTooLong { field, max, .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "text_too_long", detail)
                .at(field)
                .remedy(format!("shorten it to {max} characters")),
        }
    }
}

impl From<AmendRefusal> for Problem {
    fn from(refusal: AmendRefusal) -> Self {
        use AmendRefusal as R;
        let detail = refusal.to_string();
        let bad = |code, field: String, remedy: &str| {
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.clone()).at(field).remedy(remedy)
        };
        match refusal {
            R::UnknownOrder(_) => Self::new(StatusCode::NOT_FOUND, "unknown_order", detail),
            R::SameIdOther(field) => Self::new(StatusCode::CONFLICT, "same_id_other_amendment", detail)
                .at(match field {
                    AmendmentField::VoidCount => "void".to_owned(),
                    AmendmentField::Void(at) => format!("void[{at}]"),
                    AmendmentField::AddCount => "add".to_owned(),
                    AmendmentField::Add(at) => format!("add[{at}]"),
                })
                .remedy("mint a new id for another amendment, or send the one that was made"),
            R::Finished(_) => {
                Self::new(StatusCode::CONFLICT, "finished", detail).remedy("place a new order for what is added")
            }
            R::PaidOnline => Self::new(StatusCode::CONFLICT, "paid_online", detail)
                .remedy("place a second order for what is added, or cancel this one; the customer is refunded"),
            R::Empty => bad("empty_amendment", "add".into(), "void or add at least one line"),
            R::UnknownLine { at, .. } => bad("unknown_line", format!("void[{at}].line"), "read the order again"),
            R::AlreadyVoided { at, .. } => bad("already_voided", format!("void[{at}].line"), "read the order again"),
            R::Why { at } => bad("why", format!("void[{at}].why"), "say why"),
            R::ReplacesNotVoided { at } => {
                bad("replaces_not_voided", format!("add[{at}].replaces"), "void that line in the same amendment")
            }
            R::LineIdTwice { at } => bad("line_id_twice", format!("add[{at}].line.id"), "mint a new id for each line"),
            R::NothingLeft => bad("nothing_left", "void".into(), "cancel the order instead"),
            R::TooManyLines { .. } => bad("too_many_lines", "add".into(), "place a second order"),
            R::Place(refusal) => {
                let problem = Self::from(refusal);
                let field = problem
                    .field
                    .as_ref()
                    .map(|field| field.replacen("lines[", "add[", 1).replacen("].", "].line.", 1));
                Self { field, ..problem }
            }
        }
    }
}

impl From<CancelRefusal> for Problem {
    fn from(refusal: CancelRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            CancelRefusal::UnknownOrder(_) => Self::new(StatusCode::NOT_FOUND, "unknown_order", detail),
            CancelRefusal::Finished(_) => {
                Self::new(StatusCode::CONFLICT, "finished", detail).remedy("give a refund instead")
            }
            CancelRefusal::Begun => Self::new(StatusCode::CONFLICT, "begun", detail).remedy("ask at the counter"),
            CancelRefusal::OtherNode(_) => {
                Self::new(StatusCode::CONFLICT, "other_node", detail).remedy(ASK_OR_TAKE_OVER)
            }
            CancelRefusal::Why => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "why", detail).at("why").remedy("say why")
            }
        }
    }
}

impl From<IntakeRefusal> for Problem {
    fn from(refusal: IntakeRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            IntakeRefusal::NotSetUp => {
                Self::new(StatusCode::CONFLICT, "not_set_up", detail).remedy("set the site up first")
            }
            IntakeRefusal::Unknown(Unknown::Pause(_)) => Self::bad_field("minutes", detail, "send 15, 30 or 60"),
            IntakeRefusal::Unknown(Unknown::Busy(_)) => Self::bad_field("minutes", detail, "send 10, 20, 30 or 0"),
        }
    }
}

impl From<DecideRefusal> for Problem {
    fn from(refusal: DecideRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            DecideRefusal::UnknownOrder(_) => Self::new(StatusCode::NOT_FOUND, "unknown_order", detail).at("id"),
            DecideRefusal::Decided(_) => Self::new(StatusCode::CONFLICT, "decided", detail)
                .remedy("read the order again; cancel it if it cannot be made"),
            DecideRefusal::OtherNode(_) => {
                Self::new(StatusCode::CONFLICT, "other_node", detail).remedy(ASK_OR_TAKE_OVER)
            }
            DecideRefusal::Why => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "why", detail).at("why").remedy("say why")
            }
        }
    }
}

impl From<AnswerRefusal> for Problem {
    fn from(refusal: AnswerRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            AnswerRefusal::UnknownOrder(_) => Self::new(StatusCode::NOT_FOUND, "unknown_order", detail).at("order"),
            AnswerRefusal::UnknownRequest(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_request", detail).at("id").remedy("read the order again")
            }
            AnswerRefusal::Answered => {
                Self::new(StatusCode::CONFLICT, "answered", detail).remedy("read the order again")
            }
            AnswerRefusal::OtherNode(_) => {
                Self::new(StatusCode::CONFLICT, "other_node", detail).remedy(ASK_OR_TAKE_OVER)
            }
            AnswerRefusal::Why => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "why", detail).at("why").remedy("say why")
            }
        }
    }
}

/// What to do about an order that another node decides about.
const ASK_OR_TAKE_OVER: &str = "do it at that node, or let a manager take the order over when that node is silent";

impl From<TakeOverRefusal> for Problem {
    fn from(refusal: TakeOverRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            TakeOverRefusal::UnknownOrder(_) => Self::new(StatusCode::NOT_FOUND, "unknown_order", detail),
            TakeOverRefusal::Finished(_) => {
                Self::new(StatusCode::CONFLICT, "finished", detail).remedy("nothing is left to decide about it")
            }
            TakeOverRefusal::TooOften => {
                Self::new(StatusCode::CONFLICT, "too_often", detail).remedy("place the order again under a new id")
            }
            TakeOverRefusal::Why => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "why", detail).at("why").remedy("say why")
            }
        }
    }
}

impl From<AskRefusal> for Problem {
    fn from(refusal: AskRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            AskRefusal::Waits(_) => Self::new(StatusCode::CONFLICT, "already_asked", detail)
                .remedy("wait for the answer, or let a manager take the order over"),
            AskRefusal::TooMany => Self::new(StatusCode::CONFLICT, "asked_too_often", detail)
                .remedy("do it at the node that decides, or let a manager take the order over"),
            AskRefusal::History => {
                Self::new(StatusCode::CONFLICT, "history", detail).remedy("place what is still wanted as a new order")
            }
        }
    }
}

impl From<TenderRefusal> for Problem {
    fn from(refusal: TenderRefusal) -> Self {
        use TenderRefusal as R;
        let detail = refusal.to_string();
        match refusal {
            R::UnknownOrder(_) => Self::new(StatusCode::NOT_FOUND, "unknown_order", detail),
            R::Ended(_) => Self::new(StatusCode::CONFLICT, "finished", detail).remedy("take no money for it"),
            R::PaidOnline => Self::new(StatusCode::CONFLICT, "paid_online", detail).remedy("take no money for it"),
            R::OtherNode(_) => Self::new(StatusCode::CONFLICT, "other_node", detail).remedy(ASK_OR_TAKE_OVER),
            R::NoAmount(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "no_amount", detail)
                .at("amount_minor")
                .remedy("send what was taken, in minor units"),
            R::MoreThanDue { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "more_than_due", detail)
                .at("amount_minor")
                .remedy("send what is due, and give the rest back as change"),
            R::SameIdOtherAmount { .. } => Self::new(StatusCode::CONFLICT, "same_id_other_amount", detail)
                .at("amount_minor")
                .remedy("mint a new id for another payment"),
            R::WhichDrawer => Self::new(StatusCode::CONFLICT, "which_drawer", detail)
                .at("drawer")
                .remedy("name the drawer, or open a shift of it"),
        }
    }
}

impl From<ShiftRefusal> for Problem {
    fn from(refusal: ShiftRefusal) -> Self {
        use ShiftRefusal as R;
        let detail = refusal.to_string();
        match refusal {
            R::NotSetUp => Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_set_up", detail)
                .remedy("start the node with a name, a currency and a time zone"),
            R::Drawer => Self::bad_field("drawer", detail, "name the drawer as people call it"),
            R::DrawerOpen(_) => Self::new(StatusCode::CONFLICT, "drawer_open", detail)
                .at("drawer")
                .remedy("count and close that shift first"),
            R::Unknown(_) => Self::new(StatusCode::NOT_FOUND, "unknown_shift", detail).remedy("read /api/v1/till"),
            R::Ended => Self::new(StatusCode::CONFLICT, "shift_ended", detail).remedy("open another shift"),
            R::OtherNode(letter) => Self::new(StatusCode::CONFLICT, "other_node", detail).remedy(format!(
                "do it at node {letter}; when that is off for good, end it first (POST /api/v1/stock/adoptions)"
            )),
            R::Amount { field, .. } => Self::bad_field(field, detail, "send what was counted or moved, in minor units"),
            R::NoReason => Self::bad_field("why", detail, "say in a few words what for"),
            R::SameIdOther { field } => Self::new(StatusCode::CONFLICT, "same_id_other", detail)
                .at(field)
                .remedy("mint a new id for something else, or send what was booked"),
        }
    }
}

impl From<CloseRefusal> for Problem {
    fn from(refusal: CloseRefusal) -> Self {
        let detail = refusal.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail);
        match refusal {
            CloseRefusal::NoDay => conflict("no_day").at("number").remedy("a day opens with an order or a shift"),
            CloseRefusal::NotNext { next } => {
                conflict("other_day").at("number").remedy(format!("close day {} first", next.0))
            }
            CloseRefusal::OtherKeeper { letter, .. } => conflict("other_keeper").remedy(at_keeper(&letter)),
            CloseRefusal::ShiftOpen { .. } => conflict("shift_open").remedy("count and close that shift first"),
        }
    }
}

/// What to do when the keeper is not reached.
fn at_keeper(letter: &str) -> String {
    format!("do it at node {letter}; when that is away for long, a manager names another (PUT /api/v1/till/keeper)")
}

impl From<OtherKeeper> for Problem {
    fn from(other: OtherKeeper) -> Self {
        let problem = Self::new(StatusCode::CONFLICT, "other_keeper", other.to_string());
        problem.remedy(at_keeper(&other.letter))
    }
}

fn unknown_ingredient(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_ingredient", detail).remedy("read the stock again")
}

/// The id of what is booked was booked before, as something else.
fn other_receipt(field: &'static str, detail: String) -> Problem {
    let problem = Problem::new(StatusCode::CONFLICT, "same_id_other_receipt", detail).at(field);
    problem.remedy("mint a new id, or send what was booked")
}

impl From<WasteRefusal> for Problem {
    fn from(refusal: WasteRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            WasteRefusal::OtherKeeper(other) => other.into(),
            WasteRefusal::UnknownIngredient(_) => unknown_ingredient(detail),
            WasteRefusal::SameIdOther { field } => other_receipt(field, detail),
            WasteRefusal::NoReason => Self::bad_field("why", detail, "say in a few words what happened to it"),
            WasteRefusal::Amount { most, .. } => {
                Self::bad_field("amount", detail, format!("send 1 to {most}, or count the ingredient"))
            }
        }
    }
}

impl From<KeeperRefusal> for Problem {
    fn from(refusal: KeeperRefusal) -> Self {
        Self::new(StatusCode::CONFLICT, "no_node", refusal.to_string())
            .at("origin")
            .remedy("name this node, or one that /api/v1/siblings lists")
    }
}

impl From<EightySixRefusal> for Problem {
    fn from(refusal: EightySixRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            EightySixRefusal::UnknownItem(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown_item", detail).remedy("read the menu again")
            }
            EightySixRefusal::ReturnInThePast(_) => Self::bad_field("until", detail, "name a later time, or none"),
        }
    }
}

impl From<AdoptRefusal> for Problem {
    fn from(refusal: AdoptRefusal) -> Self {
        let (status, code) = match refusal {
            AdoptRefusal::Unknown(_) => (StatusCode::NOT_FOUND, "unknown_machine"),
            AdoptRefusal::Own | AdoptRefusal::Relay => (StatusCode::CONFLICT, "machine_is_on"),
        };
        Self::new(status, code, refusal.to_string()).at("origin").remedy("name one of the others that the stock lists")
    }
}

impl From<CountRefusal> for Problem {
    fn from(refusal: CountRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            CountRefusal::OtherKeeper(other) => other.into(),
            CountRefusal::UnknownIngredient(_) => unknown_ingredient(detail),
            CountRefusal::SameIdOther { field } => other_receipt(field, detail),
            CountRefusal::Amount(_) => Self::bad_field("amount", detail, "send what is on the shelf, in the unit"),
        }
    }
}

impl From<ReceiveRefusal> for Problem {
    fn from(refusal: ReceiveRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            ReceiveRefusal::OtherKeeper(other) => other.into(),
            ReceiveRefusal::UnknownIngredient(_) => unknown_ingredient(detail),
            ReceiveRefusal::SameIdOtherReceipt { field, .. } => other_receipt(field, detail),
            ReceiveRefusal::NoReason => Self::bad_field("why", detail, "say in a few words where it was"),
            ReceiveRefusal::Amount(_) => Self::bad_field("amount", detail, "book what was delivered, in the unit"),
        }
    }
}

impl From<ImportRefusal> for Problem {
    fn from(refusal: ImportRefusal) -> Self {
        let remedy = match &refusal {
            ImportRefusal::NothingFound { not_understood } => not_understood.first().map(|first| first.remedy.clone()),
            ImportRefusal::TooLarge { .. }
            | ImportRefusal::NotUtf8 { .. }
            | ImportRefusal::NotJson { .. }
            | ImportRefusal::OtherDocument { .. }
            | ImportRefusal::NotCsv { .. }
            | ImportRefusal::UnknownRestaurant { .. } => None,
        };
        let remedy = remedy.unwrap_or_else(|| "check that the file is of the named format".to_owned());
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable_import", refusal.to_string()).at("body").remedy(remedy)
    }
}
