//! What a cart costs at a restaurant, and how long it takes: the price kernel of `sync`, and what comes on top. Pure.

use crate::geo::{Place, REACH_M_MAX, ride_ms};
use crate::store::checkouts::PricedCart;
use crate::store::people::Address;
use crate::store::terms::Terms;
use pilotlight_sync::doc::order::Charges;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::doc::stock_rows::StockRows;
use pilotlight_sync::domain::forecast::told_minutes;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::money::Currency;
use pilotlight_sync::domain::order::Fulfilment;
use pilotlight_sync::domain::pricing::{CartLine, PriceRefusal, PricedLine, price};
use pilotlight_sync::domain::routing::line_estimate_s;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{COMMIT_BYTES_MAX, NAME_CHARS_MAX, NOTE_CHARS_MAX, PRICE_MINOR_MAX};

/// A quote holds for so long, in milliseconds of business time.
pub const QUOTE_MS: u64 = 10 * 60_000;
/// Bytes of a cart's lines: with its stock rows it must fit into one commit.
const CART_BYTES_MAX: usize = COMMIT_BYTES_MAX / 2;

/// A cart as a customer sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct QuoteRequest {
    /// How the customer gets it.
    pub fulfilment: Fulfilment,
    /// What is wanted.
    pub lines: Vec<CartLine>,
    /// For whoever brings it, in minor units.
    pub tip_minor: i64,
    /// Where to.
    pub address: Option<Address>,
    /// Said to the kitchen.
    pub note: Option<String>,
}

/// A priced cart.
#[derive(Debug, Clone, PartialEq)]
pub struct Quoted {
    /// With its lines.
    pub cart: PricedCart,
    /// What comes on top.
    pub charges: Charges,
    /// Everything together, in minor units.
    pub total_minor: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// It takes so many minutes at least, and at most.
    pub minutes: (u32, u32),
}

