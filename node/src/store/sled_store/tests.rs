//! The store contract over real sled files, and how damage shows.

use super::*;
use crate::store::packing::PART_BYTES;
use futures_util::FutureExt;
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::store_contract::{BlockOn, check};
use std::fs::OpenOptions;
use std::future::Future;
use std::os::unix::fs::FileExt;

struct Now;

impl BlockOn for Now {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        future.now_or_never().expect("sled answers at once")
    }
}

#[test]
fn x1_sled_keeps_the_store_contract() {
    let dir = tempfile::tempdir().unwrap();
    check(|| SledStore::open(&dir.path().join("store")).unwrap(), &Now);
}

fn with_docs(sizes: &[usize]) -> Writes {
    let mut writes = Writes::default();
    for (at, size) in sizes.iter().enumerate() {
        let noise = |byte: usize| blake3::hash(&(byte * 61 + at).to_be_bytes()).as_bytes()[0];
        let body = (0..*size).map(noise).collect();
        writes.docs.insert(DocKey::Order(OrderId::derived(&[&at.to_string()])), body);
    }
    writes
}

#[test]
fn x2_large_values_are_kept_in_parts_and_no_blob_file_is_ever_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let sizes: Vec<usize> = (0..60).map(|n| [100, PART_BYTES, PART_BYTES + 1, 128 * 1024][n % 4]).collect();
    let writes = with_docs(&sizes);
    let mut store = SledStore::open(&path).unwrap();
    for _ in 0..3 {
        Now.block_on(store.commit(writes.clone())).unwrap();
    }
    drop(store);
    let store = SledStore::open(&path).unwrap();
    for (key, body) in &writes.docs {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(body));
    }
    assert_eq!(std::fs::read_dir(path.join("blobs")).unwrap().count(), 0);
}

#[test]
fn x3_a_value_whose_bits_changed_is_named_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&dir.path().join("store")).unwrap();
    let key = DocKey::Order(OrderId::derived(&["x"]));
    for (value, why) in [(&b""[..], "less than five bytes"), (&[1, 0, 0, 0, 0, b'x'], "checksum")] {
        store.orders.insert(key.id_bytes(), value).unwrap();
        let error = store.get(&key).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("orders-1"), "{error}");
    }
}

#[test]
fn x4_a_damaged_database_file_is_an_error_and_can_be_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = SledStore::open(&path).unwrap();
    Now.block_on(store.commit(with_docs(&[3_000; 200]))).unwrap();
    drop(store);
    let file = OpenOptions::new().write(true).open(path.join("conf")).unwrap();
    file.write_all_at(&[0x55; 16], 0).unwrap();
    assert!(SledStore::open(&path).is_err());
    let aside = move_aside(&path, 7).unwrap();
    assert!(aside.join("db").exists() && !path.exists());
    assert!(SledStore::open(&path).unwrap().log_heads().unwrap().is_empty());
}
