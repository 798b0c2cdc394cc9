//! Frames as released versions wrote them: read for ever, and written again as they were. A frame of the next version, with fields that
//! this one does not know, is read as well.

use super::pipe::{Replica, connect};
use super::{NOW, node_and_relay};
use crate::crdt::hlc::Hlc;
use crate::doc::change::{Commit, RawChange};
use crate::domain::role::Actor;
use crate::protocol::codec;
use crate::protocol::wire_v1::Frame;
use crate::protocol::{Event, Session, Side, retry_after};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use std::collections::BTreeSet;

/// `kind bytes` a line. A line is never changed; a release adds what it brings.
const RELEASED: &str = include_str!("golden_v1.txt");

fn released() -> Vec<Vec<u8>> {
    let lines = RELEASED.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let bytes = lines.map(|line| {
        let hex = line.split_once(' ').unwrap().1.as_bytes();
        hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    });
    bytes.collect()
}

#[test]
fn y1_frames_of_every_released_version_are_read_and_written_as_they_were() {
    let mut kinds = BTreeSet::new();
    for bytes in released() {
        let frame = codec::decode(&bytes, false).unwrap();
        assert_eq!(codec::encode(&frame), bytes, "{frame:?}");
        kinds.insert(bytes[2]);
    }
    assert_eq!(kinds, (1..=14).collect(), "every kind of frame is there");
}

/// Copies one value, and adds a field to every array of numbered fields that holds one of its own kind of thing.
fn with_one_more(decoder: &mut Decoder<'_>, out: &mut Encoder<Vec<u8>>, depth: usize) {
    let kind = decoder.datatype().unwrap();
    if kind == Type::Array {
        let length = decoder.array().unwrap().unwrap();
        // Outermost is the kind with its fields; then those; then the fields of what they name.
        let grows = depth == 1 || depth == 2;
        out.array(length + u64::from(grows)).unwrap();
        for _ in 0..length {
            with_one_more(decoder, out, depth + 1);
        }
        if grows {
            out.str("of a later version").unwrap();
        }
    } else if kind == Type::Bytes {
        out.bytes(decoder.bytes().unwrap()).unwrap();
    } else {
        out.u64(decoder.u64().unwrap()).unwrap();
    }
}

#[test]
fn y1_fields_that_a_later_version_adds_are_left_alone() {
    for bytes in released() {
        let frame = codec::decode(&bytes, false).unwrap();
        // Lists are bounded by their length and have no room for more; frames and what they name have.
        if matches!(frame, Frame::Ack(_) | Frame::Want(_)) {
            continue;
        }
        let mut out = Encoder::new(vec![bytes[0]]);
        with_one_more(&mut Decoder::new(&bytes[1..]), &mut out, 0);
        let longer = out.into_writer();
        assert!(longer.len() > bytes.len() + 10);
        assert_eq!(codec::decode(&longer, false), Ok(frame));
    }
}

/// What a program of the next version says first: it speaks 2 as well as 1, and can do more.
fn of_next_version(session: &mut Session) -> Vec<u8> {
    let hello = session.poll_frame().unwrap().unwrap();
    let Ok(Frame::Hello(mut hello)) = codec::decode(&hello, true) else { panic!("the first frame is a hello") };
    hello.protocol = 2;
    hello.capabilities.0.push(40_000);
    codec::encode(&Frame::Hello(hello))
}

#[test]
fn y1_a_version_and_the_next_one_talk() {
    let (mut node, relay) = node_and_relay();
    node.write(20, 100);
    let (mut a, mut b) = connect(node, relay);
    let hello = of_next_version(&mut a.session);
    b.session.handle_frame(&hello, NOW).unwrap();
    super::settle(&mut a, &mut b);
    super::assert_same(&a.replica, &b.replica);
    assert!(b.opened.unwrap().capabilities.contains(&40_000));
}

#[test]
fn c4_y3_changes_of_a_later_version_go_through_a_replica_byte_for_byte() {
    let (mut node, mut middle, mut far) = (Replica::new("node"), Replica::new("relay"), Replica::new("far"));
    middle.learn(&node);
    far.learn(&node);
    far.learn(&middle);
    node.learn(&middle);
    middle.learn(&far);
    for seq in 1..=9 {
        let unknown = RawChange { kind: 60_000 + seq as u16, body: vec![seq as u8; 40].into() };
        let commit = Commit {
            origin: node.own,
            seq,
            at: Hlc::default().tick(NOW),
            clock_trusted: true,
            by: Actor::System,
            seen: vec![],
            changes: vec![unknown],
        };
        // And a field that this version has no name for.
        let mut bytes = commit.to_bytes().unwrap();
        assert_eq!(bytes[0], 0x87);
        bytes[0] = 0x88;
        bytes.push(0x07);
        node.append(bytes);
    }
    let written = node.logs[&node.own].clone();
    let own = node.own;
    let (mut a, mut b) = connect(node, middle);
    super::settle(&mut a, &mut b);
    let (mut b, mut c) = connect(b.replica, far);
    super::settle(&mut b, &mut c);
    assert_eq!(c.replica.logs[&own], written);
}

#[test]
fn y8_a_dialler_that_is_sent_away_hears_for_how_long_and_says_nothing_more() {
    for (asked, heard) in [(1_500, 1_500), (u64::MAX, 60_000)] {
        let (node, relay) = node_and_relay();
        let (mut a, mut b) = connect(node, relay);
        let hello = a.session.poll_frame().unwrap().unwrap();
        assert_eq!(a.session.handle_frame(&retry_after(asked), NOW), Ok(()));
        assert_eq!(a.session.poll_event(), Some(Event::RetryAfter(heard)));
        assert_eq!((a.session.poll_event(), a.session.poll_frame(), a.session.poll_timeout()), (None, Ok(None), None));
        // It is no word of a dialler, and none of an open session.
        assert!(b.session.handle_frame(&retry_after(1), NOW).is_err());
        let mut b = super::End::new(b.replica, Side::Listener { epoch: 8 });
        b.session.handle_frame(&hello, NOW).unwrap();
        assert!(b.session.handle_frame(&retry_after(1), NOW).is_err());
    }
}
