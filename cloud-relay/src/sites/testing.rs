//! A node in memory for tests: its own log, the protocol's dialling side, and a pipe in place of a socket.

use crate::config::LinkConfig;
use crate::sites::enrolment::Enrol;
use crate::sites::link_hub::Message;
use crate::sites::node_registry::Sites;
use crate::sites::site_handle::{React, SiteHandle};
use crate::store::site_rows::{self, NewSite, NodeNo, NodeSession};
use crate::store::testing::TestDatabase;
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{Sink, Stream};
use pilotlight_edge::clock::Clock;
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::crdt::codec::Shared;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::digest::{Digest, Digesting};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::{Charges, Header, OrderFact};
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::doc::replica::{Loading, ReadStored, Replica};
use pilotlight_sync::domain::id::{LineId, MenuItemId, OrderId, OriginId, SiteId, VariantId};
use pilotlight_sync::domain::menu::StationId;
use pilotlight_sync::domain::money::{BasisPoints, Currency};
use pilotlight_sync::domain::order::{Channel, Fulfilment};
use pilotlight_sync::domain::pricing::PricedLine;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::WINDOW_BYTES_MAX;
use pilotlight_sync::protocol::{Config, Event, Session, Side};
use pilotlight_sync::store::{LogEntry, Seal};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// When tests begin.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Links as tests watch them: business stands still, so nothing has to be steady.
pub(crate) const LINKS: LinkConfig = LinkConfig { ping_ms: 10_000, dead_ms: 25_000, steady_ms: 0 };

/// A relay with one enrolled site, and the node of that site.
pub(crate) struct Shop {
    pub(crate) database: TestDatabase,
    pub(crate) clock: Clock,
    pub(crate) sites: Arc<Sites>,
    pub(crate) site: SiteHandle,
    pub(crate) node: Node,
    pub(crate) token: String,
}

impl Shop {
    /// Creates and enrols it.
    pub(crate) async fn open(react: Arc<dyn React>) -> Self {
        let (database, clock) = (TestDatabase::new(), Clock::manual(NOW));
        let sites = Sites::start(database.open().await, clock.clone(), LINKS, react).await.unwrap();
        let mut node = Node::new("node");
        let token = enrol(&sites, &mut node).await;
        let site = sites.get(&node.site).unwrap();
        Self { database, clock, sites, site, node, token }
    }

    /// Opens the same database again, as another process or after this one.
    pub(crate) async fn again(&self, react: Arc<dyn React>) -> (Arc<Sites>, SiteHandle) {
        let sites = Sites::start(self.database.open().await, self.clock.clone(), LINKS, react).await.unwrap();
        let site = sites.get(&self.node.site).unwrap();
        (sites, site)
    }

    /// Opens a link for the node; the other end is served until it ends.
    pub(crate) async fn dial(&self) -> (Pipe, tokio::task::JoinHandle<()>) {
        dial(&self.sites, &self.token).await
    }
}

/// Creates a site for a node and enrols it; answers with its token.
pub(crate) async fn enrol(sites: &Arc<Sites>, node: &mut Node) -> String {
    let code = sites.create(NewSite { name: "Trattoria".into(), lat: 45.4, lon: 9.2 }).await.unwrap();
    let enrol = Enrol { code: code.code, site: Some(node.site), protocol: 1, cards: vec![node.card()] };
    let enrolled = sites.enrol(enrol).await.unwrap();
    node.keys.insert(enrolled.relay.origin, enrolled.relay.key);
    enrolled.uplink_token
}

/// Enrols a further node of a site; answers with its token and its letter.
pub(crate) async fn join(sites: &Arc<Sites>, node: &mut Node) -> (String, String) {
    let code = sites.renew_code(&node.site).await.unwrap().code;
    let enrol = Enrol { code, site: None, protocol: 1, cards: vec![node.card()] };
    let enrolled = sites.enrol(enrol).await.unwrap();
    assert_eq!(enrolled.site, node.site);
    node.keys.insert(enrolled.relay.origin, enrolled.relay.key);
    (enrolled.uplink_token, enrolled.letter)
}

/// Opens a link with this token; the other end is served until it ends.
pub(crate) async fn dial(sites: &Arc<Sites>, token: &str) -> (Pipe, tokio::task::JoinHandle<()>) {
    let row = sites.uplink(token).await.unwrap().unwrap();
    let (ours, theirs) = pipe();
    let serving = tokio::spawn(sites.clone().serve_link(row, theirs, CancellationToken::new()));
    (ours, serving)
}

/// A node in memory.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) site: SiteId,
    pub(crate) replica: Replica,
    pub(crate) key: SigningKey,
    pub(crate) keys: BTreeMap<OriginId, [u8; 32]>,
    pub(crate) disk: Disk,
}

