//! Two sessions on an in-memory pipe, and what hostile peers try.

mod golden;
mod hostile;
mod lanes;
mod pipe;
mod schedule;
mod traffic;

use super::*;
use crate::crdt::chain::Head;
use crate::doc::origin::OriginRole;
use crate::domain::id::{IngredientId, OriginId, SiteId};
use crate::domain::timestamp::Timestamp;
use crate::limits::{BATCH_BYTES_MAX, BATCH_COMMITS_MAX, WINDOW_BYTES_MIN};
use crate::protocol::codec;
use crate::protocol::wire_v1::Frame;
use crate::store::Seal;
use ed25519_dalek::Signer;
use pipe::{End, Replica, connect, settle};

const NOW: Timestamp = Timestamp(1_795_284_000_000);

fn node_and_relay() -> (Replica, Replica) {
    let (mut node, mut relay) = (Replica::new("node"), Replica::new("relay"));
    node.learn(&relay);
    relay.learn(&node);
    (node, relay)
}

#[track_caller]
fn assert_same(a: &Replica, b: &Replica) {
    assert_eq!(a.heads(), b.heads());
    assert_eq!(a.logs, b.logs);
}

#[test]
fn y1_both_sides_learn_who_the_other_is() {
    let (node, relay) = node_and_relay();
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    let (by_node, by_relay) = (a.opened.clone().unwrap(), b.opened.clone().unwrap());
    assert_eq!((by_node.role, by_node.own, by_node.epoch), (OriginRole::Relay, b.replica.own, 7));
    assert_eq!((by_relay.role, by_relay.own, by_relay.epoch), (OriginRole::Node, a.replica.own, 7));
    assert_eq!(by_relay.time, NOW);
}

#[test]
fn y1_another_version_or_site_is_refused_by_name() {
    for (version, listener, dialer) in
        [(0, Violation::NodeTooOld, Violation::RelayTooOld), (2, Violation::RelayTooOld, Violation::NodeTooOld)]
    {
        let (node, relay) = node_and_relay();
        let (mut a, mut b) = connect(node, relay);
        let mut hello = a.session.poll_frame().unwrap().unwrap();
        hello[0] = version;
        assert_eq!(b.session.handle_frame(&hello, NOW), Err(listener));
        assert_eq!(a.session.handle_frame(&hello, NOW), Err(dialer));
        assert_eq!(b.session.handle_frame(&hello, NOW), Ok(()), "a session that is over takes no notice");
        assert_eq!(b.session.poll_frame(), Ok(None));
    }
    let (mut node, relay) = node_and_relay();
    node.site = SiteId::derived(&["elsewhere"]);
    let (mut a, mut b) = connect(node, relay);
    let hello = a.session.poll_frame().unwrap().unwrap();
    assert_eq!(b.session.handle_frame(&hello, NOW), Err(Violation::OtherSite));
}

#[test]
fn y1_codes_and_words_are_pinned_and_read_back() {
    for violation in Violation::ALL {
        assert_eq!(Violation::from_code(violation.code()), Some(*violation));
    }
    assert_eq!(Violation::NodeTooOld.code(), 4001);
    assert_eq!(Violation::NodeTooOld.to_string(), "node_too_old");
    assert_eq!(Violation::from_code(1000), None);
}

#[test]
fn y3_logs_catch_up_both_ways_and_then_follow() {
    let (mut node, mut relay) = node_and_relay();
    node.write(1_000, 300);
    relay.write(70, 5_000);
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    a.write(3, 100);
    b.write(2, 100);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    assert_eq!(a.acked.get(&a.replica.own), Some(&1_003));
    assert_eq!(b.acked.get(&b.replica.own), Some(&72));
}

#[test]
fn y3_a_third_origin_is_passed_on_with_the_seals_it_came_with() {
    let (mut old, mut node) = (Replica::new("old"), Replica::new("node"));
    node.learn(&old);
    old.learn(&node);
    old.write(700, 900);
    let (mut a, mut b) = connect(node, old);
    settle(&mut a, &mut b);
    let (mut node, mut relay) = (a.replica, Replica::new("relay"));
    node.write(10, 100);
    relay.learn(&node);
    relay.learn(&b.replica);
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    assert_eq!(b.replica.heads().get(&Replica::new("old").own).map(|head| head.seq), Some(700));
}

