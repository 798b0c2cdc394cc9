//! A node's link: both logs arrive, a cut loses nothing, two sessions are one, and what is forged changes nothing.

use crate::sites::link_core::News;
use crate::sites::link_hub::Message;
use crate::sites::link_state::Link;
use crate::sites::node_registry::{BEGINNING_MAX, Sites};
use crate::sites::site_handle::NoReactions;
use crate::sites::testing::{NOW, Node, Shop, begin_session, dial, enrol, first_session, join, placed};
use crate::store::site_tx::{OldSession, WorkError};
use crate::store::testing::go_back;
use ed25519_dalek::SigningKey;
use futures_util::FutureExt;
use pilotlight_edge::clock::Stopwatch;
use pilotlight_sync::crdt::counter::Row;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{IngredientId, OrderId, SiteId};
use pilotlight_sync::domain::menu::{Ingredient, StationId, Unit};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::ticket::{TicketKey, TicketPhase};
use pilotlight_sync::protocol::{Event, Violation, Want};
use pilotlight_sync::store::SiteStore;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

async fn place(shop: &Shop, id: &str) {
    let change = placed(id, Some(shop.node.origin()));
    let placing =
        shop.site.run(move |tx| async move { tx.commit::<Infallible>(Actor::System, &[change]).await }.boxed());
    placing.await.unwrap();
}

#[tokio::test]
async fn e5_both_logs_arrive_and_both_sides_hold_the_same_documents() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    for n in 0..300 {
        shop.node.write(&[placed(&format!("node {n}"), None)]);
    }
    place(&shop, "relay").await;
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    let relay = shop.site.facts.identity.origin;
    let end = shop.site.heads().borrow()[&relay];
    shop.node.sync_all(&mut session, &mut pipe, Some(end)).await.unwrap();
    assert_eq!(*shop.site.heads().borrow().as_ref(), *shop.node.replica.heads());
    assert!(matches!(shop.site.link.now(), Link::Up { .. }) && shop.sites.is_open(&shop.site));
    let id = OrderId::derived(&["node 299"]);
    let there = shop.site.order(shop.sites.database(), id).await.unwrap().unwrap();
    assert_eq!(there.view, shop.node.replica.live(&id).unwrap().view);
    assert_eq!(shop.sites.digest(&shop.site).await.unwrap(), shop.node.digest());
    // What is written on either side while the link is up goes over it at once.
    place(&shop, "later").await;
    let end = shop.site.heads().borrow()[&relay];
    let arrived = shop.node.sync(&mut session, &mut pipe, |node, _| node.replica.heads()[&relay] == end);
    arrived.await.unwrap();
    assert!(shop.node.replica.live(&OrderId::derived(&["later"])).is_some());
}

#[tokio::test]
async fn y2_what_was_committed_while_a_link_began_and_a_sibling_brought_sooner_is_no_sign_of_a_relay_that_went_back() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    let uplink = shop.sites.uplink(&shop.token).await.unwrap().unwrap();
    let (site, mut core) = shop.sites.begin_link(&uplink, NOW).await.unwrap();
    place(&shop, "relay").await;
    let relay = site.facts.identity.origin;
    let store = site.store(shop.sites.database());
    let entries = store.log(&relay, 1, 100).await.unwrap();
    let end = entries.last().unwrap().head.seq;
    let seals = store.seals(&relay, end, end).await.unwrap();
    shop.node.apply_at(NOW, &entries, &seals[0]);
    let hello = shop.node.session().poll_frame().unwrap().unwrap();
    let heads = site.heads().borrow().clone();
    core.hear(&hello, &heads, &site.keys(), NOW).unwrap();
    let news: Vec<News> = std::iter::from_fn(|| core.poll_news()).collect();
    assert!(matches!(news[..], [News::Open(_)]), "{news:?}");
}

