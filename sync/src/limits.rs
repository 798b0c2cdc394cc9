//! Every bound of the documents and commits, side by side, so that they can be checked against each other.

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
/// Changes in one commit.
pub const COMMIT_CHANGES_MAX: usize = 4_096;
/// Commits written by one store transaction.
pub const GROUP_COMMITS_MAX: usize = 256;
/// Bytes of one protocol frame.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

const _: () = assert!(2 * COMMIT_BYTES_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(PRICE_MINOR_MAX * (LINE_QUANTITY_MAX as i64) * (ORDER_LINES_MAX as i64) < i64::MAX / 10_000);