#[test]
fn y3_what_is_not_signed_to_its_end_is_sent_when_it_is_and_the_other_logs_do_not_wait_for_it() {
    let (mut old, mut node) = (Replica::new("old"), Replica::new("node"));
    node.learn(&old);
    old.learn(&node);
    old.write(5, 100);
    let (mut a, mut b) = connect(node, old);
    settle(&mut a, &mut b);
    b.write(2, 100);
    settle(&mut a, &mut b);
    let (mut node, mut relay) = (a.replica, Replica::new("relay"));
    relay.learn(&node);
    relay.learn(&b.replica);
    node.write(3, 100);
    let of = b.replica.own;
    // The end of the old one's log was cut off, and its signature with it.
    let cut = node.seals.remove(&(of, 7)).unwrap();
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    let there = |b: &End, origin: &OriginId| b.replica.heads().get(origin).map_or(0, |head| head.seq);
    assert_eq!((there(&b, &of), there(&b, &a.replica.own)), (5, 3), "up to where it is signed, and all of the other");
    let (mut node, relay) = (a.replica, b.replica);
    node.seals.insert((of, 7), cut);
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    assert_eq!(there(&b, &of), 7);
}

#[test]
fn y3_a_seal_that_comes_while_a_page_without_one_is_read_is_not_waited_for_again() {
    let (mut old, mut node) = (Replica::new("old"), Replica::new("node"));
    node.learn(&old);
    old.learn(&node);
    old.write(5, 100);
    let (mut a, mut b) = connect(node, old);
    settle(&mut a, &mut b);
    b.write(2, 100);
    settle(&mut a, &mut b);
    let (mut node, mut old, mut relay) = (a.replica, b.replica, Replica::new("relay"));
    relay.learn(&node);
    relay.learn(&old);
    let of = old.own;
    node.seals.remove(&(of, 7)).unwrap();
    old.write(1, 100);
    let eighth = old.logs[&of][7].clone();
    let signature = old.key.sign(&eighth.head.hash.0).to_bytes();
    let (mut a, mut b) = connect(node, relay);
    a.comes_while_read = Some((6, eighth, Seal { origin: of, seq: 8, signature }));
    settle(&mut a, &mut b);
    assert_eq!(a.comes_while_read, None);
    assert_eq!(b.replica.heads().get(&of).map(|head| head.seq), Some(8));
}

#[test]
fn y3_commits_of_the_largest_size_go_through() {
    let (mut node, relay) = node_and_relay();
    node.write(12, crate::limits::COMMIT_BYTES_MAX - 200);
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    assert!(b.applied.iter().all(|batch| *batch == 1));
}

#[test]
fn y3_a_batch_keeps_to_both_limits() {
    let (mut node, relay) = node_and_relay();
    node.write(600, 20);
    node.write(600, 2_000);
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    assert_eq!(b.applied.iter().max(), Some(&BATCH_COMMITS_MAX));
    assert!(b.applied.iter().skip(4).all(|commits| commits * 2_000 <= BATCH_BYTES_MAX));
}

#[test]
fn y2_two_stores_under_one_identity_are_found_by_whichever_has_more() {
    for (first, second) in [(5, 9), (9, 5), (7, 7)] {
        let (mut node, mut relay) = node_and_relay();
        let mut twin = Replica::new("twin");
        twin.learn(&relay);
        relay.learn(&twin);
        node.learn(&twin);
        let mut other = twin.clone();
        // One commit in common, then each its own: two boxes with one identity.
        twin.write(1, 50);
        other.write(1, 50);
        twin.write(first, 50);
        other.write(second, 60);
        (node.logs, relay.logs) = (twin.logs.clone(), other.logs.clone());
        (node.seals, relay.seals) = (twin.seals.clone(), other.seals.clone());
        node.write(4, 10);
        let (mut a, mut b) = connect(node, relay);
        settle(&mut a, &mut b);
        let fork = Fork { origin: twin.own, kind: ForkKind::Diverged, seq: first.min(second) as u64 + 1 };
        assert_eq!((a.forks.as_slice(), b.forks.as_slice()), (&[fork][..], &[fork][..]));
        assert_eq!(b.replica.heads()[&a.replica.own].seq, 4, "the other origins go on");
        assert_eq!(b.replica.heads()[&twin.own].seq, second as u64 + 1, "and nothing was mixed");
    }
}

#[test]
fn y2_a_replica_whose_disk_went_back_is_told_whichever_side_it_is() {
    for kept in [0, 4] {
        let (mut node, relay) = node_and_relay();
        node.write(4, 50);
        let (mut before, before_heads) = (node.clone(), node.heads());
        if kept == 0 {
            before.logs.clear();
        }
        node.write(6, 50);
        let (mut a, mut b) = connect(node, relay);
        settle(&mut a, &mut b);
        let fork = Fork { origin: before.own, kind: ForkKind::RolledBack, seq: kept };
        let relay = b.replica.clone();
        let (mut a, mut b) = connect(before.clone(), relay.clone());
        settle(&mut a, &mut b);
        assert_eq!((a.forks.as_slice(), b.forks.as_slice()), (&[fork][..], &[fork][..]));
        assert_eq!(before_heads.get(&before.own).map(|head| head.seq), Some(4));
        let (mut a, mut b) = connect(relay, before);
        settle(&mut a, &mut b);
        assert_eq!((a.forks.as_slice(), b.forks.as_slice()), (&[fork][..], &[fork][..]));
    }
}

