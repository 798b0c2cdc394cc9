//! Texts of people as they may come in: whatever nobody can see, or what turns the letters beside it around, is refused by name (SPEC R7).

use crate::api::problem::Problem;

/// A name, a street: one line.
pub fn one_line(field: impl Into<String>, text: &str) -> Result<(), Problem> {
    check(field, text, |_| false, "take it out; a name is one line")
}

/// A note, a reason: it may have several lines.
pub fn note(field: impl Into<String>, text: &str) -> Result<(), Problem> {
    check(field, text, |letter| matches!(letter, '\n' | '\t'), "take it out; line feeds and tabs may stay")
}

fn check(
    field: impl Into<String>,
    text: &str,
    may_stay: impl Fn(char) -> bool,
    remedy: &'static str,
) -> Result<(), Problem> {
    // Blanks around a text are cut off anyway.
    let bad = |letter: &char| is_control(*letter) && !may_stay(*letter);
    match text.trim().chars().find(bad) {
        None => Ok(()),
        Some(letter) => {
            let detail = format!("the text has a control character, U+{:04X}", u32::from(letter));
            Err(Problem::bad_field(field, detail, remedy))
        }
    }
}

/// Control characters, the ends of lines and paragraphs of Unicode, and what overrides the direction of writing. The marks that Arabic and
/// Hebrew need beside digits are none of these.
fn is_control(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r7_control_characters_are_refused_with_field_and_remedy() {
        for (letter, shown) in [
            ('\0', "U+0000"),
            ('\u{1b}', "U+001B"),
            ('\r', "U+000D"),
            ('\u{7f}', "U+007F"),
            ('\u{9b}', "U+009B"),
            ('\u{2028}', "U+2028"),
            ('\u{202a}', "U+202A"),
            ('\u{202e}', "U+202E"),
            ('\u{2066}', "U+2066"),
            ('\u{2069}', "U+2069"),
        ] {
            for refused in [one_line("name", &format!("A{letter}b")), note("name", &format!("A{letter}b"))] {
                let problem = refused.unwrap_err();
                assert!(problem.detail.contains(shown), "{}", problem.detail);
                assert_eq!((problem.code, problem.field.as_deref()), ("bad_field", Some("name")));
                assert!(problem.remedy.is_some_and(|remedy| remedy.starts_with("take it out")));
            }
        }
        assert!(one_line("name", "a\nb").is_err() && one_line("name", "a\tb").is_err());
        assert!(note("note", "no onions,\n\tplease").is_ok());
        for name in [" Ada \n", "Zoë", "مقهى ١٢\u{200f}", "👩\u{200d}🍳", ""] {
            assert!(one_line("name", name).is_ok(), "{name:?}");
        }
    }
}