#[tokio::test]
async fn e5_a_cut_between_applying_and_acknowledging_loses_nothing_and_applies_nothing_twice() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    for n in 0..20 {
        shop.node.write(&[placed(&n.to_string(), None)]);
    }
    let (mut pipe, serving) = shop.dial().await;
    let mut session = shop.node.session();
    let opened = shop.node.sync(&mut session, &mut pipe, |_, event| matches!(event, Event::NeedLog { .. }));
    opened.await.unwrap();
    let mut heads = shop.site.heads();
    while let Some(frame) = session.poll_frame().unwrap() {
        pipe.to.send(Message::Frame(frame)).await.unwrap();
    }
    let end = shop.node.replica.position().head;
    heads.wait_for(|heads| heads.get(&shop.node.origin()) == Some(&end)).await.unwrap();
    drop(pipe);
    serving.await.unwrap();
    assert!(matches!(shop.site.link.now(), Link::Down { .. }) && !shop.sites.is_open(&shop.site));
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    let sent_again = std::cell::Cell::new(false);
    let acked = shop.node.sync(&mut session, &mut pipe, |_, event| {
        sent_again.set(sent_again.get() || matches!(event, Event::NeedLog { .. }));
        matches!(event, Event::Acked { seq, .. } if *seq == end.seq)
    });
    acked.await.unwrap();
    assert!(!sent_again.get(), "the greeting told that the relay has it");
    assert_eq!(shop.site.heads().borrow()[&shop.node.origin()], end);
}

#[tokio::test]
async fn e5_a_newer_session_ends_the_older_one_and_its_commits_are_refused_in_every_process() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    let (mut first, serving) = shop.dial().await;
    let mut older = shop.node.session();
    shop.node.sync_all(&mut older, &mut first, None).await.unwrap();
    let (mut second, _serving) = shop.dial().await;
    let mut newer = shop.node.session();
    shop.node.sync(&mut newer, &mut second, |_, event| matches!(event, Event::Opened(_))).await.unwrap();
    let ended = shop.node.sync(&mut older, &mut first, |_, _| false).await;
    assert_eq!(ended, Err(4000), "superseded");
    serving.await.unwrap();
    assert!(shop.site.link.links().nodes().any(|link| link.up && link.session == 2), "{:?}", shop.site.link.now());
    // Another process has begun a third session; this one does not know of it.
    let (sites, _other) = shop.again(Arc::new(NoReactions)).await;
    assert_eq!(begin_session(&sites, &shop.token).await.number, 3);
    shop.node.write(&[placed("late", None)]);
    let (entries, seal) = shop.node.batch(1);
    let refused = shop.site.apply(first_session(2), entries, seal).await;
    let old = |error: &WorkError<OldSession>| matches!(error, WorkError::Refused(old) if (old.session.number, old.newest) == (2, Some(3)));
    assert!(refused.as_ref().is_err_and(old), "{refused:?}");
}

#[tokio::test]
async fn e5_two_nodes_of_a_site_are_linked_at_once_and_each_gets_what_the_other_writes() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    for n in 0..300 {
        shop.node.write(&[placed(&format!("counter {n}"), None)]);
    }
    let mut bar = Node::new("bar");
    let (token, letter) = join(&shop.sites, &mut bar).await;
    assert_eq!(letter, "B", "the counter has A");
    bar.write(&[placed("bar", None)]);
    place(&shop, "relay").await;
    let (mut first, _one) = shop.dial().await;
    let mut counter = shop.node.session();
    shop.node.sync_all(&mut counter, &mut first, None).await.unwrap();
    let (mut second, _two) = dial(&shop.sites, &token).await;
    let mut session = bar.session();
    let whole = shop.node.replica.position().head;
    let origin = shop.node.origin();
    let arrived = bar.sync(&mut session, &mut second, |bar, _| {
        bar.replica.heads().get(&origin) == Some(&whole) && bar.replica.heads().len() == 3
    });
    arrived.await.unwrap();
    let of_bar = bar.replica.position().head;
    let arrived = shop.node.sync(&mut counter, &mut first, |node, _| {
        node.replica.heads().get(&bar.origin()) == Some(&of_bar) && node.replica.heads().len() == 3
    });
    arrived.await.unwrap();
    assert_eq!(shop.node.replica.heads(), bar.replica.heads());
    let there = shop.sites.digest(&shop.site).await.unwrap();
    assert_eq!((there, there), (shop.node.digest(), bar.digest()));
    let links = shop.site.link.links();
    assert_eq!(links.nodes().filter(|link| link.up).count(), 2, "neither ends the other's session");
    assert_eq!(shop.sites.owner(&shop.site), Some(origin), "the first node makes what is ordered online");
    // The counter goes: the site stays open, and the bar makes it.
    drop(first);
    let mut watch = shop.site.link.watch();
    watch.wait_for(|links| links.nodes().filter(|link| link.up).count() == 1).await.unwrap();
    assert_eq!(shop.sites.owner(&shop.site), Some(bar.origin()));
}

