//! Units of work: in sequence, all or nothing, with what follows from them, in this process or another.

use crate::sites::listing::After;
use crate::sites::site_handle::{NoReactions, React, SiteHandle};
use crate::sites::testing::{Shop, first_session, placed};
use crate::store::site_tx::{SiteTx, WorkError};
use crate::store::testing::{add_effect, count_effects, spoil_note};
use ed25519_dalek::Signer;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::replica::{LiveOrder, UNREAD_NOTE};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::CommercialPhase;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::store::{LogEntry, Seal, SiteStore};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

/// Confirms what is accepted, and writes a row for it: as ordering does.
#[derive(Debug)]
struct Confirm;

impl React for Confirm {
    fn react<'t>(
        &'t self,
        _site: &'t SiteHandle,
        tx: &'t mut SiteTx,
        changed: &'t BTreeSet<OrderId>,
    ) -> BoxFuture<'t, Result<(), WorkError<Infallible>>> {
        async move {
            for id in changed {
                let Some(order) = tx.order(id).await? else { continue };
                if order.view.status == Status::OrderPlaced && was(&order, &OrderFact::Accepted) {
                    if was(&order, &commercial(CommercialPhase::Confirmed)) {
                        continue;
                    }
                    tx.commit(Actor::System, &[Change::Order(*id, commercial(CommercialPhase::Confirmed))]).await?;
                    add_effect(tx.sql(), "confirm", id).await;
                }
            }
            Ok(())
        }
        .boxed()
    }
}

fn was(order: &LiveOrder, what: &OrderFact) -> bool {
    order.doc.in_order().iter().any(|fact| fact.what == *what)
}

fn commercial(phase: CommercialPhase) -> OrderFact {
    OrderFact::Commercial { phase }
}

async fn effects(shop: &Shop) -> i64 {
    count_effects(&shop.database.open().await).await
}

async fn place(site: &SiteHandle, shop: &Shop, id: &str) -> Result<usize, WorkError<&'static str>> {
    let (change, order) = (placed(id, Some(shop.node.origin())), OrderId::derived(&[id]));
    site.run(move |tx| {
        async move {
            if tx.order(&order).await?.is_some() {
                return Err(WorkError::Refused("placed before"));
            }
            add_effect(tx.sql(), "place", &order).await;
            let before = tx.replica().live_count();
            tx.commit(Actor::System, &[change, Change::Order(order, commercial(CommercialPhase::Placed))]).await?;
            Ok(before)
        }
        .boxed()
    })
    .await
}

#[tokio::test]
async fn e3_work_that_waits_is_done_in_sequence_and_each_sees_what_the_one_before_left() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let placing = (0..40).map(|n| {
        let (site, shop) = (&shop.site, &shop);
        async move { place(site, shop, &n.to_string()).await.unwrap() }
    });
    let seen = futures_util::future::join_all(placing).await;
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
    assert_eq!(effects(&shop).await, 40);
    assert!(matches!(place(&shop.site, &shop, "7").await, Err(WorkError::Refused("placed before"))));
    assert_eq!(effects(&shop).await, 40);
}

#[tokio::test]
async fn e3_what_refuses_leaves_nothing_and_does_not_spoil_its_group() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let refuse = shop.site.run(|tx| {
        async move {
            add_effect(tx.sql(), "place", &OrderId::derived(&["refused"])).await;
            Err::<(), _>(WorkError::Refused("no"))
        }
        .boxed()
    });
    let (placed, refused) = futures_util::future::join(place(&shop.site, &shop, "a"), refuse).await;
    assert!(placed.is_ok() && matches!(refused, Err(WorkError::Refused("no"))));
    assert_eq!(effects(&shop).await, 1);
}

