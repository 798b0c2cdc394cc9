//! The store thread over a real store: groups, failures, panics.

use super::*;
use crate::opening;
use crate::orders::place::{self, PlaceRefusal, Placed};
use crate::testing::{Shop, line, order};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Served {
    handle: StoreHandle,
    opened: Arc<AtomicUsize>,
    published: Arc<Mutex<Vec<bool>>>,
    _shop: Shop,
}

/// Serves a shop; the first store that is opened may be broken.
fn serve(broken_first: bool) -> Served {
    let mut shop = Shop::open();
    let mut first = shop.replica.take();
    if broken_first {
        first.as_mut().unwrap().break_sync();
    }
    let (paths, clock) = (shop.paths(), shop.clock.clone());
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let open = move || {
        count.fetch_add(1, Ordering::SeqCst);
        match first.take() {
            Some(replica) => Ok(replica),
            None => opening::open(&paths, &clock).map_err(|error| StoreError::Panicked(error.to_string())),
        }
    };
    let published = Arc::new(Mutex::new(Vec::new()));
    let heard = published.clone();
    let publish = move |_: &Replica, flushed: &Flushed| heard.lock().unwrap().push(flushed.whole);
    let handle = StoreHandle::start(open, publish, shop.clock.clone()).unwrap();
    Served { handle, opened, published, _shop: shop }
}

async fn place(handle: &StoreHandle, id: &'static str) -> Result<Placed, RunError<PlaceRefusal>> {
    let new = order(id, vec![line(id, "pizza", 1)]);
    handle.run(move |replica, now| place::plan(replica, now, Actor::System, new)).await
}

#[tokio::test]
async fn x5_a_failed_sync_is_unknown_the_store_is_opened_again_and_asking_again_answers() {
    let served = serve(true);
    assert!(matches!(place(&served.handle, "one").await, Err(RunError::Unknown)));
    assert!(matches!(place(&served.handle, "one").await, Ok(Placed::Now(_) | Placed::Before(_))));
    assert!(matches!(place(&served.handle, "one").await, Ok(Placed::Before(_))));
    assert_eq!(served.opened.load(Ordering::SeqCst), 2);
    assert!(!served.handle.health().is_closed());
}

#[tokio::test]
async fn x5_a_panicking_plan_leaves_nothing_and_does_not_stop_the_store() {
    let served = serve(false);
    place(&served.handle, "before").await.unwrap();
    let broken = served.handle.run(|_, _| -> Result<Plan<()>, PlanError<()>> { panic!("a defect in a plan") }).await;
    assert!(matches!(broken, Err(RunError::Unknown)));
    assert!(matches!(place(&served.handle, "before").await, Ok(Placed::Before(_))));
    assert!(matches!(place(&served.handle, "after").await, Ok(Placed::Now(_))));
}

#[tokio::test]
async fn x1_requests_of_one_group_are_carried_out_in_their_order_and_screens_hear_once() {
    let served = serve(false);
    let orders: Vec<&'static str> = vec!["a", "b", "c", "d", "e", "f"];
    let outcomes = futures_util::future::join_all(orders.iter().map(|id| place(&served.handle, id))).await;
    let sold: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(sold, [true, true, true, true, true, false], "five pizzas' dough, in the order of asking");
    let heard = served.published.lock().unwrap();
    assert_eq!(heard.first(), Some(&true), "the start tells everything");
    assert!(heard[1..].iter().all(|whole| !whole));
}

#[tokio::test]
async fn c3_what_does_not_fit_into_a_commit_is_refused_before_anything_is_staged() {
    let served = serve(false);
    let before = served.handle.read(|replica, _| Ok(replica.position())).await.unwrap();
    let big = pilotlight_sync::doc::change::RawChange { kind: 60_000, body: vec![0; OWN_COMMIT_BYTES_MAX].into() };
    let plan = move |_: &Replica, _| -> Result<Plan<()>, PlanError<()>> {
        let small = vec![Change::Fence(pilotlight_sync::domain::id::OriginId::derived(&["nobody"]))];
        Ok(Plan { more: vec![vec![Change::Unknown(big)]], ..Plan::new(Actor::System, small, |_| ()) })
    };
    assert!(matches!(served.handle.run(plan).await, Err(RunError::TooLarge(_))));
    assert_eq!(served.handle.read(|replica, _| Ok(replica.position())).await.unwrap(), before);
}

#[tokio::test]
async fn i8_a_running_store_whose_logs_part_goes_on_under_another_name_with_what_it_had() {
    let served = serve(false);
    let before = served.handle.read(|replica, _| Ok(replica.position())).await.unwrap();
    place(&served.handle, "mine").await.unwrap();
    let parted = Parted { cuts: [(before.origin, before.head.seq)].into(), ..Parted::default() };
    served.handle.part(parted).await.unwrap();
    assert!(matches!(place(&served.handle, "mine").await, Ok(Placed::Before(order)) if order.live.view.on_board()));
    let after = served.handle.read(|replica, _| Ok(replica.position())).await.unwrap();
    assert_ne!(after.origin, before.origin);
    assert_eq!(served.opened.load(Ordering::SeqCst), 2);
    assert_eq!(served.published.lock().unwrap().last(), Some(&true), "screens are told everything");
}

#[tokio::test]
async fn l5_a_store_takes_no_names_without_number() {
    let served = serve(false);
    let handle = served.handle.clone();
    let name = || handle.read(|replica, _| Ok(replica.position()));
    for ended in 0..=NAMES_ENDED_MAX {
        let now = name().await.unwrap();
        let parted = Parted { cuts: [(now.origin, now.head.seq)].into(), ..Parted::default() };
        assert_eq!(served.handle.part(parted).await.is_ok(), ended < NAMES_ENDED_MAX);
        assert_eq!(name().await.unwrap().origin != now.origin, ended < NAMES_ENDED_MAX);
    }
}
