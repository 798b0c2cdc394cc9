//! The evening as a small plot of text: orders in each ten minutes, those from home apart, the outage marked.

/// Bins of ten minutes in six hours.
const BINS: usize = 36;
const BIN_MS: u64 = 600_000;
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Lines of a plot: `here` and `home` are milliseconds from opening, `outage` from and to.
#[must_use]
pub fn evening(here: &[u64], home: &[u64], outage: (u64, u64)) -> Vec<String> {
    let (here, home) = (bins(here), bins(home));
    let most = here.iter().chain(&home).copied().max().unwrap_or(0).max(1);
    let row = |counts: &[usize]| -> String { counts.iter().map(|count| LEVELS[(count * 8).div_ceil(most)]).collect() };
    let mut marks = [' '; BINS];
    for (bin, mark) in marks.iter_mut().enumerate() {
        let from = bin as u64 * BIN_MS;
        if from < outage.1 && from + BIN_MS > outage.0 {
            *mark = '░';
        }
    }
    let mut hours = String::new();
    for hour in 17..23 {
        hours.push_str(&format!("{:<6}", format!("{hour}:00")));
    }
    vec![
        format!("restaurant  {}  up to {most} in ten minutes", row(&here)),
        format!("from home   {}", row(&home)),
        format!("no internet {}", marks.iter().collect::<String>()),
        format!("            {hours}"),
    ]
}

fn bins(times: &[u64]) -> Vec<usize> {
    let mut counts = vec![0; BINS];
    for at in times {
        let bin = usize::try_from(at / BIN_MS).unwrap_or(BINS).min(BINS - 1);
        counts[bin] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outage_is_under_its_minutes_and_the_highest_bar_is_full() {
        let lines = evening(&[0, 1, 2, 600_000], &[BIN_MS * 35], (BIN_MS * 2, BIN_MS * 4));
        assert!(lines[0].contains("restaurant  █▃"), "{}", lines[0]);
        assert_eq!(lines[2].chars().skip(12).take(5).collect::<String>(), "  ░░ ");
        assert_eq!(lines[1].chars().nth(12 + 35), Some('▃'));
    }
}
