//! Traps of the `crdts` crate, pinned: what it does today, so that an upgrade that changes it is noticed and thought about.
//!
//! What these show wrong is why replicated documents here are plain structs whose fields are CRDTs, with bytes of their own, and why
//! a log has no gaps. When one of these fails after an upgrade, the trap may be gone: read the release notes, then change the rule.

use crdts::ctx::AddCtx;
use crdts::{CmRDT, CvRDT, Dot, GCounter, LWWReg, MVReg, Map, Orswot, VClock};

type Register = MVReg<u8, u8>;
type Registers = Map<char, Register, u8>;

fn clock(dots: &[(u8, u64)]) -> VClock<u8> {
    dots.iter().map(|(actor, counter)| Dot::new(*actor, *counter)).collect()
}

/// What this actor writes into the key of what it has seen.
fn put(map: &Registers, actor: u8, value: u8) -> crdts::map::Op<char, Register, u8> {
    map.update('k', map.read_ctx().derive_add_ctx(actor), |register, ctx| register.write(value, ctx))
}

#[test]
fn s1_a_version_vector_takes_the_higher_counter_and_keeps_no_zero() {
    let mut seen = clock(&[(1, 5)]);
    for lower in [0, 3, 5] {
        seen.apply(Dot::new(1, lower));
    }
    seen.apply(Dot::new(2, 0));
    assert_eq!(seen, clock(&[(1, 5)]), "cells of stock rows rely on it");
}

#[test]
fn w1_an_equal_stamp_with_another_value_is_dropped_without_a_word_and_replicas_differ() {
    let (mut one, mut other) = (LWWReg { val: 'a', marker: 1 }, LWWReg { val: 'b', marker: 1 });
    assert!(one.validate_merge(&other).is_err(), "only who asks is told");
    let (before_one, before_other) = (one.clone(), other.clone());
    one.merge(before_other.clone());
    other.merge(before_one.clone());
    assert_eq!(
        (one, other),
        (before_one, before_other),
        "so a stamp carries origin and clock, and is never used twice"
    );
}

#[test]
fn c2_a_dot_that_is_used_twice_loses_what_came_second() {
    let mut set = Orswot::<char, u8>::new();
    let dot = |counter| AddCtx { clock: clock(&[(1, counter)]), dot: Dot::new(1, counter) };
    set.apply(set.add('a', dot(1)));
    let again = set.add('b', dot(1));
    assert_eq!(set.validate_op(&again), Ok(()), "not even asking helps");
    set.apply(again);
    assert!(!set.contains(&'b').val);
}

#[test]
fn c2_what_is_applied_over_a_gap_loses_what_fills_it() {
    let mut set = Orswot::<char, u8>::new();
    let add = |set: &Orswot<char, u8>, member, counter| {
        set.add(member, AddCtx { clock: clock(&[(1, counter)]), dot: Dot::new(1, counter) })
    };
    let third = add(&set, 'c', 3);
    assert!(set.validate_op(&third).is_err(), "only who asks is told");
    set.apply(third);
    let second = add(&set, 'b', 2);
    set.apply(second);
    assert!(set.contains(&'c').val && !set.contains(&'b').val, "so a log is applied without gaps (SPEC C2, N1)");
}

#[test]
fn n4_a_register_in_a_map_keeps_another_state_when_a_removal_comes_before_a_concurrent_write() {
    // Issues 10 and 123.
    let mut base = Registers::new();
    base.apply(put(&base, 1, 10));
    let remove = base.rm('k', base.get(&'k').derive_rm_ctx());
    let write = put(&base, 2, 20);
    let (mut removed_first, mut written_first) = (base.clone(), base);
    removed_first.apply(remove.clone());
    removed_first.apply(write.clone());
    written_first.apply(write);
    written_first.apply(remove);
    assert_ne!(removed_first, written_first, "the same operations, and no equal states");
}

#[test]
fn n4_a_counter_in_a_map_shows_another_number_when_a_removal_comes_before_a_concurrent_increment() {
    // The map's dots and the counter's are numbered apart, and a removal compares one with the other.
    type Counters = Map<char, GCounter<u8>, u8>;
    let increment =
        |map: &Counters, key: char| map.update(key, map.read_ctx().derive_add_ctx(1), |counter, _| counter.inc(1));
    let mut base = Counters::new();
    for key in ['j', 'j', 'j', 'k'] {
        base.apply(increment(&base, key));
    }
    let remove = base.rm('k', base.get(&'k').derive_rm_ctx());
    let more = increment(&base, 'k');
    let (mut removed_first, mut counted_first) = (base.clone(), base);
    removed_first.apply(remove.clone());
    removed_first.apply(more.clone());
    counted_first.apply(more);
    counted_first.apply(remove);
    let shown = |map: &Counters| map.get(&'k').val.map(|counter| counter.read().to_string());
    assert_eq!((shown(&removed_first).as_deref(), shown(&counted_first).as_deref()), (Some("2"), Some("0")));
}

#[test]
fn n1_a_map_refuses_a_valid_operation_when_it_is_asked_whether_it_is_valid() {
    // Issue 159: an actor's second write, into another key than the first.
    let mut map = Registers::new();
    map.apply(put(&map, 1, 10));
    let ctx = map.read_ctx().derive_add_ctx(1);
    let valid = map.update('o', ctx, |register, ctx| register.write(20, ctx));
    assert!(map.validate_op(&valid).is_err());
}

#[test]
fn x1_a_set_with_a_removal_that_waits_cannot_be_written_as_json() {
    let mut set = Orswot::<char, u8>::new();
    set.apply(set.add('a', set.read_ctx().derive_add_ctx(1)));
    assert!(serde_json::to_string(&set).is_ok());
    set.apply(crdts::orswot::Op::Rm { clock: clock(&[(2, 1)]), members: vec!['a'] });
    assert!(serde_json::to_string(&set).is_err(), "so documents have bytes of their own");
}

#[test]
fn n4_equal_sets_have_other_bytes() {
    let set = || {
        let mut set = Orswot::<u32, u8>::new();
        set.apply(set.add_all(0..200, set.read_ctx().derive_add_ctx(1)));
        set
    };
    let (one, other) = (set(), set());
    assert_eq!(one, other);
    assert_ne!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap(), "so documents sort");
}

#[test]
fn n4_the_crate_is_used_as_it_was_read() {
    // Its default features bring generators of nonsense and a Merkle register into the product. Another version may have other traps.
    let workspace = include_str!("../../../Cargo.toml");
    assert!(workspace.contains(r#"crdts = { version = "7.3.2", default-features = false, features = ["num"] }"#));
}