#[tokio::test]
async fn s7_the_relay_gives_a_node_of_its_rights_what_that_asks_for() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    let relay = shop.site.facts.identity.origin;
    let flour = IngredientId::derived(&["flour"]);
    let known = Ingredient { id: flour, name: "Flour".into(), unit: Unit::Gram, enforced: true };
    let known = shop.node.replica.site().write_ingredient(flour, Some(known));
    let row = Row::default().deliver(1_000).give(relay, 600, 1_000).unwrap();
    shop.node.write(&[known, Change::Stock(flour, row)]);
    let mut bar = Node::new("bar");
    let (token, _) = join(&shop.sites, &mut bar).await;
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    shop.node.sync_all(&mut session, &mut pipe, None).await.unwrap();
    let (mut pipe, _serving) = dial(&shop.sites, &token).await;
    let mut session = bar.session();
    // Who has not introduced itself gets nothing.
    bar.sync_all(&mut session, &mut pipe, None).await.unwrap();
    session.want(vec![Want { ingredient: flour, amount: 5_000 }]);
    let origin = bar.origin();
    let given = bar.sync(&mut session, &mut pipe, |bar, _| bar.replica.site().sellable(&flour, &origin) == Some(300));
    given.await.unwrap();
    assert_eq!(bar.replica.site().sellable(&flour, &relay), Some(300), "half of what the relay had");
}

/// What a hostile end of a link hears.
async fn ends_with(shop: &Shop, node: &mut Node) -> Result<(), u16> {
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = node.session();
    node.sync_all(&mut session, &mut pipe, None).await
}

#[tokio::test]
async fn e6_a_forged_identity_another_site_and_nonsense_are_refused_by_name_and_change_nothing() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    let before = shop.site.heads().borrow().clone();
    let key = std::mem::replace(&mut shop.node.key, SigningKey::from_bytes(&[9; 32]));
    let mut node = std::mem::replace(&mut shop.node, Node::new("node"));
    assert_eq!(
        ends_with(&shop, &mut node).await,
        Err(Violation::BadSignature.code()),
        "the origin's name, another key"
    );
    node.key = key;
    node.site = SiteId::derived(&["elsewhere"]);
    assert_eq!(ends_with(&shop, &mut node).await, Err(Violation::OtherSite.code()));
    let (mut pipe, _serving) = shop.dial().await;
    pipe.to.send(Message::Frame(vec![1; 300])).await.unwrap();
    let Some(Message::Close(code, _)) = pipe.from.recv().await else { panic!("not closed") };
    assert_eq!(code, Violation::Malformed.code());
    assert_eq!(*shop.site.heads().borrow(), before);
    assert!(!shop.site.link.first_time("bad_signature"), "told");
    // The true node is served as if nothing had been.
    let mut node = std::mem::replace(&mut shop.node, Node::new("node"));
    assert_eq!(ends_with(&shop, &mut node).await, Ok(()));
}

#[tokio::test]
async fn e6_replayed_frames_are_applied_once() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    shop.node.write(&[placed("one", None)]);
    let (entries, seal) = shop.node.batch(1);
    for new in [2, 0, 0] {
        assert_eq!(shop.site.apply(first_session(0), entries.clone(), seal.clone()).await.unwrap().whole(), Ok(new));
    }
    let live = shop.site.read(|replica, _| replica.live_count()).await.unwrap();
    assert_eq!(live, 1);
}

#[tokio::test]
async fn e5_a_relay_whose_disk_went_back_is_noticed_and_closes_the_site() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    place(&shop, "gone").await;
    let relay = shop.site.facts.identity.origin;
    let log = shop.site.store(shop.sites.database());
    let entries = log.log_page(&relay, 1, 10, usize::MAX).await.unwrap();
    let head = entries.last().unwrap().head;
    let seal = pilotlight_sync::store::Seal {
        origin: relay,
        seq: head.seq,
        signature: shop.site.facts.identity.sign(&head.hash),
    };
    shop.node.replica.apply(crate::sites::testing::NOW, &entries, &seal, &shop.node.disk).whole().unwrap();
    let database = shop.database.open().await;
    go_back(&database, &relay).await;
    let (sites, site) = shop.again(Arc::new(NoReactions)).await;
    shop.sites = sites;
    shop.site = site;
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    let forked = shop.node.sync(
        &mut session,
        &mut pipe,
        |_, event| matches!(event, Event::Forked(fork) if fork.origin == relay),
    );
    forked.await.unwrap();
    assert!(matches!(shop.site.link.now(), Link::RelayWentBack { .. }) && !shop.sites.is_open(&shop.site));
}

