//! Other decoders in Rust on the degraded corpus: rqrr and quircs, one try at full size.
//!
//! usage: decoders DIR (as `packmule-qr`'s example `corpus` wrote it). Prints one JSON line for each
//! decoder: pictures read and all, by kind of trouble.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use packmule_qr::{Grey, scan_rqrr, scan_rxing};
use serde_json::json;

/// A binary PGM.
fn pgm(path: &Path) -> Grey {
    let bytes = fs::read(path).expect("a picture");
    let head = bytes.iter().position(|b| *b == b'\n').expect("a line");
    let line = std::str::from_utf8(&bytes[..head]).expect("text");
    let sides: Vec<u32> = line
        .split(' ')
        .skip(1)
        .map(|n| n.parse().expect("a number"))
        .collect();
    Grey::new(sides[0], sides[1], bytes[head + 1..].to_vec()).expect("a picture")
}

fn quircs(picture: &Grey) -> Vec<Vec<u8>> {
    let mut finder = quircs::Quirc::default();
    let codes = finder.identify(picture.width(), picture.height(), picture.pixels());
    codes
        .filter_map(|code| code.ok()?.decode().ok())
        .map(|data| data.payload)
        .collect()
}

type Decoder = fn(&Grey) -> Vec<Vec<u8>>;

fn main() {
    let dir = std::env::args().nth(1).expect("a folder");
    let dir = Path::new(&dir);
    let list = fs::read_to_string(dir.join("list.tsv")).expect("a list");
    let decoders: [(&str, Decoder); 3] = [
        ("rqrr", scan_rqrr),
        ("quircs", quircs),
        ("rxing, once", scan_rxing),
    ];
    for (name, decode) in decoders {
        let mut scores: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        let mut times = Vec::new();
        for line in list.lines() {
            let mut fields = line.splitn(3, '\t');
            let mut field = || fields.next().expect("three fields");
            let (file, kind, says) = (field(), field(), field());
            let picture = pgm(&dir.join(file));
            let began = Instant::now();
            let read = decode(&picture).iter().any(|code| code == says.as_bytes());
            times.push(began.elapsed());
            for group in [kind, "all"] {
                let score = scores.entry(group.to_owned()).or_default();
                score.0 += u32::from(read);
                score.1 += 1;
            }
        }
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1000.0;
        println!(
            "{}",
            json!({ "decoder": name, "median_ms": median, "read": scores })
        );
    }
}
