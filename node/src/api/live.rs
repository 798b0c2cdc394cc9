//! The live socket of one screen: hello, then what it missed or the whole board, then every change.
//!
//! A screen that stalls is waited for no longer than `SEND_MS_MAX`; one that falls behind the feed is resynced.

use crate::api::json::{FromScreenJson, PositionJson, ScreenJson, ToScreenJson};
use crate::api::render::frame;
use crate::api::to_json;
use crate::app::App;
use crate::live::gone_back;
use crate::live::screen_feed::{FeedFrame, Subscription};
use crate::store::replica::Position;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use pilotlight_edge::server::Connection;
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::domain::role::Action;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use warp::ws::{Message, WebSocket};

/// The first frame must come within this time.
const HELLO_MS_MAX: Duration = Duration::from_secs(5);
/// A frame must be taken within this time.
const SEND_MS_MAX: Duration = Duration::from_secs(10);
/// A screen that says nothing for this long is gone; it pings every 10 s.
const SILENT_MS_MAX: Duration = Duration::from_secs(25);
/// Bytes of a frame from a screen.
pub const FRAME_BYTES_MAX: usize = 4 * 1024;

/// Why a socket ends; the word is told to the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    HelloExpected,
    Unauthorised,
    Stopping,
    Silent,
    /// The other side closed, or takes nothing any more.
    Gone,
}

impl End {
    const fn word(self) -> &'static str {
        match self {
            Self::HelloExpected => "hello_expected",
            Self::Unauthorised => "unauthorised",
            Self::Stopping => "stopping",
            Self::Silent => "silent",
            Self::Gone => "gone",
        }
    }

    const fn close_code(self) -> u16 {
        match self {
            Self::HelloExpected | Self::Unauthorised => 1008,
            Self::Stopping => 1001,
            Self::Silent | Self::Gone => 1000,
        }
    }
}

struct Screen {
    app: Arc<App>,
    token: String,
    action: Action,
    board: bool,
    sink: SplitSink<WebSocket, Message>,
}

/// Serves one socket to its end.
pub async fn serve(app: Arc<App>, connection: Option<Arc<Connection>>, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let end = match hello(&mut stream).await {
        Err(end) => end,
        Ok((token, screen, position)) => {
            let board = screen != ScreenJson::Kiosk;
            let action = if board { Action::WorkKitchen } else { Action::ReadMenu };
            if app.doors.open(Some(&token), action, app.clock.now()).is_err() {
                End::Unauthorised
            } else {
                if let Some(connection) = &connection {
                    connection.mark_known();
                }
                let mut screen = Screen { app: app.clone(), token, action, board, sink };
                let end = screen.run(&mut stream, position).await;
                sink = screen.sink;
                end
            }
        }
    };
    let bye = Message::text(frame(&ToScreenJson::Bye { reason: end.word().to_owned() }));
    // The other side may be gone already; nothing depends on the goodbye.
    let _gone = timeout(SEND_MS_MAX, sink.send(bye)).await;
    let _gone = timeout(SEND_MS_MAX, sink.send(Message::close_with(end.close_code(), end.word()))).await;
}

async fn hello(stream: &mut SplitStream<WebSocket>) -> Result<(String, ScreenJson, Option<Position>), End> {
    let first = timeout(HELLO_MS_MAX, stream.next()).await;
    let Ok(Some(Ok(message))) = first else { return Err(End::HelloExpected) };
    let text = message.to_str().map_err(|()| End::HelloExpected)?;
    match serde_json::from_str(text) {
        Ok(FromScreenJson::Hello { token, screen, position }) => Ok((token, screen, position.as_ref().and_then(place))),
        Ok(FromScreenJson::Ping) | Err(_) => Err(End::HelloExpected),
    }
}

