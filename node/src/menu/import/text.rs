//! Names and amounts as they stand in other systems' files.

use pilotlight_sync::domain::money::Currency;
use pilotlight_sync::limits::PRICE_MINOR_MAX;

/// Characters that a kitchen screen shows of a name without wrapping.
pub(super) const KITCHEN_NAME_CHARS: usize = 24;

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAnAmount {
    /// Something else than digits with at most one point.
    NoNumber,
    /// More digits after the point than the unit has.
    TooFine,
    /// Beyond the highest price.
    TooHigh,
}

/// Digits after the point of an amount in this currency (ISO 4217).
pub(super) fn currency_decimals(currency: Currency) -> usize {
    match currency.code() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Reads a decimal text exactly: `12.75` with two decimals is 1275. No float is involved.
pub(super) fn amount(text: &str, decimals: usize) -> Result<i64, NotAnAmount> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || digits.ends_with('.') {
        return Err(NotAnAmount::NoNumber);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(NotAnAmount::TooFine);
    }
    let minor = whole
        .bytes()
        .chain(fraction.bytes())
        .chain(std::iter::repeat_n(b'0', decimals - fraction.len()))
        .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
        .filter(|minor| *minor <= PRICE_MINOR_MAX)
        .ok_or(NotAnAmount::TooHigh)?;
    Ok(if negative { -minor } else { minor })
}

/// Characters that nobody sees but that reverse what stands beside them, or make an empty name look like one.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The text on one line: control characters, unseen ones and runs of white space become one space.
pub(super) fn clean(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control() || is_unseen(c))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The first characters, cut between words where that loses less than half, with an ellipsis in the last place.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let head: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    let between_words = text.get(head.len()..).is_some_and(|rest| rest.starts_with(' '));
    let last_space = head.rfind(' ').filter(|at| !between_words && *at * 2 > head.len());
    let whole_words = last_space.and_then(|at| head.get(..at)).unwrap_or(&head);
    format!("{}…", whole_words.trim_end_matches([' ', ',', '-', '&', '+']))
}

/// A piece of the file as it is quoted in a complaint.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(&clean(text), 60))
}

/// What the cook reads: the name without its article and without "Pizza", short enough for one line.
pub(super) fn kitchen_name(name: &str) -> String {
    let bare = name.strip_prefix("The ").unwrap_or(name);
    let bare = bare.strip_suffix(" Pizza").unwrap_or(bare);
    cut(if bare.is_empty() { name } else { bare }, KITCHEN_NAME_CHARS)
}
