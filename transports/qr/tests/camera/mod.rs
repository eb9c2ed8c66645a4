//! A camera that lives in memory: turns pictures into what one would see, seeded and repeatable.

#![expect(dead_code, reason = "each test binary uses its part")]

use image::codecs::jpeg::JpegEncoder;
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

/// Whatever has modules to photograph.
pub(crate) trait Modules {
    /// Modules along one side, with the quiet zone.
    fn full_width(&self) -> usize;

    /// Whether a module, counted with the quiet zone, is dark.
    fn is_dark(&self, x: usize, y: usize) -> bool;
}

impl Modules for Picture {
    fn full_width(&self) -> usize {
        self.full_width()
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        self.is_dark(x, y)
    }
}

/// Bytes that do not compress.
pub(crate) fn object(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed + 1);
    (0..length).map(|_| (rng.next() >> 13) as u8).collect()
}

/// The picture as it is, `px` pixels to a module.
pub(crate) fn flat(picture: &impl Modules, px: usize) -> Grey {
    sheet(std::slice::from_ref(picture), 1, px)
}

/// Pictures of one size side by side, `columns` in a row.
pub(crate) fn sheet(pictures: &[impl Modules], columns: usize, px: usize) -> Grey {
    let side = pictures.iter().map(Modules::full_width).max().unwrap_or(0) * px;
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

/// What is done to a picture on its way into the camera, modelled after the corpus of the notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Clean,
    /// 8 to 40 degrees either way.
    Rotated,
    /// One side up to a fifth longer than the other.
    Slanted,
    /// Sensor noise of sigma 25 on a contrast of 40 to 200.
    Noise,
    /// JPEG at quality 20.
    Jpeg,
    /// A light from one side, four times as bright there.
    Light,
    /// All of it, each a little: what a phone sees.
    Camera,
    /// A quarter of the code before is still on the screen.
    Ghost,
    /// Out of focus by half a module (sigma): what no decoder reads as it is.
    Blur,
}

impl Trouble {
    pub(crate) const ALL: [Self; 9] = [
        Self::Clean,
        Self::Rotated,
        Self::Slanted,
        Self::Noise,
        Self::Jpeg,
        Self::Light,
        Self::Camera,
        Self::Ghost,
        Self::Blur,
    ];
}

/// The picture as a camera sees it; `before` is what the screen showed just before.
pub(crate) fn photograph(
    picture: &impl Modules,
    before: &impl Modules,
    px: f64,
    trouble: Trouble,
    rng: &mut Rng,
) -> Grey {
    let side = |low, high, rng: &mut Rng| {
        let sign = if rng.between(-1.0, 1.0) < 0.0 {
            -1.0
        } else {
            1.0
        };
        sign * rng.between(low, high)
    };
    match trouble {
        Trouble::Clean => flat(picture, px as usize),
        Trouble::Rotated => View::new(px, side(8.0, 40.0, rng), 0.0, rng)
            .of(picture)
            .grey(),
        Trouble::Slanted => View::new(px, side(0.0, 5.0, rng), 0.10, rng)
            .of(picture)
            .grey(),
        Trouble::Blur => View::new(px, side(0.0, 2.0, rng), 0.01, rng)
            .of(picture)
            .blur(0.5 * px)
            .grey(),
        Trouble::Noise => {
            let seen = View::new(px, side(0.0, 2.0, rng), 0.01, rng).of(picture);
            seen.contrast(40.0, 200.0).noise(25.0, rng).grey()
        }
        Trouble::Jpeg => View::new(px, side(0.0, 2.0, rng), 0.01, rng)
            .of(picture)
            .jpeg(20)
            .grey(),
        Trouble::Light => {
            let seen = View::new(px, side(0.0, 2.0, rng), 0.01, rng).of(picture);
            seen.contrast(25.0, 240.0)
                .light(0.25, rng)
                .noise(3.0, rng)
                .grey()
        }
        Trouble::Camera => {
            let seen = View::new(px, side(0.0, 8.0, rng), 0.04, rng)
                .of(picture)
                .blur(0.25 * px);
            let lit = seen.contrast(30.0, 225.0).light(0.55, rng);
            lit.noise(7.0, rng).jpeg(75).grey()
        }
        Trouble::Ghost => {
            let view = View::new(px, 2.0, 0.01, rng);
            let mut seen = view.of(picture);
            for (now, then) in seen.pixels.iter_mut().zip(view.of(before).pixels) {
                *now = 0.75 * *now + 0.25 * then;
            }
            seen.blur(0.2 * px).noise(5.0, rng).jpeg(80).grey()
        }
    }
}

/// Where a camera stands.
struct View {
    px: f64,
    turn: f64,
    tilt: [f64; 2],
    backdrop: Vec<f64>,
}

impl View {
    fn new(px: f64, degrees: f64, tilt: f64, rng: &mut Rng) -> Self {
        Self {
            px,
            turn: degrees.to_radians(),
            tilt: [rng.between(-tilt, tilt), rng.between(-tilt, tilt)],
            backdrop: (0..13 * 13).map(|_| rng.between(60.0, 200.0)).collect(),
        }
    }

