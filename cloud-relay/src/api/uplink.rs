//! `wss /sync`: a node's uplink. Its token is checked before the connection becomes a WebSocket.

use crate::api::call::{Call, respond};
use crate::api::problem::Problem;
use crate::sites::link_hub::Message as LinkMessage;
use crate::store::site_rows::Uplink;
use futures_util::{Sink, Stream, StreamExt};
use http::StatusCode;
use pilotlight_sync::limits::FRAME_BYTES_MAX;
use std::pin::Pin;
use std::task::{Context, Poll};
use warp::Error;
use warp::reply::{Reply, Response};
use warp::ws::{Message, WebSocket, Ws};

/// Opens a node's link.
pub async fn link(ws: Ws, call: Call) -> Response {
    match uplink_of(&call).await {
        Err(problem) => respond(Err(problem)),
        Ok(uplink) => {
            call.mark_known();
            let app = call.app.clone();
            let ws = ws.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
            let serve = move |socket| {
                let (sockets, stopping) = (app.sockets.clone(), app.stopping.clone());
                sockets.track_future(app.sites.clone().serve_link(uplink, Socket(socket), stopping))
            };
            ws.on_upgrade(serve).into_response()
        }
    }
}

async fn uplink_of(call: &Call) -> Result<Uplink, Problem> {
    let refused = |detail: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
            .at("authorization")
            .remedy("enrol the node again with a new code of its site")
    };
    let token = call.token().ok_or_else(|| refused("no token was sent"))?;
    call.app.sites.uplink(token).await?.ok_or_else(|| refused("this token opens no uplink"))
}

/// A WebSocket as the link knows it.
struct Socket(WebSocket);

impl Stream for Socket {
    type Item = Result<LinkMessage, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context).map(|heard| {
            heard.map(|message| {
                message.map(|message| {
                    if let Some((code, word)) = message.close_frame() {
                        LinkMessage::Close(code, word.to_owned())
                    } else if message.is_close() {
                        LinkMessage::Close(1005, String::new())
                    } else if message.is_binary() || message.is_text() {
                        // Text is no frame: the session refuses it by name.
                        LinkMessage::Frame(message.as_bytes().to_vec())
                    } else {
                        LinkMessage::Other
                    }
                })
            })
        })
    }
}

impl Sink<LinkMessage> for Socket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: LinkMessage) -> Result<(), Error> {
        let message = match message {
            LinkMessage::Frame(bytes) => Message::binary(bytes),
            LinkMessage::Close(code, word) => Message::close_with(code, word),
            LinkMessage::Other => return Ok(()),
        };
        Pin::new(&mut self.0).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}
