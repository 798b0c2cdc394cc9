//! Moves closed orders from sled into day files, a bounded batch at a time, on a task of its own.
//!
//! An order leaves sled when nobody has anything to do with it any more: it is closed and settled, its business day and all that
//! happened to it lie long enough back, and the relay, if there is one, has acknowledged every fact of it. Files are written beside the
//! store thread; only short reads and the deletions go through it, between the orders of guests.

use crate::archive::taking::Stored;
use crate::archive::{Archive, ArchiveError};
use crate::store::replica::{LiveOrder, Replica};
use crate::store::store_handle::{RunError, StoreHandle};
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::business_day::DayRule;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::{CommercialPhase, PaymentPhase};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// Documents that are held in memory at once.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Orders that the store thread reads, or lets go of, at once.
const AT_ONCE: usize = 64;
/// Day files that are compared with their hashes in one run.
const PROVED_A_RUN: usize = 8;
const DAY_MS: u64 = 86_400_000;

/// Up to where the relay has each origin's log: what it has acknowledged, and its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier(pub BTreeMap<OriginId, u64>);

/// What decides whether an order may leave the store.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The site's business days.
    pub rule: DayRule,
    /// Whole days that an order stays in the store.
    pub after_days: u32,
    /// What the relay has; `None` when the site has no relay.
    pub frontier: Option<Frontier>,
    /// Now, in business.
    pub now: Timestamp,
}

/// Why a run was broken off. What it has moved is moved; the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum ArchiverError {
    /// The archive's directory cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] RunError<Infallible>),
    /// The files' thread broke off.
    #[error("writing the archive broke off")]
    BrokeOff(#[from] tokio::task::JoinError),
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Orders that are in the archive and not in sled any more.
    pub orders: usize,
    /// Where the next run goes on comparing day files.
    pub proved_to: usize,
}

impl Terms {
    /// Orders placed from this moment on stay, whatever they are.
    pub(crate) fn until(&self) -> Timestamp {
        Timestamp(self.now.0.saturating_sub(u64::from(self.after_days) * DAY_MS))
    }

    /// Whether this order may leave the store.
    pub(crate) fn allow(&self, order: &LiveOrder) -> bool {
        let today = self.rule.date(self.until());
        let facts = order.doc.in_order();
        let rests = facts.last().is_none_or(|last| self.rule.date(last.at.wall()) < today);
        let known = |frontier: &Frontier| {
            facts.iter().all(|fact| frontier.0.get(&fact.id.origin).is_some_and(|acked| *acked >= fact.id.seq))
        };
        self.rule.date(order.view.header.placed_at) < today
            && rests
            && is_settled(&order.view)
            && self.frontier.as_ref().is_none_or(known)
    }
}

/// Whether the order has ended, and no payment and no request to cancel waits for anybody.
fn is_settled(view: &OrderView) -> bool {
    let ended = match view.status {
        Status::Completed | Status::Cancelled | Status::Refunded => !view.is_open(),
        Status::OrderPlaced
        | Status::OrderConfirmed
        | Status::Preparing
        | Status::ReadyForPickup
        | Status::PickedUp
        | Status::OutForDelivery
        | Status::DeliveryFailed => false,
    };
    let paid = view.payments.values().all(|(phase, _)| match phase {
        PaymentPhase::Intent | PaymentPhase::Pending | PaymentPhase::Authorized => false,
        PaymentPhase::Expired | PaymentPhase::Declined | PaymentPhase::Voided | PaymentPhase::Captured => true,
    });
    let asked = view.commercial == Some(CommercialPhase::CancelRequested) && view.verdict.is_none();
    ended && paid && !asked
}

/// A page of closed orders, and where the next one begins.
#[derive(Debug, Default)]
pub struct Page {
    /// In the order in which they were placed.
    pub orders: Vec<Stored>,
    /// `None` after the last one.
    pub next: Option<Vec<u8>>,
}

/// Orders of this page that may leave the store.
pub(crate) fn ripe(page: Vec<Stored>, terms: &Terms) -> Vec<Stored> {
    let may_go = |order: &Stored| match LiveOrder::from_bytes(&order.document) {
        Ok(live) => terms.allow(&live),
        Err(error) => {
            tracing::error!(order = %order.id, %error, "an order cannot be read: it stays in the store");
            false
        }
    };
    page.into_iter().filter(may_go).collect()
}

/// Moves everything that may go. `proved_from` says where the last run stopped comparing day files.
pub async fn run(
    store: &StoreHandle,
    archive: &Arc<Archive>,
    terms: &Terms,
    proved_from: usize,
) -> Result<Moved, ArchiverError> {
    let mut moved = Moved { proved_to: proved_from, ..Moved::default() };
    if !beside(archive, Archive::make_ready).await?? {
        return Ok(moved);
    }
    let mut next = Some(Replica::first_closed());
    while let Some(from) = next.take() {
        let (batch, rest) = collect(store, terms, from).await?;
        next = rest;
        if batch.is_empty() {
            continue;
        }
        let rule = terms.rule.clone();
        let taken = beside(archive, move |archive| archive.take_in(batch, &rule)).await?;
        for some in taken.chunks(AT_ONCE) {
            moved.orders += store.let_go(some.to_vec()).await?;
        }
        beside(archive, Archive::sweep).await??;
    }
    moved.proved_to = beside(archive, move |archive| archive.prove_some(proved_from, PROVED_A_RUN)).await?;
    Ok(moved)
}

/// As many orders that may go as fit into a batch, and where the next batch begins.
async fn collect(
    store: &StoreHandle,
    terms: &Terms,
    from: Vec<u8>,
) -> Result<(Vec<Stored>, Option<Vec<u8>>), ArchiverError> {
    let (mut batch, mut bytes, mut next) = (Vec::new(), 0, Some(from));
    while let Some(from) = next.take() {
        let until = terms.until();
        let page = store.read(move |replica, _| replica.closed_page(from, until, AT_ONCE)).await?;
        let found = ripe(page.orders, terms);
        bytes += found.iter().map(|order| order.document.len()).sum::<usize>();
        batch.extend(found);
        next = page.next;
        if bytes >= BATCH_BYTES_MAX {
            break;
        }
    }
    Ok((batch, next))
}

/// Runs what reads and writes files where blocking is allowed.
async fn beside<A: Send + 'static>(
    archive: &Arc<Archive>,
    work: impl FnOnce(&Archive) -> A + Send + 'static,
) -> Result<A, tokio::task::JoinError> {
    let archive = archive.clone();
    tokio::task::spawn_blocking(move || work(&archive)).await
}
