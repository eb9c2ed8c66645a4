//! Codes as pixels on terminals that can draw them: sixels and kitty's protocol.
//!
//! Called by whoever shows. Pixels hold a code of four times the modules that half blocks do on
//! the same screen. What can go wrong: nothing here; a terminal that understands neither prints
//! rubbish, so the caller asks first what it is.

use core::fmt::Write as _;

use data_encoding::BASE64;

use crate::picture::Picture;
use crate::render::RenderError;

/// The most bytes of base64 that kitty takes in one piece.
const PIECE: usize = 4096;

impl Picture {
    /// The code as sixels (DEC STD 070): six rows of pixels to a line of letters.
    ///
    /// # Errors
    /// `px` is 0 or more than [`MAX_MODULE_PIXELS`](crate::MAX_MODULE_PIXELS).
    pub fn sixels(&self, px: u32) -> Result<String, RenderError> {
        let side = self.side(px)? as usize;
        let px = px as usize;
        // Device control string, aspect 1:1, two colours: 0 white, 1 black.
        let mut text = format!("\x1bP0;1;0q\"1;1;{side};{side}#0;2;100;100;100#1;2;0;0;0");
        for band in (0..side).step_by(6) {
            for color in [0, 1] {
                let _ = write!(text, "#{color}");
                let cell = |x: usize| {
                    (0..6)
                        .filter(|n| band + n < side)
                        .filter(|n| self.is_dark(x, (band + n) / px) == (color == 1))
                        .fold(0u8, |bits, n| bits | 1 << n)
                };
                let cells: Vec<u8> = (0..self.full_width()).map(cell).collect();
                for run in cells.chunk_by(|a, b| a == b) {
                    let letter = char::from(63 + run.first().copied().unwrap_or(0));
                    let _ = write!(text, "!{}{letter}", run.len() * px);
                }
                // Back to the left for the other colour, then a line down.
                text.push(if color == 0 { '$' } else { '-' });
            }
        }
        text.push_str("\x1b\\");
        Ok(text)
    }

    /// The code in kitty's graphics protocol: a PNG in pieces, drawn where the cursor is, over
    /// the picture that was there before.
    ///
    /// # Errors
    /// `px` is 0 or more than [`MAX_MODULE_PIXELS`](crate::MAX_MODULE_PIXELS).
    pub fn kitty(&self, px: u32) -> Result<String, RenderError> {
        let png = BASE64.encode(&self.png(px)?);
        let mut text = String::new();
        let pieces = png.len().div_ceil(PIECE);
        for (n, piece) in (1..).zip(png.as_bytes().chunks(PIECE)) {
            let more = u8::from(n < pieces);
            // a=T: show at once; i, p: the same picture as before; C=1: the cursor stays; q=2: no
            // answers, nobody reads them.
            let head = if n == 1 {
                "a=T,f=100,i=7,p=7,C=1,q=2,"
            } else {
                ""
            };
            let piece = String::from_utf8_lossy(piece);
            let _ = write!(text, "\x1b_G{head}m={more};{piece}\x1b\\");
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grey, scan};

    /// Draws sixels as a terminal would, on grey ground.
    fn terminal(text: &str) -> Grey {
        let body = text.strip_prefix("\x1bP0;1;0q").expect("a control string");
        let body = body.strip_suffix("\x1b\\").expect("an end");
        let (size, body) = body
            .split_once("#0;2;100;100;100#1;2;0;0;0")
            .expect("colours");
        let side: usize = size
            .rsplit(';')
            .next()
            .expect("a size")
            .parse()
            .expect("number");
        let mut pixels = vec![128; side * side];
        let (mut x, mut y, mut ink, mut times) = (0, 0, 0, 1);
        let mut letters = body.chars().peekable();
        let number = |letters: &mut core::iter::Peekable<core::str::Chars<'_>>| {
            let mut n = 0;
            while let Some(digit) = letters.peek().and_then(|c| c.to_digit(10)) {
                n = n * 10 + digit as usize;
                letters.next();
            }
            n
        };
        while let Some(letter) = letters.next() {
            match letter {
                '#' => ink = if number(&mut letters) == 1 { 0 } else { 255 },
                '!' => times = number(&mut letters),
                '$' => x = 0,
                '-' => (x, y) = (0, y + 6),
                cell => {
                    for column in x..x + times {
                        for n in (0..6).filter(|n| (cell as u32 - 63) >> n & 1 == 1) {
                            pixels[(y + n) * side + column] = ink;
                        }
                    }
                    (x, times) = (x + times, 1);
                }
            }
        }
        assert!(!pixels.contains(&128), "pixels without a colour");
        Grey::new(side as u32, side as u32, pixels).expect("a screen")
    }

    #[test]
    fn sixels_on_a_screen_are_read() {
        for px in [2, 3, 5] {
            let picture = crate::show_text("https://a.example/?_oob=x").expect("a code");
            let seen = terminal(&picture.sixels(px).expect("sixels"));
            assert_eq!(scan(&seen), [b"https://a.example/?_oob=x"], "{px} px");
        }
    }

    #[test]
    fn kitty_is_sent_the_whole_png_in_pieces() {
        let picture = crate::show_text(&"x".repeat(2000)).expect("a code");
        let sent = picture.kitty(9).expect("text");
        let mut png = String::new();
        let pieces: Vec<&str> = sent.split("\x1b_G").skip(1).collect();
        for (n, piece) in (1..).zip(&pieces) {
            let (head, data) = piece.split_once(';').expect("a head");
            assert!(data.len() <= PIECE + 2);
            let last = if n == pieces.len() { "m=0" } else { "m=1" };
            assert!(head.ends_with(last), "{head}");
            png += data.strip_suffix("\x1b\\").expect("an end");
        }
        assert!(png.len() > PIECE, "one piece only");
        let png = BASE64.decode(png.as_bytes()).expect("base64");
        assert_eq!(png, picture.png(9).expect("png"));
    }
}
