//! Takes an order: price, stock, number and tickets in one commit, or a refusal that names the field.

use crate::orders::Order;
use crate::orders::numbers::Numbers;
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::crdt::codec::Shared;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::{Charges, Header, OrderFact};
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::doc::stock_rows::StockRows;
use pilotlight_sync::domain::id::{IngredientId, IntentId, OrderId};
use pilotlight_sync::domain::menu::Menu;
use pilotlight_sync::domain::order::{Channel, Fulfilment};
use pilotlight_sync::domain::pricing::{CartChoice, CartLine, PriceRefusal, Priced, PricedLine, price};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::stock::Shortfall;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{NAME_CHARS_MAX, NOTE_CHARS_MAX, STOCK_AMOUNT_MAX};

/// An order as a device sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Minted by the device.
    pub id: OrderId,
    /// Where it was taken.
    pub channel: Channel,
    /// How the guest gets it.
    pub fulfilment: Fulfilment,
    /// At which table.
    pub table: Option<String>,
    /// Said to the kitchen.
    pub note: Option<String>,
    /// What is wanted.
    pub lines: Vec<CartLine>,
    /// What the guest was shown, in minor units.
    pub expected_total_minor: i64,
}

/// A field of the order that differs from what was placed under its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartField {
    /// Where it was taken.
    Channel,
    /// How the guest gets it.
    Fulfilment,
    /// At which table.
    Table,
    /// Said to the kitchen.
    Note,
    /// How many lines.
    LineCount,
    /// A line, counted from zero.
    Line(usize),
}

