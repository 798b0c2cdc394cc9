//! From a quote to an order: the same intent found again, the order as it is written, all in one commit or nothing.

use crate::store::checkouts::{Checkout, PricedCart};
use pilotlight_sync::crdt::codec::Shared;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::{Charges, Header, OrderFact};
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::doc::stock_rows::StockRows;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::order::Channel;
use pilotlight_sync::domain::payment::{CommercialPhase, PaymentPhase};
use pilotlight_sync::domain::pricing::{CartChoice, PricedChoice};
use pilotlight_sync::domain::pricing::{CartLine, PricedLine};
use pilotlight_sync::domain::stock::Shortfall;
use pilotlight_sync::domain::timestamp::Timestamp;

/// A field of the cart that differs from what was placed under the order's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartField {
    /// The order is somebody else's, or of another restaurant.
    Id,
    /// How the customer gets it.
    Fulfilment,
    /// Said to the kitchen.
    Note,
    /// How many lines.
    LineCount,
    /// A line, counted from zero.
    Line(usize),
    /// For whoever brings it.
    Tip,
    /// Where to.
    Address,
    /// The payment's id belongs to another order.
    Payment,
}

/// The first field in which two carts differ: prices are no part of the intent (SPEC B2).
pub fn difference(one: &PricedCart, other: &PricedCart) -> Option<CartField> {
    if one.fulfilment != other.fulfilment {
        return Some(CartField::Fulfilment);
    }
    if one.note != other.note {
        return Some(CartField::Note);
    }
    if one.lines.len() != other.lines.len() {
        return Some(CartField::LineCount);
    }
    let differs = |(one, other): (&PricedLine, &PricedLine)| wanted(one) != wanted(other);
    let line = one.lines.iter().zip(&other.lines).position(differs);
    line.map(CartField::Line).or((one.tip_minor != other.tip_minor).then_some(CartField::Tip))
}

/// What was wanted of a line, without its price.
pub fn wanted(line: &PricedLine) -> CartLine {
    let choice = |choice: &PricedChoice| CartChoice { group: choice.group, option: choice.option, count: choice.count };
    CartLine {
        id: line.id,
        item: line.item,
        variant: Some(line.variant),
        quantity: line.quantity,
        choices: line.choices.iter().map(choice).collect(),
        note: line.note.clone(),
    }
}

/// The node that is to make it: the one that can be reached, or else the first of those that no fence has ended, by their letters.
/// `None`: no node has introduced itself yet.
pub fn owner(site: &Site, reached: Option<OriginId>) -> Option<OriginId> {
    let live = |card: &&OriginCard| card.role == OriginRole::Node && !site.is_fenced(&card.origin);
    let nodes: Vec<&OriginCard> = site.origins().filter(live).collect();
    let reached = reached.filter(|reached| nodes.iter().any(|card| card.origin == *reached));
    let first =
        || nodes.iter().min_by_key(|card| (card.letter.len(), &card.letter, card.origin)).map(|card| card.origin);
    reached.or_else(first)
}

/// The order's header; its time is set when it is placed.
pub fn header(site: &Site, owner: OriginId, cart: &PricedCart, charges: Charges, now: Timestamp) -> Header {
    Header {
        placed_at: now,
        channel: Channel::Cloud,
        fulfilment: cart.fulfilment,
        table: None,
        note: cart.note.clone(),
        lines: cart.lines.iter().cloned().map(Shared::from).collect(),
        currency: site.menu().currency,
        device: None,
        menu_version: site.menu_version(),
        owner: Some(owner),
        charges,
    }
}

/// The commit that places a paid checkout: order, phase, payment and stock, or the line that was sold meanwhile (SPEC B1).
pub fn changes(site: &Site, relay: OriginId, checkout: &Checkout, now: Timestamp) -> Result<Vec<Change>, Shortfall> {
    let mut stock = StockRows::of(site, relay);
    stock.spend(&checkout.cart.lines)?;
    let order = checkout.order;
    let header = Header { placed_at: now, ..checkout.header.clone() };
    let paid = OrderFact::Payment {
        payment: checkout.payment,
        phase: PaymentPhase::Authorized,
        amount_minor: checkout.amount_minor,
    };
    let facts = [OrderFact::Placed(Box::new(header)), OrderFact::Commercial { phase: CommercialPhase::Placed }, paid];
    Ok(facts.into_iter().map(|fact| Change::Order(order, fact)).chain(stock.into_changes()).collect())
}
