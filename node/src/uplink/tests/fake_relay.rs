//! A relay in the same process: real TLS and WebSockets on loopback, the real session, logs in memory.
//!
//! Each connection does what the test has laid out for it, in turn; afterwards they are served.

use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use pilotlight_edge::private_ca::PrivateCa;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::crdt::hlc::Hlc;
use pilotlight_sync::doc::change::{Change, Commit, RawChange};
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::{IngredientId, OriginId, SiteId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::{Config, Event, Session, Side, Want};
use pilotlight_sync::store::LogEntry;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const KEY: [u8; 32] = [42; 32];

/// What one connection does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Serves so many frames, then the cable is pulled.
    CutAfter(usize),
    /// Greets and says nothing more.
    FallSilent,
    /// Closes with this code.
    Close(u16),
    /// Answers one HTTP request.
    Http { status: u16, body: String },
}

/// What the relay knows.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) logs: BTreeMap<OriginId, Vec<LogEntry>>,
    pub(super) keys: BTreeMap<OriginId, [u8; 32]>,
    /// What was shown at the door, for each WebSocket.
    pub(super) tokens: Vec<String>,
    /// Bodies of HTTP requests.
    pub(super) requests: Vec<String>,
    /// Origins whose logs differ.
    pub(super) forks: Vec<OriginId>,
    acts: VecDeque<Act>,
}

pub(super) struct FakeRelay {
    pub(super) url: String,
    pub(super) ca_pem: String,
    pub(super) own: OriginId,
    pub(super) key: SigningKey,
    /// The book, told whenever it changes.
    pub(super) book: Arc<watch::Sender<Book>>,
    site: SiteId,
    tasks: Arc<Mutex<tokio::task::JoinSet<()>>>,
}

