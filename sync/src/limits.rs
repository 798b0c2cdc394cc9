//! Every bound of the documents, commits and protocol, side by side, so that they can be checked against each other.

/// Lines in one order, those added later included.
pub const ORDER_LINES_MAX: usize = 500;
/// Portions of one line.
pub const LINE_QUANTITY_MAX: u32 = 999;
/// Choices on one line, all groups together.
pub const LINE_CHOICES_MAX: usize = 64;
/// Times one option may be chosen on one line.
pub const CHOICE_COUNT_MAX: u32 = 20;
/// Characters of a note, on a line or an order.
pub const NOTE_CHARS_MAX: usize = 280;
/// Characters of a name: item, group, option, device, person.
pub const NAME_CHARS_MAX: usize = 120;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Bytes of a station's key.
pub const STATION_KEY_BYTES_MAX: usize = 32;
/// Items of one menu.
pub const MENU_ITEMS_MAX: usize = 20_000;
/// Variants of one item.
pub const ITEM_VARIANTS_MAX: usize = 50;
/// Modifier groups offered with one item.
pub const ITEM_GROUPS_MAX: usize = 60;
/// Options in one modifier group.
pub const GROUP_OPTIONS_MAX: usize = 200;
/// Ingredients in one recipe.
pub const RECIPE_LINES_MAX: usize = 100;
/// The highest price of one portion, in minor units.
pub const PRICE_MINOR_MAX: i64 = 100_000_000;
/// The most of one ingredient that one booking may add, in its smallest unit.
pub const STOCK_AMOUNT_MAX: u64 = 1 << 40;
/// Bytes of one commit, checked when it is made.
pub const COMMIT_BYTES_MAX: usize = 128 * 1024;
/// Bytes of one commit that says nothing of another's: so much less that a commit which tells of it fits.
pub const OWN_COMMIT_BYTES_MAX: usize = COMMIT_BYTES_MAX - 16 * 1024;
/// Changes in one commit.
pub const COMMIT_CHANGES_MAX: usize = 4_096;
/// Commits of one origin that are listed because this version does not understand all of them; beyond these only where they begin.
pub const UNREAD_COMMITS_MAX: usize = 1_024;
/// Commits written by one store transaction.
pub const GROUP_COMMITS_MAX: usize = 256;
/// Bytes of one protocol frame.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

const _: () = assert!(2 * COMMIT_BYTES_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(PRICE_MINOR_MAX * (LINE_QUANTITY_MAX as i64) * (ORDER_LINES_MAX as i64) < i64::MAX / 10_000);

// The protocol: one session between two replicas.

/// The newest version of the protocol that this program speaks.
pub const PROTOCOL: u16 = 1;
/// The oldest version of the protocol that this program speaks.
pub const PROTOCOL_MIN: u16 = 1;
/// Origins of one site, the ended ones included.
pub const ORIGINS_MAX: usize = 256;
/// Capabilities that one side announces.
pub const CAPABILITIES_MAX: usize = 64;
/// Bytes of a frame that is no batch and no OPEN: the longest is WELCOME.
pub const CONTROL_BYTES_MAX: usize = 32 * 1024;
/// The capability of looking up hashes for a peer whose logs differ.
pub const LOOKS_UP: u16 = 1;
/// Commits in one batch: the receiver's transaction.
pub const BATCH_COMMITS_MAX: usize = 256;
/// Bytes of a batch's commits, before compression and after decompression.
pub const BATCH_BYTES_MAX: usize = 192 * 1024;
/// What a batch costs of the window beside its commits, so that empty batches are not free.
pub const BATCH_OVERHEAD_BYTES: usize = 256;
/// Batches of origins that are nearly caught up, to one of those that are filled up.
pub const LIVE_BATCHES_MAX: usize = 4;
/// Commits that a session asks of its own log at once.
pub const PAGE_COMMITS_MAX: usize = 2_048;
/// Bytes of commits that a session asks of its own log at once.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// The smallest window: bytes that may be on the way to a replica that has not made them durable.
pub const WINDOW_BYTES_MIN: usize = 512 * 1024;
/// The largest window.
pub const WINDOW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of the set of open orders that goes before the commits.
pub const OPEN_BYTES_MAX: usize = 128 * 1024;
/// Ingredients in one request for stock rights.
pub const WANTS_MAX: usize = 256;
/// A side that has not said hello, or welcome, within this time is gone.
pub const HANDSHAKE_MS_MAX: u64 = 10_000;
/// The longest time after which a busy listener may ask to be dialled again.
pub const RETRY_AFTER_MS_MAX: u64 = 60_000;

const _: () = assert!(PROTOCOL_MIN <= PROTOCOL);
const _: () = assert!(BATCH_COMMITS_MAX <= GROUP_COMMITS_MAX);
const _: () = assert!(COMMIT_BYTES_MAX + 16 <= BATCH_BYTES_MAX);
// What zstd cannot shrink grows a little; the frame's other fields are a few hundred bytes.
const _: () = assert!(BATCH_BYTES_MAX + BATCH_BYTES_MAX / 128 + 1024 <= FRAME_BYTES_MAX);
const _: () = assert!(OPEN_BYTES_MAX + 1024 <= FRAME_BYTES_MAX);
// An origin in WELCOME: 16 and 32 bytes with heads, a number, and perhaps a verdict.
const _: () = assert!(ORIGINS_MAX * (16 + 32 + 20 + 40) + CAPABILITIES_MAX * 3 + 1024 <= CONTROL_BYTES_MAX);
const _: () = assert!(WANTS_MAX * (16 + 16) <= CONTROL_BYTES_MAX);
// A sender that waits for room has three quarters of the window at least: a whole batch fits.
const _: () = assert!(WINDOW_BYTES_MIN * 3 / 4 >= BATCH_BYTES_MAX + BATCH_OVERHEAD_BYTES);
const _: () = assert!(WINDOW_BYTES_MIN <= WINDOW_BYTES_MAX && PAGE_BYTES_MAX >= BATCH_BYTES_MAX);
const _: () = assert!(PAGE_COMMITS_MAX >= BATCH_COMMITS_MAX && LIVE_BATCHES_MAX > 0);
