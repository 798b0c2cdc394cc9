//! The replayer against tiny hand-written logs: one law of the model a test, over many seeds.

use super::*;

const SEEDS: std::ops::Range<u64> = 0..400;

fn create(inode: u64, path: &str) -> Operation {
    Operation::Create { inode, path: path.into() }
}

fn write(inode: u64, offset: u64, byte: u8, length: usize) -> Operation {
    Operation::Write { inode, offset, data: Bytes::from(vec![byte; length]) }
}

fn sync(inode: u64) -> Operation {
    Operation::SyncFile { inode }
}

fn sync_root() -> Operation {
    Operation::SyncDirectory { path: PathBuf::new() }
}

fn recording(operations: Vec<Operation>) -> Recording {
    let ends = (1..=operations.len() as u64).collect();
    Recording { operations, ends }
}

/// Every outcome over all seeds, of the file `db`.
fn outcomes(operations: Vec<Operation>, model: Model) -> BTreeSet<Option<Vec<u8>>> {
    let recording = recording(operations);
    SEEDS
        .map(|seed| {
            let image = recording.after_cut(recording.len(), model, seed).expect("a fair recording");
            image.files.get(Path::new("db")).cloned()
        })
        .collect()
}

#[test]
fn what_was_synced_is_there_whatever_the_dice_say() {
    for model in [Model::Ext4, Model::Posix] {
        let found = outcomes(vec![create(1, "db"), write(1, 0, 7, 10_000), sync(1), sync_root()], model);
        assert_eq!(found, BTreeSet::from([Some(vec![7; 10_000])]));
    }
}

#[test]
fn an_unsynced_write_is_kept_lost_or_torn_at_a_sector() {
    let found = outcomes(
        vec![create(1, "db"), write(1, 0, 1, PAGE_BYTES), sync(1), sync_root(), write(1, 0, 2, PAGE_BYTES)],
        Model::Ext4,
    );
    assert!(found.contains(&Some(vec![1; PAGE_BYTES])), "lost");
    assert!(found.contains(&Some(vec![2; PAGE_BYTES])), "kept");
    let torn: Vec<usize> = found
        .iter()
        .flatten()
        .map(|content| content.iter().filter(|byte| **byte == 2).count())
        .filter(|new| *new % PAGE_BYTES != 0)
        .collect();
    assert!(!torn.is_empty(), "torn");
    assert!(torn.iter().all(|new| new % SECTOR_BYTES == 0), "only whole sectors: {torn:?}");
    for content in found.iter().flatten() {
        assert!(content.is_sorted_by(|a, b| a >= b), "the new bytes come first");
    }
}

