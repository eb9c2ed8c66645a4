//! A camera in front of a screen, modelled: it reads its picture row by row while the codes change.
//!
//! A row's light is the mean of what the screen shows during its exposure; the screen goes over
//! from one code to the next within milliseconds; both clocks differ by 1.5 %. Then come a little
//! blur and noise. Two bounds are told beside what came across: the different codes that were read,
//! each a symbol's worth, and the codes that could be read at all, which some picture shows in every
//! row more than any other. Cameras and rates are those measured in the project's notes; no real
//! camera is behind them.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use packmule_transports::qr::{Found, Frames, Grey, Picture, Profile, Reader, scan_quickly};
use serde_json::{Value, json};

use crate::fault::Fault;

/// Codes that suffice for the message that is sent.
const NEEDED: usize = 20;

/// When a transfer is given up, in seconds of the model.
const PATIENCE: f64 = 10.0;

/// Pixels to a module in the camera's picture.
const PX: usize = 3;

/// How long a pixel of the screen takes for most of its way, in seconds (10 to 90 % in 4 ms).
const RESPONSE: f64 = 0.004 / 2.2;

/// Samples of light within one row's exposure.
const SAMPLES: u32 = 12;

struct Camera {
    name: &'static str,
    readout: f64,
    exposure: f64,
    fps: f64,
}

const fn camera(name: &'static str, readout: f64, exposure: f64, fps: f64) -> Camera {
    Camera {
        name,
        readout,
        exposure,
        fps,
    }
}

const CAMERAS: [Camera; 5] = [
    camera("phone, bright", 0.015, 0.004, 30.0),
    camera("phone, bright", 0.015, 0.004, 60.0),
    camera("webcam, indoors", 0.025, 0.012, 30.0),
    camera("webcam, indoors", 0.025, 0.012, 60.0),
    camera("webcam, dim", 0.030, 0.033, 30.0),
];

const RATES: [f64; 4] = [10.0, 15.0, 20.0, 30.0];

/// One camera before one speed of codes.
pub(super) struct Row {
    camera: &'static str,
    fps: f64,
    rate: f64,
    /// Different codes a second that some picture shows in every row more than any other.
    visible: f64,
    /// Different codes a second that were read.
    distinct: f64,
    /// What those could carry, and what came across, in bytes a second.
    bound: f64,
    goodput: f64,
    whole: bool,
}

impl Row {
    /// What came across of what the codes that were read could carry; 0 where nothing did.
    fn ratio(&self) -> f64 {
        if self.bound > 0.0 {
            self.goodput / self.bound
        } else {
            0.0
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "camera": self.camera,
            "camera_fps": self.fps,
            "codes_per_second": self.rate,
            "visible_per_second": self.visible,
            "distinct_per_second": self.distinct,
            "bound_bytes_per_second": self.bound,
            "bytes_per_second": self.goodput,
            "ratio": self.ratio(),
            "complete": self.whole,
        })
    }
}

