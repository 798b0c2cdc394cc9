//! `/api/v1/orders`: place, read, amend, cancel.

use crate::api::call::{Answer, Call, id, json};
use crate::api::json::{
    AmendOrderJson, CancelOrderJson, FoundJson, OrderJson, OrderLogEntryJson, OrderLogJson, OrdersJson, PlaceOrderJson,
    ProblemJson, TakeOverJson, TenderJson,
};
use crate::api::problem::Problem;
use crate::api::to_json;
use crate::archive::{ArchiveError, latest_of_both};
use crate::devices::doors::Caller;
use crate::inventory::share;
use crate::orders::amend::{AddLine, Amendment, VoidLine};
use crate::orders::cancel::CancelRefusal;
use crate::orders::ownership;
use crate::orders::place::{NewOrder, PlaceRefusal, Placed};
use crate::orders::{Order, amend, cancel, place};
use crate::store::replica::{LiveOrder, Replica};
use crate::store::store_handle::RunError;
use crate::till::tender::{self, Tender, TenderRefusal};
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_sync::doc::merge_log::merge_log;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::domain::asked::Asked;
use pilotlight_sync::domain::id::{IntentId, OrderId, OriginId};
use pilotlight_sync::domain::order::{Channel, Fulfilment};
use pilotlight_sync::domain::role::{Action, Actor, Role};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::ORDER_LINES_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Orders of one page of a listing.
const PAGE_MAX: usize = 200;

/// What is ordered online is placed at the relay; and a guest's device stands in the shop.
fn may_say(caller: &Caller, new: &NewOrder) -> Result<(), Problem> {
    let guest = caller.role == Role::Customer;
    let not_here = |field: &str, detail: &str, remedy: &str| {
        Problem::new(StatusCode::FORBIDDEN, "not_from_here", detail).at(field).remedy(remedy)
    };
    match new.channel {
        Channel::Cloud => {
            return Err(not_here("channel", "online orders are placed at the relay", "send them there"));
        }
        Channel::Counter | Channel::Phone | Channel::Marketplace if guest => {
            return Err(not_here("channel", "a guest's device orders for a guest here", "send kiosk or qr_table"));
        }
        Channel::Kiosk | Channel::QrTable | Channel::Counter | Channel::Phone | Channel::Marketplace => {}
    }
    if guest && new.fulfilment == Fulfilment::Delivery {
        return Err(not_here("fulfilment", "nobody could bring it: there is no address", "send dine_in or takeaway"));
    }
    Ok(())
}