#[test]
fn pages_fare_independently() {
    let found = outcomes(
        vec![create(1, "db"), write(1, 0, 1, 2 * PAGE_BYTES), sync(1), sync_root(), write(1, 0, 2, 2 * PAGE_BYTES)],
        Model::Ext4,
    );
    let ends: BTreeSet<(u8, u8)> = found.iter().flatten().map(|content| (content[0], content[PAGE_BYTES])).collect();
    assert_eq!(ends, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

#[test]
fn a_later_write_of_a_page_never_comes_without_the_earlier_one() {
    // Both lie in one page of the cache, which is written as a whole.
    let found = outcomes(
        vec![
            create(1, "db"),
            write(1, 0, 1, PAGE_BYTES),
            sync(1),
            sync_root(),
            write(1, 0, 2, 512),
            write(1, 512, 3, 512),
        ],
        Model::Ext4,
    );
    for content in found.iter().flatten() {
        assert!(content[512] != 3 || content[0] == 2, "the second without the first");
    }
    assert_eq!(found.len(), 3, "none, first, both");
}

#[test]
fn a_grown_file_ends_behind_its_last_page_that_arrived() {
    let found =
        outcomes(vec![create(1, "db"), sync(1), sync_root(), write(1, 0, 5, 2 * PAGE_BYTES + 100)], Model::Ext4);
    let lengths: BTreeSet<usize> = found.iter().flatten().map(Vec::len).collect();
    assert_eq!(lengths, BTreeSet::from([0, PAGE_BYTES, 2 * PAGE_BYTES, 2 * PAGE_BYTES + 100]));
    assert!(
        found.iter().flatten().any(|content| content.len() > 2 * PAGE_BYTES && content[0] == 0),
        "a hole before a page that arrived"
    );
}

#[test]
fn a_name_needs_the_sync_that_the_file_system_promises() {
    let file_only = vec![create(1, "db"), write(1, 0, 9, 4), sync(1)];
    assert_eq!(outcomes(file_only.clone(), Model::Ext4), BTreeSet::from([Some(vec![9; 4])]));
    assert_eq!(outcomes(file_only, Model::Posix), BTreeSet::from([None, Some(vec![9; 4])]));
}

#[test]
fn names_survive_in_order() {
    let recording = recording(vec![
        create(1, "new"),
        write(1, 0, 2, 8),
        sync(1),
        create(2, "db"),
        write(2, 0, 1, 8),
        sync(2),
        sync_root(),
        Operation::Rename { from: "new".into(), to: "db".into() },
        Operation::Remove { path: "db".into() },
    ]);
    let mut seen = BTreeSet::new();
    for seed in SEEDS {
        let image = recording.after_cut(recording.len(), Model::Posix, seed).expect("a fair recording");
        seen.insert(image.files.into_iter().map(|(path, content)| (path, content[0])).collect::<Vec<_>>());
    }
    let expected: BTreeSet<Vec<(PathBuf, u8)>> =
        BTreeSet::from([vec![("db".into(), 1), ("new".into(), 2)], vec![("db".into(), 2)], vec![]]);
    assert_eq!(seen, expected);
}

#[test]
fn a_renamed_directory_takes_its_files_along() {
    let recording = recording(vec![
        Operation::Mkdir { path: "store".into() },
        create(1, "store/db"),
        write(1, 0, 3, 3),
        Operation::Rename { from: "store".into(), to: "aside".into() },
    ]);
    let image = recording.whole().expect("a fair recording");
    assert_eq!(image.directories, BTreeSet::from([PathBuf::from("aside")]));
    assert_eq!(image.files, BTreeMap::from([(PathBuf::from("aside/db"), vec![3; 3])]));
}

#[test]
fn a_truncation_survives_or_not_and_hides_no_old_bytes() {
    let found = outcomes(
        vec![
            create(1, "db"),
            write(1, 0, 1, 3 * PAGE_BYTES),
            sync(1),
            sync_root(),
            Operation::SetLength { inode: 1, length: 100 },
            write(1, PAGE_BYTES as u64, 2, PAGE_BYTES),
        ],
        Model::Ext4,
    );
    for content in found.iter().flatten() {
        if content.len() == 3 * PAGE_BYTES {
            assert!(content.iter().all(|byte| *byte == 1), "no truncation, so nothing written behind it");
        } else {
            assert!(content[100..].iter().all(|byte| *byte != 1), "bytes cut off came back");
        }
    }
    let lengths: BTreeSet<usize> = found.iter().flatten().map(Vec::len).collect();
    assert_eq!(lengths, BTreeSet::from([100, 2 * PAGE_BYTES, 3 * PAGE_BYTES]));
}

#[test]
fn an_inode_used_again_is_another_file() {
    let recording = recording(vec![
        create(1, "old"),
        write(1, 0, 1, 4),
        Operation::Remove { path: "old".into() },
        create(1, "db"),
        write(1, 0, 2, 4),
    ]);
    let image = recording.whole().expect("a fair recording");
    assert_eq!(image.files, BTreeMap::from([(PathBuf::from("db"), vec![2; 4])]));
}

#[test]
fn a_log_is_read_up_to_its_last_whole_record_and_no_hole_is_accepted() {
    let header = |kind, path: &str, data: usize| Header {
        kind,
        inode: 1,
        first: 0,
        second: 0,
        path_bytes: u32::try_from(path.len()).expect("short"),
        data_bytes: u32::try_from(data).expect("short"),
    };
    let mut log = header(Kind::Create, "db", 0).encode().to_vec();
    log.extend(b"db");
    log.extend(header(Kind::Write, "", 3).encode());
    log.extend(b"ab");
    let recording = Recording::parse(&Bytes::from(log.clone())).expect("an honest end");
    assert_eq!(recording.len(), 1);
    assert_eq!(recording.log_bytes_at(1), HEADER_BYTES as u64 + 2);
    assert_eq!(recording.cut_behind(recording.log_bytes_at(1)), 1);
    log[0] = 0;
    assert!(Recording::parse(&Bytes::from(log)).is_err(), "a damaged log");
    let mut unsupported = header(Kind::Unsupported, "mmap", 0).encode().to_vec();
    unsupported.extend(b"mmap");
    assert!(Recording::parse(&Bytes::from(unsupported)).is_err(), "an unfair recording");
}