/// A position as a screen remembers it; `None` when it is not one of ours.
fn place(json: &PositionJson) -> Option<Position> {
    let mut hash = [0u8; 32];
    if json.hash.len() != 64 {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(json.hash.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Position { origin: json.origin.parse().ok()?, head: Head { seq: json.seq, hash: ChainHash(hash) } })
}

impl Screen {
    async fn run(&mut self, stream: &mut SplitStream<WebSocket>, seen: Option<Position>) -> End {
        let mut feed = match self.begin(seen.as_ref()).await {
            Ok(feed) => feed,
            Err(end) => return end,
        };
        let stopping = self.app.stopping.clone();
        loop {
            let step = tokio::select! {
                () = stopping.cancelled() => Err(End::Stopping),
                heard = feed.frames.recv() => self.tell(heard, &mut feed).await,
                said = timeout(SILENT_MS_MAX, stream.next()) => match said {
                    Err(_) => Err(End::Silent),
                    Ok(None | Some(Err(_))) => Err(End::Gone),
                    Ok(Some(Ok(message))) => self.answer(&message).await,
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Welcomes the screen and brings it up to date.
    async fn begin(&mut self, seen: Option<&Position>) -> Result<Subscription, End> {
        let feed = self.app.feed.subscribe(if self.board { seen } else { None });
        let Some(position) = feed.position else { return Err(End::Stopping) };
        if let Some(seen) = seen.filter(|_| self.board) {
            self.compare(*seen).await;
        }
        let welcome = ToScreenJson::Welcome {
            resumed: feed.resumed && self.board,
            now: self.app.clock.now().0,
            menu_version: self.app.menu.borrow().version.clone(),
            position: to_json::position(&position),
        };
        self.send(frame(&welcome)).await?;
        if let Some(availability) = &feed.availability {
            self.send(availability.to_string()).await?;
        }
        if self.board {
            for text in feed.link.iter().chain(&feed.online) {
                self.send(text.to_string()).await?;
            }
            for text in &feed.first {
                self.send(text.to_string()).await?;
            }
        }
        Ok(feed)
    }

    /// A screen that has seen what this store does not have ends the store's name, before the next order is taken (SPEC L5).
    async fn compare(&self, seen: Position) {
        let judged = self.app.store.read(move |replica, _| gone_back::judge(replica, &seen)).await;
        let Ok(Some(parted)) = judged else { return };
        tracing::error!(
            seen = seen.head.seq,
            "a screen has seen commits that this store does not have: its disk went back, or another machine has its name"
        );
        metrics::counter!("pilotlight_rolled_back_seen_total").increment(1);
        if let Err(error) = self.app.store.part(parted).await {
            tracing::error!(%error, "the store could not note that it went back; the next screen says so again");
        }
    }

    async fn tell(&mut self, heard: Result<FeedFrame, RecvError>, feed: &mut Subscription) -> Result<(), End> {
        match heard {
            Ok(FeedFrame::Board(text)) if self.board => self.send(text.to_string()).await,
            Ok(FeedFrame::Board(_)) => Ok(()),
            Ok(FeedFrame::Notice(text)) => self.send(text.to_string()).await,
            Ok(FeedFrame::Resync) | Err(RecvError::Lagged(_)) => {
                metrics::counter!("pilotlight_screens_resynced_total").increment(1);
                *feed = self.begin(None).await?;
                Ok(())
            }
            Err(RecvError::Closed) => Err(End::Stopping),
        }
    }

    async fn answer(&mut self, message: &Message) -> Result<(), End> {
        if message.is_close() {
            return Err(End::Gone);
        }
        let Ok(text) = message.to_str() else { return Ok(()) };
        match serde_json::from_str(text) {
            Ok(FromScreenJson::Ping) => {
                // A ping is also where a revoked device is noticed.
                let now = self.app.clock.now();
                self.app.doors.open(Some(&self.token), self.action, now).map_err(|_| End::Unauthorised)?;
                self.send(frame(&ToScreenJson::Pong { now: now.0 })).await
            }
            Ok(FromScreenJson::Hello { .. }) | Err(_) => Ok(()),
        }
    }

    async fn send(&mut self, text: String) -> Result<(), End> {
        match timeout(SEND_MS_MAX, self.sink.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => {
                metrics::counter!("pilotlight_screens_dropped_total").increment(1);
                Err(End::Gone)
            }
        }
    }
}