/// Places an order. Sending it again is normal: 201 the first time, 200 after.
#[utoipa::path(post, path = "/api/v1/orders", operation_id = "place_order", tag = "orders", request_body = PlaceOrderJson,
    responses((status = 201, body = OrderJson), (status = 200, body = OrderJson), (status = 400, body = ProblemJson),
        (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn place_order(call: Call) -> Answer {
    let caller = call.allow(Action::PlaceOrder)?;
    if call.app.disk_is_full() {
        let detail = "less than 200 MB are free: new orders are refused, work in progress goes on";
        return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", detail).remedy("free some disk space"));
    }
    let mut sent: PlaceOrderJson = call.json()?;
    let found = sent.found.take().unwrap_or_default();
    if !found.is_empty() {
        call.allow(Action::ChangeStock)?;
    }
    let found = found_of(&found)?;
    let new = to_json::new_order(sent)?;
    may_say(&caller, &new)?;
    let (by, lines) = (caller.actor(), new.lines.clone());
    let placed = call.app.store.run(move |replica, now| place::plan_finding(replica, now, by, new, &found)).await;
    if let Err(RunError::Refused(PlaceRefusal::SoldOut { .. })) = &placed {
        metrics::counter!("pilotlight_orders_sold_out_total").increment(1);
        // What is left may be another's to sell: the next guest finds it here.
        let wishes = call.app.store.read(move |replica, _| Ok(share::wishes(replica, &lines))).await?;
        call.app.wishes.ask(wishes);
    }
    Ok(match placed? {
        Placed::Now(order) => {
            metrics::counter!("pilotlight_orders_placed_total").increment(1);
            json(StatusCode::CREATED, &to_json::order(&order))
        }
        Placed::Before(order) => json(StatusCode::OK, &to_json::order(&order)),
    })
}

/// What was found, with a reason each.
fn found_of(found: &[FoundJson]) -> Result<Vec<(IntentId, Receipt)>, Problem> {
    if found.len() > ORDER_LINES_MAX {
        let detail = format!("{} things are found at once; {ORDER_LINES_MAX} is the most", found.len());
        return Err(Problem::bad_field("found", detail, "book them one by one"));
    }
    let one = |(at, found): (usize, &FoundJson)| {
        let field = |name: &str| format!("found[{at}].{name}");
        text::note(field("why"), &found.why)?;
        if found.why.trim().is_empty() {
            return Err(Problem::bad_field(
                field("why"),
                "what is found needs a reason",
                "say in a few words where it was",
            ));
        }
        let ingredient = id(field("ingredient"), &found.ingredient)?;
        let receipt = Receipt { found: Some(found.why.clone()), ..Receipt::delivered(ingredient, found.amount) };
        Ok((id(field("id"), &found.id)?, receipt))
    };
    found.iter().enumerate().map(one).collect()
}

/// Reads one order. A device that may not read all sees its own; of another's it learns nothing.
#[utoipa::path(get, path = "/api/v1/orders/{id}", operation_id = "get_order", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = OrderJson), (status = 404, body = ProblemJson)))]
pub async fn get_order(call: Call, order: String) -> Answer {
    let caller = call.allow(Action::ReadOwnOrder)?;
    let order = id::<OrderId>("id", &order)?;
    let here = call.app.store.read(move |replica, _| replica.order_here(&order)).await?;
    let live = match here {
        Some(live) => Some(live),
        None => {
            let document = call.app.archived(move |archive| archive.get(&order)).await??;
            document.map(|document| archived(order, &document)).transpose()?
        }
    };
    let live = live.filter(|live| may_read(&caller, live.view.header.device)).ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &to_json::order(&Order { id: order, live })))
}

/// An order as the archive has it.
fn archived(id: OrderId, document: &[u8]) -> Result<Arc<LiveOrder>, Problem> {
    let damaged = |why: String| ArchiveError::Damaged { file: format!("order {id}"), why };
    Ok(LiveOrder::from_bytes(document).map(Arc::new).map_err(|error| damaged(error.to_string()))?)
}

fn may_read(caller: &Caller, device: Option<pilotlight_sync::domain::id::DeviceId>) -> bool {
    caller.role.may(Action::ReadOrders) || device == Some(caller.device)
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_order", "there is no such order here").at("id")
}

/// Lists orders: those on the board (`state=open`, the default), the latest (`state=all`, `before`, `limit`), or one by `number`.
#[utoipa::path(get, path = "/api/v1/orders", operation_id = "list_orders", tag = "orders",
    params(("state" = Option<String>, Query), ("before" = Option<u64>, Query), ("limit" = Option<usize>, Query), ("number" = Option<String>, Query)),
    responses((status = 200, body = OrdersJson), (status = 400, body = ProblemJson)))]
pub async fn list_orders(call: Call) -> Answer {
    call.allow(Action::ReadOrders)?;
    let number = |name: &str| {
        let parse = |text: &str| {
            text.parse::<u64>().map_err(|_| Problem::bad_field(name, "not a whole number", "send digits only"))
        };
        call.query(name).map(parse).transpose()
    };
    let before = number("before")?.map_or(Timestamp(u64::MAX), Timestamp);
    let limit = number("limit")?.map_or(PAGE_MAX, |limit| usize::try_from(limit).unwrap_or(PAGE_MAX)).min(PAGE_MAX);
    let wanted = call.query("number").map(str::to_owned);
    let all = match call.query("state") {
        None | Some("open") => false,
        Some("all") => true,
        Some(_) => return Err(Problem::bad_field("state", "no such state", "ask for open or all")),
    };
    let ids = match (wanted, all) {
        (Some(number), _) => by_number(&call, number).await?,
        (None, true) => latest(&call, before, limit).await?,
        (None, false) => {
            let open = move |replica: &Replica| replica.live_orders().map(|(id, _)| *id).take(limit).collect();
            call.app.store.read(move |replica, _| Ok(open(replica))).await?
        }
    };
    let orders = read_all(&call, ids).await?.iter().map(to_json::order).collect();
    Ok(json(StatusCode::OK, &OrdersJson { orders }))
}

