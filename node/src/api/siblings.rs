//! The site's other nodes: codes for them, taking one in, being taken in by one, and `wss /sync`, where one dials.

use crate::api::call::{Answer, Call, id, json, respond};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::devices::pairing::{CODE_MS, PairRefusal};
use crate::uplink::enrol;
use crate::uplink::siblings::{Sibling, TakeIn};
use futures_util::{Sink, Stream, StreamExt};
use http::StatusCode;
use pilotlight_edge::tokens;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::{OriginId, SiteId};
use pilotlight_sync::domain::role::Action;
use pilotlight_sync::limits::{FRAME_BYTES_MAX, PROTOCOL_MIN};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use warp::Error;
use warp::reply::{Reply, Response};
use warp::ws::{Message as Frame, WebSocket, Ws};

/// The site's other nodes and their links.
#[utoipa::path(get, path = "/api/v1/siblings", operation_id = "list_siblings", tag = "operations",
    responses((status = 200, body = SiblingsJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn list(call: Call) -> Answer {
    call.allow(Action::ReadOrders)?;
    let own = *call.app.head.borrow();
    let links = call.app.siblings.links().borrow().clone();
    let known = call.app.siblings.known();
    let siblings = known.iter().map(|sibling| {
        let link = links.get(&sibling.origin).cloned().unwrap_or_default();
        SiblingJson {
            origin: sibling.origin.to_string(),
            letter: sibling.letter.clone(),
            url: sibling.url().map(str::to_owned),
            up: link.up,
            since: link.since.map(|at| at.0),
            has_all: link.has_all(&own),
            why: link.why,
        }
    });
    let siblings = siblings.collect();
    Ok(json(StatusCode::OK, &SiblingsJson { letter: call.app.letter.clone(), siblings }))
}

/// Gives out a one-time code, with which another node joins this site over the LAN.
#[utoipa::path(post, path = "/api/v1/siblings/codes", operation_id = "create_sibling_code", tag = "operations",
    responses((status = 201, body = SiblingCodeJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn create_code(call: Call) -> Answer {
    call.allow(Action::Administer)?;
    let expires_at = call.now().plus_ms(CODE_MS);
    let code =
        call.app.sibling_codes.give_out(pilotlight_sync::domain::role::Role::Admin, Some(expires_at), call.now());
    let code = code.map_err(PairRefusal::from)?;
    let (url, ca_pem) = (call.app.url().to_owned(), call.app.ca_pem.clone());
    Ok(json(StatusCode::CREATED, &SiblingCodeJson { code, url, ca_pem, expires_at: expires_at.0 }))
}

/// Takes another node in, as a relay does: the code is used up, the token is shown once. The node gets a letter of its own.
#[utoipa::path(post, path = "/api/v1/enrol", operation_id = "enrol_sibling", tag = "operations", request_body = EnrolSiblingJson, security(()),
    responses((status = 200, body = EnrolledSiblingJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 409, body = ProblemJson), (status = 429, body = ProblemJson)))]
pub async fn enrol(call: Call) -> Answer {
    let sent: EnrolSiblingJson = call.json()?;
    let site = sent.site.as_deref().map(|site| id::<SiteId>("site", site)).transpose()?;
    if sent.protocol < PROTOCOL_MIN {
        let detail =
            format!("the node speaks protocol {}; {PROTOCOL_MIN} is the oldest that is understood", sent.protocol);
        return Err(Problem::new(StatusCode::CONFLICT, "node_too_old", detail)
            .at("protocol")
            .remedy("upgrade that node"));
    }
    let card = card_of(sent.origins.first())?;
    let app = &call.app;
    if site.is_some_and(|site| site != app.settings.site) {
        let detail = "that node has another site's orders";
        return Err(Problem::new(StatusCode::CONFLICT, "other_site", detail)
            .at("site")
            .remedy("a node joins with an empty data directory, or is of this site already"));
    }
    app.sibling_codes.take(&sent.code, &call.from(), call.now())?;
    let (origin, asked) = (card.origin, card.letter.clone());
    let read = app.store.read(move |replica, _| {
        let letters: Vec<(OriginId, String)> =
            replica.site().origins().map(|card| (card.origin, card.letter.clone())).collect();
        Ok((letters, replica.identity().card()))
    });
    let (letters, own) = read.await?;
    let letter = letter_for(origin, &asked, &letters, tokens::random().map_err(PairRefusal::from)?);
    let token = tokens::new_token().map_err(PairRefusal::from)?;
    app.siblings.took_in(&card, &letter, &token)?;
    if let Some(connection) = &call.connection {
        connection.mark_known();
    }
    tracing::info!(%origin, letter, "another node was taken in");
    let answer = EnrolledSiblingJson {
        uplink_token: token,
        site: app.settings.site.to_string(),
        letter,
        relay: OriginCardJson {
            origin: own.origin.to_string(),
            key: enrol::hex(&own.key),
            role: "node".to_owned(),
            letter: own.letter,
        },
    };
    Ok(json(StatusCode::OK, &answer))
}

/// Links this node with another one of its site, by a code that that one has given out.
#[utoipa::path(post, path = "/api/v1/siblings", operation_id = "join_sibling", tag = "operations", request_body = JoinSiblingJson,
    responses((status = 200, body = SiblingsJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 409, body = ProblemJson), (status = 422, body = ProblemJson), (status = 429, body = ProblemJson), (status = 502, body = ProblemJson)))]
