//! Merging another replica's commits, in memory: the real orders of the pizza shop, from the log of a node that served them.
//!
//! The reader is a replica that has nothing. It is given the node's log in batches as the link brings them; its disk is a map.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::change::{Change, Commit};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::OrderDoc;
use pilotlight_sync::doc::replica::{LiveOrder, Loading, ReadStored, Replica};
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::BATCH_COMMITS_MAX;
use pilotlight_sync::store::{LogEntry, Seal};

use super::{Figure, Plan, rest};
use crate::shop::Shop;
use crate::{build, clock};

/// A merge may take so long.
const MERGE_US_MAX: f64 = 20.0;
/// A closed order's document may take so much memory.
const CLOSED_KB_MAX: f64 = 2.0;

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let orders = plan.choose(10_000, 400);
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let node = plan.start(&data)?;
    let shop = Shop::open(node.ready()).await?;
    rest::serve_guests(&shop, orders, rest::Paid::InCash).await?;
    node.stop()?;
    drop(shop);
    let log = home.path().join("log");
    let status = Command::new(log_reader(plan)?).arg(&data).arg(&log).status().context("the log's reader")?;
    ensure!(status.success(), "the log's reader ended with {status}");
    let entries = read_log(&log)?;

    let (mut merged, mut written, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    let mut disk = Disk::default();
    for _ in 0..plan.choose(7, 1) {
        let (reader, merging, writing) = merge(&entries);
        disk = reader;
        merged.push(merging / entries.len() as f64);
        written.push(writing / entries.len() as f64);
        floors.push(floor(&entries)?);
    }
    ensure!(disk.docs.keys().filter(|key| key.is_order()).count() >= orders, "orders are missing");
    let floor = |of: fn(&Floor) -> f64| median(floors.iter().map(of).collect());
    let (merged, commits) = (median(merged), entries.len());
    let what = format!("merging one commit of {commits}");
    let bytes = entries.iter().map(|entry| entry.bytes.len()).sum::<usize>() / commits;
    let mut figures = vec![
        Figure::new(&what, "us", merged, "limit", MERGE_US_MAX),
        Figure::new(&what, "us", merged, format!("decoding its {bytes} B alone"), floor(|floor| floor.decode_us)),
        Figure::new(&what, "us", merged, "BLAKE3 of it alone", floor(|floor| floor.hash_us)),
        Figure::new(&what, "us", merged, "its bytes into a HashMap", floor(|floor| floor.insert_us)),
        Figure::new("encoding what one commit changed, for the disk", "us", median(written), "limit", MERGE_US_MAX),
    ];
    figures.extend(memory(&disk)?);
    Ok(figures)
}

/// What was merged, as a disk would have it.
#[derive(Debug, Default)]
struct Disk {
    docs: BTreeMap<DocKey, Vec<u8>>,
}

impl ReadStored for Disk {
    type Error = Infallible;

    fn read_hash(&self, _: &OriginId, _: u64) -> Result<Option<ChainHash>, Infallible> {
        Ok(None)
    }

    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.docs.get(&DocKey::Order(*id)).cloned())
    }
}

/// Merges the whole log; how long that took in all, and how long the encoding for the disk, in microseconds.
fn merge(entries: &[LogEntry]) -> (Disk, f64, f64) {
    let (mut disk, mut replica) = (Disk::default(), reader());
    let (mut merging, mut writing) = (0.0, 0.0);
    for batch in entries.chunk_by(|one, next| one.origin == next.origin).flat_map(|log| log.chunks(BATCH_COMMITS_MAX)) {
        let Some(last) = batch.last() else { continue };
        let seal = Seal { origin: last.origin, seq: last.head.seq, signature: [0; 64] };
        let began = clock::now();
        let applied = black_box(replica.apply(Timestamp(1), batch, &seal, &disk));
        merging += began.elapsed().as_secs_f64() * 1e6;
        assert_eq!(applied.whole(), Ok(batch.len()), "a log that its node wrote");
        let began = clock::now();
        let (writes, _) = black_box(replica.take_writes(|_| [0; 64]));
        writing += began.elapsed().as_secs_f64() * 1e6;
        disk.docs.extend(writes.docs);
    }
    (disk, merging, writing)
}

/// A replica that has nothing.
fn reader() -> Replica {
    match Loading::begin([], &BTreeMap::new()) {
        Ok(loading) => loading.finish(OriginId::derived(&["reader"]), BTreeMap::new()),
        Err(error) => unreachable!("nothing was read: {error}"),
    }
}

/// What a merge cannot do without, in microseconds a commit.
struct Floor {
    decode_us: f64,
    hash_us: f64,
    insert_us: f64,
}

