//! How much of a fault test is run: small fixed numbers in `cargo xtest`, all of it with `--long`.

/// Set to `1` by `cargo xtest --long`.
pub const LONG_VARIABLE: &str = "PILOTLIGHT_LONG";

/// Whether the full numbers are wanted.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os(LONG_VARIABLE).is_some_and(|value| value == "1")
}

/// The number for this run.
#[must_use]
pub fn scaled(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}