/// What a node has written.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) docs: BTreeMap<DocKey, Vec<u8>>,
    pub(crate) logs: BTreeMap<OriginId, Vec<LogEntry>>,
    pub(crate) seals: Vec<Seal>,
}

impl ReadStored for Disk {
    type Error = Infallible;

    fn read_hash(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, Infallible> {
        let log = self.logs.get(origin).into_iter().flatten();
        Ok(log.map(|entry| entry.head).find(|head| head.seq == seq).map(|head| head.hash))
    }

    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.docs.get(&DocKey::Order(*id)).cloned())
    }
}

impl Node {
    pub(crate) fn new(name: &str) -> Self {
        let (origin, key) =
            (OriginId::derived(&[name]), SigningKey::from_bytes(blake3::hash(name.as_bytes()).as_bytes()));
        let replica = Loading::begin([], &BTreeMap::new()).unwrap().finish(origin, BTreeMap::new());
        let keys = BTreeMap::from([(origin, key.verifying_key().to_bytes())]);
        let mut node = Self { site: SiteId::derived(&["shop"]), replica, key, keys, disk: Disk::default() };
        let card = Change::Origin(node.card());
        node.write(&[card]);
        node
    }

    pub(crate) fn origin(&self) -> OriginId {
        self.replica.origin()
    }

    pub(crate) fn card(&self) -> OriginCard {
        let key = self.key.verifying_key().to_bytes();
        OriginCard { origin: self.origin(), key, role: OriginRole::Node, letter: "A".into() }
    }

    pub(crate) fn write(&mut self, changes: &[Change]) {
        self.replica.commit(Actor::System, NOW, changes, &self.disk).unwrap();
        self.flush();
    }

    /// Writes at another time than that at which tests begin.
    pub(crate) fn write_at(&mut self, now: Timestamp, changes: &[Change]) {
        self.replica.commit(Actor::System, now, changes, &self.disk).unwrap();
        self.flush();
    }

    /// Takes commits of the relay in, without a link.
    pub(crate) fn apply_at(&mut self, now: Timestamp, entries: &[LogEntry], seal: &Seal) {
        self.replica.apply(now, entries, seal, &self.disk).whole().unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        let key = self.key.clone();
        let (writes, _) = self.replica.take_writes(|head| key.sign(&head.hash.0).to_bytes());
        self.disk.docs.extend(writes.docs);
        for entry in writes.log {
            self.disk.logs.entry(entry.origin).or_default().push(entry);
        }
        self.disk.seals.extend(writes.seals);
    }

    /// The own log from a number on, and the seal over its end.
    pub(crate) fn batch(&self, from: u64) -> (Vec<LogEntry>, Seal) {
        let entries = self.disk.logs[&self.origin()][from as usize - 1..].to_vec();
        let head = entries.last().unwrap().head;
        let signature = self.key.sign(&head.hash.0).to_bytes();
        (entries, Seal { origin: self.origin(), seq: head.seq, signature })
    }

    /// The hash that the relay must have too.
    pub(crate) fn digest(&self) -> (Digest, u64) {
        let mut digesting = Digesting::default();
        self.replica.site().docs().for_each(|(key, bytes)| digesting.add(&key, &bytes));
        // All were placed at the same time: their order is that of their ids.
        let orders: Vec<_> = self.disk.docs.iter().filter(|(key, _)| key.is_order()).collect();
        orders.iter().for_each(|(key, bytes)| digesting.add(key, bytes));
        (digesting.finish(), orders.len() as u64)
    }

    pub(crate) fn session(&self) -> Session {
        let key = self.key.clone();
        let config = Config {
            side: Side::Dialer,
            role: OriginRole::Node,
            site: self.site,
            own: self.origin(),
            sign: Box::new(move |hash: &ChainHash| key.sign(&hash.0).to_bytes()),
            keys: self.keys.clone(),
            capabilities: BTreeSet::new(),
            window_bytes: WINDOW_BYTES_MAX as u64,
            ping_ms: 10_000,
            dead_ms: 25_000,
        };
        Session::new(config, self.replica.heads().clone(), NOW).unwrap()
    }

    /// Keeps the link until something has happened, or it ends; answers with the close code then.
    pub(crate) async fn sync(
        &mut self,
        session: &mut Session,
        pipe: &mut Pipe,
        until: impl Fn(&Self, &Event) -> bool,
    ) -> Result<(), u16> {
        loop {
            while let Some(event) = session.poll_event() {
                self.handle(session, &event);
                if until(self, &event) {
                    return Ok(());
                }
            }
            while let Some(frame) = session.poll_frame().unwrap() {
                // The other side may have closed: what it said then is read below.
                let _gone = pipe.to.try_send(Message::Frame(frame));
            }
            match pipe.from.recv().await {
                None => return Err(1006),
                Some(Message::Close(code, _)) => return Err(code),
                Some(Message::Frame(bytes)) => session.handle_frame(&bytes, NOW).unwrap(),
                Some(Message::Other) => {}
            }
        }
    }