#[test]
fn y2_what_the_relay_wrote_while_it_greeted_and_a_sibling_brought_sooner_is_no_fork() {
    let (node, mut relay) = node_and_relay();
    relay.write(3, 50);
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    let (mut a, mut b) = connect(a.replica, b.replica);
    // The relay has heard the greeting and says where its logs end; then it writes on, and the node has that by another node at once.
    for frame in a.frames(NOW) {
        b.session.handle_frame(&frame, NOW).unwrap();
        b.events(NOW);
    }
    let welcome = b.frames(NOW);
    b.write(2, 50);
    let own = b.replica.own;
    a.replica.logs.insert(own, b.replica.logs[&own].clone());
    a.session.handle_durable(own, b.replica.head());
    for frame in welcome {
        a.session.handle_frame(&frame, NOW).unwrap();
        a.events(NOW);
    }
    settle(&mut a, &mut b);
    assert_eq!((a.forks.as_slice(), b.forks.as_slice()), (&[][..], &[][..]));
    a.write(1, 50);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
}

#[test]
fn y2_what_a_node_wrote_after_it_had_greeted_and_a_sibling_brought_sooner_is_no_fork() {
    for (before, after) in [(3, 2), (0, 2)] {
        let (mut node, relay) = node_and_relay();
        node.write(before, 50);
        let (mut a, mut b) = connect(node, relay);
        settle(&mut a, &mut b);
        let (mut a, mut b) = connect(a.replica, b.replica);
        // It says where its logs end; then it writes on, and the relay has that by another node before it hears the greeting.
        let hello = a.frames(NOW);
        a.write(after, 50);
        let own = a.replica.own;
        b.replica.logs.insert(own, a.replica.logs[&own].clone());
        b.session.handle_durable(own, a.replica.head());
        for frame in hello {
            b.session.handle_frame(&frame, NOW).unwrap();
            b.events(NOW);
        }
        settle(&mut a, &mut b);
        assert_eq!((a.forks.as_slice(), b.forks.as_slice()), (&[][..], &[][..]));
        a.write(1, 50);
        settle(&mut a, &mut b);
        assert_same(&a.replica, &b.replica);
    }
}

#[test]
fn y12_what_comes_from_the_peer_while_it_is_searched_the_peer_has() {
    let (mut node, mut relay) = node_and_relay();
    let mut twin = node.clone();
    node.write(30, 50);
    twin.write(40, 60);
    relay.logs.extend(twin.logs.clone());
    relay.seals.extend(twin.seals.clone());
    relay.write(3, 10);
    let third = relay.own;
    let (mut a, mut b) = connect(node, relay);
    for frame in a.frames(NOW) {
        b.session.handle_frame(&frame, NOW).unwrap();
    }
    for frame in b.frames(NOW) {
        a.session.handle_frame(&frame, NOW).unwrap();
    }
    a.events(NOW);
    assert!(a.opened.is_some() && a.parted.is_empty(), "both have greeted, and it is searched");
    b.write(2, 10);
    settle(&mut a, &mut b);
    assert_eq!(a.parted.first().unwrap().shared, [(third, 5)].into());
}

#[test]
fn y12_where_logs_part_is_found_by_the_one_that_dials_in_a_few_questions() {
    for (common, here, there) in [(1, 5, 9), (37, 60, 20), (99, 1, 1), (0, 3, 4), (40, 0, 7), (64, 900, 900)] {
        let (mut node, mut relay) = node_and_relay();
        let mut twin = node.clone();
        node.write(common, 50);
        twin.write(common, 50);
        node.write(here, 50);
        twin.write(there, 60);
        relay.logs.extend(twin.logs.clone());
        relay.seals.extend(twin.seals.clone());
        relay.write(3, 10);
        let (own, third) = (node.own, relay.own);
        let (mut a, mut b) = connect(node, relay);
        settle(&mut a, &mut b);
        let found = a.parted.first().unwrap();
        assert_eq!(found.cuts, [(own, common as u64)].into(), "{common} {here} {there}");
        assert_eq!(found.shared, [(third, 3)].into(), "and what both have of the others");
        assert_eq!((a.parted.len(), b.parted.len()), (1, 0), "the relay looks for nothing");
        assert_eq!(a.replica.heads()[&third].seq, 3, "the other origins go on");
    }
}