pub async fn join(call: Call) -> Answer {
    call.allow(Action::Administer)?;
    let sent: JoinSiblingJson = call.json()?;
    let app = &call.app;
    let url = enrol::relay_url(&sent.url).map_err(|error| Problem::from(error).at("url"))?;
    let card = app.store.read(|replica, _| Ok(replica.identity().card())).await?;
    let ca_pem = sent.ca_pem.filter(|pem| !pem.trim().is_empty());
    let settings = &app.settings;
    let joined = enrol::enrol(&url, &sent.code, ca_pem, Some(&settings.site), &settings.name, card).await?;
    if joined.by != OriginRole::Node {
        let detail = "a relay answers there, no node";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_node", detail)
            .at("url")
            .remedy("send a relay's address to /api/v1/uplink"));
    }
    app.siblings.joined(joined.enrolment, &joined.by_letter)?;
    list(call).await
}

/// Where another node dials. Its token is checked before the connection becomes a WebSocket.
pub async fn link(ws: Ws, call: Call) -> Response {
    match sibling_of(&call) {
        Err(problem) => respond(Err(problem)),
        Ok(sibling) => {
            if let Some(connection) = &call.connection {
                connection.mark_known();
            }
            let app = call.app.clone();
            let ws = ws.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
            let serve = move |socket| {
                let (sockets, siblings, parts) = (app.sockets.clone(), app.siblings.clone(), app.link_parts());
                sockets.track_future(async move { siblings.listen(&parts, &sibling, Socket(socket)).await })
            };
            ws.on_upgrade(serve).into_response()
        }
    }
}

fn sibling_of(call: &Call) -> Result<Sibling, Problem> {
    let refused = |detail: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
            .at("authorization")
            .remedy("join again with a new code of this node")
    };
    let token = call.token().ok_or_else(|| refused("no token was sent"))?;
    call.app.siblings.by_token(token).ok_or_else(|| refused("this token is no node's"))
}

/// The letters of a node that comes without a relay: an initial that no node of the site has, and two random letters (SPEC I4).
fn letter_for(origin: OriginId, asked: &str, known: &[(OriginId, String)], random: [u8; 2]) -> String {
    if let Some((_, letter)) = known.iter().find(|(of, _)| *of == origin) {
        return letter.clone();
    }
    let taken = |letter: &str| known.iter().any(|(_, known)| known == letter);
    if enrol::is_letter(asked) && !taken(asked) {
        return asked.to_owned();
    }
    let initial_taken = |initial: &char| known.iter().any(|(_, known)| known.starts_with(*initial));
    let initial = ('A'..='Z').find(|initial| !initial_taken(initial)).unwrap_or('Z');
    crate::store::identity::Identity::successor_letter(&initial.to_string(), random)
}

fn card_of(sent: Option<&OriginCardJson>) -> Result<OriginCard, Problem> {
    let bad =
        |field: &str, detail: &str, remedy: &str| Problem::bad_field(format!("origins[0]{field}"), detail, remedy);
    let card = sent.ok_or_else(|| bad("", "no origin was sent", "send who writes at that node"))?;
    if card.role != "node" {
        return Err(bad(".role", "not a node", "send node"));
    }
    let key = enrol::unhex(&card.key);
    let key = key.ok_or_else(|| bad(".key", "not an Ed25519 key", "send its 32 bytes as 64 hexadecimal digits"))?;
    let origin = id("origins[0].origin", &card.origin)?;
    Ok(OriginCard { origin, key, role: OriginRole::Node, letter: card.letter.clone() })
}

impl From<TakeIn> for Problem {
    fn from(error: TakeIn) -> Self {
        let detail = error.to_string();
        match error {
            TakeIn::TooMany(_) => Self::new(StatusCode::CONFLICT, "too_many_nodes", detail)
                .remedy("link it with another node of the site"),
            TakeIn::Store(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "not_kept", detail),
        }
    }
}

/// A WebSocket as the link knows it.
struct Socket(WebSocket);

impl Stream for Socket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context).map(|heard| {
            heard.map(|message| {
                message.map(|message| {
                    if let Some((code, word)) = message.close_frame() {
                        Message::Close(Some(CloseFrame { code: code.into(), reason: word.to_owned().into() }))
                    } else if message.is_close() {
                        Message::Close(None)
                    } else if message.is_binary() || message.is_text() {
                        // Text is no frame: the session refuses it by name.
                        Message::Binary(message.as_bytes().to_vec().into())
                    } else {
                        Message::Pong(Default::default())
                    }
                })
            })
        })
    }
}

impl Sink<Message> for Socket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let frame = match message {
            Message::Close(Some(frame)) => Frame::close_with(u16::from(frame.code), frame.reason.as_str().to_owned()),
            Message::Close(None) => Frame::close(),
            other @ (Message::Binary(_)
            | Message::Text(_)
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::Frame(_)) => Frame::binary(other.into_data().to_vec()),
        };
        Pin::new(&mut self.0).start_send(frame)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i4_a_node_that_joins_without_a_relay_gets_an_initial_of_its_own() {
        let origin = |name: &str| OriginId::derived(&[name]);
        let known = [(origin("counter"), "A".to_owned()), (origin("bar"), "BQX".to_owned())];
        let letter = |name: &str, asked: &str| letter_for(origin(name), asked, &known, [0, 1]);
        assert_eq!(letter("spare", "A"), "CAB");
        assert_eq!(letter("spare", ""), "CAB");
        assert_eq!(letter("spare", "D"), "D", "one that has worked elsewhere keeps its own");
        assert_eq!(letter("bar", "A"), "BQX", "one that comes again too");
    }
}
