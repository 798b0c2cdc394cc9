//! One archived order: its document, byte for byte, and what an owner wants to read of it without our programs.

use pilotlight_sync::doc::order_view::{LineView, OrderView};
use pilotlight_sync::doc::replica::{LiveOrder, UnreadableOrder};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::order::{Channel, Fulfilment, Status};
use pilotlight_sync::domain::timestamp::Timestamp;

/// A row of a day file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which order.
    pub(crate) id: OrderId,
    /// Number for people.
    pub(crate) number: Option<String>,
    /// The business day that the number belongs to.
    pub(crate) day: Option<u32>,
    /// When it was taken.
    pub(crate) placed_at: Timestamp,
    /// Where it was taken.
    pub(crate) channel: String,
    /// How the guest got it.
    pub(crate) fulfilment: String,
    /// Its state word.
    pub(crate) status: String,
    /// Of all amounts.
    pub(crate) currency: String,
    /// What was wanted in the end costs, charges included.
    pub(crate) total_minor: i64,
    /// Tax contained in that.
    pub(crate) tax_minor: i64,
    /// Captured in all.
    pub(crate) captured_minor: i64,
    /// Refunded in all.
    pub(crate) refunded_minor: i64,
    /// What was wanted in the end, in words.
    pub(crate) lines: String,
    /// The order's canonical document.
    pub(crate) document: Vec<u8>,
}

impl Row {
    /// The row of this stored order. All but id and document is derived, so that it can be checked.
    pub(crate) fn of(id: OrderId, document: Vec<u8>) -> Result<Self, UnreadableOrder> {
        let view = LiveOrder::from_bytes(&document)?.view;
        let (day, number) = view.number.clone().map(|(day, number)| (day.0, number)).unzip();
        Ok(Self {
            id,
            number,
            day,
            placed_at: view.header.placed_at,
            channel: channel(view.header.channel).to_owned(),
            fulfilment: fulfilment(view.header.fulfilment).to_owned(),
            status: status(view.status).to_owned(),
            currency: view.header.currency.to_string(),
            total_minor: view.total_minor(),
            tax_minor: view.tax_minor(),
            captured_minor: view.captured_minor,
            refunded_minor: view.refunded_minor,
            lines: lines(&view),
            document,
        })
    }

    /// Where the row stands in its file.
    pub(crate) fn place(&self) -> (Timestamp, OrderId) {
        (self.placed_at, self.id)
    }
}

fn lines(view: &OrderView) -> String {
    view.wanted().map(line).collect::<Vec<_>>().join("; ")
}

fn line(line: &LineView) -> String {
    let line = &line.line;
    let mut text = format!("{} x {}", line.quantity, line.name);
    if !line.variant_name.is_empty() {
        text.push_str(&format!(" ({})", line.variant_name));
    }
    for choice in &line.choices {
        let sign = if choice.removal { '-' } else { '+' };
        let times = if choice.count > 1 { format!("{} x ", choice.count) } else { String::new() };
        text.push_str(&format!(" {sign}{times}{}", choice.name));
    }
    text
}

const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Kiosk => "kiosk",
        Channel::Counter => "counter",
        Channel::Phone => "phone",
        Channel::QrTable => "qr_table",
        Channel::Cloud => "cloud",
        Channel::Marketplace => "marketplace",
    }
}

const fn fulfilment(fulfilment: Fulfilment) -> &'static str {
    match fulfilment {
        Fulfilment::DineIn => "dine_in",
        Fulfilment::Takeaway => "takeaway",
        Fulfilment::Delivery => "delivery",
    }
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::OrderPlaced => "ORDER_PLACED",
        Status::OrderConfirmed => "ORDER_CONFIRMED",
        Status::Preparing => "PREPARING",
        Status::ReadyForPickup => "READY_FOR_PICKUP",
        Status::PickedUp => "PICKED_UP",
        Status::OutForDelivery => "OUT_FOR_DELIVERY",
        Status::Completed => "COMPLETED",
        Status::DeliveryFailed => "DELIVERY_FAILED",
        Status::Cancelled => "CANCELLED",
        Status::Refunded => "REFUNDED",
    }
}