#[test]
fn y12_hashes_are_looked_up_only_of_logs_that_differ_and_only_for_who_can_use_them() {
    let (mut node, relay) = node_and_relay();
    node.write(4, 50);
    let own = node.own;
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    let look = codec::encode(&Frame::Look(own, 2));
    assert_eq!(b.session.handle_frame(&look, NOW), Err(Violation::OutOfTurn));
    let looked = codec::encode(&Frame::Looked(own, 2, None));
    assert_eq!(a.session.handle_frame(&looked, NOW), Err(Violation::OutOfTurn));
}

#[test]
fn y5_nothing_is_acknowledged_before_it_is_durable() {
    let (mut node, relay) = node_and_relay();
    node.write(300, 100);
    let (mut a, mut b) = connect(node, relay);
    b.slow_disk = true;
    settle(&mut a, &mut b);
    assert_eq!(b.pending(), 300);
    assert_eq!(a.acked.get(&a.replica.own), None);
    b.flush();
    settle(&mut a, &mut b);
    assert_eq!(a.acked.get(&a.replica.own), Some(&300));
}

#[test]
fn y10_what_the_peer_had_before_counts_as_soon_as_it_is_compared() {
    let (mut node, relay) = node_and_relay();
    node.write(40, 100);
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    let (mut node, relay) = (a.replica, b.replica);
    node.write(5, 100);
    for node_dials in [true, false] {
        let (mut a, mut b) =
            if node_dials { connect(node.clone(), relay.clone()) } else { connect(relay.clone(), node.clone()) };
        (a.slow_disk, b.slow_disk) = (true, true);
        settle(&mut a, &mut b);
        let node = if node_dials { &a } else { &b };
        assert_eq!(node.acked.get(&node.replica.own), Some(&40), "and the five that are not on its disk do not");
    }
}

#[test]
fn y6_what_is_on_the_way_stays_within_the_window_and_a_cut_costs_no_more() {
    let (mut node, relay) = node_and_relay();
    node.write(4_000, 1_000);
    let (mut a, mut b) = connect(node, relay);
    b.slow_disk = true;
    settle(&mut a, &mut b);
    let pending = b.pending();
    assert!(b.session.waiting_bytes() <= WINDOW_BYTES_MIN as u64);
    assert!((300..600).contains(&pending), "{pending} commits of a thousand bytes are about half a megabyte");
    // The cable is pulled: what was not durable is sent again, nothing else.
    b.forget_pending();
    let (mut a, mut b) = connect(a.replica, b.replica);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    assert_eq!(b.applied.iter().sum::<usize>(), 4_000);
}

#[test]
fn y6_a_cut_anywhere_loses_nothing_and_doubles_nothing() {
    for cut in 1..60 {
        let (mut node, mut relay) = node_and_relay();
        node.write(900, 400);
        relay.write(500, 700);
        let (mut a, mut b) = connect(node, relay);
        pipe::settle_until(&mut a, &mut b, cut);
        a.forget_pending();
        b.forget_pending();
        let had = (b.replica.heads().get(&a.replica.own).map_or(0, |head| head.seq)) as usize;
        let (mut a, mut b) = connect(a.replica, b.replica);
        settle(&mut a, &mut b);
        assert_same(&a.replica, &b.replica);
        assert_eq!(b.applied.iter().sum::<usize>(), 900 - had, "only what was missing was sent again");
    }
}

#[test]
fn y7_after_a_gap_the_peer_is_asked_once_and_goes_back() {
    let (mut node, relay) = node_and_relay();
    node.write(1_500, 600);
    let (mut a, mut b) = connect(node, relay);
    a.lose_batch = Some(1);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    assert_eq!(b.sent_kinds.iter().filter(|kind| **kind == 8).count(), 1);
    assert_eq!(b.applied.iter().sum::<usize>(), 1_500);
}

#[test]
fn y7_what_the_store_did_not_take_is_asked_for_again() {
    let (mut node, relay) = node_and_relay();
    node.write(700, 600);
    let (mut a, mut b) = connect(node, relay);
    b.slow_disk = true;
    settle(&mut a, &mut b);
    assert!(b.pending() > 0);
    b.forget_pending();
    b.slow_disk = false;
    let own = a.replica.own;
    b.session.handle_dropped(own, Head::start(&own));
    settle(&mut a, &mut b);
    assert_eq!(b.replica.heads().get(&own), None, "asking at once would only bring the same again");
    b.write(1, 10);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
}

