//! Peers that lie: about sizes, numbers, signatures, and everything else that they can say.

use super::pipe::{End, Replica, connect, settle};
use super::{NOW, node_and_relay};
use crate::crdt::chain::{ChainHash, Head};
use crate::crdt::hlc::Hlc;
use crate::doc::change::{Change, Commit};
use crate::doc::origin::{OriginCard, OriginRole};
use crate::domain::id::{IngredientId, OriginId};
use crate::domain::role::Actor;
use crate::limits::{BATCH_BYTES_MAX, CONTROL_BYTES_MAX, FRAME_BYTES_MAX, ORIGINS_MAX, WANTS_MAX, WINDOW_BYTES_MAX};
use crate::protocol::codec;
use crate::protocol::wire_v1::{Batch, Chain, Durable, Fork, ForkKind, Frame, List, Want};
use crate::protocol::{Event, Side, Violation};
use crate::store::LogEntry;
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

/// An open session of the relay's with a node that has `commits` to send, and the node's replica.
fn open_relay(commits: usize) -> (End, Replica) {
    let (mut node, relay) = node_and_relay();
    let (mut a, mut b) = connect(node.clone(), relay);
    settle(&mut a, &mut b);
    node.write(commits, 100);
    (b, node)
}

struct Parts {
    origin: OriginId,
    first: u64,
    commits: u32,
    plain_bytes: u32,
    crc: Option<u32>,
    body: Vec<u8>,
    end: ChainHash,
    signature: [u8; 64],
}

impl Parts {
    fn honest(key: &SigningKey, log: &[LogEntry]) -> Self {
        let packed = codec::pack(log).unwrap();
        let end = log.last().unwrap().head;
        Self {
            origin: log[0].origin,
            first: log[0].head.seq,
            commits: log.len() as u32,
            plain_bytes: packed.plain_bytes as u32,
            crc: None,
            body: packed.body,
            end: end.hash,
            signature: key.sign(&end.hash.0).to_bytes(),
        }
    }

    fn frame(&self) -> Vec<u8> {
        let crc = self.crc.unwrap_or_else(|| crc32fast::hash(&self.body));
        codec::encode(&Frame::Batch(Batch {
            origin: self.origin,
            first: self.first,
            commits: self.commits,
            plain_bytes: self.plain_bytes,
            crc,
            body: &self.body,
            end: self.end,
            signature: self.signature,
        }))
    }
}

#[track_caller]
fn check(spoil: impl FnOnce(&mut Parts, &Replica), expected: Result<(), Violation>) {
    let (mut relay, node) = open_relay(5);
    let mut parts = Parts::honest(&node.key, &node.logs[&node.own]);
    spoil(&mut parts, &node);
    assert_eq!(relay.session.handle_frame(&parts.frame(), NOW), expected);
    let applies = matches!(relay.session.poll_event(), Some(Event::Apply { .. }));
    assert!(!applies || expected.is_ok(), "nothing of it is handed over");
}

#[test]
fn y4_a_batch_that_is_not_what_it_says_is_named() {
    use Violation as V;
    check(|_, _| {}, Ok(()));
    check(|parts, _| parts.signature[3] ^= 1, Err(V::BadSignature));
    check(|parts, _| parts.end.0[0] ^= 1, Err(V::ChainBroken));
    check(|parts, _| parts.crc = Some(1), Err(V::BatchDamaged));
    check(|parts, _| parts.origin = OriginId::derived(&["unheard of"]), Err(V::ChainBroken));
    let forger = SigningKey::from_bytes(&[9; 32]);
    check(|parts, _| parts.signature = forger.sign(&parts.end.0).to_bytes(), Err(V::BadSignature));
    // An old, good signature under other commits: a replay.
    check(
        |parts, node| parts.signature = node.key.sign(&node.logs[&node.own][3].head.hash.0).to_bytes(),
        Err(V::BadSignature),
    );
    check(|parts, _| parts.commits = 4, Err(V::Malformed));
    check(|parts, _| parts.commits = 6, Err(V::Malformed));
    check(|parts, _| parts.commits = 0, Err(V::BatchSize));
    check(|parts, _| parts.commits = 257, Err(V::BatchSize));
    check(|parts, _| parts.first = 0, Err(V::BatchSize));
    check(|parts, _| (parts.first, parts.commits) = (u64::MAX, 2), Err(V::BatchSize));
    check(|parts, _| parts.plain_bytes -= 1, Err(V::BatchSize));
    check(|parts, _| parts.plain_bytes += 1, Err(V::BatchSize));
    check(|parts, _| parts.plain_bytes = BATCH_BYTES_MAX as u32 + 1, Err(V::BatchSize));
    check(|parts, _| parts.plain_bytes = u32::MAX, Err(V::BatchSize));
    check(|parts, _| parts.body = vec![0; 40], Err(V::BatchSize));
    check(|parts, _| parts.body.clear(), Err(V::BatchSize));
}