    /// Every pixel is the mean of 3 × 3 samples, as a sensor integrates.
    fn of(&self, picture: &impl Modules) -> Film {
        let modules = picture.full_width() as f64;
        let grow = if self.turn.abs() < 0.05 { 1.0 } else { 1.3 };
        let side = (modules * self.px * grow * 1.24) as usize + 16;
        let (sin, cos) = self.turn.sin_cos();
        let half = side as f64 / 2.0;
        let sample = |x: f64, y: f64| {
            let (u, v) = ((x - half) / self.px, (y - half) / self.px);
            let (u, v) = (u * cos + v * sin, v * cos - u * sin);
            let depth = 1.0 + (self.tilt[0] * u + self.tilt[1] * v) / modules * 2.0;
            let (u, v) = (u / depth + modules / 2.0, v / depth + modules / 2.0);
            if u < 0.0 || v < 0.0 || u >= modules || v >= modules {
                return self.behind(x / side as f64, y / side as f64);
            }
            if picture.is_dark(u as usize, v as usize) {
                0.0
            } else {
                255.0
            }
        };
        let pixels = (0..side * side)
            .map(|i| {
                let (x, y) = ((i % side) as f64, (i / side) as f64);
                let sum: f64 = (0..9)
                    .map(|s| {
                        sample(
                            x + (f64::from(s % 3) + 0.5) / 3.0,
                            y + (f64::from(s / 3) + 0.5) / 3.0,
                        )
                    })
                    .sum();
                sum / 9.0
            })
            .collect();
        Film { side, pixels }
    }

    /// A blotchy wall, smooth between 13 × 13 points.
    fn behind(&self, x: f64, y: f64) -> f64 {
        let at = |x: usize, y: usize| self.backdrop[y.min(12) * 13 + x.min(12)];
        let (x, y) = (x.clamp(0.0, 1.0) * 12.0, y.clamp(0.0, 1.0) * 12.0);
        let (i, j) = (x as usize, y as usize);
        let (fx, fy) = (x.fract(), y.fract());
        let upper = at(i, j) * (1.0 - fx) + at(i + 1, j) * fx;
        let lower = at(i, j + 1) * (1.0 - fx) + at(i + 1, j + 1) * fx;
        upper * (1.0 - fy) + lower * fy
    }
}

/// A square of light values, 0 to 255 and beyond.
struct Film {
    side: usize,
    pixels: Vec<f64>,
}

impl Film {
    fn contrast(mut self, low: f64, high: f64) -> Self {
        for p in &mut self.pixels {
            *p = low + *p * (high - low) / 255.0;
        }
        self
    }

    fn noise(mut self, sigma: f64, rng: &mut Rng) -> Self {
        for p in &mut self.pixels {
            *p += rng.normal(sigma);
        }
        self
    }

    /// Full light on one side, `least` of it on the other.
    fn light(mut self, least: f64, rng: &mut Rng) -> Self {
        let (sin, cos) = rng.between(0.0, core::f64::consts::TAU).sin_cos();
        let side = self.side;
        for (i, p) in self.pixels.iter_mut().enumerate() {
            let x = (i % side) as f64 / side as f64 - 0.5;
            let y = (i / side) as f64 / side as f64 - 0.5;
            *p *= least + (1.0 - least) * ((x * cos + y * sin) / 1.41 + 0.5);
        }
        self
    }

    /// A Gaussian of `sigma` pixels.
    fn blur(self, sigma: f64) -> Self {
        let reach = (sigma * 3.0).ceil() as i64;
        let weights: Vec<f64> = (-reach..=reach)
            .map(|d| (-(d * d) as f64 / (2.0 * sigma * sigma)).exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let side = self.side as i64;
        let pass = |from: &[f64], dx: i64, dy: i64| -> Vec<f64> {
            (0..side * side)
                .map(|i| {
                    let sum: f64 = weights
                        .iter()
                        .zip(-reach..)
                        .map(|(w, d)| {
                            let x = (i % side + d * dx).clamp(0, side - 1);
                            let y = (i / side + d * dy).clamp(0, side - 1);
                            w * from[(y * side + x) as usize]
                        })
                        .sum();
                    sum / total
                })
                .collect()
        };
        let pixels = pass(&pass(&self.pixels, 1, 0), 0, 1);
        Self { pixels, ..self }
    }

    fn jpeg(self, quality: u8) -> Self {
        let grey = self.grey();
        let side = grey.width() as u32;
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, quality)
            .encode(grey.pixels(), side, side, image::ExtendedColorType::L8)
            .expect("a JPEG");
        let seen = image::load_from_memory(&file)
            .expect("the JPEG again")
            .into_luma8();
        Self {
            pixels: seen.into_raw().into_iter().map(f64::from).collect(),
            ..self
        }
    }

    fn grey(&self) -> Grey {
        let pixels = self
            .pixels
            .iter()
            .map(|p| p.clamp(0.0, 255.0) as u8)
            .collect();
        Grey::new(self.side as u32, self.side as u32, pixels).expect("a film")
    }
}
