//! The terminal as a screen for codes: how large it is, how it draws, and which keys are pressed.
//!
//! Who calls it: `qr show`, `qr swap`. What can go wrong: a terminal that does not tell its size (a common
//! one is taken); one that is not what its name says (`--graphics blocks` works everywhere).

use std::io::{self, Read as _, stdin, stdout};

use packmule_transports::qr::{Picture, QUIET_ZONE, RenderError};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use crate::args::Graphics;

/// Pixels a module must have on a screen for a camera to tell it from its neighbours.
const LEAST_PIXELS: u32 = 3;

/// QR versions that `<` and `>` step through.
const SIZES: [u8; 9] = [5, 6, 8, 10, 15, 20, 25, 30, 40];

/// A terminal's room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    columns: u32,
    rows: u32,
    width: u32,
    height: u32,
    graphics: Graphics,
}

impl Screen {
    /// The terminal on standard output; `wish` is what the user says of it.
    pub(crate) fn of_stdout(wish: Graphics) -> Self {
        let size = tcgetwinsize(stdout()).ok().filter(|s| s.ws_col > 0);
        let size = size.map(|s| [s.ws_col, s.ws_row, s.ws_xpixel, s.ws_ypixel].map(u32::from));
        let graphics = match wish {
            Graphics::Auto => guess(|name| std::env::var(name).unwrap_or_default()),
            other => other,
        };
        Self::new(size.unwrap_or([80, 24, 0, 0]), graphics)
    }

    fn new([columns, rows, width, height]: [u32; 4], graphics: Graphics) -> Self {
        // Terminals that draw pixels mostly tell how many; a letter has rarely fewer than these.
        let or = |told: u32, guess: u32| if told == 0 { guess } else { told };
        Self {
            columns,
            rows,
            width: or(width, columns * 8),
            height: or(height, rows * 16),
            graphics,
        }
    }

    /// The largest QR version there is room for, above one line of text; 0 if for none.
    pub(crate) fn largest_version(&self) -> u8 {
        let modules = match self.graphics {
            Graphics::Auto | Graphics::Blocks => self.columns.min(2 * self.rows.saturating_sub(1)),
            Graphics::Sixel | Graphics::Kitty => self.side() / LEAST_PIXELS,
        };
        // Version v has 17 + 4 v modules between its quiet zones.
        let code = modules.saturating_sub(17 + 2 * QUIET_ZONE as u32);
        u8::try_from((code / 4).min(40)).unwrap_or(40)
    }

    /// The version to go on with after `<`, for coarser codes, or `>`, for denser ones as far as
    /// there is room; none if there is no other one, or by another key.
    pub(crate) fn resized(&self, now: u8, key: u8) -> Option<u8> {
        let room = self.largest_version();
        let mut sizes = SIZES.into_iter();
        match key {
            b'<' => sizes.rev().find(|size| *size < now),
            b'>' => sizes.find(|size| *size > now && *size <= room),
            _ => None,
        }
    }

    /// The largest square of pixels above one line of text.
    fn side(&self) -> u32 {
        let line = self.height / self.rows.max(1);
        self.width.min(self.height.saturating_sub(line))
    }

    /// The picture as this terminal draws it, ending below it.
    pub(crate) fn draw(&self, picture: &Picture) -> Result<String, RenderError> {
        let modules = u32::try_from(picture.full_width()).unwrap_or(u32::MAX);
        let px = (self.side() / modules).clamp(1, 12);
        Ok(match self.graphics {
            Graphics::Auto | Graphics::Blocks => picture.terminal(),
            Graphics::Sixel => picture.sixels(px)? + "\n",
            Graphics::Kitty => {
                let line = (self.height / self.rows.max(1)).max(1);
                let below = "\n".repeat((modules * px).div_ceil(line) as usize);
                picture.kitty(px)? + &below
            }
        })
    }
}

/// What the environment tells of the terminal. Only those that surely draw pixels are believed.
fn guess(variable: impl Fn(&str) -> String) -> Graphics {
    let (term, program) = (variable("TERM"), variable("TERM_PROGRAM"));
    // A multiplexer in between draws letters only, whatever is outside.
    if term.starts_with("screen") || term.starts_with("tmux") {
        return Graphics::Blocks;
    }
    let is = |names: &[&str]| names.iter().any(|n| term.contains(n) || program == *n);
    if is(&["kitty", "WezTerm", "ghostty"]) {
        Graphics::Kitty
    } else if is(&["foot", "mlterm", "sixel", "contour"]) {
        Graphics::Sixel
    } else {
        Graphics::Blocks
    }
}

/// Single keys without a return, for as long as this lives. Also Ctrl-C comes as a key, so that
/// the terminal is left as it was found; not by who is killed with a signal (`reset` mends it).
pub(crate) struct Keys {
    before: Option<Termios>,
}

impl Keys {
    /// Takes the keys of the terminal on standard input; without one there are none.
    pub(crate) fn take() -> Self {
        let before = tcgetattr(stdin()).ok();
        if let Some(before) = &before {
            let mut now = before.clone();
            now.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            // A read gives what is there, and does not wait.
            now.special_codes[SpecialCodeIndex::VMIN] = 0;
            now.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(stdin(), OptionalActions::Now, &now);
        }
        Self { before }
    }

    /// The keys that were pressed since.
    pub(crate) fn pressed(&mut self) -> io::Result<Vec<u8>> {
        let mut keys = [0; 16];
        let count = match &self.before {
            Some(_) => stdin().lock().read(&mut keys)?,
            None => 0,
        };
        Ok(keys.iter().take(count).copied().collect())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_as_large_as_the_screen_allows() {
        let version = |size, graphics| Screen::new(size, graphics).largest_version();
        assert_eq!(version([80, 24, 0, 0], Graphics::Blocks), 5);
        assert_eq!(version([125, 64, 0, 0], Graphics::Blocks), 25);
        assert_eq!(version([300, 120, 0, 0], Graphics::Blocks), 40);
        assert_eq!(version([20, 5, 0, 0], Graphics::Blocks), 0);
        // The same 80 letters with pixels: 640 × 384, less a line.
        assert_eq!(version([80, 24, 0, 0], Graphics::Kitty), 24);
        assert_eq!(version([80, 24, 1600, 960], Graphics::Sixel), 40);
    }

    #[test]
    fn what_is_drawn_has_the_room_it_was_promised() {
        let code = packmule_transports::qr::show_text(&"x".repeat(700)).unwrap();
        let screen = Screen::new([80, 24, 0, 0], Graphics::Kitty);
        assert!(code.version() <= screen.largest_version());
        let lines = screen.draw(&code).unwrap().matches('\n').count();
        assert!(lines < 24, "{lines}");
    }

    #[test]
    fn only_terminals_known_to_draw_pixels_are_sent_any() {
        let guessed = |term: &str, program: &str| {
            guess(|name| match name {
                "TERM" => term.to_owned(),
                _ => program.to_owned(),
            })
        };
        assert_eq!(guessed("xterm-kitty", ""), Graphics::Kitty);
        assert_eq!(guessed("xterm-256color", "WezTerm"), Graphics::Kitty);
        assert_eq!(guessed("foot", ""), Graphics::Sixel);
        assert_eq!(
            guessed("xterm-256color", "Apple_Terminal"),
            Graphics::Blocks
        );
        assert_eq!(guessed("tmux-256color", "WezTerm"), Graphics::Blocks);
        assert_eq!(guessed("", ""), Graphics::Blocks);
    }
}