/// Why a cart has no price here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteRefusal {
    /// The restaurant's menu has not come yet.
    #[error("the restaurant is not ready for orders")]
    NotSetUp,
    /// It takes no orders for now: nobody would make this one.
    #[error("the restaurant takes no orders until {0}")]
    Paused(Timestamp),
    /// The cart has no price.
    #[error(transparent)]
    Price(#[from] PriceRefusal),
    /// Staff have taken the item off sale.
    #[error("{item_name} is off sale")]
    EightySixed {
        /// Which line, from zero.
        line: usize,
        /// What.
        item_name: String,
    },
    /// There is no right to sell so many online.
    #[error("{item_name}: {left_portions} left")]
    SoldOut {
        /// Which line, from zero.
        line: usize,
        /// What.
        item_name: String,
        /// Portions of this line that could still be sold.
        left_portions: u64,
    },
    /// A delivery goes somewhere.
    #[error("a delivery needs an address")]
    NoAddress,
    /// The address is none.
    #[error("the address's {0} is missing, or is none")]
    Address(&'static str),
    /// Nobody rides that far.
    #[error("the address is {distance_m} m away; {} m is the most", REACH_M_MAX)]
    TooFar {
        /// As the crow flies.
        distance_m: u32,
    },
    /// An order that fits into no commit.
    #[error("the cart has {bytes} bytes of names and choices; {} is the most", CART_BYTES_MAX)]
    TooLarge {
        /// So many.
        bytes: usize,
    },
    /// A tip that is none.
    #[error("a tip is between 0 and {}", PRICE_MINOR_MAX)]
    Tip,
    /// A text that no ticket can show.
    #[error("{field} has {chars} characters; {max} is the most")]
    TextTooLong {
        /// Which.
        field: &'static str,
        /// So many.
        chars: usize,
        /// Most.
        max: usize,
    },
}

/// Prices a cart. `relay` is who would sell it: only its own rights count.
pub fn quote(
    site: &Site,
    relay: OriginId,
    at: &Place,
    terms: &Terms,
    now: Timestamp,
    request: QuoteRequest,
) -> Result<Quoted, QuoteRefusal> {
    if site.settings().is_none() {
        return Err(QuoteRefusal::NotSetUp);
    }
    if let Some(until) = site.intake().paused_until(now) {
        return Err(QuoteRefusal::Paused(until));
    }
    let distance_m = distance(&request, at)?;
    check_texts(&request)?;
    if !(0..=PRICE_MINOR_MAX).contains(&request.tip_minor) {
        return Err(QuoteRefusal::Tip);
    }
    let priced = price(&request.lines, site.menu())?;
    check_sale(site, relay, now, &priced.lines)?;
    let bytes = minicbor::to_vec(&priced.lines).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > CART_BYTES_MAX {
        return Err(QuoteRefusal::TooLarge { bytes });
    }
    let delivery_minor = if distance_m.is_some() { terms.delivery_fee_minor } else { 0 };
    let charges = Charges {
        packaging_minor: terms.packaging_minor,
        service_minor: terms.service_minor,
        delivery_minor,
        tip_minor: request.tip_minor,
    };
    let minutes = minutes(&priced.lines, distance_m, site.intake().busy_minutes(now));
    let note = request.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let (fulfilment, tip_minor) = (request.fulfilment, request.tip_minor);
    let total_minor = priced.total_minor.saturating_add(charges.total_minor());
    let cart = PricedCart { fulfilment, note, lines: priced.lines, tip_minor };
    Ok(Quoted { cart, charges, total_minor, currency: priced.currency, minutes })
}

/// Refuses what is off sale, or what the relay has no right to sell.
pub fn check_sale(site: &Site, relay: OriginId, now: Timestamp, lines: &[PricedLine]) -> Result<(), QuoteRefusal> {
    let off = |(_, line): &(usize, &PricedLine)| site.off_sale(&line.item, now).is_some();
    if let Some((line, off)) = lines.iter().enumerate().find(off) {
        return Err(QuoteRefusal::EightySixed { line, item_name: off.name.clone() });
    }
    StockRows::of(site, relay).spend(lines).map_err(|shortfall| {
        let line = &lines[shortfall.line];
        let per_portion = (shortfall.needed / u64::from(line.quantity.max(1))).max(1);
        QuoteRefusal::SoldOut {
            line: shortfall.line,
            item_name: line.name.clone(),
            left_portions: shortfall.left / per_portion,
        }
    })
}

/// How far it goes; `None` when nobody brings it.
fn distance(request: &QuoteRequest, at: &Place) -> Result<Option<u32>, QuoteRefusal> {
    if request.fulfilment != Fulfilment::Delivery {
        return Ok(None);
    }
    let address = request.address.as_ref().ok_or(QuoteRefusal::NoAddress)?;
    reach(address, at).map(Some)
}

/// How far it is to an address that somebody can ride to, in metres as the crow flies.
pub(crate) fn reach(address: &Address, at: &Place) -> Result<u32, QuoteRefusal> {
    check_lengths(&address_texts(Some(address)))?;
    let place = Place::new(address.lat, address.lon).ok_or(QuoteRefusal::Address("lat"))?;
    for (field, text) in [("street", &address.street), ("city", &address.city)] {
        if text.trim().is_empty() {
            return Err(QuoteRefusal::Address(field));
        }
    }
    let distance_m = at.distance_m(&place);
    if distance_m > REACH_M_MAX { Err(QuoteRefusal::TooFar { distance_m }) } else { Ok(distance_m) }
}

fn check_texts(request: &QuoteRequest) -> Result<(), QuoteRefusal> {
    check_lengths(&[("note", request.note.as_deref(), NOTE_CHARS_MAX)])?;
    check_lengths(&address_texts(request.address.as_ref()))
}

/// A field, what it says, and how long that may be.
type Text<'a> = (&'static str, Option<&'a str>, usize);

fn address_texts(address: Option<&Address>) -> [Text<'_>; 3] {
    [
        ("address.street", address.map(|address| address.street.as_str()), NAME_CHARS_MAX),
        ("address.city", address.map(|address| address.city.as_str()), NAME_CHARS_MAX),
        ("address.note", address.and_then(|address| address.note.as_deref()), NOTE_CHARS_MAX),
    ]
}

fn check_lengths(texts: &[Text<'_>]) -> Result<(), QuoteRefusal> {
    for &(field, text, max) in texts {
        let chars = text.unwrap_or_default().chars().count();
        if chars > max {
            return Err(QuoteRefusal::TextTooLong { field, chars, max });
        }
    }
    Ok(())
}

/// What a guest is told: the longest line, and the ride.
fn minutes(lines: &[PricedLine], distance_m: Option<u32>, busy: u32) -> (u32, u32) {
    let making_s = lines.iter().map(line_estimate_s).max().unwrap_or(0);
    let ride_s = distance_m.map_or(0, |distance_m| u32::try_from(ride_ms(distance_m) / 1_000).unwrap_or(u32::MAX));
    told_minutes(making_s.saturating_add(ride_s), busy)
}
