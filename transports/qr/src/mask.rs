//! Which of the eight masks a code gets, chosen fast enough to draw while codes are shown.
//!
//! Called by [`Picture`](crate::Picture). The `qrcode` crate draws and judges all eight one module
//! after the other, 23 ms for version 30; here a word holds 64 modules, and the penalties of
//! ISO/IEC 18004 §7.8.3 are counted by bits. Two liberties, neither of which a reader notices:
//! the 30 modules of format information count as light, and finder-like patterns at the edge
//! do not count the quiet zone. What can go wrong: nothing; every mask makes a valid code.

use qrcode::Color;
use qrcode::canvas::{Canvas, MaskPattern, Module};

/// Whether a mask alters the module in this column and row.
type IsOn = fn(usize, usize) -> bool;

/// The masks in the order of their numbers.
const MASKS: [(MaskPattern, IsOn); 8] = [
    (MaskPattern::Checkerboard, |x, y| (x + y).is_multiple_of(2)),
    (MaskPattern::HorizontalLines, |_, y| y.is_multiple_of(2)),
    (MaskPattern::VerticalLines, |x, _| x.is_multiple_of(3)),
    (MaskPattern::DiagonalLines, |x, y| (x + y).is_multiple_of(3)),
    (MaskPattern::LargeCheckerboard, |x, y| {
        (x / 3 + y / 2).is_multiple_of(2)
    }),
    (MaskPattern::Fields, |x, y| x * y % 2 + x * y % 3 == 0),
    (MaskPattern::Diamonds, |x, y| {
        (x * y % 2 + x * y % 3).is_multiple_of(2)
    }),
    (MaskPattern::Meadow, |x, y| {
        ((x + y) % 2 + x * y % 3).is_multiple_of(2)
    }),
];

/// Every mask repeats after 12 modules either way.
const PERIOD: usize = 12;

/// Up to 192 modules of a row; module x is bit x % 64 of word x / 64.
type Row = [u64; 3];

/// The mask with the least penalty for a canvas that holds data and no mask yet.
pub(crate) fn best(canvas: &Canvas, width: usize) -> MaskPattern {
    let code = Code::of(canvas, width);
    let turned = code.turned();
    let judged = MASKS.iter().map(|(pattern, is_on)| {
        let across = code.masked(is_on);
        let down = turned.masked(|y, x| is_on(x, y));
        (penalty(&across, &down, width), *pattern)
    });
    judged
        .min_by_key(|(penalty, _)| *penalty)
        .map_or(MaskPattern::Checkerboard, |(_, pattern)| pattern)
}

/// A code without mask: which modules are dark, and which of them masks alter.
struct Code {
    width: usize,
    dark: Vec<Row>,
    data: Vec<Row>,
}

impl Code {
    fn of(canvas: &Canvas, width: usize) -> Self {
        let mut code = Self {
            width,
            dark: vec![[0; 3]; width],
            data: vec![[0; 3]; width],
        };
        for y in 0..width {
            for x in 0..width {
                // Versions end at 177 modules.
                let at = |n: usize| i16::try_from(n).unwrap_or(i16::MAX);
                let (dark, data) = match canvas.get(at(x), at(y)) {
                    Module::Unmasked(color) => (color == Color::Dark, true),
                    Module::Masked(color) => (color == Color::Dark, false),
                    Module::Empty => (false, false),
                };
                set(&mut code.dark, x, y, dark);
                set(&mut code.data, x, y, data);
            }
        }
        code
    }

    /// The same with columns for rows.
    fn turned(&self) -> Self {
        let turn = |rows: &[Row]| {
            let mut turned = vec![[0; 3]; self.width];
            for (y, row) in rows.iter().enumerate() {
                for x in 0..self.width {
                    set(&mut turned, y, x, bit(row, x));
                }
            }
            turned
        };
        Self {
            width: self.width,
            dark: turn(&self.dark),
            data: turn(&self.data),
        }
    }

    /// The rows as they are with a mask.
    fn masked(&self, is_on: impl Fn(usize, usize) -> bool) -> Vec<Row> {
        let mut pattern = vec![[0; 3]; PERIOD];
        for y in 0..PERIOD {
            for x in 0..self.width {
                set(&mut pattern, x, y, is_on(x, y));
            }
        }
        let rows = self.dark.iter().zip(&self.data).zip(pattern.iter().cycle());
        rows.map(|((dark, data), mask)| {
            let mut row = *dark;
            for ((row, data), mask) in row.iter_mut().zip(data).zip(mask) {
                *row ^= data & mask;
            }
            row
        })
        .collect()
    }
}

fn set(rows: &mut [Row], x: usize, y: usize, on: bool) {
    if let Some(word) = rows.get_mut(y).and_then(|row| row.get_mut(x / 64)) {
        *word |= u64::from(on) << (x % 64);
    }
}

fn bit(row: &Row, x: usize) -> bool {
    row.get(x / 64)
        .is_some_and(|word| word >> (x % 64) & 1 == 1)
}

/// The row moved so that module x is where module x - n was; n below 64.
fn ahead(row: &Row, n: u32) -> Row {
    let [a, b, c] = *row;
    let carry = |word: u64| word.checked_shl(64 - n).unwrap_or(0);
    [a >> n | carry(b), b >> n | carry(c), c >> n]
}

fn both(a: &Row, b: &Row) -> Row {
    each(a, b, |a, b| a & b)
}

fn each(a: &Row, b: &Row, of: impl Fn(u64, u64) -> u64) -> Row {
    let ([a0, a1, a2], [b0, b1, b2]) = (*a, *b);
    [of(a0, b0), of(a1, b1), of(a2, b2)]
}

