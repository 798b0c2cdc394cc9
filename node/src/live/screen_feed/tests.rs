//! L1: a screen that comes back gets just what it missed, or everything; never half.

use super::*;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::domain::id::OriginId;

struct Words;

impl Render for Words {
    fn order(&self, id: &OrderId, _order: &LiveOrder) -> String {
        id.to_string()
    }
    fn delta(&self, position: &Position, _orders: &[Arc<str>], gone: &[OrderId]) -> String {
        format!("d{}-{}", position.head.seq, gone.len())
    }
    fn snapshot(&self, position: &Position, orders: &[Arc<str>], first: bool, last: bool) -> String {
        format!("s{}:{}:{first}:{last}", position.head.seq, orders.len())
    }
}

fn at(seq: u64) -> Position {
    let origin = OriginId::derived(&["feed"]);
    let head = (0..seq).fold(Head::start(&origin), |head, n| head.then(&n.to_be_bytes()));
    Position { origin, head }
}

fn group(seq: u64) -> Flushed {
    let gone = vec![OrderId::derived(&[&seq.to_string()])];
    Flushed { position: at(seq), orders: vec![], gone, menu: false, availability: false, people: false, whole: false }
}

fn texts(subscription: &Subscription) -> Vec<&str> {
    subscription.first.iter().map(AsRef::as_ref).collect()
}

#[test]
fn l1_a_known_position_is_resumed_and_any_other_gets_the_whole_board() {
    let feed = ScreenFeed::new(Box::new(Words));
    feed.reset(&group(1));
    for seq in 2..=4 {
        feed.publish(&group(seq));
    }
    for (seen, resumed, first) in [
        (Some(at(1)), true, vec!["d2-1", "d3-1", "d4-1"]),
        (Some(at(3)), true, vec!["d4-1"]),
        (Some(at(4)), true, vec![]),
        (None, false, vec!["s4:0:true:true"]),
        (Some(at(9)), false, vec!["s4:0:true:true"]),
        (Some(Position { origin: OriginId::derived(&["else"]), ..at(3) }), false, vec!["s4:0:true:true"]),
        (Some(Position { head: Head { hash: at(1).head.hash, seq: 3 }, ..at(3) }), false, vec!["s4:0:true:true"]),
    ] {
        let subscription = feed.subscribe(seen.as_ref());
        assert_eq!((subscription.resumed, texts(&subscription)), (resumed, first), "{seen:?}");
    }
}

#[test]
fn l2_the_ring_is_bounded_and_what_fell_out_of_it_is_not_resumed() {
    let feed = ScreenFeed::new(Box::new(Words));
    feed.reset(&group(1));
    let last = RING_FRAMES_MAX as u64 + 10;
    for seq in 2..=last {
        feed.publish(&group(seq));
    }
    assert_eq!(feed.lock().ring.len(), RING_FRAMES_MAX);
    assert!(!feed.subscribe(Some(&at(2))).resumed);
    assert!(feed.subscribe(Some(&at(last - 5))).resumed);
}

#[test]
fn l3_a_screen_that_falls_behind_is_told_so_and_holds_no_queue() {
    let feed = ScreenFeed::new(Box::new(Words));
    feed.reset(&group(1));
    let mut slow = feed.subscribe(None);
    for seq in 2..=(BEHIND_MAX as u64 * 3) {
        feed.publish(&group(seq));
    }
    assert!(matches!(slow.frames.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
    assert!(slow.frames.len() <= BEHIND_MAX);
}