#[tokio::test]
async fn e3_what_panics_or_refuses_too_late_is_unknown_and_the_site_goes_on() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    place(&shop.site, &shop, "a").await.unwrap();
    let late = placed("late", Some(shop.node.origin()));
    let late = shop.site.run(move |tx| {
        async move {
            tx.commit::<&str>(Actor::System, &[late]).await?;
            Err::<(), _>(WorkError::Refused("too late"))
        }
        .boxed()
    });
    assert!(matches!(late.await, Err(WorkError::Unknown)));
    let broken = shop.site.run(|_| async move { panic!("a bug in a plan") }.boxed());
    assert!(matches!(broken.await as Result<(), WorkError<Infallible>>, Err(WorkError::Unknown)));
    let broken = shop.site.read(|_, _| -> usize { panic!("a bug in a look") });
    assert!(matches!(broken.await, Err(WorkError::Unknown)));
    assert_eq!(place(&shop.site, &shop, "b").await.unwrap(), 1, "one order before it");
    let known = shop.site.read(|replica, _| replica.live_count()).await.unwrap();
    assert_eq!(known, 2);
}

#[tokio::test]
async fn e4_what_follows_from_a_commit_is_written_in_the_transaction_that_applies_it() {
    let mut shop = Shop::open(Arc::new(Confirm)).await;
    place(&shop.site, &shop, "cloud").await.unwrap();
    let id = OrderId::derived(&["cloud"]);
    let mut changes = shop.sites.changes();
    let relay = shop.site.facts.identity.origin;
    let before = shop.site.heads().borrow()[&relay].seq;
    shop.node.write(&[Change::Order(id, OrderFact::Accepted)]);
    let (entries, seal) = shop.node.batch(1);
    assert_eq!(shop.site.apply(first_session(0), entries.clone(), seal.clone()).await.unwrap().whole(), Ok(2));
    assert_eq!(shop.site.heads().borrow()[&relay].seq, before + 1, "one commit follows");
    let change = changes.recv().await.unwrap();
    assert_eq!(change.orders.len(), 1);
    assert_eq!(change.orders[0].1.view.status, Status::OrderConfirmed, "listeners hear of both at once");
    assert_eq!(effects(&shop).await, 2, "of placing and of confirming");
    assert_eq!(shop.site.apply(first_session(0), entries, seal).await.unwrap().whole(), Ok(0), "again");
    assert_eq!((shop.site.heads().borrow()[&relay].seq, effects(&shop).await), (before + 1, 2));
}

#[tokio::test]
async fn n2_n5_a_commit_that_is_not_understood_stops_no_site_and_what_follows_is_done_once_it_is() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    place(&shop.site, &shop, "cloud").await.unwrap();
    let (id, node) = (OrderId::derived(&["cloud"]), shop.node.origin());
    shop.node.write(&[Change::Order(id, OrderFact::Accepted)]);
    let mut entries = shop.node.batch(1).0;
    let bytes = b"no commit that this version knows".to_vec();
    entries.push(LogEntry { origin: node, head: entries[1].head.then(&bytes), bytes });
    let signature = shop.node.key.sign(&entries[2].head.hash.0).to_bytes();
    let seal = Seal { origin: node, seq: 3, signature };
    assert_eq!(shop.site.apply(first_session(0), entries.clone(), seal).await.unwrap().whole(), Ok(3));
    let unread = |site: SiteHandle| async move { site.read(|replica, _| replica.unread_commits()).await.unwrap() };
    assert_eq!(unread(shop.site.clone()).await, 1);
    let relay = shop.site.facts.identity.origin;
    let before = shop.site.heads().borrow()[&relay].seq;
    // The next version reads the acceptance as if the last one had not understood it.
    let database = shop.database.open().await;
    spoil_note(&database, UNREAD_NOTE).await;
    for _ in 0..2 {
        let (_sites, again) = shop.again(Arc::new(Confirm)).await;
        assert_eq!(unread(again.clone()).await, 1);
        assert_eq!(again.heads().borrow()[&relay].seq, before + 1, "the confirmation follows, once");
        let log = again.store(&database).log(&node, 1, 10).await.unwrap();
        assert_eq!(log, entries, "byte for byte");
    }
}

/// Panics over one order, and confirms the others.
#[derive(Debug)]
struct Stumble;