/// The first `n` modules.
fn first(n: usize) -> Row {
    let word = |from: usize| match n.saturating_sub(from) {
        0 => 0,
        n @ 1..64 => (1 << n) - 1,
        _ => u64::MAX,
    };
    [word(0), word(64), word(128)]
}

fn count(row: &Row) -> u32 {
    row.iter().map(|word| word.count_ones()).sum()
}

fn penalty(across: &[Row], down: &[Row], width: usize) -> u32 {
    let blocks: u32 = across
        .windows(2)
        .map(|two| match two {
            [upper, lower] => {
                let side = |row: &Row| each(row, &ahead(row, 1), |a, b| !(a ^ b));
                let same = each(upper, lower, |a, b| !(a ^ b));
                let block = both(&both(&side(upper), &side(lower)), &same);
                3 * count(&both(&block, &first(width - 1)))
            }
            _ => 0,
        })
        .sum();
    let dark: u32 = across.iter().map(count).sum();
    let all = u32::try_from(width * width).unwrap_or(u32::MAX);
    let twentieths = (dark * 20).abs_diff(all * 10) / all;
    let lines = |rows: &[Row]| -> u32 { rows.iter().map(|row| line(row, width)).sum() };
    blocks + twentieths * 10 + lines(across) + lines(down)
}

/// Runs of five and more of one colour, and patterns that look like a finder.
fn line(row: &Row, width: usize) -> u32 {
    let equal = each(row, &ahead(row, 1), |a, b| !(a ^ b));
    let pairs = both(&equal, &ahead(&equal, 1));
    let fives = both(&both(&pairs, &ahead(&pairs, 2)), &first(width - 4));
    let begun = each(&fives, &behind(&fives), |now, before| now & !before);
    // A run of n is n - 4 fives, and costs n - 2.
    let runs = count(&fives) + 2 * count(&begun);
    let dark = |n: u32| ahead(row, n);
    let light = |n: u32| ahead(row, n).map(|word| !word);
    let all = |rows: &[Row]| rows.iter().fold([u64::MAX; 3], |a, b| both(&a, b));
    let finder = |n: u32| {
        all(&[
            dark(n),
            light(n + 1),
            dark(n + 2),
            dark(n + 3),
            dark(n + 4),
            light(n + 5),
            dark(n + 6),
        ])
    };
    let calm = |n: u32| all(&[light(n), light(n + 1), light(n + 2), light(n + 3)]);
    let inside = first(width - 10);
    let after = both(&both(&finder(0), &calm(7)), &inside);
    let before = both(&both(&calm(0), &finder(4)), &inside);
    runs + 40 * (count(&after) + count(&before))
}

/// The row moved one module the other way.
fn behind(row: &Row) -> Row {
    let [a, b, c] = *row;
    [a << 1, b << 1 | a >> 63, c << 1 | b >> 63]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's rules, letter by letter.
    fn slow(rows: &[Vec<bool>]) -> u32 {
        let n = rows.len();
        let columns: Vec<Vec<bool>> = (0..n)
            .map(|x| rows.iter().map(|row| row[x]).collect())
            .collect();
        let mut sum = 0;
        for line in rows.iter().chain(&columns) {
            let mut run = 1;
            for x in 1..=n {
                if x < n && line[x] == line[x - 1] {
                    run += 1;
                } else {
                    sum += if run >= 5 { run - 2 } else { 0 };
                    run = 1;
                }
            }
            for window in line.windows(11) {
                let text: String = window.iter().map(|d| if *d { '1' } else { '0' }).collect();
                if text == "10111010000" || text == "00001011101" {
                    sum += 40;
                }
            }
        }
        for y in 1..n {
            for x in 1..n {
                let block = [
                    rows[y][x],
                    rows[y - 1][x],
                    rows[y][x - 1],
                    rows[y - 1][x - 1],
                ];
                if block.iter().all(|d| *d == block[0]) {
                    sum += 3;
                }
            }
        }
        let dark = rows.iter().flatten().filter(|d| **d).count() as u32;
        let all = (n * n) as u32;
        sum + (dark * 20).abs_diff(all * 10) / all * 10
    }

    #[test]
    fn bits_count_the_same_penalty_as_letters() {
        let mut state = 7u64;
        for (width, likely) in [
            (21, 50),
            (64, 50),
            (65, 80),
            (128, 20),
            (133, 50),
            (177, 65),
        ] {
            let mut random = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                (state >> 33) % 100 < likely
            };
            let mut rows: Vec<Vec<bool>> = (0..width)
                .map(|_| (0..width).map(|_| random()).collect())
                .collect();
            for (x, dark) in "000010111010000".chars().enumerate() {
                rows[5][x + 6] = dark == '1';
                rows[x + 6][9] = dark == '1';
            }
            let (mut across, mut down) = (vec![[0; 3]; width], vec![[0; 3]; width]);
            for (y, row) in rows.iter().enumerate() {
                for (x, dark) in row.iter().enumerate() {
                    set(&mut across, x, y, *dark);
                    set(&mut down, y, x, *dark);
                }
            }
            assert_eq!(penalty(&across, &down, width), slow(&rows), "{width}");
        }
    }

    #[test]
    fn masks_repeat_after_twelve_modules() {
        for (_, is_on) in MASKS {
            for y in 0..40 {
                for x in 0..40 {
                    assert_eq!(is_on(x, y), is_on(x % PERIOD, y % PERIOD));
                }
            }
        }
    }
}
