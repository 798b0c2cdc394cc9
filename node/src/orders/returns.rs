//! Stock that comes back because another node voided a line or cancelled an order: only the row that paid may return it (SPEC S3), so its
//! node does, when it hears of it.

use crate::store::replica::Replica;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::{LineView, OrderView};
use pilotlight_sync::doc::stock_rows::StockRows;
use pilotlight_sync::domain::id::{LineId, OriginId};

/// Orders that one pass looks after; the next pass takes the rest.
const PASS_ORDERS_MAX: usize = 64;

fn due<'v>(view: &'v OrderView, own: &'v OriginId) -> impl Iterator<Item = &'v LineView> {
    let gone = |line: &&LineView| line.voided.is_some() || view.cancelled.is_some();
    // Who has not heard of a line's stock going back would give it back again.
    let ours = move |line: &&LineView| line.payer == *own && !line.stock_returned && view.not_begun(line);
    view.lines.iter().filter(gone).filter(ours)
}

/// Whether a flushed order may have something to return: cheap, for deciding whether to look.
pub fn may_return(view: &OrderView, own: &OriginId) -> bool {
    due(view, own).next().is_some()
}

/// What this node's row gets back now: a commit an order.
pub fn commits(replica: &Replica) -> Vec<Vec<Change>> {
    let own = replica.identity().origin;
    let mut stock = StockRows::of(replica.site(), own);
    let mut orders = Vec::new();
    for (id, order) in replica.live_orders() {
        let lines: Vec<LineId> = due(&order.view, &own)
            .map(|line| {
                stock.take_back(&line.line);
                line.line.id
            })
            .collect();
        if !lines.is_empty() {
            orders.push(Change::Order(*id, OrderFact::StockReturned { lines }));
        }
        if orders.len() == PASS_ORDERS_MAX {
            break;
        }
    }
    if orders.is_empty() {
        return Vec::new();
    }
    // The rows hold what all of these orders return: one commit, so that none is returned without its fact.
    vec![orders.into_iter().chain(stock.into_changes()).collect()]
}
