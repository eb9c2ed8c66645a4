//! The delivery curve: which share of all messages was there after how long.

use std::fmt::Write;

use super::span;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 28.0;
/// Points of a drawn curve.
const POINTS: usize = 400;

/// Draws what was, and what was possible, of `all` messages.
pub(super) fn draw(out: &mut String, real: &[f64], possible: &[f64], all: usize) {
    let longest = real.last().into_iter().chain(possible.last());
    let end = longest.copied().fold(0.0, f64::max);
    if all == 0 || end <= 0.0 {
        out.push_str("<p class=\"soft\">Nothing was delivered.</p>");
        return;
    }
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * seconds / end;
    let y = |share: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share);
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Share of messages delivered over time\">"
    );
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let _ = write!(
            out,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/><text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{4:.0} %</text>",
            WIDTH - RIGHT,
            y(share),
            LEFT - 6.0,
            y(share) + 4.0,
            share * 100.0
        );
    }
    for step in 0..=5 {
        let seconds = end * f64::from(step) / 5.0;
        let anchor = match step {
            0 => "start",
            5 => "end",
            _ => "middle",
        };
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            x(seconds),
            HEIGHT - 8.0,
            span(seconds)
        );
    }
    let steps = |sorted: &[f64]| {
        let mut path = format!("M{:.1} {:.1}", x(0.0), y(0.0));
        let stride = sorted.len().div_ceil(POINTS).max(1);
        for (n, seconds) in sorted.iter().enumerate() {
            if n % stride == stride - 1 || n + 1 == sorted.len() {
                let share = (n + 1) as f64 / all as f64;
                let _ = write!(path, "H{:.1}V{:.1}", x(*seconds), y(share));
            }
        }
        let _ = write!(path, "H{:.1}", x(end));
        path
    };
    if !possible.is_empty() {
        let _ = write!(out, "<path class=\"ideal\" d=\"{}\"/>", steps(possible));
    }
    let path = steps(real);
    let _ = write!(
        out,
        "<path class=\"area\" d=\"{path}V{0:.1}H{1:.1}Z\"/><path class=\"real\" d=\"{path}\"/></svg>",
        y(0.0),
        x(0.0)
    );
    out.push_str("<p class=\"soft\"><span class=\"key\" style=\"background:var(--path);margin-left:0\"></span>delivered, of all that were written");
    if !possible.is_empty() {
        out.push_str("<span class=\"key\" style=\"background:var(--ideal)\"></span>possible for whoever knows all contacts, one message alone, each contact crossed whole");
    }
    out.push_str("</p>");
}