#[tokio::test]
async fn e5_a_wish_for_stock_goes_to_the_node() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    let want = Want { ingredient: IngredientId::derived(&["dough"]), amount: 7 };
    shop.site.want(vec![want]);
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    let heard = shop.node.sync(&mut session, &mut pipe, |_, event| *event == Event::Wanted(vec![want]));
    heard.await.unwrap();
}

#[tokio::test]
async fn e3_an_evening_that_was_offline_is_taken_in_within_seconds() {
    const ORDERS: usize = 10_000;
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    for n in 0..ORDERS {
        let id = OrderId::derived(&[&n.to_string()]);
        let ticket = || TicketKey { station: StationId::parse("oven").unwrap(), course: 0 };
        let phase = |phase| Change::Order(id, OrderFact::Phase { ticket: ticket(), epoch: 0, phase });
        shop.node.write(&[placed(&n.to_string(), None), sent(n)]);
        shop.node.write(&[phase(TicketPhase::Started)]);
        shop.node.write(&[phase(TicketPhase::Ready)]);
        shop.node.write(&[phase(TicketPhase::HandedOver)]);
    }
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    let watch = Stopwatch::start();
    shop.node.sync_all(&mut session, &mut pipe, None).await.unwrap();
    let took = watch.elapsed();
    assert_eq!(shop.site.heads().borrow()[&shop.node.origin()].seq as usize, 1 + 4 * ORDERS);
    let done = shop.site.order(shop.sites.database(), OrderId::derived(&["4711"])).await.unwrap().unwrap();
    assert_eq!(done.view.status, Status::Completed);
    assert!(took.as_secs() < 60, "{took:?}");
}

fn sent(n: usize) -> Change {
    let counter = u32::try_from(n).unwrap() + 1;
    let fact = OrderFact::Sent { day: DayNumber(1), letter: "A".into(), counter };
    Change::Order(OrderId::derived(&[&n.to_string()]), fact)
}

#[tokio::test]
async fn e10_many_nodes_that_dial_at_once_are_all_taken_in_and_keep_to_their_own_sites() {
    const SITES: usize = 100;
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let mut nodes = Vec::with_capacity(SITES);
    for n in 0..SITES {
        let mut node = Node::new(&format!("node {n}"));
        node.site = SiteId::derived(&[&n.to_string()]);
        for order in 0..=n {
            node.write(&[placed(&format!("{n} {order}"), None)]);
        }
        nodes.push((enrol(&shop.sites, &mut node).await, node));
    }
    let syncing = nodes.iter_mut().map(|(token, node)| {
        let sites = shop.sites.clone();
        async move {
            let (mut pipe, _serving) = dial(&sites, token).await;
            let mut session = node.session();
            node.sync_all(&mut session, &mut pipe, None).await
        }
    });
    let synced = futures_util::future::join_all(syncing).await;
    assert!(synced.iter().all(Result::is_ok), "{synced:?}");
    for (n, (_, node)) in nodes.iter().enumerate() {
        let site = shop.sites.get(&node.site).unwrap();
        let (_, orders) = shop.sites.digest(&site).await.unwrap();
        assert_eq!(orders as usize, n + 1, "its own orders and no other's");
    }
}

#[tokio::test]
async fn e10_y8_a_relay_that_takes_too_many_in_at_once_asks_to_be_dialled_again_and_then_takes_the_node_in() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    shop.node.write(&[placed("one", None)]);
    let others = shop.sites.beginning.acquire_many(u32::try_from(BEGINNING_MAX).unwrap()).await.unwrap();
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    let Some(Message::Frame(away)) = pipe.from.recv().await else { panic!("nothing was said") };
    session.handle_frame(&away, NOW).unwrap();
    assert_eq!(session.poll_event(), Some(Event::RetryAfter(2_000)));
    assert_eq!(pipe.from.recv().await, Some(Message::Close(1013, "busy".to_owned())));
    drop(others);
    let (mut pipe, _serving) = shop.dial().await;
    let mut session = shop.node.session();
    shop.node.sync_all(&mut session, &mut pipe, None).await.unwrap();
    assert_eq!(shop.sites.digest(&shop.site).await.unwrap().1, 1);
}

