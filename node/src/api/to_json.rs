//! From the inner nouns to the JSON shapes, and back where a device sends them.

use crate::api::call::id;
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::orders::Order;
use crate::orders::place::NewOrder;
use crate::store::replica::{LiveOrder, Position};
use pilotlight_edge::api::text;
pub(crate) use pilotlight_edge::api::to_json::cart_line;
pub(crate) use pilotlight_edge::api::to_json::fulfilment;
use pilotlight_edge::api::to_json::{amendment, from_fulfilment, status};
use pilotlight_sync::doc::order_view::{Deed, LineView, OrderView, TicketView};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::order::Channel;
use pilotlight_sync::domain::pricing::PricedChoice;
use pilotlight_sync::domain::role::{Actor, Role};
use pilotlight_sync::domain::ticket::{EpochKind, TicketKey, TicketPhase};

pub(crate) fn role(role: Role) -> RoleJson {
    match role {
        Role::Customer => RoleJson::Customer,
        Role::Kitchen => RoleJson::Kitchen,
        Role::Staff => RoleJson::Staff,
        Role::Manager => RoleJson::Manager,
        Role::Admin => RoleJson::Admin,
    }
}

pub(crate) fn from_role(role: RoleJson) -> Role {
    match role {
        RoleJson::Customer => Role::Customer,
        RoleJson::Kitchen => Role::Kitchen,
        RoleJson::Staff => Role::Staff,
        RoleJson::Manager => Role::Manager,
        RoleJson::Admin => Role::Admin,
    }
}

fn channel(channel: Channel) -> ChannelJson {
    match channel {
        Channel::Kiosk => ChannelJson::Kiosk,
        Channel::Counter => ChannelJson::Counter,
        Channel::Phone => ChannelJson::Phone,
        Channel::QrTable => ChannelJson::QrTable,
        Channel::Cloud => ChannelJson::Cloud,
        Channel::Marketplace => ChannelJson::Marketplace,
    }
}

fn from_channel(channel: ChannelJson) -> Channel {
    match channel {
        ChannelJson::Kiosk => Channel::Kiosk,
        ChannelJson::Counter => Channel::Counter,
        ChannelJson::Phone => Channel::Phone,
        ChannelJson::QrTable => Channel::QrTable,
        ChannelJson::Cloud => Channel::Cloud,
        ChannelJson::Marketplace => Channel::Marketplace,
    }
}

pub(crate) fn actor(actor: Actor) -> String {
    match actor {
        Actor::System => "system".to_owned(),
        Actor::Device(device) => format!("device {device}"),
        Actor::Staff(staff, _) => format!("staff {staff}"),
        Actor::Customer(customer) => format!("customer {customer}"),
        Actor::Rider(rider) => format!("rider {rider}"),
    }
}

pub(crate) fn position(position: &Position) -> PositionJson {
    PositionJson { origin: position.origin.to_string(), seq: position.head.seq, hash: position.head.hash.to_hex() }
}

pub(crate) fn new_order(json: PlaceOrderJson) -> Result<NewOrder, Problem> {
    text::note("note", json.note.as_deref().unwrap_or_default())?;
    text::one_line("table", json.table.as_deref().unwrap_or_default())?;
    let lines = json.lines.iter().enumerate().map(|(at, line)| cart_line(&format!("lines[{at}]"), line));
    Ok(NewOrder {
        id: id("id", &json.id)?,
        channel: from_channel(json.channel),
        fulfilment: from_fulfilment(json.fulfilment),
        table: json.table,
        note: json.note,
        lines: lines.collect::<Result<_, _>>()?,
        expected_total_minor: json.expected_total_minor,
    })
}

pub(crate) fn order(order: &Order) -> OrderJson {
    let view = &order.live.view;
    let header = &view.header;
    let total_minor = view.total_minor();
    let paid_minor = view.captured_minor - view.refunded_minor;
    let history = view.history.iter().map(|change| HistoryJson {
        from: change.from.map(status),
        to: status(change.to),
        who: actor(change.deed.by),
        why: change.deed.why.clone(),
        at: change.deed.at.0,
    });
    OrderJson {
        id: order.id.to_string(),
        number: view.number.as_ref().map(|(_, number)| number.clone()),
        also: view.also.iter().map(|(_, number)| number.clone()).collect(),
        status: status(view.status),
        history: history.collect(),
        channel: channel(header.channel),
        fulfilment: fulfilment(header.fulfilment),
        table: header.table.clone(),
        note: view.instructions.clone(),
        ready_not_before: view.ready_not_before.map(|at| at.0),
        amendments: view.amendments.iter().map(amendment).collect(),
        placed_at: header.placed_at.0,
        lines: view.lines.iter().map(|line| order_line(view, line)).collect(),
        total_minor,
        tax_minor: view.tax_minor(),
        paid_minor,
        due_minor: (total_minor - paid_minor).max(0),
        currency: header.currency.to_string(),
        tickets: tickets(view),
        owner: view.owner.to_string(),
        term: view.term,
        safe_on: 1,
    }
}

