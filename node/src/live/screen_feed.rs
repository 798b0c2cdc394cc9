//! The board as all screens share it: rendered once, sent to each.
//!
//! A frame carries the position after it. A screen that comes back with a position still in the ring gets what it missed;
//! any other gets the whole board. A screen that cannot keep up loses frames and gets the whole board; it never grows a queue.

use crate::store::replica::{Flushed, LiveOrder, Position};
use pilotlight_sync::domain::id::OrderId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Frames a screen may be behind before it is resynced.
const BEHIND_MAX: usize = 512;
/// Frames kept for screens that come back.
const RING_FRAMES_MAX: usize = 2_048;
/// Bytes kept for screens that come back.
const RING_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Orders in one frame of a snapshot.
const SNAPSHOT_ORDERS: usize = 100;

/// Turns what happened into the text that screens read. The feed itself knows no JSON.
pub trait Render: Send + Sync {
    /// One order as the board shows it.
    fn order(&self, id: &OrderId, order: &LiveOrder) -> String;
    /// Orders that changed, and orders that left.
    fn delta(&self, position: &Position, orders: &[Arc<str>], gone: &[OrderId]) -> String;
    /// Part of the board.
    fn snapshot(&self, position: &Position, orders: &[Arc<str>], first: bool, last: bool) -> String;
}

/// What a screen hears.
#[derive(Debug, Clone)]
pub enum FeedFrame {
    /// For screens that show the board: it changed, or the link to the relay did, or orders from home.
    Board(Arc<str>),
    /// What can be ordered changed, or the menu did: for every screen.
    Notice(Arc<str>),
    /// The state was read again from the disk: take the whole board.
    Resync,
}

struct Kept {
    position: Position,
    text: Arc<str>,
}

struct Board {
    position: Option<Position>,
    orders: BTreeMap<OrderId, Arc<str>>,
    /// The position before the oldest kept frame.
    ring_from: Option<Position>,
    ring: VecDeque<Kept>,
    ring_bytes: usize,
    availability: Option<Arc<str>>,
    link: Option<Arc<str>>,
    online: Option<Arc<str>>,
}

/// The feed of one node.
pub struct ScreenFeed {
    board: Mutex<Board>,
    frames: broadcast::Sender<FeedFrame>,
    render: Box<dyn Render>,
}

impl std::fmt::Debug for ScreenFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScreenFeed").field("screens", &self.frames.receiver_count()).finish_non_exhaustive()
    }
}

/// A screen's beginning: what to send first, and where the rest comes from.
#[derive(Debug)]
pub struct Subscription {
    /// Only what was missed follows.
    pub resumed: bool,
    /// The state that the first frames lead to.
    pub position: Option<Position>,
    /// What to send first.
    pub first: Vec<Arc<str>>,
    /// What cannot be ordered, as it was last told.
    pub availability: Option<Arc<str>>,
    /// The link to the relay, as it was last told.
    pub link: Option<Arc<str>>,
    /// Orders from home, as they were last told.
    pub online: Option<Arc<str>>,
    /// What comes after.
    pub frames: broadcast::Receiver<FeedFrame>,
}

/// Orders that screens show: the relay's come when they are sent to the kitchen (SPEC Q1).
fn shown(flushed: &Flushed) -> impl Iterator<Item = &(OrderId, Arc<LiveOrder>)> {
    flushed.orders.iter().filter(|(_, order)| order.view.sent)
}

impl ScreenFeed {
    /// A feed that has not heard of anything.
    pub fn new(render: Box<dyn Render>) -> Self {
        let board = Board {
            position: None,
            orders: BTreeMap::new(),
            ring_from: None,
            ring: VecDeque::new(),
            ring_bytes: 0,
            availability: None,
            link: None,
            online: None,
        };
        Self { board: Mutex::new(board), frames: broadcast::channel(BEHIND_MAX).0, render }
    }

    /// Screens connected.
    pub fn screens(&self) -> usize {
        self.frames.receiver_count()
    }

    /// Orders on the board.
    pub fn orders(&self) -> usize {
        self.lock().orders.len()
    }

    /// Replaces everything: at the start, and after the state was read again.
    pub fn reset(&self, all: &Flushed) {
        let orders = shown(all).map(|(id, order)| (*id, self.render.order(id, order).into())).collect();
        let mut board = self.lock();
        board.orders = orders;
        board.position = Some(all.position);
        board.ring_from = Some(all.position);
        board.ring.clear();
        board.ring_bytes = 0;
        // Nobody listening is fine: they will take a snapshot when they come.
        let _nobody = self.frames.send(FeedFrame::Resync);
    }