/// Whether the order was placed by this request or by an earlier one.
#[derive(Debug, Clone)]
pub enum Placed {
    /// By this one.
    Now(Order),
    /// By an earlier one with the same cart.
    Before(Order),
}

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceRefusal {
    /// The shop has no name, currency and time zone yet.
    #[error("the site is not set up")]
    NotSetUp,
    /// The cart has no price.
    #[error(transparent)]
    Price(#[from] PriceRefusal),
    /// The menu's price is another than the guest was shown.
    #[error("the total is {actual_minor}, not {expected_minor}")]
    PriceChanged {
        /// What was sent, in minor units.
        expected_minor: i64,
        /// What the menu says, in minor units.
        actual_minor: i64,
    },
    /// Staff have taken the item off sale.
    #[error("{item_name} is off sale")]
    EightySixed {
        /// Which line, from zero.
        line: usize,
        /// What.
        item_name: String,
        /// When it comes back by itself.
        until: Option<Timestamp>,
    },
    /// There is no right to sell so many.
    #[error("{item_name}: {left_portions} left")]
    SoldOut {
        /// Which line, from zero.
        line: usize,
        /// What.
        item_name: String,
        /// Portions of this line that could still be sold.
        left_portions: u64,
        /// The ingredient that is short.
        ingredient_name: String,
    },
    /// This id was used for another cart.
    #[error("order {order} was placed with another cart")]
    SameIdOtherCart {
        /// Which.
        order: OrderId,
        /// The first field that differs.
        field: CartField,
    },
    /// What is said to be found is no ingredient, or no amount.
    #[error("nothing can be found of {ingredient}")]
    NothingFound {
        /// Of what.
        ingredient: IngredientId,
    },
    /// A text that no ticket can show.
    #[error("{field} has {chars} characters; {max} is the most")]
    TextTooLong {
        /// `note` or `table`.
        field: &'static str,
        /// So many.
        chars: usize,
        /// Most.
        max: usize,
    },
}

/// Plans an order: acceptance, number, tickets and stock use in one commit (SPEC O3, S2).
pub fn plan(
    replica: &Replica,
    now: Timestamp,
    by: Actor,
    new: NewOrder,
) -> Result<Plan<Placed>, PlanError<PlaceRefusal>> {
    plan_finding(replica, now, by, new, &[])
}

/// The same when somebody says "we have it": what was found is added in the order's own commit, once under its id (SPEC S10). The caller
/// has checked the person's right, and that each has a reason.
pub fn plan_finding(
    replica: &Replica,
    now: Timestamp,
    by: Actor,
    new: NewOrder,
    found: &[(IntentId, Receipt)],
) -> Result<Plan<Placed>, PlanError<PlaceRefusal>> {
    let refuse = PlanError::Refused;
    if let Some(known) = replica.order(&new.id)? {
        if let Some(field) = difference(&new, &known.view) {
            return Err(refuse(PlaceRefusal::SameIdOtherCart { order: new.id, field }));
        }
        return Ok(Plan::answer_only(by, Placed::Before(Order { id: new.id, live: known })));
    }
    check_texts(&new).map_err(refuse)?;
    let site = replica.site();
    let mut numbers = Numbers::of(replica, now).ok_or(refuse(PlaceRefusal::NotSetUp))?;
    let priced = price(&new.lines, site.menu()).map_err(|refusal| refuse(refusal.into()))?;
    check_on_sale(replica, now, &priced).map_err(refuse)?;
    if priced.total_minor != new.expected_total_minor {
        let (expected_minor, actual_minor) = (new.expected_total_minor, priced.total_minor);
        return Err(refuse(PlaceRefusal::PriceChanged { expected_minor, actual_minor }));
    }
    let identity = replica.identity();
    let mut stock = StockRows::of(site, identity.origin);
    let mut changes = Vec::with_capacity(4 + 16);
    for (intent, receipt) in found {
        if receipt.amount == 0
            || receipt.amount > STOCK_AMOUNT_MAX
            || !site.menu().ingredients.contains_key(&receipt.ingredient)
        {
            return Err(refuse(PlaceRefusal::NothingFound { ingredient: receipt.ingredient }));
        }
        // Found before: the order was refused for another reason, or it was booked by itself.
        if replica.receipt(intent)?.is_none() {
            stock.find(&receipt.ingredient, receipt.amount);
            changes.push(Change::Receipt(*intent, receipt.clone()));
        }
    }
    stock.spend(&priced.lines).map_err(|shortfall| refuse(sold_out(&shortfall, &priced.lines, site.menu())))?;
    let header = header(&new, priced, by, now, site.menu_version());
    let id = new.id;
    changes.extend(numbers.opening());
    changes.push(Change::Order(id, OrderFact::Placed(Box::new(header))));
    changes.push(Change::Order(id, numbers.next()));
    changes.extend(stock.into_changes());
    Ok(Plan::new(by, changes, move |replica| Placed::Now(placed(replica, id))))
}

fn placed(replica: &Replica, id: OrderId) -> Order {
    // It was applied in this very step: not to find it would be a defect of the replica, and ends the group.
    #[expect(clippy::expect_used, reason = "caught at the store thread; nothing was confirmed")]
    let live = replica.order(&id).ok().flatten().expect("an order that was just applied");
    Order { id, live }
}

fn header(new: &NewOrder, priced: Priced, by: Actor, now: Timestamp, menu_version: u64) -> Header {
    Header {
        placed_at: now,
        channel: new.channel,
        fulfilment: new.fulfilment,
        table: text(&new.table),
        note: text(&new.note),
        lines: priced.lines.into_iter().map(Shared::from).collect(),
        currency: priced.currency,
        device: by.device(),
        menu_version,
        owner: None,
        charges: Charges::default(),
    }
}

/// An empty text is no text.
fn text(said: &Option<String>) -> Option<String> {
    said.as_ref().map(|said| said.trim().to_owned()).filter(|said| !said.is_empty())
}

fn check_texts(new: &NewOrder) -> Result<(), PlaceRefusal> {
    for (field, said, max) in [("note", &new.note, NOTE_CHARS_MAX), ("table", &new.table, NAME_CHARS_MAX)] {
        let chars = said.as_deref().unwrap_or_default().chars().count();
        if chars > max {
            return Err(PlaceRefusal::TextTooLong { field, chars, max });
        }
    }
    Ok(())
}

/// Refuses what staff have taken off sale.
pub(crate) fn check_on_sale(replica: &Replica, now: Timestamp, priced: &Priced) -> Result<(), PlaceRefusal> {
    let site = replica.site();
    let off = |(at, line): (usize, &PricedLine)| Some((at, line.name.clone(), site.off_sale(&line.item, now)?));
    match priced.lines.iter().enumerate().find_map(off) {
        None => Ok(()),
        Some((line, item_name, off)) => Err(PlaceRefusal::EightySixed { line, item_name, until: off.until }),
    }
}

/// Says in portions what a shortfall leaves.
pub(crate) fn sold_out(shortfall: &Shortfall, lines: &[PricedLine], menu: &Menu) -> PlaceRefusal {
    let line = &lines[shortfall.line];
    let per_portion = (shortfall.needed / u64::from(line.quantity.max(1))).max(1);
    let ingredient = menu.ingredients.get(&shortfall.ingredient).map(|ingredient| ingredient.name.clone());
    PlaceRefusal::SoldOut {
        line: shortfall.line,
        item_name: line.name.clone(),
        left_portions: shortfall.left / per_portion,
        ingredient_name: ingredient.unwrap_or_default(),
    }
}

/// The first field in which a repeated request differs from the order that its id names (SPEC O5).
fn difference(new: &NewOrder, known: &OrderView) -> Option<CartField> {
    let header = &known.header;
    let first: Vec<&PricedLine> = known.lines.iter().filter(|line| !line.added_later).map(|line| &*line.line).collect();
    if header.channel != new.channel {
        return Some(CartField::Channel);
    }
    if header.fulfilment != new.fulfilment {
        return Some(CartField::Fulfilment);
    }
    if header.table != text(&new.table) {
        return Some(CartField::Table);
    }
    if header.note != text(&new.note) {
        return Some(CartField::Note);
    }
    if first.len() != new.lines.len() {
        return Some(CartField::LineCount);
    }
    let differs = |(line, known): (&CartLine, &&PricedLine)| !same_line(line, known);
    new.lines.iter().zip(&first).position(differs).map(CartField::Line)
}

/// Whether a repeated line is the one that was priced.
pub(crate) fn same_line(line: &CartLine, known: &PricedLine) -> bool {
    let choices = |known: &PricedLine| -> Vec<CartChoice> {
        let choice = known.choices.iter();
        choice.map(|choice| CartChoice { group: choice.group, option: choice.option, count: choice.count }).collect()
    };
    line.id == known.id
        && line.item == known.item
        && line.variant.is_none_or(|variant| variant == known.variant)
        && line.quantity == known.quantity
        && line.choices == choices(known)
        && line.note.as_deref().filter(|note| !note.trim().is_empty()) == known.note.as_deref()
}
