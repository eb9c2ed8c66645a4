//! The page around the drawings: style, tables, escaping.

use std::fmt::Write;

use super::{Report, curve, lanes, span};
use crate::trace::quantile;

/// Colours are variables, so that one drawing serves light and dark.
const STYLE: &str = "
:root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1d2430;--soft:#667085;--line:#e4e2dc;--good:#1a7f4e;--bad:#c0362c;--path:#2563c9;--copy:#9db7e0;--contact:#e8dcc0;--mark:#d97706;--ideal:#b08a3c}
@media(prefers-color-scheme:dark){:root{--paper:#14171c;--card:#1c2128;--ink:#e6e9ee;--soft:#98a2b3;--line:#2d333d;--good:#4cc38a;--bad:#ff7b6e;--path:#7ab0ff;--copy:#3d5a86;--contact:#3a3424;--mark:#f5a94a;--ideal:#d9b76a}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;line-height:1.2;margin:0 0 4px}h2{font-size:17px;margin:0 0 12px}
p{margin:0 0 12px}.soft{color:var(--soft)}section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px;margin-top:20px;overflow-x:auto}
.verdict{border-left:6px solid var(--good)}.verdict.bad{border-left-color:var(--bad)}.verdict ul{margin:0;padding-left:20px}
.numbers{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px;background:none;border:0;padding:0}
.numbers div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 14px}.numbers b{display:block;font-size:22px;font-variant-numeric:tabular-nums}.numbers span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:20px}.two section{margin-top:20px}
svg{display:block;width:100%;height:auto;min-width:640px}svg text{fill:var(--soft);font:11px system-ui,sans-serif}svg .name{fill:var(--ink);font-size:12px}
.axis{stroke:var(--line);stroke-width:1}.real{fill:none;stroke:var(--path);stroke-width:2.5}.area{fill:var(--path);opacity:.09}.ideal{fill:none;stroke:var(--ideal);stroke-width:1.5;stroke-dasharray:5 4}
.contact{fill:var(--contact)}.copy{fill:none;stroke:var(--copy);stroke-width:1}.path{fill:none;stroke:var(--path);stroke-width:1.8;stroke-linejoin:round}.born{fill:var(--path)}.there{fill:var(--good)}.gone{fill:var(--soft)}.down{fill:var(--bad);opacity:.28}.mark{fill:var(--mark)}.broken{fill:var(--bad)}
.key{display:inline-block;width:14px;height:8px;border-radius:2px;margin:0 6px 0 14px}
";

pub(super) fn page(report: &Report) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let title = text(&report.title);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\n\
         <h1>{title}</h1><p class=\"soft\">{}</p>\n",
        text(&report.about)
    );
    verdict(&mut out, report);
    out.push_str("<section class=\"numbers\">");
    for (name, value) in &report.numbers {
        let _ = write!(
            out,
            "<div><b>{}</b><span>{}</span></div>",
            text(value),
            text(name)
        );
    }
    out.push_str("</section>\n<section><h2>Delivery</h2>");
    let (real, possible) = report.latencies();
    curve::draw(&mut out, &real, &possible, report.timeline.messages.len());
    out.push_str("</section>\n<div class=\"two\">");
    latencies(&mut out, &real, &possible);
    table(
        &mut out,
        "How messages ended",
        ("end", "messages"),
        report.fates().into_iter().map(|(k, v)| (k, v as u64)),
    );
    if !report.fired.is_empty() {
        let fired = report.fired.iter().map(|(k, v)| (k.as_str(), *v));
        table(&mut out, "Faults that fired", ("fault", "times"), fired);
    }
    out.push_str("</div>\n<section><h2>Contacts and messages</h2>");
    lanes::draw(&mut out, &report.timeline);
    out.push_str("</section>\n<p class=\"soft\" style=\"margin-top:20px\">Made by packmule sim. All times are virtual.</p></main></body></html>\n");
    out
}

fn verdict(out: &mut String, report: &Report) {
    if report.broken.is_empty() {
        out.push_str(
            "<section class=\"verdict\"><strong>All promises were kept.</strong></section>\n",
        );
        return;
    }
    let count = report.broken.len();
    let _ = write!(
        out,
        "<section class=\"verdict bad\"><strong>{count} {} broken.</strong><ul>",
        if count == 1 {
            "promise was"
        } else {
            "promises were"
        }
    );
    for line in report.broken.iter().take(50) {
        let _ = write!(out, "<li>{}</li>", text(line));
    }
    out.push_str("</ul></section>\n");
}

fn latencies(out: &mut String, real: &[f64], possible: &[f64]) {
    out.push_str("<section><h2>Latency</h2><table><tr><th>share of delivered</th><th class=\"n\">real</th><th class=\"n\">possible</th></tr>");
    for share in [0.1, 0.25, 0.5, 0.75, 0.9, 0.99] {
        let cell = |sorted: &[f64]| match sorted {
            [] => "–".to_owned(),
            _ => span(quantile(sorted, share)),
        };
        let _ = write!(
            out,
            "<tr><td>{:.0} %</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            share * 100.0,
            cell(real),
            cell(possible)
        );
    }
    out.push_str("</table></section>");
}

fn table<'a>(
    out: &mut String,
    title: &str,
    head: (&str, &str),
    rows: impl Iterator<Item = (&'a str, u64)>,
) {
    let _ = write!(
        out,
        "<section><h2>{title}</h2><table><tr><th>{}</th><th class=\"n\">{}</th></tr>",
        head.0, head.1
    );
    for (name, count) in rows {
        let name = text(&name.replace('_', " "));
        let _ = write!(out, "<tr><td>{name}</td><td class=\"n\">{count}</td></tr>");
    }
    out.push_str("</table></section>");
}

/// Text that means nothing to HTML, however hostile.
pub(super) fn text(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
