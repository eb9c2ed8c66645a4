//! The degraded corpus: pictures of codes as bad cameras see them, and what our scanner reads.
//!
//! usage: corpus [SEEDS] [DIR]
//!
//! Versions 10, 20, 30 and 40, levels L and M, 3, 4 and 6 pixels to a module, nine kinds of trouble,
//! SEEDS pictures of each (3 make 648). Each picture follows from its place in that list and from
//! nothing else. With a DIR they are also written there, as PGM, with `list.tsv` that tells what
//! each one says, for other decoders. Prints a line for each kind, for each size and for all, then
//! one JSON line, and fails below the bounds that the transport promises: 95 % of all, and every
//! picture of the kind `Camera`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails ends the run"
)]

#[path = "../tests/camera/mod.rs"]
mod camera;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use camera::{Modules, Rng, Trouble, photograph};
use packmule_qr::{Grey, scan};
use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, QrCode, Version};

const VERSIONS: [u8; 4] = [10, 20, 30, 40];
const PIXELS: [u8; 3] = [3, 4, 6];
const TROUBLES: [Trouble; 9] = [
    Trouble::Clean,
    Trouble::Rotated,
    Trouble::Slanted,
    Trouble::Blur,
    Trouble::Noise,
    Trouble::Jpeg,
    Trouble::Light,
    Trouble::Camera,
    Trouble::Ghost,
];

/// A code full to its last character.
struct Code {
    text: String,
    width: usize,
    dark: Vec<bool>,
}

impl Code {
    fn new(version: u8, level: EcLevel, seed: u64) -> Self {
        let normal = Version::Normal(i16::from(version));
        let mut rng = Rng::new(seed * 100 + u64::from(version));
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let mut text: String = (0..4296)
            .map(|_| char::from(alphabet[rng.between(0.0, 45.0) as usize]))
            .collect();
        loop {
            let mut bits = Bits::new(normal);
            let fits = bits.push_alphanumeric_data(text.as_bytes()).is_ok()
                && bits.push_terminator(level).is_ok();
            if fits {
                let code = QrCode::with_bits(bits, level).expect("a code");
                let (width, colors) = (code.width(), code.into_colors());
                let dark = colors.into_iter().map(|c| c == Color::Dark).collect();
                return Self { text, width, dark };
            }
            text.pop();
        }
    }
}

impl Modules for Code {
    fn full_width(&self) -> usize {
        self.width + 8
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |n: usize| n.checked_sub(4).filter(|n| *n < self.width);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => self.dark[y * self.width + x],
            _ => false,
        }
    }
}

/// One picture's place in the list.
#[derive(Clone, Copy)]
struct Place {
    version: u8,
    level: EcLevel,
    px: u8,
    trouble: Trouble,
    seed: u64,
}

impl Place {
    fn name(self) -> String {
        let Self {
            version,
            level,
            px,
            trouble,
            seed,
        } = self;
        format!("v{version}-{level:?}-{px}px-{trouble:?}-{seed}")
    }

    fn photograph(self) -> (Grey, String) {
        let code = Code::new(self.version, self.level, self.seed);
        let before = Code::new(self.version, self.level, self.seed + 1000);
        // FNV-1a of the name: any picture can be made alone.
        let seed = self
            .name()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let mut rng = Rng::new(seed);
        let px = f64::from(self.px);
        (
            photograph(&code, &before, px, self.trouble, &mut rng),
            code.text,
        )
    }
}

fn places(seeds: u64) -> Vec<Place> {
    let mut places = Vec::new();
    for version in VERSIONS {
        for level in [EcLevel::L, EcLevel::M] {
            for px in PIXELS {
                for trouble in TROUBLES {
                    places.extend((0..seeds).map(|seed| Place {
                        version,
                        level,
                        px,
                        trouble,
                        seed,
                    }));
                }
            }
        }
    }
    places
}

/// Pictures read of all, and the time each took.
#[derive(Default)]
struct Score {
    read: u32,
    all: u32,
    times: Vec<Duration>,
}

impl Score {
    fn percent(&self) -> f64 {
        f64::from(self.read) * 100.0 / f64::from(self.all.max(1))
    }
}

fn write(dir: &Path, name: &str, picture: &Grey) {
    let mut file = format!("P5 {} {} 255\n", picture.width(), picture.height()).into_bytes();
    file.extend(picture.pixels());
    std::fs::write(dir.join(format!("{name}.pgm")), file).expect("written");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments
        .next()
        .map_or(3, |n| n.parse().expect("a number of seeds"));
    let dir = arguments.next().map(PathBuf::from);
    if let Some(dir) = &dir {
        std::fs::create_dir_all(dir).expect("a folder");
    }
    let places = places(seeds);
    let next = AtomicUsize::new(0);
    let scores: Mutex<BTreeMap<String, Score>> = Mutex::default();
    let list = Mutex::new(vec![String::new(); places.len()]);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((n, place)) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    places.get(n).map(|place| (n, place))
                } {
                    let (picture, says) = place.photograph();
                    let began = Instant::now();
                    let codes = scan(&picture);
                    let took = began.elapsed();
                    let read = codes.iter().any(|code| code == says.as_bytes());
                    // Nothing at all, or the truth.
                    if !read && !codes.is_empty() {
                        panic!("{}: read {:?}", place.name(), codes);
                    }
                    let groups = [
                        format!("{:?}", place.trouble),
                        format!("version {}", place.version),
                        format!("{} px", place.px),
                        "all".to_owned(),
                    ];
                    let mut scores = scores.lock().expect("scores");
                    for group in groups {
                        let score = scores.entry(group).or_default();
                        score.all += 1;
                        score.read += u32::from(read);
                        score.times.push(took);
                    }
                    drop(scores);
                    if let Some(dir) = &dir {
                        write(dir, &place.name(), &picture);
                        let line = format!("{}.pgm\t{:?}\t{says}", place.name(), place.trouble);
                        list.lock().expect("list")[n] = line;
                    }
                }
            });
        }
    });
    if let Some(dir) = &dir {
        let list = list.into_inner().expect("list").join("\n") + "\n";
        std::fs::write(dir.join("list.tsv"), list).expect("written");
    }
    let mut scores = scores.into_inner().expect("scores");
    let mut json = String::from("{");
    for (group, score) in &mut scores {
        score.times.sort_unstable();
        let median = score.times[score.times.len() / 2];
        println!(
            "{group:<12} {:>4} of {:>4}  {:>5.1} %  {median:.1?}",
            score.read,
            score.all,
            score.percent()
        );
        let _ = write!(json, "\"{group}\": [{}, {}], ", score.read, score.all);
    }
    println!("{}}}", json.trim_end_matches(", "));
    let camera = scores["Camera"].percent();
    let all = scores["all"].percent();
    assert!(camera == 100.0, "{camera:.1} % of the camera's pictures");
    assert!(all >= 95.0, "{all:.1} % of all pictures");
}