#[test]
fn y4_a_log_of_an_unknown_origin_needs_its_key_and_the_own_log_has_one_writer() {
    let mut stranger = Replica::new("stranger");
    stranger.write(3, 50);
    let (mut relay, _) = open_relay(0);
    let parts = Parts::honest(&stranger.key, &stranger.logs[&stranger.own]);
    assert_eq!(relay.session.handle_frame(&parts.frame(), NOW), Err(Violation::UnknownOrigin));
    let (mut relay, _) = open_relay(0);
    relay.session.learn_key(stranger.own, &stranger.key.verifying_key().to_bytes());
    assert_eq!(relay.session.handle_frame(&parts.frame(), NOW), Ok(()));
    let mut own = Replica::new("relay");
    own.write(2, 10);
    let parts = Parts::honest(&own.key, &own.logs[&own.own]);
    assert_eq!(relay.session.handle_frame(&parts.frame(), NOW), Err(Violation::OwnOrigin));
}

/// A commit that begins an origin's log with a card.
fn introduction(of: &Replica, card: OriginCard) -> Vec<u8> {
    let commit = Commit {
        origin: of.own,
        seq: 1,
        at: Hlc::default().tick(NOW),
        clock_trusted: true,
        by: Actor::System,
        seen: vec![],
        changes: vec![Change::Origin(card).to_raw()],
    };
    commit.to_bytes().unwrap()
}

#[test]
fn y4_an_origin_s_first_commit_brings_its_key() {
    let card = |of: &Replica, key: &SigningKey| {
        let key = key.verifying_key().to_bytes();
        OriginCard { origin: of.own, key, role: OriginRole::Node, letter: "B".into() }
    };
    let (stranger, other) = (Replica::new("stranger"), Replica::new("other"));
    for (card, expected) in [
        (card(&stranger, &stranger.key), Ok(())),
        (card(&stranger, &other.key), Err(Violation::BadSignature)),
        (card(&other, &stranger.key), Err(Violation::UnknownOrigin)),
    ] {
        let mut stranger = stranger.clone();
        stranger.append(introduction(&stranger, card));
        stranger.write(3, 50);
        let (mut relay, _) = open_relay(0);
        let parts = Parts::honest(&stranger.key, &stranger.logs[&stranger.own]);
        assert_eq!(relay.session.handle_frame(&parts.frame(), NOW), expected);
    }
}

#[test]
fn y4_a_decompression_bomb_stays_within_a_batch() {
    let bomb = zstd::bulk::compress(&vec![0; 64 * 1024 * 1024], 3).unwrap();
    assert!(bomb.len() < 16 * 1024);
    check(
        |parts, _| (parts.body, parts.plain_bytes) = (bomb.clone(), BATCH_BYTES_MAX as u32),
        Err(Violation::BatchSize),
    );
    let over = [vec![0x5a, 0, 2, 0, 1], vec![7; 128 * 1024 + 1]].concat();
    check(
        |parts, _| {
            parts.plain_bytes = over.len() as u32;
            parts.commits = 1;
            parts.body = zstd::bulk::compress(&over, 3).unwrap();
        },
        Err(Violation::BatchSize),
    );
}