/// The order of today that has this number.
async fn by_number(call: &Call, number: String) -> Result<Vec<OrderId>, Problem> {
    let today = call.app.store.read(move |replica, _| {
        let day = replica.site().day().day();
        day.map(|day| replica.order_by_number(day.number, &number)).transpose()
    });
    Ok(today.await?.flatten().into_iter().collect())
}

/// The latest orders, of the store and of the archive.
async fn latest(call: &Call, before: Timestamp, limit: usize) -> Result<Vec<OrderId>, Problem> {
    let here = call.app.store.read(move |replica, _| replica.latest_here(before, limit)).await?;
    let there = call.app.archived(move |archive| archive.latest_before(before, limit)).await?;
    Ok(latest_of_both(here, there, limit).into_iter().map(|(_, id)| id).collect())
}

/// These orders, in this order, from wherever they are.
async fn read_all(call: &Call, ids: Vec<OrderId>) -> Result<Vec<Order>, Problem> {
    let wanted = ids.clone();
    let here = call.app.store.read(move |replica, _| {
        let read = |id: &OrderId| Ok(replica.order_here(id)?.map(|live| (*id, live)));
        wanted.iter().filter_map(|id| read(id).transpose()).collect::<Result<BTreeMap<_, _>, _>>()
    });
    let mut found = here.await?;
    let missing: Vec<OrderId> = ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
    if !missing.is_empty() {
        let there = call.app.archived(move |archive| archive.get_many(&missing)).await?;
        for (id, document) in there {
            found.insert(id, archived(id, &document)?);
        }
    }
    Ok(ids.into_iter().filter_map(|id| Some(Order { id, live: found.get(&id)?.clone() })).collect())
}

