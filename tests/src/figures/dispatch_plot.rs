//! A picture of the benchmark: click-to-door against its bound, a dot a day.

use std::fmt::Write as _;

use super::dispatch::Score;

/// Side and margin, in pixels.
const SIDE: f64 = 560.0;
const MARGIN: f64 = 56.0;

/// An SVG: mean click-to-door of each day over its lower bound; on the line every order is fetched when ready and brought straight.
#[must_use]
pub fn plot(scores: &[Score]) -> String {
    let values = scores.iter().flat_map(|score| [score.ctd_mean, score.ctd_bound_mean]);
    let low = values.clone().fold(f64::INFINITY, f64::min).floor();
    let high = values.fold(0.0, f64::max).ceil();
    let span = (high - low).max(1.0);
    let at = |value: f64| MARGIN + (value - low) / span * (SIDE - 2.0 * MARGIN);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" font-family="sans-serif" font-size="12">
<title>Click-to-door against the bound, {} days</title>
<rect width="{SIDE}" height="{SIDE}" fill="white"/>
<line x1="{a:.1}" y1="{b:.1}" x2="{b:.1}" y2="{a:.1}" stroke="gray"/>
"#,
        scores.len(),
        a = MARGIN,
        b = SIDE - MARGIN,
    );
    let mut tick = low;
    while tick <= high {
        let (x, y) = (at(tick), SIDE - at(tick));
        // Writing into a string cannot fail.
        let _ = writeln!(
            svg,
            r##"<text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="#444">{tick}</text><text x="{:.1}" y="{y:.1}" text-anchor="end" fill="#444">{tick}</text>"##,
            SIDE - MARGIN + 18.0,
            MARGIN - 8.0
        );
        tick += (span / 8.0).ceil();
    }
    for score in scores {
        let (x, y) = (at(score.ctd_bound_mean), SIDE - at(score.ctd_mean));
        let _ = writeln!(
            svg,
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="#c2410c" fill-opacity="0.6"><title>{}: {:.2} min, bound {:.2}</title></circle>"##,
            score.instance, score.ctd_mean, score.ctd_bound_mean
        );
    }
    let _ = writeln!(
        svg,
        r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">bound: mean click-to-door if nothing waits, min</text>
<text x="14" y="{:.1}" transform="rotate(-90 14 {:.1})" text-anchor="middle">ours, mean click-to-door, min</text>
</svg>"#,
        SIDE / 2.0,
        SIDE - 14.0,
        SIDE / 2.0,
        SIDE / 2.0
    );
    svg
}