#[test]
fn y6_more_than_the_window_is_a_violation_in_both_directions() {
    let (mut relay, mut node) = open_relay(0);
    node.write(40, 100 * 1024);
    let log = &node.logs[&node.own];
    let sent = (0..40).map(|at| {
        let parts = Parts::honest(&node.key, &log[at..=at]);
        relay.session.handle_frame(&parts.frame(), NOW)
    });
    let outcomes: Vec<_> = sent.collect();
    assert_eq!(outcomes[4], Ok(()));
    assert_eq!(outcomes[5], Err(Violation::WindowOverrun));
    let (mut relay, _) = open_relay(0);
    let much = codec::encode(&Frame::Credit(WINDOW_BYTES_MAX as u64));
    assert_eq!(relay.session.handle_frame(&much, NOW), Err(Violation::WindowTooLarge));
    let (mut relay, _) = open_relay(0);
    let much = codec::encode(&Frame::Credit(u64::MAX));
    assert_eq!(relay.session.handle_frame(&much, NOW), Err(Violation::WindowTooLarge));
}

#[test]
fn y6_empty_batches_are_not_free() {
    let (mut relay, mut node) = open_relay(0);
    for _ in 0..10_000 {
        node.append(vec![]);
    }
    let log = &node.logs[&node.own];
    let ended = log.chunks(1).position(|commit| {
        relay.session.handle_frame(&Parts::honest(&node.key, commit).frame(), NOW) == Err(Violation::WindowOverrun)
    });
    assert!(ended.is_some_and(|at| at < 2_100), "{ended:?}");
}

#[test]
fn y5_more_cannot_be_acknowledged_or_asked_for_than_there_is() {
    use Violation as V;
    let (own, other) = (Replica::new("relay").own, OriginId::derived(&["other"]));
    for (frame, expected) in [
        (Frame::Ack(List(vec![Durable { origin: own, seq: 1 }])), Err(V::AckBeyond)),
        (Frame::Ack(List(vec![Durable { origin: other, seq: 1 }])), Ok(())),
        (Frame::Need(own, 2), Err(V::NeedBeyond)),
        (Frame::Need(own, 0), Err(V::NeedBeyond)),
        (Frame::Need(other, u64::MAX), Err(V::NeedBeyond)),
        (Frame::Need(own, 1), Ok(())),
    ] {
        let (mut relay, _) = open_relay(0);
        assert_eq!(relay.session.handle_frame(&codec::encode(&frame), NOW), expected, "{frame:?}");
    }
}

#[test]
fn y4_lists_and_frames_are_refused_by_their_length_alone() {
    let (mut relay, _) = open_relay(0);
    assert_eq!(relay.session.handle_frame(&vec![1; FRAME_BYTES_MAX + 1], NOW), Err(Violation::FrameTooLarge));
    let (mut relay, _) = open_relay(0);
    // A list that claims four billion entries and has none.
    let lie = [vec![1, 0x82, 0x06, 0x81, 0x9a], vec![0xff; 4]].concat();
    assert_eq!(relay.session.handle_frame(&lie, NOW), Err(Violation::Malformed));
    let want = Want { ingredient: IngredientId::derived(&["x"]), amount: 1 };
    let (mut relay, _) = open_relay(0);
    let many = codec::encode(&Frame::Want(List(vec![want; WANTS_MAX + 1])));
    assert_eq!(relay.session.handle_frame(&many, NOW), Err(Violation::Malformed));
    let mut stranger = End::new(Replica::new("relay"), Side::Listener { epoch: 1 });
    assert_eq!(stranger.session.handle_frame(&vec![1; CONTROL_BYTES_MAX + 1], NOW), Err(Violation::FrameTooLarge));
    let (mut relay, _) = open_relay(0);
    let padded = [codec::encode(&Frame::Ping(1)), vec![0]].concat();
    assert_eq!(relay.session.handle_frame(&padded, NOW), Err(Violation::Malformed));
}

#[test]
fn y4_a_flood_of_small_frames_fills_nothing() {
    let (mut relay, _) = open_relay(0);
    let want = |amount| Frame::Want(List(vec![Want { ingredient: IngredientId::derived(&["x"]), amount }]));
    for amount in 0..10_000 {
        for frame in [want(amount), Frame::Ping(amount), Frame::Need(relay.replica.own, 1)] {
            assert_eq!(relay.session.handle_frame(&codec::encode(&frame), NOW), Ok(()));
        }
    }
    let events = std::iter::from_fn(|| relay.session.poll_event()).count();
    let frames = std::iter::from_fn(|| relay.session.poll_frame().unwrap()).count();
    assert_eq!((events, frames), (1, 1));
    // Acknowledgements of origins that nobody has are counted too.
    let mut told = (0..=2 * ORIGINS_MAX as u64).map(|n| {
        let origin = OriginId::derived(&["made up", &n.to_string()]);
        relay.session.handle_frame(&codec::encode(&Frame::Ack(List(vec![Durable { origin, seq: 1 }]))), NOW)
    });
    assert!(told.any(|heard| heard == Err(Violation::TooManyOrigins)));
}