#[test]
fn n3_y7_of_a_batch_that_waits_in_the_middle_what_came_before_is_acknowledged_and_the_rest_asked_for_later() {
    let (mut node, relay) = node_and_relay();
    node.write(700, 600);
    let (mut a, mut b) = connect(node, relay);
    b.slow_disk = true;
    settle(&mut a, &mut b);
    b.forget_pending();
    b.slow_disk = false;
    let own = a.replica.own;
    let taken = a.replica.logs[&own][..100].to_vec();
    let head = taken[99].head;
    b.replica.logs.insert(own, taken);
    b.session.handle_dropped(own, head);
    b.session.handle_durable(own, head);
    settle(&mut a, &mut b);
    assert_eq!(
        (a.acked.get(&own), b.replica.heads()[&own]),
        (Some(&100), head),
        "asking at once would bring the same again"
    );
    b.write(1, 10);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
}

#[test]
fn y7_of_what_the_store_did_not_take_the_rest_is_asked_for_when_another_has_brought_some_of_it() {
    let (mut node, relay) = node_and_relay();
    node.write(100, 600);
    let (mut a, mut b) = connect(node, relay);
    b.slow_disk = true;
    settle(&mut a, &mut b);
    b.forget_pending();
    b.slow_disk = false;
    let own = a.replica.own;
    b.session.handle_dropped(own, Head::start(&own));
    let brought = a.replica.logs[&own][..40].to_vec();
    let head = brought[39].head;
    b.replica.logs.insert(own, brought);
    b.session.handle_durable(own, head);
    settle(&mut a, &mut b);
    assert_eq!(b.replica.heads()[&own], head, "it may wait still");
    b.write(1, 10);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
}

#[test]
fn y7_a_batch_twice_is_taken_once() {
    let (mut node, relay) = node_and_relay();
    node.write(900, 200);
    let (mut a, mut b) = connect(node, relay);
    a.double_batches = true;
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    assert_eq!(b.applied.iter().sum::<usize>(), 900);
}

#[test]
fn y8_a_peer_is_asked_for_a_sign_of_life_and_given_up_without() {
    let (node, relay) = node_and_relay();
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    let later = NOW.plus_ms(10_000);
    assert_eq!(a.session.poll_timeout(), Some((later, TimeoutReason::Ping)));
    assert_eq!(a.session.handle_timeout(NOW.plus_ms(9_999)), Ok(()));
    assert_eq!(a.session.poll_frame(), Ok(None));
    assert_eq!(a.session.handle_timeout(later), Ok(()));
    pipe::settle_at(&mut a, &mut b, later.plus_ms(40));
    assert_eq!(a.session.round_trip_ms(), Some(40));
    let mut now = later;
    loop {
        let (at, reason) = a.session.poll_timeout().unwrap();
        assert!(at > now);
        now = at;
        if let Err(violation) = a.session.handle_timeout(now) {
            assert_eq!((violation, reason), (Violation::Silent, TimeoutReason::Dead));
            break;
        }
    }
    assert_eq!(now, later.plus_ms(25_040));
    assert_eq!(a.session.poll_timeout(), None);
}

#[test]
fn y8_a_stranger_that_says_nothing_is_given_up_and_a_clock_that_jumps_back_kills_nobody() {
    let (node, relay) = node_and_relay();
    let (_, mut b) = connect(node, relay);
    let back = Timestamp(NOW.0 - 1_000_000);
    assert_eq!(b.session.handle_timeout(back), Ok(()));
    let (at, reason) = b.session.poll_timeout().unwrap();
    assert_eq!((at, reason), (back.plus_ms(10_000), TimeoutReason::Greeting));
    assert_eq!(b.session.handle_timeout(at), Err(Violation::Silent));
}

#[test]
fn y9_wishes_and_open_orders_reach_the_other_driver() {
    let (node, relay) = node_and_relay();
    let (mut a, mut b) = connect(node, relay);
    let want = |amount| vec![Want { ingredient: IngredientId::derived(&["dough"]), amount }];
    b.session.want(want(4));
    b.session.want(want(5));
    a.session.send_open_set(vec![1, 2, 3]);
    settle(&mut a, &mut b);
    assert_eq!(a.wanted, [want(5)]);
    assert_eq!(b.open_sets, [vec![1, 2, 3]]);
    let large = End::new(Replica::new("x"), Side::Dialer);
    let mut session = large.session;
    session.send_open_set(vec![0; crate::limits::OPEN_BYTES_MAX + 1]);
    assert!(session.poll_frame().unwrap().is_some(), "the hello");
    assert_eq!(session.poll_frame(), Ok(None));
}