/// All of them dial at the same time; answers with those that were sent away.
async fn wave(sites: &Arc<Sites>, waiting: Vec<(String, Node)>) -> Vec<(String, Node)> {
    let dialling = waiting.into_iter().map(|(token, mut node)| async move {
        let (mut pipe, serving) = dial(sites, &token).await;
        let mut session = node.session();
        match node.sync_all(&mut session, &mut pipe, None).await {
            Ok(()) => None,
            Err(code) => {
                assert_eq!(code, 1013, "busy, and nothing else");
                // Whoever is sent away has nothing at the relay any more: no task, no queue, no session.
                serving.await.unwrap();
                assert!(matches!(sites.get(&node.site).unwrap().link.now(), Link::Never));
                Some((token, node))
            }
        }
    });
    futures_util::future::join_all(dialling).await.into_iter().flatten().collect()
}

#[tokio::test]
async fn e10_a_thousand_nodes_that_return_at_once_are_taken_in_by_waves_until_all_are_served() {
    const NODES: usize = 1_000;
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let mut waiting = Vec::with_capacity(NODES);
    for n in 0..NODES {
        let mut node = Node::new(&format!("node {n}"));
        node.site = SiteId::derived(&[&n.to_string()]);
        node.write(&[placed(&n.to_string(), None)]);
        waiting.push((enrol(&shop.sites, &mut node).await, node));
    }
    let full = shop.sites.beginning.acquire_many(u32::try_from(BEGINNING_MAX).unwrap()).await.unwrap();
    waiting = wave(&shop.sites, waiting).await;
    assert_eq!(waiting.len(), NODES, "as long as as many begin as may, everybody else is sent away");
    drop(full);
    let mut waves = 0;
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting = wave(&shop.sites, waiting).await;
        waves += 1;
        // Whoever is sent away is sent away because so many are being taken in.
        assert!(before - waiting.len() >= before.min(BEGINNING_MAX), "wave {waves} of {before} left {}", waiting.len());
    }
    assert!(waves <= NODES.div_ceil(BEGINNING_MAX), "{waves} waves");
    assert_eq!(shop.sites.beginning.available_permits(), BEGINNING_MAX);
    for site in shop.sites.all().into_iter().filter(|site| site.facts.id != shop.node.site) {
        assert_eq!(shop.sites.digest(&site).await.unwrap().1, 1, "everybody was served");
    }
}

#[tokio::test]
async fn e6_a_batch_with_any_byte_changed_is_refused_by_name_and_changes_nothing() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    shop.node.write(&[placed("one", None)]);
    let before = shop.site.heads().borrow().clone();
    let mut words = BTreeSet::new();
    for part in 0..40 {
        let (mut pipe, _serving) = shop.dial().await;
        let mut session = shop.node.session();
        let asked = shop.node.sync(&mut session, &mut pipe, |_, event| matches!(event, Event::NeedLog { .. }));
        asked.await.unwrap();
        // Acknowledgement and credit go first; the batch is by far the longest.
        let mut frames = Vec::new();
        while let Some(frame) = session.poll_frame().unwrap() {
            frames.push(frame);
        }
        let mut batch = frames.into_iter().max_by_key(Vec::len).unwrap();
        let at = part * (batch.len() - 1) / 39;
        batch[at] ^= 0x55;
        pipe.to.send(Message::Frame(batch)).await.unwrap();
        let code = loop {
            match pipe.from.recv().await {
                Some(Message::Close(code, _)) => break code,
                Some(Message::Frame(_) | Message::Other) => {}
                None => panic!("closed without a word after byte {at}"),
            }
        };
        let violation = Violation::from_code(code);
        assert!(violation.is_some(), "byte {at}: {code}");
        words.extend(violation.map(Violation::word));
    }
    assert!(words.len() >= 3, "several kinds of lies were told: {words:?}");
    assert_eq!(*shop.site.heads().borrow(), before);
}
