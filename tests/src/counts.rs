//! How many tests passed and failed, read from what the test runners print.

/// Passed and failed over all summaries in an output: of nextest, cargo test, vitest, or a plain `N passed, N failed`.
#[must_use]
pub fn in_output(output: &str) -> Option<(usize, usize)> {
    let mut found = None;
    for line in output.lines() {
        let line = without_colour(line);
        let line = line.trim();
        let is_summary = line.starts_with("test result:")
            || line.starts_with("Summary [")
            || line.starts_with("Tests ")
            || line.starts_with(|c: char| c.is_ascii_digit());
        let (passed, failed) = (before(line, "passed"), before(line, "failed"));
        if is_summary && (passed.is_some() || failed.is_some()) {
            let (passed_so_far, failed_so_far) = found.unwrap_or((0, 0));
            found = Some((passed_so_far + passed.unwrap_or(0), failed_so_far + failed.unwrap_or(0)));
        }
    }
    found
}

/// The number before a word.
fn before(line: &str, word: &str) -> Option<usize> {
    let words: Vec<&str> = line.split([' ', ',', ';', '|', '(', ')']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok())
}

fn without_colour(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        rest = rest[at..].split_once('m').map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summaries_of_every_runner_are_read() {
        let check = |output, expected| assert_eq!(in_output(output), expected, "{output}");
        check("     Summary [   0.02s] 15 tests run: 13 passed, 2 failed, 0 skipped", Some((13, 2)));
        check("     Summary [   0.02s] 15 tests run: 15 passed (1 slow), 0 skipped", Some((15, 0)));
        check(
            "test result: ok. 3 passed; 0 failed; 0 ignored\ntest result: FAILED. 1 passed; 2 failed; 0 ignored",
            Some((4, 2)),
        );
        check(
            "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m41 passed\u{1b}[39m\u{1b}[22m\u{1b}[90m (41)\u{1b}[39m",
            Some((41, 0)),
        );
        check("      Tests  1 failed | 40 passed (41)", Some((40, 1)));
        check("Test Files  3 passed (3)\n  Tests  9 passed (9)", Some((9, 0)));
        check("7 passed, 1 failed", Some((7, 1)));
        check("nothing ran", None);
    }
}
