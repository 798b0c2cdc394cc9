//! The link to a relay in the same process: cables pulled, silence, refusals, enrolment.

mod fake_relay;

use super::enrol::{EnrolError, Enrolment, enrol};
use super::link_state::LinkPhase;
use super::*;
use crate::store::replica::{Position, Replica};
use crate::store::store_handle::{Plan, PlanError};
use crate::testing::{EVENING, Shop};
use fake_relay::{Act, FakeRelay};
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::doc::change::{Change, RawChange};
use pilotlight_sync::doc::replica::Flushed;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::store::LogEntry;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node without its API: a store, its head, the link.
struct Node {
    shop: Shop,
    parts: Parts,
    head: watch::Receiver<Position>,
    of_others: WishesOfOthers,
    uplink: Arc<Uplink>,
}

impl Node {
    fn start() -> Self {
        let mut shop = Shop::open();
        let mut first = shop.replica.take();
        let replica = first.as_ref().unwrap();
        let (site, sender) = (replica.site().settings().unwrap().site, watch::Sender::new(replica.position()));
        let all = watch::Sender::new(Arc::new(Heads::of(replica)));
        let (head, heads) = (sender.subscribe(), all.subscribe());
        let open = move || first.take().ok_or(StoreError::InUse);
        let publish = move |replica: &Replica, flushed: &Flushed| {
            sender.send_replace(flushed.position);
            all.send_replace(Arc::new(Heads::of(replica)));
        };
        let store = StoreHandle::start(open, publish, shop.clock.clone()).unwrap();
        let config = LinkConfig { ping_ms: 50, dead_ms: 400, backoff_max_ms: 20 };
        let (clock, stopping) = (shop.clock.clone(), CancellationToken::new());
        let (wishes, of_others) = Wishes::new();
        let asks = wishes.asked();
        let parts = Parts { store, heads, site, clock, stopping, config, asks };
        let uplink = Arc::new(Uplink::open(&shop.paths(), wishes).unwrap());
        Self { shop, parts, head, of_others, uplink }
    }

    async fn relay(&self, acts: Vec<Act>) -> Arc<FakeRelay> {
        FakeRelay::start(self.parts.site, &self.shop.dir.path().join("relay"), acts).await
    }

    /// Writes so many commits of about this size.
    async fn write(&self, commits: usize, bytes: usize) {
        let change = Change::Unknown(RawChange { kind: 60_001, body: vec![7; bytes].into() });
        let written = self.parts.store.run(move |_, _| {
            let mut plan = Plan::new(Actor::System, vec![change.clone()], |_| ());
            plan.more = vec![vec![change]; commits - 1];
            Ok::<_, PlanError<()>>(plan)
        });
        written.await.unwrap();
    }

    async fn heads(&self) -> BTreeMap<OriginId, Head> {
        self.parts.store.read(|replica, _| Ok(replica.state().heads().clone())).await.unwrap()
    }

    fn enrol_with(&self, relay: &FakeRelay) {
        let enrolment = Enrolment {
            relay_url: relay.url.clone(),
            token: "plt_token".to_owned(),
            ca_pem: Some(relay.ca_pem.clone()),
            relay_origin: relay.own,
            relay_key: relay.key.verifying_key().to_bytes(),
        };
        self.uplink.enrolled(enrolment, EVENING).unwrap();
    }

    fn dial(&self) -> tokio::task::JoinHandle<()> {
        let (uplink, parts) = (self.uplink.clone(), self.parts.clone());
        tokio::spawn(async move { uplink.run(parts).await })
    }

    /// Waits until both have the same logs.
    async fn wait_for_agreement(&self, relay: &FakeRelay) {
        let (mut book, mut head) = (relay.book.subscribe(), self.head.clone());
        while self.heads().await != relay.heads() {
            tokio::select! {
                _relay = book.changed() => {}
                _node = head.changed() => {}
            }
        }
    }

    async fn wait_for_phase(&self, wanted: impl Fn(&LinkPhase) -> bool) -> LinkPhase {
        let mut link = self.uplink.board().watch();
        let state = link.wait_for(|state| wanted(&state.phase)).await.unwrap();
        state.phase.clone()
    }

    async fn stop(self, dialling: tokio::task::JoinHandle<()>) {
        self.parts.stopping.cancel();
        dialling.await.unwrap();
    }
}

#[tokio::test]
async fn y6_the_cable_is_pulled_again_and_again_and_both_ends_agree_after() {
    let mut node = Node::start();
    node.write(400, 300).await;
    node.write(300, 4_000).await;
    let cuts = [1, 2, 3, 4, 6, 9, 2, 5].map(Act::CutAfter);
    let relay = node.relay(cuts.into()).await;
    for _ in 0..20 {
        relay.write();
    }
    node.enrol_with(&relay);
    let dialling = node.dial();
    let mut book = relay.book.subscribe();
    assert!(book.wait_for(|book| book.tokens.len() == 9).await.is_ok(), "each cut is dialled again");
    node.wait_for_agreement(&relay).await;
    // Both go on while the link is up.
    node.write(5, 100).await;
    relay.write();
    node.wait_for_agreement(&relay).await;
    let own = *node.head.borrow();
    let mut link = node.uplink.board().watch();
    let safe = link.wait_for(|state| state.safe_on(&own) == 2).await.unwrap().clone();
    assert_eq!((safe.waiting_commits(&own), safe.relay_url), (0, Some(relay.url.clone())));
    assert_eq!(safe.phase, LinkPhase::Online { since: EVENING });
    let heads = node.heads().await;
    assert_eq!(heads[&relay.own].seq, 22);
    assert!(heads[&own.origin].seq > 700);
    assert!(relay.book.borrow().tokens.iter().all(|token| token == "Bearer plt_token"));
    let (by, wants) = node.of_others.recv().await.unwrap();
    assert_eq!((by, wants.first().map(|want| want.amount)), (relay.own, Some(400)));
    node.stop(dialling).await;
}