fn order_line(view: &OrderView, line: &LineView) -> OrderLineJson {
    let voided = line.voided.as_ref().or(view.cancelled.as_ref());
    OrderLineJson {
        id: line.line.id.to_string(),
        item: line.line.item.to_string(),
        variant: line.line.variant.to_string(),
        name: line.line.name.clone(),
        variant_name: line.line.variant_name.clone(),
        quantity: line.line.quantity,
        choices: line.line.choices.iter().map(line_choice).collect(),
        note: line.line.note.clone(),
        unit_minor: line.line.unit_minor,
        total_minor: line.line.total_minor(),
        replaces: line.replaces.map(|line| line.to_string()),
        voided: voided.map(voided_json),
    }
}

fn line_choice(choice: &PricedChoice) -> LineChoiceJson {
    LineChoiceJson {
        group: choice.group.to_string(),
        option: choice.option.to_string(),
        name: choice.name.clone(),
        count: choice.count,
        price_minor: choice.price_minor,
        removal: choice.removal,
    }
}

fn voided_json(deed: &Deed) -> VoidedJson {
    VoidedJson { who: actor(deed.by), why: deed.why.clone(), at: deed.at.0 }
}

pub(crate) fn board_order(id: &OrderId, order: &LiveOrder) -> BoardOrderJson {
    let view = &order.view;
    let header = &view.header;
    BoardOrderJson {
        id: id.to_string(),
        number: view.number.as_ref().map(|(_, number)| number.clone()),
        also: view.also.iter().map(|(_, number)| number.clone()).collect(),
        status: status(view.status),
        channel: channel(header.channel),
        fulfilment: fulfilment(header.fulfilment),
        table: header.table.clone(),
        note: view.instructions.clone(),
        ready_not_before: view.ready_not_before.map(|at| at.0),
        amendments: view.amendments.iter().map(amendment).collect(),
        placed_at: header.placed_at.0,
        start_at: header.placed_at.0,
        tickets: tickets(view),
    }
}

fn tickets(view: &OrderView) -> Vec<TicketJson> {
    view.tickets.iter().map(|(key, one)| ticket(view, key, one)).collect()
}

fn ticket(view: &OrderView, key: &TicketKey, ticket: &TicketView) -> TicketJson {
    TicketJson {
        station: key.station.to_string(),
        course: key.course,
        epoch: ticket.epoch,
        epoch_kind: match ticket.kind {
            EpochKind::First => EpochKindJson::First,
            EpochKind::LookAgain => EpochKindJson::LookAgain,
            EpochKind::CookAgain => EpochKindJson::CookAgain,
            EpochKind::More => EpochKindJson::More,
        },
        phase: match ticket.phase {
            TicketPhase::Queued => TicketPhaseJson::Queued,
            TicketPhase::Started => TicketPhaseJson::Started,
            TicketPhase::Ready => TicketPhaseJson::Ready,
            TicketPhase::HandedOver => TicketPhaseJson::HandedOver,
        },
        lines: view.shown_on(key, ticket).map(|line| ticket_line(view, line)).collect(),
        estimate_s: view.estimate_s(key, ticket),
        queued_at: ticket.queued_at.0,
        started_at: ticket.started_at.map(|at| at.0),
        ready_at: ticket.ready_at.map(|at| at.0),
        acknowledged: ticket.acknowledged,
    }
}

fn ticket_line(view: &OrderView, line: &LineView) -> TicketLineJson {
    let choice = |choice: &PricedChoice| TicketChoiceJson {
        name: choice.name.clone(),
        count: choice.count,
        removal: choice.removal,
    };
    TicketLineJson {
        id: line.line.id.to_string(),
        name: line.line.kitchen_name().to_owned(),
        variant_name: line.line.variant_name.clone(),
        quantity: line.line.quantity,
        choices: line.line.choices.iter().map(choice).collect(),
        note: line.line.note.clone(),
        done_at: line.done.map(|(_, at)| at.0),
        change: line_change(view, line),
    }
}

fn line_change(view: &OrderView, line: &LineView) -> Option<LineChangeJson> {
    let seen = line.seen;
    if let Some(deed) = line.voided.as_ref().or(view.cancelled.as_ref()) {
        return Some(LineChangeJson::Voided { why: deed.why.clone(), seen });
    }
    let replaced = line.replaces.and_then(|id| view.lines.iter().find(|line| line.line.id == id));
    match replaced {
        Some(was) => Some(LineChangeJson::Changed {
            was_quantity: was.line.quantity,
            was_name: was.line.kitchen_name().to_owned(),
            seen,
        }),
        None => line.added_later.then_some(LineChangeJson::Added { seen }),
    }
}
