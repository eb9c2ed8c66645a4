//! A text as a QR code that a browser draws.
//!
//! Called by [`super::Pages`] for the invitation. What can go wrong: a text that is longer than
//! any code holds (2,953 bytes); then there is no picture, and the page still has the link.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around a code (ISO/IEC 18004 §9.1).
const QUIET: usize = 4;

/// The code as SVG, dark on white in every colour scheme: many readers know no other.
pub(super) fn svg(text: &str) -> Option<String> {
    // Shown on a screen nothing is smudged: fewer and larger modules are worth more than repair.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let (x, y, length) = (x + QUIET, y + QUIET, run.len());
                // Writing into a String does not fail.
                let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
            }
            x += run.len();
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
         <path d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once() {
        let text = "http://127.0.0.1:8080/?_oob=eyJ0eXBlIjoiaHR0cHM6Ly9kaWRjb21tLm9yZyJ9";
        let svg = svg(text).unwrap();
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let dark = code
            .to_colors()
            .iter()
            .filter(|c| **c == Color::Dark)
            .count();
        let (_, path) = svg.rsplit_once("d=\"").unwrap();
        let drawn = path.split('h').skip(1).step_by(2);
        let drawn = drawn.map(|run| run.split('v').next().unwrap().parse::<usize>().unwrap());
        assert_eq!(drawn.sum::<usize>(), dark);
        assert!(super::svg(&"x".repeat(3000)).is_none());
    }
}
