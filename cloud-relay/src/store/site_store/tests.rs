//! The relay's store keeps the contract, and does not let two processes write one site.

use super::*;
use crate::store::testing::{TestDatabase, new_site};
use pilotlight_sync::store_contract::{BlockOn, check};
use std::future::Future;

struct Runtime(tokio::runtime::Runtime);

impl BlockOn for Runtime {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

#[test]
fn x1_sqlite_keeps_the_store_contract() {
    let runtime = Runtime(tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    let test = TestDatabase::new();
    let site = runtime.0.block_on(async {
        let database = test.open().await;
        let site = new_site(&database, "Contract").await;
        database.close().await;
        site
    });
    let open = || runtime.0.block_on(async { SqlSiteStore::new(test.open().await, site) });
    check(open, &runtime);
}

fn entries(origin: OriginId, from: Head, count: u64, size: usize) -> Vec<LogEntry> {
    let next = |head: &mut Head, n: u64| {
        let bytes = vec![n as u8; size];
        *head = head.then(&bytes);
        Some(LogEntry { origin, head: *head, bytes })
    };
    (0..count).scan(from, next).collect()
}

#[tokio::test]
async fn c2_a_commit_that_is_not_on_the_stored_chain_is_refused_and_leaves_nothing() {
    let test = TestDatabase::new();
    let database = test.open().await;
    let mut store = SqlSiteStore::new(database.clone(), new_site(&database, "Chain").await);
    let origin = OriginId::derived(&["a"]);
    let log = entries(origin, Head::start(&origin), 2, 8);
    store.commit(Writes { log: log.clone(), ..Writes::default() }).await.unwrap();
    let other = entries(origin, Head { hash: Head::start(&origin).hash, ..log[1].head }, 1, 8);
    let refused = store.commit(Writes { log: other, ..Writes::default() }).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Damaged { .. }))), "{refused:?}");
    assert_eq!(store.heads().await.unwrap()[&origin], log[1].head);
}

#[tokio::test]
async fn e2_a_unit_of_work_takes_the_sites_row_and_who_wrote_in_between_is_noticed() {
    let test = TestDatabase::new();
    let (one, two) = (test.open().await, test.open().await);
    let site = new_site(&one, "Turns").await;
    let (tx, turn, _) = begin(&one, site, &[]).await.unwrap();
    assert_eq!(turn.turn, 1);
    drop(tx);
    let (tx, turn, _) = begin(&two, site, &[]).await.unwrap();
    assert_eq!(turn.turn, 1, "a unit that was dropped left nothing");
    tx.commit().await.unwrap();
    assert_eq!(begin(&one, site, &[]).await.unwrap().1.turn, 2);
}

#[tokio::test]
async fn e3_forty_thousand_commits_in_groups_are_durable_in_seconds() {
    let test = TestDatabase::new();
    let database = test.open().await;
    let site = new_site(&database, "Evening").await;
    let mut store = SqlSiteStore::new(database, site);
    let origin = OriginId::derived(&["node"]);
    let mut head = Head::start(&origin);
    let watch = pilotlight_edge::clock::Stopwatch::start();
    for group in 0..157u64 {
        let log = entries(origin, head, 256, 600);
        head = log.last().unwrap().head;
        let mut writes = Writes { log, ..Writes::default() };
        writes.seals.push(Seal { origin, seq: head.seq, signature: [7; 64] });
        for order in 0..64u64 {
            let id = pilotlight_sync::domain::id::OrderId::derived(&[&(group * 64 + order).to_string()]);
            writes.docs.insert(DocKey::Order(id), vec![order as u8; 2_500]);
            for kind in *b"osn" {
                let key = [&[kind][..], &(group * 64 + order).to_be_bytes(), id.as_bytes()].concat();
                writes.index.insert(key, true);
            }
        }
        writes.notes.insert(b"hlc".to_vec(), vec![1; 16]);
        store.commit(writes).await.unwrap();
    }
    let took = watch.elapsed();
    assert_eq!(store.heads().await.unwrap()[&origin].seq, 40_192);
    assert!(took.as_secs() < 20, "{took:?}");
}