#[test]
fn y2_a_hello_that_names_an_origin_twice_and_frames_out_of_turn_are_refused() {
    let (mut a, mut b) = connect(Replica::new("node"), Replica::new("relay"));
    let hello = a.session.poll_frame().unwrap().unwrap();
    let Ok(Frame::Hello(mut twice)) = codec::decode(&hello, true) else { panic!("the first frame is a hello") };
    let chain = twice.chains.0[0];
    twice.chains.0.push(Chain { seq: 3, ..chain });
    assert_eq!(b.session.handle_frame(&codec::encode(&Frame::Hello(twice)), NOW), Err(Violation::Malformed));
    let (_, mut b) = connect(Replica::new("node"), Replica::new("relay"));
    assert_eq!(b.session.handle_frame(&codec::encode(&Frame::Ping(1)), NOW), Err(Violation::OutOfTurn));
    let (mut relay, _) = open_relay(0);
    assert_eq!(relay.session.handle_frame(&hello, NOW), Err(Violation::OutOfTurn));
    let (mut relay, node) = open_relay(0);
    let fork = Fork { origin: node.own, kind: ForkKind::Diverged, seq: 1 };
    let forked = codec::encode(&Frame::Forked(fork));
    assert_eq!(
        relay.session.handle_frame(&forked, NOW),
        Err(Violation::OutOfTurn),
        "an origin that we have nothing of"
    );
    let (mut relay, _) = open_relay(0);
    let open = codec::encode(&Frame::Open(&[1]));
    assert_eq!(relay.session.handle_frame(&open, NOW), Ok(()));
    assert_eq!(relay.session.handle_frame(&open, NOW), Err(Violation::OutOfTurn));
}

#[test]
fn y4_a_frame_cut_at_any_byte_is_malformed() {
    let (_, node) = open_relay(3);
    let batch = Parts::honest(&node.key, &node.logs[&node.own]).frame();
    let (mut a, _) = connect(node, Replica::new("relay"));
    let hello = a.session.poll_frame().unwrap().unwrap();
    for frame in [hello, batch, codec::encode(&Frame::Pong(70_000))] {
        for cut in 0..frame.len() {
            assert_eq!(codec::decode(&frame[..cut], false), Err(Violation::Malformed));
        }
    }
}

#[test]
fn y4_more_origins_than_a_site_may_have_are_refused() {
    let heads = (0..=ORIGINS_MAX).map(|n| OriginId::derived(&[&n.to_string()]));
    let heads = heads.map(|origin| (origin, Head::start(&origin).then(b"x"))).collect();
    let config = super::pipe::config(&Replica::new("x"), Side::Dialer);
    assert!(crate::protocol::Session::new(config, heads, NOW).is_err());
}

proptest! {
    #[test]
    fn y4_no_bytes_make_the_decoder_or_a_session_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), kind in 1u8..12) {
        let _read = codec::decode(&bytes, false);
        let framed = [vec![1, 0x82, kind], bytes].concat();
        let (mut relay, _) = open_relay(0);
        let _heard = relay.session.handle_frame(&framed, NOW);
        let mut stranger = End::new(Replica::new("relay"), Side::Listener { epoch: 1 });
        let _heard = stranger.session.handle_frame(&framed, NOW);
        prop_assert!(std::iter::from_fn(|| stranger.session.poll_event()).count() <= 2 * ORIGINS_MAX + 1);
    }

    #[test]
    fn y4_a_good_batch_with_any_byte_changed_is_refused_or_the_same(at in 0usize..400, flip in 1u8..=255) {
        let (mut relay, node) = open_relay(3);
        let mut frame = Parts::honest(&node.key, &node.logs[&node.own]).frame();
        let at = at % frame.len();
        frame[at] ^= flip;
        if relay.session.handle_frame(&frame, NOW).is_ok() {
            while let Some(event) = relay.session.poll_event() {
                if let Event::Apply { entries, .. } = event {
                    prop_assert_eq!(&entries, &node.logs[&node.own]);
                }
            }
        }
    }
}
