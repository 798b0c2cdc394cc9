//! Live sockets of customers and riders: the first frame shows a token, then the whole state is sent whenever it changed.
//!
//! What was sent last is remembered, not what happened since: a socket that falls behind is never behind by more than one frame.

use crate::api::call::Call;
use crate::api::json::LiveHelloJson;
use crate::api::{orders, riders};
use crate::app::App;
use crate::sites::site_handle::SiteChange;
use crate::store::people::Owner;
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use pilotlight_edge::api::request::Request;
use pilotlight_sync::doc::replica::LiveOrder;
use pilotlight_sync::domain::id::OrderId;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};
use tokio::time::timeout;
use warp::ws::{Message, WebSocket};

/// Bytes of a frame from a screen.
pub const FRAME_BYTES_MAX: usize = 4 * 1024;
/// The first frame must come within this time.
const HELLO_MS_MAX: Duration = Duration::from_secs(5);
/// A frame must be taken within this time.
const SEND_MS_MAX: Duration = Duration::from_secs(10);
/// Positions, estimates and offers change without a fact: looked at so often, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a socket shows.
#[derive(Debug, Clone)]
pub enum Shows {
    /// One of a customer's orders.
    Order(OrderId),
    /// What a rider does.
    Task,
}

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    HelloExpected,
    Unauthorised,
    NotFound,
    Stopping,
    Gone,
}

impl End {
    const fn close(self) -> (u16, &'static str) {
        match self {
            Self::HelloExpected => (1008, "hello_expected"),
            Self::Unauthorised => (1008, "unauthorised"),
            Self::NotFound => (1008, "not_found"),
            Self::Stopping => (1001, "stopping"),
            Self::Gone => (1000, "gone"),
        }
    }
}

/// Serves one socket to its end.
pub async fn serve(app: Arc<App>, request: Request, shows: Shows, socket: WebSocket) {
    let call = Call { app, request };
    let (mut sink, mut stream) = socket.split();
    let end = match hello(&mut stream).await {
        Err(end) => end,
        Ok(token) => run(&call, &token, &shows, &mut sink, &mut stream).await,
    };
    let (code, word) = end.close();
    // The other side may be gone already; nothing depends on the goodbye.
    let _gone = timeout(SEND_MS_MAX, sink.send(Message::close_with(code, word))).await;
}

async fn hello(stream: &mut SplitStream<WebSocket>) -> Result<String, End> {
    let first = timeout(HELLO_MS_MAX, stream.next()).await;
    let Ok(Some(Ok(message))) = first else { return Err(End::HelloExpected) };
    let text = message.to_str().map_err(|()| End::HelloExpected)?;
    let hello: LiveHelloJson = serde_json::from_str(text).map_err(|_| End::HelloExpected)?;
    Ok(hello.token)
}

async fn run(
    call: &Call,
    token: &str,
    shows: &Shows,
    sink: &mut futures_util::stream::SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
) -> End {
    let mut changes = call.app.sites.changes();
    let (mut sent, mut told) = (Value::Null, None);
    loop {
        let state = match state(call, token, shows, newest(shows, &mut changes, told.take())).await {
            Ok(state) => state,
            Err(end) => return end,
        };
        let mut compared = state.clone();
        // The clock alone is no news.
        compared.as_object_mut().and_then(|object| object.remove("now"));
        if compared != sent {
            match timeout(SEND_MS_MAX, sink.send(Message::text(state.to_string()))).await {
                Ok(Ok(())) => sent = compared,
                Ok(Err(_)) | Err(_) => return End::Gone,
            }
        }
        tokio::select! {
            () = call.app.stopping.cancelled() => return End::Stopping,
            said = stream.next() => match said {
                None | Some(Err(_)) => return End::Gone,
                Some(Ok(message)) if message.is_close() => return End::Gone,
                Some(Ok(_)) => {}
            },
            live = concerns(shows, &mut changes) => told = live,
            () = async { let _over = timeout(LOOK_EVERY, std::future::pending::<()>()).await; } => {}
        }
    }
}

/// Waits for a change that concerns this socket, or for having missed some. Answers the socket's order, when it is known as it is now.
async fn concerns(shows: &Shows, changes: &mut broadcast::Receiver<Arc<SiteChange>>) -> Option<Arc<LiveOrder>> {
    loop {
        match (changes.recv().await, shows) {
            (Ok(change), Shows::Order(order)) => {
                if let Some((_, live)) = change.orders.iter().find(|(id, _)| id == order) {
                    return Some(live.clone());
                }
            }
            (Ok(_), Shows::Task) | (Err(RecvError::Lagged(_)), _) => return None,
            (Err(RecvError::Closed), _) => std::future::pending().await,
        }
    }
}

/// The socket's order as the last of the changes says it that have come meanwhile: what is shown never goes back. `None`: it is to be asked
/// for.
fn newest(
    shows: &Shows,
    changes: &mut broadcast::Receiver<Arc<SiteChange>>,
    mut told: Option<Arc<LiveOrder>>,
) -> Option<Arc<LiveOrder>> {
    let Shows::Order(order) = shows else { return None };
    loop {
        match changes.try_recv() {
            Ok(change) => {
                let live = change.orders.iter().find(|(id, _)| id == order).map(|(_, live)| live.clone());
                told = live.or(told);
            }
            Err(TryRecvError::Lagged(_)) => told = None,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return told,
        }
    }
}

/// What is to be shown now; the token is checked each time.
async fn state(call: &Call, token: &str, shows: &Shows, told: Option<Arc<LiveOrder>>) -> Result<Value, End> {
    let (owner, order) = match shows {
        Shows::Order(order) => orders::watched(call, token, order, told).await.map_err(|_| End::Gone)?,
        Shows::Task => (call.owner_of(token).await.map_err(|_| End::Gone)?, None),
    };
    let json = match (owner, shows) {
        (Some(Owner::Customer(customer)), Shows::Order(_)) => {
            let own = order.filter(|(of, _)| *of == customer).ok_or(End::NotFound)?;
            serde_json::to_value(own.1)
        }
        (Some(Owner::Rider(rider)), Shows::Task) => {
            serde_json::to_value(riders::task_json(call, &rider).await.map_err(|_| End::Gone)?)
        }
        (None, _) | (Some(Owner::Customer(_)), Shows::Task) | (Some(Owner::Rider(_)), Shows::Order(_)) => {
            return Err(End::Unauthorised);
        }
    };
    json.map_err(|_| End::Gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::sandbox::faults::Faults;
    use crate::testing::Market;

    #[tokio::test]
    async fn l3_of_several_changes_that_wait_for_a_guests_screen_the_last_one_is_shown() {
        let mut market = Market::open(Faults::default()).await;
        let (mut changes, mut late) = (market.app.sites.changes(), market.app.sites.changes());
        let order = market.order("one").await;
        let first = newest(&Shows::Order(order), &mut changes, None).unwrap();
        market.cook(order).await;
        let now = market.seen(&order).await.live;
        assert!(!Arc::ptr_eq(&first, &now), "it has changed");
        for (told, changes) in [(Some(first.clone()), &mut changes), (None, &mut late)] {
            let last = newest(&Shows::Order(order), changes, told);
            assert!(last.is_some_and(|last| Arc::ptr_eq(&last, &now)));
        }
        let kept = newest(&Shows::Order(order), &mut changes, Some(now.clone()));
        assert!(kept.is_some_and(|kept| Arc::ptr_eq(&kept, &now)), "nothing has come since");
        assert!(newest(&Shows::Order(OrderId::derived(&["other"])), &mut market.app.sites.changes(), None).is_none());
    }
}