#[tokio::test]
async fn y8_a_relay_that_falls_silent_is_given_up_and_dialled_again() {
    let node = Node::start();
    let relay = node.relay(vec![Act::FallSilent]).await;
    node.enrol_with(&relay);
    let dialling = node.dial();
    node.wait_for_phase(|phase| matches!(phase, LinkPhase::Online { .. })).await;
    node.write(3, 10).await;
    node.wait_for_agreement(&relay).await;
    assert_eq!(relay.book.borrow().tokens.len(), 2);
    node.stop(dialling).await;
}

#[tokio::test]
async fn y1_a_refusal_by_the_relay_is_shown_with_its_word() {
    let node = Node::start();
    let relay = node.relay(vec![Act::Close(4001); 3]).await;
    node.enrol_with(&relay);
    let dialling = node.dial();
    let offline = node.wait_for_phase(|phase| matches!(phase, LinkPhase::Offline { .. })).await;
    assert_eq!(offline, LinkPhase::Offline { since: EVENING, why: "the relay refused: node_too_old".to_owned() });
    node.stop(dialling).await;
}

#[tokio::test]
async fn y2_a_relay_that_has_more_of_this_node_than_the_node_itself_is_told_to_the_owner() {
    let node = Node::start();
    let relay = node.relay(vec![]).await;
    let own = node.head.borrow().origin;
    relay.book.send_modify(|book| {
        let mut head = Head::start(&own);
        let log = book.logs.entry(own).or_default();
        for n in 0..50 {
            let bytes = vec![n];
            head = head.then(&bytes);
            log.push(LogEntry { origin: own, head, bytes });
        }
    });
    node.enrol_with(&relay);
    let dialling = node.dial();
    let mut link = node.uplink.board().watch();
    let forked = link.wait_for(|state| state.forked).await.unwrap().clone();
    assert!(forked.waiting_commits(&node.head.borrow()) > 0, "nothing of it reaches the relay");
    let json = crate::api::uplink::uplink_json(&forked, 0, &node.head.borrow());
    assert!(json.why.is_some_and(|why| why.contains("its disk went back")));
    // The relay's own log comes all the same.
    let mut head = node.head.clone();
    while !node.heads().await.contains_key(&relay.own) {
        head.changed().await.unwrap();
    }
    assert_eq!(relay.book.borrow().forks, [own]);
    node.stop(dialling).await;
}

#[tokio::test]
async fn y11_a_node_that_worked_alone_is_enrolled_and_sends_all_that_it_wrote() {
    let node = Node::start();
    node.write(50, 100).await;
    let relay_key: String = FakeRelay::key_hex();
    let relay_origin = OriginId::derived(&["relay"]);
    let card = format!(r#"{{"origin":"{relay_origin}","key":"{relay_key}","role":"relay","letter":""}}"#);
    let good = format!(r#"{{"uplink_token":"plt_given","relay":{card}}}"#);
    let used_up = r#"{"type":"/problems/code","title":"No","status":403,"code":"code_used","detail":"used up"}"#;
    let busy = r#"{"code":"locked","detail":"too many failures"}"#.to_owned();
    let acts = [
        (429, busy.clone()),
        (503, busy),
        (403, used_up.to_owned()),
        (200, "{}".to_owned()),
        (500, "oops".to_owned()),
        (201, good),
    ];
    let relay = node.relay(acts.map(|(status, body)| Act::Http { status, body }).into()).await;
    let dialling = node.dial();
    assert_eq!(node.uplink.board().now().phase, LinkPhase::None);
    let identity = node.parts.store.read(|replica, _| Ok(replica.identity().clone())).await.unwrap();
    let ask =
        |ca: Option<String>| enrol(&relay.url, " ABCD ", ca, Some(&node.parts.site), "Trattoria", identity.card());
    let unknown = ask(None).await;
    assert!(matches!(unknown, Err(EnrolError::Untrusted(_))), "nobody vouches for it: {unknown:?}");
    let trusted = || Some(relay.ca_pem.clone());
    for _ in 0..2 {
        let wait = ask(trusted()).await;
        assert!(matches!(wait, Err(EnrolError::Wait { retry_after_s: 17 })), "{wait:?}");
        assert_eq!(wait.unwrap_err().to_string(), "the relay asks to wait 17 s");
    }
    assert!(matches!(ask(trusted()).await, Err(EnrolError::Refused { code, .. }) if code == "code_used"));
    assert!(matches!(ask(trusted()).await, Err(EnrolError::NoRelay(_))));
    assert!(matches!(ask(trusted()).await, Err(EnrolError::Failed(_))));
    let enrolment = ask(trusted()).await.unwrap().enrolment;
    let request: enrol::EnrolRequestJson = serde_json::from_str(&relay.book.borrow().requests[0]).unwrap();
    assert_eq!((request.code.as_str(), request.site), ("ABCD", Some(node.parts.site.to_string())));
    assert_eq!(request.origins[0].origin, identity.origin.to_string());
    node.uplink.enrolled(enrolment, EVENING).unwrap();
    node.wait_for_agreement(&relay).await;
    assert_eq!(relay.book.borrow().tokens[0], "Bearer plt_given");
    assert_eq!(node.uplink.relay_url(), Some(relay.url.clone()));
    let kept = Uplink::open(&node.shop.paths(), Wishes::new().0).unwrap();
    assert_eq!(kept.relay_url(), Some(relay.url.clone()), "a restart finds it again");
    node.stop(dialling).await;
}
