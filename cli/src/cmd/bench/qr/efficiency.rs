//! Frames shown and received until a message is whole, by how many are lost and where one joins.

use packmule_bus::fountain::{Catcher, Caught, Fountain};
use serde_json::{Value, json};

use crate::fault::Fault;

const COUNTS: [u32; 5] = [5, 10, 50, 100, 500];

/// Bytes of a symbol; it does not matter to the count.
const SYMBOL: usize = 64;

/// What is lost on the way.
#[derive(Clone, Copy)]
enum Loss {
    /// So many of a hundred.
    Chance(u64),
    /// Every so manieth.
    Every(u64),
}

const LOSSES: [Loss; 6] = [
    Loss::Chance(0),
    Loss::Chance(10),
    Loss::Chance(30),
    Loss::Chance(50),
    Loss::Every(2),
    Loss::Every(3),
];

/// One number of frames and one kind of loss.
pub(super) struct Cell {
    k: u32,
    loss: Loss,
    late: bool,
    seeds: u32,
    median: u64,
    p99: u64,
    /// Frames received beyond k, on average.
    excess: f64,
}

impl Cell {
    pub(super) fn json(&self) -> Value {
        json!({
            "k": self.k,
            "loss": self.name(),
            "late": self.late,
            "seeds": self.seeds,
            "shown_median": self.median,
            "shown_p99": self.p99,
            "excess": self.excess,
        })
    }

    fn name(&self) -> String {
        match self.loss {
            Loss::Chance(percent) => format!("{percent} %"),
            Loss::Every(n) => format!("1 in {n}"),
        }
    }
}

/// All cells, each over so many seeds.
pub(super) fn measure(seeds: u32) -> Result<Vec<Cell>, Fault> {
    let mut cells = Vec::new();
    for k in COUNTS {
        let object: Vec<u8> = (0..k as usize * SYMBOL)
            .map(|n| (n * n / 3) as u8)
            .collect();
        let fault = |err: &dyn std::error::Error| Fault::damaged(err.to_string());
        let sender = Fountain::new(&object, SYMBOL).map_err(|err| fault(&err))?;
        let mut frames = Vec::new();
        for esi in 0..k * 12 {
            frames.push(sender.frame(esi).map_err(|err| fault(&err))?);
        }
        for late in [false, true] {
            for loss in LOSSES {
                cells.push(cell(k, &object, &frames, (loss, late, seeds))?);
            }
        }
    }
    Ok(cells)
}

fn cell(
    k: u32,
    object: &[u8],
    frames: &[Vec<u8>],
    (loss, late, seeds): (Loss, bool, u32),
) -> Result<Cell, Fault> {
    let mut shown = Vec::new();
    let mut received = 0;
    for seed in 0..seeds {
        let mut dice = Dice(u64::from(seed));
        let (join, phase) = (dice.next() % u64::from(3 * k), dice.next());
        let join = if late { join as usize } else { 0 };
        let mut catcher = Catcher::default();
        let mut numbered = (1..).zip(frames.iter().skip(join));
        let end = numbered.find_map(|(number, frame)| {
            let lost = match loss {
                Loss::Chance(percent) => dice.next() % 100 < percent,
                Loss::Every(n) => (number + phase).is_multiple_of(n),
            };
            if lost {
                return None;
            }
            received += 1;
            match catcher.catch(frame) {
                Ok(Caught::Complete { object: got, .. }) => Some((number, got == object)),
                _ => None,
            }
        });
        match end {
            Some((number, true)) => shown.push(number),
            _ => return Err(Fault::damaged(format!("seed {seed} did not become whole"))),
        }
    }
    shown.sort_unstable();
    let at = |part: usize| shown.get((shown.len() * part / 100).min(shown.len() - 1));
    Ok(Cell {
        k,
        loss,
        late,
        seeds,
        median: at(50).copied().unwrap_or_default(),
        p99: at(99).copied().unwrap_or_default(),
        excess: f64::from(received) / f64::from(seeds) - f64::from(k),
    })
}

/// For people.
pub(super) fn text(cells: &[Cell]) -> String {
    let mut text = String::from(
        "frames shown until whole, median/99th of a hundred (received beyond k, on average)\n",
    );
    for row in cells.chunks(LOSSES.len()) {
        let Some(first) = row.first() else { continue };
        let joined = if first.late { "late" } else { "first" };
        text.push_str(&format!("k = {:<3} from the {joined:<6}", first.k));
        for cell in row {
            let shown = format!("{}/{} ({:.3})", cell.median, cell.p99, cell.excess);
            text.push_str(&format!("{}: {shown:<19}", cell.name()));
        }
        text.push('\n');
    }
    text
}

/// Chance (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
