//! What is nearly caught up does not wait behind what is far behind, and does not starve it.

use super::pipe::{End, Replica, connect, settle};
use super::{NOW, assert_same};
use crate::domain::id::OriginId;
use crate::limits::{LIVE_BATCHES_MAX, WINDOW_BYTES_MAX};
use crate::protocol::Side;
use crate::protocol::codec;
use crate::protocol::wire_v1::Frame;

/// A node that has the long log of another origin, and a relay that has nothing, with wide windows; both have greeted.
fn behind(commits: usize) -> (End, End, OriginId) {
    let (mut old, mut node) = (Replica::new("old"), Replica::new("node"));
    node.learn(&old);
    old.learn(&node);
    old.write(commits, 900);
    let (mut a, mut b) = connect(node, old.clone());
    settle(&mut a, &mut b);
    let (mut node, mut relay) = (a.replica, Replica::new("relay"));
    relay.learn(&node);
    node.learn(&relay);
    let window = WINDOW_BYTES_MAX as u64;
    let mut node = End::with_window(node, Side::Dialer, window);
    let mut relay = End::with_window(relay, Side::Listener { epoch: 7 }, window);
    for frame in node.frames(NOW) {
        relay.session.handle_frame(&frame, NOW).unwrap();
        relay.events(NOW);
    }
    for frame in relay.frames(NOW) {
        node.session.handle_frame(&frame, NOW).unwrap();
    }
    (node, relay, old.own)
}

fn origin_of(frame: &[u8]) -> Option<OriginId> {
    if let Ok(Frame::Batch(batch)) = codec::decode(frame, false) { Some(batch.origin) } else { None }
}

#[test]
fn y6_four_live_batches_go_to_one_of_a_long_log() {
    let (mut node, mut relay, old) = behind(4_000);
    let mut sent = Vec::new();
    // Each time the socket can take a frame somebody has just placed an order.
    for _ in 0..1_000 {
        if relay.replica.heads().get(&old).is_some_and(|head| head.seq >= 3_600) {
            break;
        }
        node.write(1, 100);
        node.events(NOW);
        let Some(frame) = node.session.poll_frame().unwrap() else { continue };
        sent.extend(origin_of(&frame));
        relay.session.handle_frame(&frame, NOW).unwrap();
        for answer in relay.frames(NOW) {
            node.session.handle_frame(&answer, NOW).unwrap();
        }
    }
    let runs: Vec<(bool, usize)> =
        sent.chunk_by(|one, next| one == next).map(|run| (run[0] == old, run.len())).collect();
    assert!(runs.len() > 20, "{runs:?}");
    for (filling, length) in &runs[..runs.len() - 1] {
        assert_eq!(*length, if *filling { 1 } else { LIVE_BATCHES_MAX }, "{runs:?}");
    }
    settle(&mut node, &mut relay);
    assert_same(&node.replica, &relay.replica);
}

#[test]
fn y6_a_window_full_of_a_long_log_has_room_for_an_order() {
    let (mut node, mut relay, old) = behind(8_000);
    relay.slow_disk = true;
    settle(&mut node, &mut relay);
    let waiting = relay.pending();
    assert!((3_000..5_000).contains(&waiting), "{waiting} of 8000 fill the window but for a batch");
    assert!(!relay.replica.heads().contains_key(&old));
    node.write(1, 100);
    settle(&mut node, &mut relay);
    assert_eq!(relay.pending(), waiting + 1, "the order came, and nothing else");
    relay.slow_disk = false;
    relay.flush();
    settle(&mut node, &mut relay);
    assert_same(&node.replica, &relay.replica);
}