impl React for Stumble {
    fn react<'t>(
        &'t self,
        site: &'t SiteHandle,
        tx: &'t mut SiteTx,
        changed: &'t BTreeSet<OrderId>,
    ) -> BoxFuture<'t, Result<(), WorkError<Infallible>>> {
        assert!(!changed.contains(&OrderId::derived(&["13"])), "a bug");
        Confirm.react(site, tx, changed)
    }
}

#[tokio::test]
async fn e4_one_order_that_cannot_be_followed_does_not_stop_its_site() {
    let mut shop = Shop::open(Arc::new(NoReactions)).await;
    for id in ["12", "13", "14"] {
        place(&shop.site, &shop, id).await.unwrap();
        shop.node.write(&[Change::Order(OrderId::derived(&[id]), OrderFact::Accepted)]);
    }
    let (sites, site) = shop.again(Arc::new(Stumble)).await;
    let (entries, seal) = shop.node.batch(1);
    // The node comes again each time: all three together, the broken one alone, then without it.
    for _ in 0..2 {
        assert!(matches!(site.apply(first_session(0), entries.clone(), seal.clone()).await, Err(WorkError::Unknown)));
    }
    assert_eq!(site.apply(first_session(0), entries, seal).await.unwrap().whole(), Ok(4));
    let status = |id| site.order(sites.database(), OrderId::derived(&[id]));
    for (id, expected) in [("12", Status::OrderConfirmed), ("13", Status::OrderPlaced), ("14", Status::OrderConfirmed)]
    {
        assert_eq!(status(id).await.unwrap().unwrap().view.status, expected, "{id}");
    }
}

#[tokio::test]
async fn e2_two_processes_write_one_site_in_turn_and_neither_decides_on_an_old_state() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let (_sites, other) = shop.again(Arc::new(NoReactions)).await;
    for turn in 0..4 {
        let site = if turn % 2 == 0 { &shop.site } else { &other };
        assert_eq!(place(site, &shop, &turn.to_string()).await.unwrap(), turn);
    }
    assert!(matches!(place(&shop.site, &shop, "3").await, Err(WorkError::Refused(_))), "placed by the other");
    assert!(matches!(place(&other, &shop, "2").await, Err(WorkError::Refused(_))));
}

#[tokio::test]
async fn e8_a_relay_that_is_opened_again_has_the_same_logs_documents_and_state() {
    let mut shop = Shop::open(Arc::new(Confirm)).await;
    for n in 0..30 {
        place(&shop.site, &shop, &n.to_string()).await.unwrap();
        shop.node.write(&[Change::Order(OrderId::derived(&[&n.to_string()]), OrderFact::Accepted)]);
        shop.node.write(&[placed(&format!("own {n}"), None)]);
    }
    let (entries, seal) = shop.node.batch(1);
    shop.site.apply(first_session(0), entries, seal).await.unwrap().whole().unwrap();
    let (sites, again) = shop.again(Arc::new(Confirm)).await;
    let view = |site: SiteHandle| async move {
        let heads = site.heads().borrow().clone();
        let orders = site
            .read(|replica, _| replica.live_orders().map(|(id, order)| (*id, order.view.clone())).collect::<Vec<_>>());
        (heads, orders.await.unwrap())
    };
    let (before, after) = (view(shop.site.clone()).await, view(again.clone()).await);
    assert_eq!(before.1.len(), 60);
    assert_eq!(before, after);
    let (first, next) = sites.orders_after(&again, &After::start(), 59).await.unwrap();
    let (rest, end) = sites.orders_after(&again, &next.unwrap(), 59).await.unwrap();
    assert_eq!((first.len(), rest.len(), end), (59, 1, None));
    let store = again.store(sites.database());
    assert_eq!(store.heads().await.unwrap(), *before.0);
    let (log, _) = shop.node.batch(1);
    assert_eq!(store.log(&shop.node.origin(), 1, 1_000).await.unwrap(), log, "the node's log byte for byte");
}