    fn handle(&mut self, session: &mut Session, event: &Event) {
        match event {
            Event::NeedLog { origin, from, commits_max, .. } => {
                let entries = &self.disk.logs[origin][*from as usize - 1..];
                let entries = entries[..entries.len().min(*commits_max)].to_vec();
                session.handle_log(*origin, *from, entries, &self.disk.seals).unwrap();
            }
            Event::NeedHash { origin, seq } => {
                let entry = self.disk.logs.get(origin).and_then(|log| log.get(*seq as usize - 1));
                session.handle_hash(*origin, entry.map(|entry| entry.head.hash), NOW);
            }
            Event::Apply { entries, seal } => {
                self.replica.apply(NOW, entries, seal, &self.disk).whole().unwrap();
                self.flush();
                session.handle_durable(seal.origin, self.replica.heads()[&seal.origin]);
            }
            Event::Opened(_)
            | Event::Acked { .. }
            | Event::Forked(_)
            | Event::Parted(_)
            | Event::Wanted(_)
            | Event::OpenSet(_)
            | Event::RetryAfter(_) => {}
        }
    }

    /// Until the relay's disk has the whole own log, and this one the relay's up to there.
    pub(crate) async fn sync_all(
        &mut self,
        session: &mut Session,
        pipe: &mut Pipe,
        relay: Option<Head>,
    ) -> Result<(), u16> {
        let (own, end) = (self.origin(), self.replica.position().head.seq);
        let relay_origin = self.keys.keys().copied().find(|origin| *origin != own);
        let acked = std::cell::Cell::new(false);
        self.sync(session, pipe, |node, event| {
            if let Event::Acked { origin, seq } = event {
                acked.set(acked.get() || *origin == own && *seq >= end);
            }
            let there = relay_origin.and_then(|origin| node.replica.heads().get(&origin));
            acked.get() && relay.is_none_or(|relay| there.is_some_and(|there| there.seq >= relay.seq))
        })
        .await
    }
}

/// An order with one line: of the relay when it names an owner.
pub(crate) fn placed(id: &str, owner: Option<OriginId>) -> Change {
    let line = PricedLine {
        id: LineId::derived(&[id]),
        item: MenuItemId::derived(&["pizza"]),
        variant: VariantId::derived(&["large"]),
        name: "Pizza".into(),
        kitchen_name: None,
        variant_name: "Large".into(),
        quantity: 1,
        choices: vec![],
        note: None,
        unit_minor: 1_200,
        tax: BasisPoints(1_000),
        station: StationId::parse("oven").unwrap(),
        prep_s: 600,
        uses: vec![],
    };
    let header = Header {
        placed_at: NOW,
        channel: if owner.is_some() { Channel::Cloud } else { Channel::Kiosk },
        fulfilment: Fulfilment::Takeaway,
        table: None,
        note: None,
        lines: vec![Shared::from(line)],
        currency: Currency::USD,
        device: None,
        menu_version: 1,
        owner,
        charges: Charges::default(),
    };
    Change::Order(OrderId::derived(&[id]), OrderFact::Placed(Box::new(header)))
}

/// The session of a site's first node that nobody has begun yet.
pub(crate) fn first_session(number: u64) -> NodeSession {
    NodeSession { node: NodeNo(1), number }
}

/// A session of the node that this token is for begins.
pub(crate) async fn begin_session(sites: &Sites, token: &str) -> NodeSession {
    let uplink = sites.uplink(token).await.unwrap().unwrap();
    site_rows::begin_session(sites.database(), uplink.node).await.unwrap()
}

/// The link of the node that writes under this origin counts as up, in this session.
pub(crate) fn link_up(site: &SiteHandle, session: NodeSession, origin: OriginId, now: Timestamp) {
    site.link.up(session, origin, now);
}

/// The session's link is cut.
pub(crate) fn link_down(site: &SiteHandle, session: NodeSession, now: Timestamp) {
    site.link.down(session, now);
}

/// One end of a pipe.
pub(crate) struct Pipe {
    pub(crate) to: mpsc::Sender<Message>,
    pub(crate) from: mpsc::Receiver<Message>,
}

/// The pipe is broken, or full.
#[derive(Debug)]
pub(crate) struct Broken;

/// Two ends of a pipe.
pub(crate) fn pipe() -> (Pipe, Pipe) {
    let ((to_b, from_a), (to_a, from_b)) = (mpsc::channel(4_096), mpsc::channel(4_096));
    (Pipe { to: to_b, from: from_b }, Pipe { to: to_a, from: from_a })
}

impl Stream for Pipe {
    type Item = Result<Message, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.from.poll_recv(context).map(|message| message.map(Ok))
    }
}

impl Sink<Message> for Pipe {
    type Error = Broken;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Broken> {
        self.to.try_send(message).map_err(|_| Broken)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }
}
