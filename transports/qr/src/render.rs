//! Pictures as PNG, SVG and terminal text.
//!
//! Called by whoever shows or saves. What can go wrong: a module size of 0 or beyond
//! [`MAX_MODULE_PIXELS`], and the writer's own errors.

use crate::picture::Picture;

/// The largest module, in pixels. A version 40 code is then 5920 pixels wide.
pub const MAX_MODULE_PIXELS: u32 = 32;

/// What plain terminal text is printed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Background {
    /// Light letters on a dark ground: letters draw the light modules.
    Dark,
    /// Dark letters on a light ground: letters draw the dark modules.
    Light,
}

impl Picture {
    /// A one-bit greyscale PNG, `px` pixels to a module, with the quiet zone.
    ///
    /// # Errors
    /// `px` is 0 or more than [`MAX_MODULE_PIXELS`].
    pub fn png(&self, px: u32) -> Result<Vec<u8>, RenderError> {
        let side = self.side(px)?;
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header().map_err(RenderError::png)?;
        writer
            .write_image_data(&self.packed(px))
            .map_err(RenderError::png)?;
        writer.finish().map_err(RenderError::png)?;
        Ok(file)
    }

    /// An SVG drawing, one unit to a module, with the quiet zone.
    #[must_use]
    pub fn svg(&self) -> String {
        let side = self.full_width();
        let mut path = String::new();
        for y in 0..side {
            let mut x = 0;
            while x < side {
                let run = (x..side).take_while(|x| self.is_dark(*x, y)).count();
                if run > 0 {
                    path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
                }
                x += run.max(1);
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" \
             fill=\"#fff\"/><path fill=\"#000\" d=\"{path}\"/></svg>\n"
        )
    }

    /// Text for a terminal that understands ANSI colours: two modules to a letter, black on white
    /// whatever the terminal's own colours are, with the quiet zone. [`Self::full_width`] letters
    /// wide and half as many lines high.
    #[must_use]
    pub fn terminal(&self) -> String {
        // 16 and 231 of the 256 colours are fixed, unlike "black" and "white", which themes alter.
        self.half_blocks(Background::Light, "\x1b[38;5;16;48;5;231m", "\x1b[0m")
    }

    /// The same without colours, for a pipe or a plain terminal. On the wrong ground the code
    /// comes out inverted, which many readers do not read (ours does).
    #[must_use]
    pub fn terminal_plain(&self, background: Background) -> String {
        self.half_blocks(background, "", "")
    }

    fn half_blocks(&self, background: Background, before: &str, after: &str) -> String {
        let side = self.full_width();
        let ink = |x, y| y < side && (self.is_dark(x, y) == (background == Background::Light));
        let mut text = String::new();
        for y in (0..side).step_by(2) {
            text.push_str(before);
            text.extend((0..side).map(|x| match (ink(x, y), ink(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }));
            text.push_str(after);
            text.push('\n');
        }
        text
    }

    /// The pixels as a one-bit greyscale PNG has them: eight to a byte, rows whole bytes.
    pub(crate) fn packed(&self, px: u32) -> Vec<u8> {
        let mut pixels = Vec::new();
        for y in 0..self.full_width() {
            let line = self.line(y, px);
            let packed: Vec<u8> = line
                .chunks(8)
                .map(|eight| {
                    (0..8).fold(0, |byte, i| {
                        byte << 1 | u8::from(eight.get(i) != Some(&true))
                    })
                })
                .collect();
            for _ in 0..px {
                pixels.extend(&packed);
            }
        }
        pixels
    }

    /// The pixels as bytes, of these two values.
    pub(crate) fn bytes_of(&self, px: u32, dark: u8, light: u8) -> Vec<u8> {
        let mut pixels = Vec::new();
        for y in 0..self.full_width() {
            let line = self.line(y, px);
            let line = line.into_iter().map(|is| if is { dark } else { light });
            let line: Vec<u8> = line.collect();
            for _ in 0..px {
                pixels.extend(&line);
            }
        }
        pixels
    }

    /// One row of pixels: dark or not.
    fn line(&self, y: usize, px: u32) -> Vec<bool> {
        (0..self.full_width())
            .flat_map(|x| core::iter::repeat_n(self.is_dark(x, y), px as usize))
            .collect()
    }

    /// Pixels along one side.
    pub(crate) fn side(&self, px: u32) -> Result<u32, RenderError> {
        if !(1..=MAX_MODULE_PIXELS).contains(&px) {
            return Err(RenderError::ModulePixels(px));
        }
        // At most (177 + 8) × 32.
        Ok(u32::try_from(self.full_width()).unwrap_or(0) * px)
    }
}

/// Why a picture could not be drawn or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// 1 to [`MAX_MODULE_PIXELS`] pixels to a module are possible.
    #[error("{0} pixels to a module: 1 to {MAX_MODULE_PIXELS} are possible")]
    ModulePixels(u32),
    /// The text of a code does not fit.
    #[error(transparent)]
    Draw(#[from] crate::picture::DrawError),
    /// A file or stream could not be written.
    #[error("the picture could not be written: {0}")]
    Write(#[from] std::io::Error),
    /// `ffmpeg` is not installed.
    #[error("videos are written by ffmpeg, which is not installed")]
    NoFfmpeg,
    /// `ffmpeg` could not write it; its words.
    #[error("ffmpeg: {0}")]
    Ffmpeg(String),
}

impl RenderError {
    pub(crate) fn png(error: png::EncodingError) -> Self {
        Self::Write(error.into())
    }

    pub(crate) fn gif(error: gif::EncodingError) -> Self {
        Self::Write(std::io::Error::other(error))
    }
}