    /// Tells the screens of a flushed group.
    pub fn publish(&self, flushed: &Flushed) {
        if shown(flushed).next().is_none() && flushed.gone.is_empty() {
            self.lock().position = Some(flushed.position);
            return;
        }
        let rendered: Vec<(OrderId, Arc<str>)> =
            shown(flushed).map(|(id, order)| (*id, self.render.order(id, order).into())).collect();
        let texts: Vec<Arc<str>> = rendered.iter().map(|(_, text)| text.clone()).collect();
        let text: Arc<str> = self.render.delta(&flushed.position, &texts, &flushed.gone).into();
        let mut board = self.lock();
        board.orders.extend(rendered);
        for id in &flushed.gone {
            board.orders.remove(id);
        }
        board.position = Some(flushed.position);
        board.keep(Kept { position: flushed.position, text: text.clone() });
        let _nobody = self.frames.send(FeedFrame::Board(text));
    }

    /// Tells every screen something that is not the board.
    pub fn notice(&self, text: Arc<str>) {
        let _nobody = self.frames.send(FeedFrame::Notice(text));
    }

    /// Tells every screen what cannot be ordered, and keeps it for those who come.
    pub fn availability(&self, text: Arc<str>) {
        self.lock().availability = Some(text.clone());
        self.notice(text);
    }

    /// Tells the screens of the restaurant's people how the link to the relay is, and keeps it for those who come.
    pub fn link(&self, text: Arc<str>) {
        self.lock().link = Some(text.clone());
        let _nobody = self.frames.send(FeedFrame::Board(text));
    }

    /// Tells the screens of the restaurant's people how orders from home are taken, and keeps it for those who come.
    pub fn online(&self, text: Arc<str>) {
        self.lock().online = Some(text.clone());
        let _nobody = self.frames.send(FeedFrame::Board(text));
    }

    /// A screen comes, or comes back with the position it last saw.
    pub fn subscribe(&self, last_seen: Option<&Position>) -> Subscription {
        let board = self.lock();
        let missed = last_seen.and_then(|seen| board.since(seen));
        let resumed = missed.is_some();
        let first = missed.unwrap_or_else(|| self.snapshot(&board));
        Subscription {
            resumed,
            position: board.position,
            first,
            availability: board.availability.clone(),
            link: board.link.clone(),
            online: board.online.clone(),
            frames: self.frames.subscribe(),
        }
    }

    fn snapshot(&self, board: &Board) -> Vec<Arc<str>> {
        let Some(position) = &board.position else { return Vec::new() };
        let orders: Vec<Arc<str>> = board.orders.values().cloned().collect();
        let chunks: Vec<&[Arc<str>]> =
            if orders.is_empty() { vec![&[]] } else { orders.chunks(SNAPSHOT_ORDERS).collect() };
        let last = chunks.len() - 1;
        let part =
            |(at, chunk): (usize, &&[Arc<str>])| self.render.snapshot(position, chunk, at == 0, at == last).into();
        chunks.iter().enumerate().map(part).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn keep(&mut self, kept: Kept) {
        self.ring_bytes += kept.text.len();
        self.ring.push_back(kept);
        while self.ring.len() > RING_FRAMES_MAX || self.ring_bytes > RING_BYTES_MAX {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.text.len();
            self.ring_from = Some(oldest.position);
        }
    }

    /// Frames after this position; `None` when they are not all kept, or the position is not one of this log.
    fn since(&self, seen: &Position) -> Option<Vec<Arc<str>>> {
        let now = self.position?;
        let from = self.ring_from?;
        let ours = seen.origin == now.origin && (from.head.seq..=now.head.seq).contains(&seen.head.seq);
        let contradicted = |known: &Position| known.head.seq == seen.head.seq && known.head.hash != seen.head.hash;
        let known = self.ring.iter().map(|kept| &kept.position).chain([&now, &from]);
        if !ours || known.into_iter().any(contradicted) {
            return None;
        }
        let missed = self.ring.iter().filter(|kept| kept.position.head.seq > seen.head.seq);
        Some(missed.map(|kept| kept.text.clone()).collect())
    }
}

#[cfg(test)]
mod tests;