fn floor(entries: &[LogEntry]) -> anyhow::Result<Floor> {
    let per_commit = |began: std::time::Instant| began.elapsed().as_secs_f64() * 1e6 / entries.len() as f64;
    let began = clock::now();
    for entry in entries {
        let commit = Commit::from_bytes(&entry.bytes)?;
        for raw in &commit.changes {
            black_box(Change::from_raw(raw)?);
        }
    }
    let decode_us = per_commit(began);
    let began = clock::now();
    for entry in entries {
        black_box(entry.head.then(&entry.bytes));
    }
    let hash_us = per_commit(began);
    let mut map = HashMap::new();
    let began = clock::now();
    for entry in entries {
        map.insert((entry.origin, entry.head.seq), entry.bytes.clone());
    }
    let insert_us = per_commit(began);
    black_box(map);
    Ok(Floor { decode_us, hash_us, insert_us })
}

/// Resident memory of closed orders: as documents alone, and with what the screens show of them.
fn memory(disk: &Disk) -> anyhow::Result<Vec<Figure>> {
    let stored = disk.docs.iter().filter(|(key, _)| key.is_order()).map(|(_, bytes)| bytes.as_slice());
    let closed: Vec<&[u8]> =
        stored.filter(|bytes| LiveOrder::from_bytes(bytes).is_ok_and(|order| !order.view.is_open())).collect();
    ensure!(!closed.is_empty(), "no order was closed");
    let bytes = closed.iter().map(|bytes| bytes.len()).sum::<usize>() as f64 / closed.len() as f64 / 1_024.0;
    // The small ones first: what was let go of the larger would be room for them.
    let docs = kilobytes(&closed, |bytes| Ok(packed(bytes)?.doc))?;
    let open = kilobytes(&closed, |bytes| Ok(minicbor::decode::<OrderDoc>(bytes)?))?;
    let live = kilobytes(&closed, packed)?;
    let what = format!("a closed order's document in memory, of {}", closed.len());
    Ok(vec![
        Figure::new(&what, "KB", docs, "limit", CLOSED_KB_MAX),
        Figure::new(what, "KB", docs, "its bytes", bytes),
        Figure::new("the same while it was open", "KB", open, "its bytes", bytes),
        Figure::new("the same with what screens show of it", "KB", live, "its bytes", bytes),
    ])
}

/// A closed order as a replica keeps it.
fn packed(bytes: &[u8]) -> anyhow::Result<LiveOrder> {
    let mut order = LiveOrder::from_bytes(bytes)?;
    order.doc.pack();
    Ok(order)
}

/// What one of these takes when it is read, by resident memory: read again and again, and counted once there is nothing left to reuse.
fn kilobytes<T>(stored: &[&[u8]], read: impl Fn(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<f64> {
    const HELD: usize = 80_000;
    let passes = HELD.div_ceil(stored.len()).max(4);
    let counted = passes / 4;
    let (mut held, mut before) = (Vec::with_capacity(passes), 0.0);
    for pass in 0..passes {
        if pass == passes - counted {
            before = rest::resident_megabytes(std::process::id())?;
        }
        held.push(stored.iter().map(|bytes| read(bytes)).collect::<anyhow::Result<Vec<T>>>()?);
    }
    let grown = rest::resident_megabytes(std::process::id())? - before;
    black_box(&held);
    Ok(grown * 1_024.0 / (counted * stored.len()) as f64)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The program that reads a node's log: beside the node, or built as that is shipped.
fn log_reader(plan: &Plan) -> anyhow::Result<std::path::PathBuf> {
    let beside = plan.programs.node.with_file_name("examples").join("log_of");
    if beside.exists() { Ok(beside) } else { build::build_example("log_of") }
}

/// The file that `log_of` writes.
fn read_log(path: &Path) -> anyhow::Result<Vec<LogEntry>> {
    let file = std::fs::read(path)?;
    let mut rest = file.as_slice();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let origin = OriginId::from_bytes(*take(&mut rest)?);
        let head = Head { seq: u64::from_be_bytes(*take(&mut rest)?), hash: ChainHash(*take(&mut rest)?) };
        let length = usize::try_from(u32::from_be_bytes(*take(&mut rest)?))?;
        let (bytes, after) = rest.split_at_checked(length).context("the log's file ends too early")?;
        entries.push(LogEntry { origin, head, bytes: bytes.to_vec() });
        rest = after;
    }
    Ok(entries)
}

fn take<'f, const N: usize>(rest: &mut &'f [u8]) -> anyhow::Result<&'f [u8; N]> {
    let (first, after) = rest.split_first_chunk().context("the log's file ends too early")?;
    *rest = after;
    Ok(first)
}
