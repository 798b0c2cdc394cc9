//! What every store must keep, as a suite that each implementation runs: `check(open, block_on)`.
//!
//! `open` opens the same store again each time it is called: what was committed must be there.

use crate::crdt::chain::Head;
use crate::doc::key::DocKey;
use crate::domain::id::{MenuItemId, OrderId, OriginId};
use crate::store::{CommitError, LogEntry, Seal, SiteStore, Writes};
use std::future::Future;

/// Runs a future to its end, on whatever runtime the store needs.
pub trait BlockOn {
    /// Waits for it.
    fn block_on<F: Future>(&self, future: F) -> F::Output;
}

/// Checks the whole contract. Panics with the rule that was broken; for tests only.
#[expect(clippy::panic, clippy::missing_panics_doc, reason = "a contract suite speaks by panicking")]
pub fn check<S: SiteStore>(mut open: impl FnMut() -> S, on: &impl BlockOn) {
    let run = |name: &str, outcome: Result<(), String>| {
        if let Err(broken) = outcome {
            panic!("store contract, {name}: {broken}");
        }
    };
    run("an empty store is empty", on.block_on(empty(&open())));
    run("a commit is there after reopening", on.block_on(first(&mut open())));
    run("what was committed is read back", on.block_on(read_back(&open())));
    run("a gap is refused and leaves nothing", on.block_on(gap(&mut open())));
    run("still as before", on.block_on(read_back(&open())));
    run("the next commit continues the log", on.block_on(second(&mut open())));
    run("documents are replaced, index entries removed", on.block_on(replaced(&open())));
}

fn origin() -> OriginId {
    OriginId::derived(&["contract"])
}

fn entry(seq: u64) -> LogEntry {
    let bytes = |seq: u64| seq.to_be_bytes().to_vec();
    let head = (1..=seq).fold(Head::start(&origin()), |head, seq| head.then(&bytes(seq)));
    LogEntry { origin: origin(), head, bytes: bytes(seq) }
}

fn order() -> DocKey {
    DocKey::Order(OrderId::derived(&["contract"]))
}

fn item() -> DocKey {
    DocKey::Item(MenuItemId::derived(&["contract"]))
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn text<E: std::error::Error>(error: E) -> String {
    format!("{error}: {:?}", error.source())
}

async fn empty<S: SiteStore>(store: &S) -> Result<(), String> {
    ensure(store.heads().await.map_err(text)?.is_empty(), "no heads")?;
    ensure(store.load(&[order(), item()]).await.map_err(text)? == [None, None], "no documents")?;
    ensure(store.load_site().await.map_err(text)?.is_empty(), "no site documents")?;
    ensure(store.index(&[], &[0xff; 40], 10).await.map_err(text)?.is_empty(), "no index")?;
    ensure(store.note(b"n").await.map_err(text)?.is_none(), "no notes")
}

async fn first<S: SiteStore>(store: &mut S) -> Result<(), String> {
    let mut writes = Writes { log: vec![entry(1), entry(2)], ..Writes::default() };
    writes.seals.push(Seal { origin: origin(), seq: 2, signature: [7; 64] });
    writes.docs.insert(order(), b"order".to_vec());
    writes.docs.insert(item(), b"item".to_vec());
    for key in [&b"a1"[..], b"a2", b"b1"] {
        writes.index.insert(key.to_vec(), true);
    }
    writes.notes.insert(b"n".to_vec(), b"note".to_vec());
    store.commit(writes).await.map_err(text)
}

async fn read_back<S: SiteStore>(store: &S) -> Result<(), String> {
    let heads = store.heads().await.map_err(text)?;
    ensure(heads.get(&origin()) == Some(&entry(2).head), "the head is the second entry's")?;
    let docs = store.load(&[item(), order()]).await.map_err(text)?;
    ensure(docs == [Some(b"item".to_vec()), Some(b"order".to_vec())], "documents, in the order asked for")?;
    ensure(store.load_site().await.map_err(text)? == [(item(), b"item".to_vec())], "site documents without orders")?;
    let index = store.index(b"a", b"b", 10).await.map_err(text)?;
    ensure(index == [b"a1".to_vec(), b"a2".to_vec()], "an index range, in order, without its end")?;
    ensure(store.index(b"a", b"c", 1).await.map_err(text)?.len() == 1, "an index range keeps its limit")?;
    ensure(store.log(&origin(), 1, 10).await.map_err(text)? == [entry(1), entry(2)], "the log")?;
    ensure(store.log(&origin(), 2, 10).await.map_err(text)? == [entry(2)], "the log from a number on")?;
    ensure(store.log(&OriginId::derived(&["other"]), 1, 10).await.map_err(text)?.is_empty(), "no log of others")?;
    let seal = Seal { origin: origin(), seq: 2, signature: [7; 64] };
    ensure(store.seals(&origin(), 1, 2).await.map_err(text)? == [seal], "a seal, from and to included")?;
    ensure(store.seals(&origin(), 1, 1).await.map_err(text)?.is_empty(), "no seal where none was written")?;
    ensure(store.note(b"n").await.map_err(text)? == Some(b"note".to_vec()), "a note")
}

async fn gap<S: SiteStore>(store: &mut S) -> Result<(), String> {
    for log in [vec![entry(4)], vec![entry(2)], vec![entry(3), entry(5)]] {
        let mut writes = Writes { log, ..Writes::default() };
        writes.docs.insert(order(), b"half".to_vec());
        let outcome = store.commit(writes).await;
        ensure(matches!(outcome, Err(CommitError::Gap { .. })), "a gap or a repetition is refused as such")?;
    }
    Ok(())
}

async fn second<S: SiteStore>(store: &mut S) -> Result<(), String> {
    let mut writes = Writes { log: vec![entry(3)], ..Writes::default() };
    writes.docs.insert(order(), b"changed".to_vec());
    writes.index.insert(b"a1".to_vec(), false);
    store.commit(writes).await.map_err(text)
}

async fn replaced<S: SiteStore>(store: &S) -> Result<(), String> {
    ensure(store.load(&[order()]).await.map_err(text)? == [Some(b"changed".to_vec())], "the later document")?;
    ensure(store.index(b"a", b"b", 10).await.map_err(text)? == [b"a2".to_vec()], "the removed index entry is gone")?;
    ensure(store.log(&origin(), 3, 10).await.map_err(text)? == [entry(3)], "the third entry")
}