impl FakeRelay {
    pub(super) async fn start(site: SiteId, dir: &std::path::Path, acts: impl Into<VecDeque<Act>>) -> Arc<Self> {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let now_ms = pilotlight_edge::clock::Clock::machine().now().0;
        let ca = PrivateCa::open(dir, "relay", "Relay", &["localhost".to_owned()], &[local], now_ms).unwrap();
        let listener = TcpListener::bind((local, 0)).await.unwrap();
        let key = SigningKey::from_bytes(&KEY);
        let own = OriginId::derived(&["relay"]);
        let (logs, keys) = (BTreeMap::new(), BTreeMap::from([(own, key.verifying_key().to_bytes())]));
        let book = Book { logs, keys, tokens: vec![], requests: vec![], forks: vec![], acts: acts.into() };
        let relay = Arc::new(Self {
            url: format!("https://{}", listener.local_addr().unwrap()),
            ca_pem: ca.ca_pem.clone(),
            own,
            key,
            book: Arc::new(watch::Sender::new(book)),
            site,
            tasks: Arc::default(),
        });
        relay.append(|card| Change::Origin(card).to_raw());
        let (accepting, acceptor) = (relay.clone(), TlsAcceptor::from(ca.tls.clone()));
        relay.tasks.lock().unwrap().spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let serving = accepting.clone();
                accepting.tasks.lock().unwrap().spawn(async move { serving.serve(stream).await });
            }
        });
        relay
    }

    /// Its public key, as it answers an enrolment.
    pub(super) fn key_hex() -> String {
        let key = SigningKey::from_bytes(&KEY).verifying_key().to_bytes();
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The relay writes a commit of its own.
    pub(super) fn write(&self) {
        self.append(|_| RawChange { kind: 60_000, body: vec![1, 2, 3].into() });
    }

    fn append(&self, change: impl FnOnce(OriginCard) -> RawChange) {
        let key = self.key.verifying_key().to_bytes();
        let card = OriginCard { origin: self.own, key, role: OriginRole::Relay, letter: String::new() };
        self.book.send_modify(|book| {
            let log = book.logs.entry(self.own).or_default();
            let head = log.last().map_or_else(|| Head::start(&self.own), |entry| entry.head);
            let commit = Commit {
                origin: self.own,
                seq: head.seq + 1,
                at: Hlc::default().tick(Timestamp(head.seq + 1)),
                clock_trusted: true,
                by: Actor::System,
                seen: vec![],
                changes: vec![change(card)],
            };
            let bytes = commit.to_bytes().unwrap();
            log.push(LogEntry { origin: self.own, head: head.then(&bytes), bytes });
        });
    }

    pub(super) fn heads(&self) -> BTreeMap<OriginId, Head> {
        let book = self.book.borrow();
        book.logs.iter().filter_map(|(origin, log)| Some((*origin, log.last()?.head))).collect()
    }

    async fn serve(&self, stream: TlsStream<TcpStream>) {
        let mut act = None;
        self.book.send_modify(|book| act = book.acts.pop_front());
        if let Some(Act::Http { status, body }) = act {
            return self.answer(stream, status, &body).await;
        }
        #[expect(clippy::result_large_err, reason = "the library's own shape")]
        let shown = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri().path(), "/sync");
            let token = request.headers()["authorization"].to_str().unwrap().to_owned();
            self.book.send_modify(|book| book.tokens.push(token));
            Ok(response)
        };
        let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, shown).await else { return };
        if let Some(Act::Close(code)) = act {
            let frame = CloseFrame { code: code.into(), reason: "a word".into() };
            let _gone = socket.send(Message::Close(Some(frame))).await;
            while let Some(Ok(_)) = socket.next().await {}
            return;
        }
        let mut frames_left = if let Some(Act::CutAfter(frames)) = act { frames } else { usize::MAX };
        let mut book = self.book.subscribe();
        let mut session = self.session();
        loop {
            self.events(&mut session);
            while let Some(frame) = session.poll_frame().unwrap() {
                if socket.send(Message::Binary(frame.into())).await.is_err() {
                    return;
                }
                self.events(&mut session);
            }
            if matches!(act, Some(Act::FallSilent)) && session.is_open() {
                while let Some(Ok(_)) = socket.next().await {}
                return;
            }
            tokio::select! {
                heard = socket.next() => match heard {
                    Some(Ok(Message::Binary(bytes))) => session.handle_frame(&bytes, Timestamp(1)).unwrap(),
                    Some(Ok(_)) => {}
                    None | Some(Err(_)) => return,
                },
                _grown = book.changed() => session.handle_durable(self.own, self.heads()[&self.own]),
            }
            frames_left -= 1;
            if frames_left == 0 {
                return;
            }
        }
    }

    fn session(&self) -> Session {
        let key = self.key.clone();
        let config = Config {
            side: Side::Listener { epoch: self.book.borrow().tokens.len() as u64 },
            role: OriginRole::Relay,
            site: self.site,
            own: self.own,
            sign: Box::new(move |hash| key.sign(&hash.0).to_bytes()),
            keys: self.book.borrow().keys.clone(),
            capabilities: [].into(),
            window_bytes: 0,
            ping_ms: 1_000_000,
            dead_ms: 1_000_000,
        };
        let mut session = Session::new(config, self.heads(), Timestamp(1)).unwrap();
        session.want(vec![Want { ingredient: IngredientId::derived(&["dough"]), amount: 400 }]);
        session
    }

    fn events(&self, session: &mut Session) {
        while let Some(event) = session.poll_event() {
            match event {
                Event::NeedLog { origin, from, .. } => {
                    let page = self.book.borrow().logs[&origin][from as usize - 1..].to_vec();
                    session.handle_log(origin, from, page, &[]).unwrap();
                }
                Event::NeedHash { origin, seq } => {
                    let hash = self.book.borrow().logs[&origin][seq as usize - 1].head.hash;
                    session.handle_hash(origin, Some(hash), Timestamp(1));
                }
                Event::Apply { entries, seal } => {
                    let head = entries.last().unwrap().head;
                    self.book.send_modify(|book| {
                        let log = book.logs.entry(seal.origin).or_default();
                        for entry in entries {
                            let commit = Commit::from_bytes(&entry.bytes).unwrap();
                            if let Some(Change::Origin(card)) = commit.changes().unwrap().into_iter().next() {
                                book.keys.insert(card.origin, card.key);
                            }
                            assert_eq!(entry.head.seq, log.len() as u64 + 1);
                            log.push(entry);
                        }
                    });
                    session.handle_durable(seal.origin, head);
                }
                Event::Opened(_) | Event::Acked { .. } | Event::Wanted(_) | Event::OpenSet(_) => {}
                Event::Forked(fork) => self.book.send_modify(|book| book.forks.push(fork.origin)),
                Event::Parted(_) | Event::RetryAfter(_) => {}
            }
        }
    }

    async fn answer(&self, mut stream: TlsStream<TcpStream>, status: u16, body: &str) {
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, sent)) = text.split_once("\r\n\r\n") {
                assert!(head.starts_with("POST /api/v1/enrol HTTP/1.1"), "{head}");
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
                if sent.len() == length.parse::<usize>().unwrap() {
                    self.book.send_modify(|book| book.requests.push(sent.to_owned()));
                    break;
                }
            }
            let mut more = [0; 4096];
            let count = stream.read(&mut more).await.unwrap();
            read.extend_from_slice(&more[..count]);
        }
        let length = body.len();
        let wait = if matches!(status, 429 | 503) { "retry-after: 17\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {status} Word\r\ncontent-type: application/json\r\n{wait}content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}
