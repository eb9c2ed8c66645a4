//! A camera that lives in memory: turns pictures into what one would see, seeded and repeatable.

#![expect(dead_code, reason = "each test binary uses its part")]

use packmule_qr::{Grey, Picture};

/// A small generator (xorshift): every run sees the same noise.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// Evenly spread between the two.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() as f64 / (1u64 << 53) as f64)
    }

    /// Close to a normal distribution with mean 0.
    fn normal(&mut self, sigma: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.between(0.0, 1.0)).sum();
        (sum - 6.0) * sigma
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
    }
}

/// Bytes that do not compress.
pub(crate) fn object(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed + 1);
    (0..length).map(|_| (rng.next() >> 13) as u8).collect()
}

/// The picture as it is, `px` pixels to a module.
pub(crate) fn flat(picture: &Picture, px: usize) -> Grey {
    sheet(std::slice::from_ref(picture), 1, px)
}

/// Pictures of one size side by side, `columns` in a row.
pub(crate) fn sheet(pictures: &[Picture], columns: usize, px: usize) -> Grey {
    let side = pictures.iter().map(Picture::full_width).max().unwrap_or(0) * px;
    let (width, height) = (side * columns, side * pictures.len().div_ceil(columns));
    let pixels = (0..width * height)
        .map(|i| {
            let (x, y) = (i % width, i / width);
            let picture = pictures.get(y / side * columns + x / side);
            match picture.is_some_and(|p| p.is_dark(x % side / px, y % side / px)) {
                true => 0,
                false => 255,
            }
        })
        .collect();
    Grey::new(width as u32, height as u32, pixels).expect("a sheet")
}

/// Half-block text as a terminal draws it, `px` pixels to a module.
pub(crate) fn screen(text: &str, ink_is_dark: bool, px: usize) -> Grey {
    let rows: Vec<Vec<[bool; 2]>> = text
        .lines()
        .map(|line| {
            let letters = line.trim_start_matches("\x1b[38;5;16;48;5;231m");
            let letters = letters.trim_end_matches("\x1b[0m");
            letters
                .chars()
                .map(|c| match c {
                    '█' => [true, true],
                    '▀' => [true, false],
                    '▄' => [false, true],
                    ' ' => [false, false],
                    other => panic!("{other:?} is no half block"),
                })
                .collect()
        })
        .collect();
    let width = rows.first().map_or(0, Vec::len);
    let height = rows.len() * 2;
    let pixels = (0..width * px * height * px)
        .map(|i| {
            let (x, y) = (i % (width * px) / px, i / (width * px) / px);
            let ink = rows[y / 2][x][y % 2];
            if ink == ink_is_dark { 0 } else { 255 }
        })
        .collect();
    Grey::new((width * px) as u32, (height * px) as u32, pixels).expect("a screen")
}