/// Voids lines and adds lines, in one step.
#[utoipa::path(post, path = "/api/v1/orders/{id}/amendments", operation_id = "amend_order", tag = "orders", params(("id" = String, Path)),
    request_body = AmendOrderJson, responses((status = 400, body = ProblemJson), (status = 200, body = OrderJson), (status = 404, body = ProblemJson),
        (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn amend_order(call: Call, order: String) -> Answer {
    let caller = call.allow(Action::ChangeOrder)?;
    let sent: AmendOrderJson = call.json()?;
    let void = sent.void.iter().enumerate().map(|(at, void)| {
        text::note(format!("void[{at}].why"), &void.why)?;
        Ok::<_, Problem>(VoidLine { line: id(format!("void[{at}].line"), &void.line)?, why: void.why.clone() })
    });
    let add = sent.add.iter().enumerate().map(|(at, add)| {
        let replaces = add.replaces.as_deref().map(|line| id(format!("add[{at}].replaces"), line)).transpose()?;
        Ok::<_, Problem>(AddLine { line: to_json::cart_line(&format!("add[{at}].line"), &add.line)?, replaces })
    });
    let amendment = Amendment {
        order: id("id", &order)?,
        intent: id("id", &sent.id)?,
        void: void.collect::<Result<_, _>>()?,
        add: add.collect::<Result<_, _>>()?,
    };
    let by = caller.actor();
    let order = call.app.store.run(move |replica, now| amend::plan(replica, now, by, amendment)).await?;
    Ok(json(StatusCode::OK, &to_json::order(&order)))
}

/// Takes money for an order: cash, or a card at the till's own terminal.
#[utoipa::path(post, path = "/api/v1/orders/{id}/payments", operation_id = "take_tender", tag = "orders", params(("id" = String, Path)),
    request_body = TenderJson, responses((status = 200, body = OrderJson), (status = 202, body = OrderJson), (status = 400, body = ProblemJson), (status = 404, body = ProblemJson),
        (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn take_tender(call: Call, order: String) -> Answer {
    let caller = call.allow(Action::ChangeOrder)?;
    let sent: TenderJson = call.json()?;
    let tender = Tender { order: id("id", &order)?, payment: id("id", &sent.id)?, amount_minor: sent.amount_minor };
    let by = caller.actor();
    let drawer = sent.drawer.clone();
    match call.app.store.run(move |replica, _| tender::plan_into(replica, by, tender, drawer.as_deref())).await {
        Err(RunError::Refused(TenderRefusal::OtherNode(_))) => {
            let shift = move |replica: &Replica, _| tender::shift_here(replica, by, sent.drawer.as_deref());
            let shift = call.app.store.run(shift).await?;
            let Tender { order, payment, amount_minor } = tender;
            call.at_owner(by, order, Asked::Tender { payment, amount_minor, shift }).await
        }
        taken => {
            let (id, live) = taken?;
            Ok(json(StatusCode::OK, &to_json::order(&Order { id, live })))
        }
    }
}

/// Cancels an order. The counter may cancel any; a kiosk its own, while nobody has begun.
#[utoipa::path(post, path = "/api/v1/orders/{id}/cancellation", operation_id = "cancel_order", tag = "orders", params(("id" = String, Path)),
    request_body = CancelOrderJson, responses((status = 400, body = ProblemJson), (status = 200, body = OrderJson), (status = 202, body = OrderJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn cancel_order(call: Call, order: String) -> Answer {
    let caller = call.allow(Action::ReadOwnOrder)?;
    if caller.role != Role::Customer {
        call.allow(Action::ChangeOrder)?;
    }
    let sent: CancelOrderJson = call.json()?;
    text::note("why", &sent.why)?;
    let order = id::<OrderId>("id", &order)?;
    let by = caller.actor();
    let own_only = (caller.role == Role::Customer).then_some(caller.device);
    let why = sent.why.clone();
    let plan = move |replica: &Replica, _| cancel::plan(replica, by, order, &why, own_only);
    match call.app.store.run(plan).await {
        // A guest's device asks the node where it stands.
        Err(RunError::Refused(CancelRefusal::OtherNode(_))) if own_only.is_none() => {
            call.at_owner(by, order, Asked::Cancel { why: sent.why.trim().to_owned() }).await
        }
        cancelled => Ok(json(StatusCode::OK, &to_json::order(&cancelled?))),
    }
}

/// This node decides about the order from now on: for when the node that took it, or that the relay named, is silent. What that node
/// decides without knowing decides nothing; money that it took counts. For managers.
#[utoipa::path(post, path = "/api/v1/orders/{id}/take-over", operation_id = "take_order_over", tag = "orders", params(("id" = String, Path)),
    request_body = TakeOverJson, responses((status = 200, body = OrderJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn take_over(call: Call, order: String) -> Answer {
    let caller = call.allow(Action::TakeOver)?;
    let sent: TakeOverJson = call.json()?;
    text::note("why", &sent.why)?;
    let order = id::<OrderId>("id", &order)?;
    let by = caller.actor();
    let order = call.app.store.run(move |replica, _| ownership::plan(replica, by, order, &sent.why)).await?;
    Ok(json(StatusCode::OK, &to_json::order(&order)))
}

/// What was done to an order's lines, and who decides about it: in plain words, of all nodes. `merged`: more than one had a hand in it.
#[utoipa::path(get, path = "/api/v1/orders/{id}/log", operation_id = "get_order_log", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = OrderLogJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn get_log(call: Call, order: String) -> Answer {
    call.allow(Action::ReadOrders)?;
    let order = id::<OrderId>("id", &order)?;
    let read = call.app.store.read(move |replica, _| {
        let Some(live) = replica.order(&order)? else { return Ok(None) };
        let log = merge_log(&live.doc);
        let letter = |origin: OriginId| {
            let card = replica.site().origin(&origin);
            card.map(|card| card.letter.clone()).unwrap_or_default()
        };
        let entries = log.entries.into_iter().map(|entry| OrderLogEntryJson {
            at: entry.at.0,
            node: letter(entry.origin),
            who: to_json::actor(entry.by),
            what: entry.what,
            name: name_of(replica, entry.by),
            concurrent: entry.concurrent,
            lost: entry.lost,
        });
        Ok(Some(OrderLogJson { merged: log.origins.len() > 1, entries: entries.collect() }))
    });
    Ok(json(StatusCode::OK, &read.await?.ok_or_else(unknown)?))
}

/// What people call whoever did it.
fn name_of(replica: &Replica, by: Actor) -> Option<String> {
    let site = replica.site();
    let person = |staff| site.people().find(|(id, _)| **id == staff).map(|(_, person)| person.name.clone());
    let device = |device| site.devices().find(|(id, _)| **id == device).map(|(_, device)| device.name.clone());
    match by {
        Actor::Staff(staff, _) => person(staff),
        Actor::Device(id) => device(id),
        Actor::System | Actor::Customer(_) | Actor::Rider(_) => None,
    }
}