/// All rows.
pub(super) fn measure() -> Result<Vec<Row>, Fault> {
    let symbol = Profile::Fast.symbol_bytes();
    // A few bytes less: the wire form has a head.
    let frames = super::frames(NEEDED * symbol - 40, Profile::Fast)?;
    let places: Vec<(&Camera, f64)> = CAMERAS
        .iter()
        .flat_map(|camera| RATES.map(|rate| (camera, rate)))
        .collect();
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((n, (camera, rate))) = {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    places.get(n).map(|place| (n, *place))
                } {
                    let row = run(&frames, camera, rate);
                    if let Ok(mut rows) = rows.lock() {
                        rows.push((n, row));
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_default();
    rows.sort_by_key(|(n, _)| *n);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Shows codes until the message is whole.
fn run(frames: &Frames, camera: &Camera, rate: f64) -> Result<Row, Fault> {
    let mut reader = Reader::default();
    let mut through = BTreeSet::new();
    let mut screen = Screen {
        frames,
        shown: Vec::new(),
    };
    let mut noise = Noise(rate as u64 + 1);
    let mut whole = false;
    let mut time = 0.0;
    let mut bytes = 0;
    for number in 0.. {
        time = 0.0037 + f64::from(number) / camera.fps * 1.015;
        if time > PATIENCE || whole {
            break;
        }
        let (picture, clean) = screen.photograph(camera, rate, time, &mut noise)?;
        through.extend(clean);
        for found in reader.take_picture(&scan_quickly(&picture)) {
            if let Found::Envelope(envelope) = found {
                bytes = envelope.to_wire().len();
                whole = true;
            }
        }
    }
    let distinct = f64::from(reader.tally().fresh) / time;
    Ok(Row {
        camera: camera.name,
        fps: camera.fps,
        rate,
        visible: through.len() as f64 / time,
        distinct,
        bound: distinct * Profile::Fast.symbol_bytes() as f64,
        goodput: bytes as f64 / time,
        whole,
    })
}

/// The codes as they were shown.
struct Screen<'a> {
    frames: &'a Frames,
    shown: Vec<Picture>,
}

impl Screen<'_> {
    /// What the camera sees at a time, and which code of it is in every row more than any other,
    /// if there is one.
    fn photograph(
        &mut self,
        camera: &Camera,
        rate: f64,
        time: f64,
        noise: &mut Noise,
    ) -> Result<(Grey, Option<usize>), Fault> {
        let last = ((time + camera.readout + camera.exposure) * rate) as usize;
        while self.shown.len() <= last {
            let n = u32::try_from(self.shown.len()).unwrap_or(u32::MAX);
            self.shown.push(self.frames.picture(n)?);
        }
        let side = self.shown.first().map_or(0, Picture::full_width) * PX;
        let mut light = Vec::with_capacity(side * side);
        let mut least: Vec<f64> = vec![1.0; last + 1];
        for y in 0..side {
            let begin = time + camera.readout * y as f64 / side as f64;
            let weights = weights(begin, camera.exposure, rate, last);
            for (least, weight) in least.iter_mut().zip(&weights) {
                *least = least.min(*weight);
            }
            for x in 0..side {
                let lit: f64 = weights
                    .iter()
                    .zip(&self.shown)
                    .filter(|(weight, code)| **weight > 0.0 && !code.is_dark(x / PX, y / PX))
                    .map(|(weight, _)| weight)
                    .sum();
                light.push(35.0 + 185.0 * lit);
            }
        }
        let clean = least.iter().position(|least| *least > 0.5);
        Ok((grey(&blurred(&light, side), side, noise)?, clean))
    }
}

/// How much of a row's light is of which code.
fn weights(begin: f64, exposure: f64, rate: f64, last: usize) -> Vec<f64> {
    let mut weights = vec![0.0; last + 1];
    for sample in 0..SAMPLES {
        let at = begin + exposure * (f64::from(sample) + 0.5) / f64::from(SAMPLES);
        let code = (at * rate) as usize;
        let before = (-(at - code as f64 / rate) / RESPONSE).exp();
        let mut add = |code: usize, part: f64| {
            if let Some(weight) = weights.get_mut(code) {
                *weight += part / f64::from(SAMPLES);
            }
        };
        add(code, 1.0 - before);
        add(code.saturating_sub(1), before);
    }
    weights
}

/// A quarter of each neighbour either way: a sigma of .7 pixels.
fn blurred(light: &[f64], side: usize) -> Vec<f64> {
    let pass = |from: &[f64], step: usize| -> Vec<f64> {
        let at = |i: Option<usize>, or: f64| i.and_then(|i| from.get(i)).copied().unwrap_or(or);
        from.iter()
            .enumerate()
            .map(|(i, p)| {
                let (a, b) = (at(i.checked_sub(step), *p), at(i.checked_add(step), *p));
                0.25 * a + 0.5 * p + 0.25 * b
            })
            .collect()
    };
    pass(&pass(light, 1), side)
}

fn grey(light: &[f64], side: usize, noise: &mut Noise) -> Result<Grey, Fault> {
    let pixels = light
        .iter()
        .map(|p| (p + noise.next(5.0)).clamp(0.0, 255.0) as u8)
        .collect();
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    Grey::new(side, side, pixels).map_err(|err| Fault::damaged(err.to_string()))
}

/// A picture as it is, for timing.
pub(super) fn flat(picture: &Picture) -> Result<Grey, Fault> {
    let side = picture.full_width() * PX;
    let pixels = (0..side * side)
        .map(|i| match picture.is_dark(i % side / PX, i / side / PX) {
            true => 0,
            false => 255,
        })
        .collect();
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    Grey::new(side, side, pixels).map_err(|err| Fault::damaged(err.to_string()))
}

/// Near enough to a normal distribution, and the same on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self, sigma: f64) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // Four bytes' sum: a mean of 510, a sigma of 147.8.
        let bytes = (self.0 >> 32) as u32;
        let sum: u32 = bytes.to_be_bytes().map(u32::from).iter().sum();
        (f64::from(sum) - 510.0) / 147.8 * sigma
    }
}

/// For people.
pub(super) fn text(rows: &[Row]) -> String {
    let mut text =
        String::from("modelled camera   fps  codes/s  distinct/s      bound     across  of it\n");
    for row in rows {
        text.push_str(&format!(
            "{:<16} {:>4} {:>8} {:>10.1} {:>8.1} {:>5.1} KiB/s {:>4.1} KiB/s {:>5.1} %{}\n",
            row.camera,
            row.fps,
            row.rate,
            row.visible,
            row.distinct,
            row.bound / 1024.0,
            row.goodput / 1024.0,
            row.ratio() * 100.0,
            if row.whole { "" } else { "  (not whole)" }
        ));
    }
    text
}
