//! Pictures as PNG, SVG, terminal text and animated GIF.
//!
//! Called by whoever shows or saves. What can go wrong: a module size of 0 or beyond
//! [`MAX_MODULE_PIXELS`], and the writer's own errors.

use std::borrow::Cow;
use std::io::Write;

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
        writer.write_image_data(&pixels).map_err(RenderError::png)?;
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

    /// One row of pixels: dark or not.
    fn line(&self, y: usize, px: u32) -> Vec<bool> {
        (0..self.full_width())
            .flat_map(|x| core::iter::repeat_n(self.is_dark(x, y), px as usize))
            .collect()
    }

    /// Pixels along one side.
    fn side(&self, px: u32) -> Result<u32, RenderError> {
        if !(1..=MAX_MODULE_PIXELS).contains(&px) {
            return Err(RenderError::ModulePixels(px));
        }
        // At most (177 + 8) × 32.
        Ok(u32::try_from(self.full_width()).unwrap_or(0) * px)
    }
}

/// Writes an animated GIF that loops for ever. All pictures are as large as the first; a smaller
/// one would be drawn in the corner.
///
/// # Errors
/// There are no pictures, `px` is out of bounds, or the writer failed.
pub(crate) fn gif(
    out: impl Write,
    pictures: impl IntoIterator<Item = Result<Picture, RenderError>>,
    px: u32,
    codes_per_second: u16,
) -> Result<u32, RenderError> {
    let mut pictures = pictures.into_iter().peekable();
    let side = match pictures.peek() {
        Some(Ok(first)) => {
            u16::try_from(first.side(px)?).map_err(|_| RenderError::ModulePixels(px))?
        }
        Some(Err(_)) | None => 0,
    };
    let palette = [255, 255, 255, 0, 0, 0];
    let mut encoder = gif::Encoder::new(out, side, side, &palette).map_err(RenderError::gif)?;
    encoder
        .set_repeat(gif::Repeat::Infinite)
        .map_err(RenderError::gif)?;
    let mut count = 0;
    for picture in pictures {
        let picture = picture?;
        let side = u16::try_from(picture.side(px)?).map_err(|_| RenderError::ModulePixels(px))?;
        let pixels: Vec<u8> = (0..picture.full_width())
            .flat_map(|y| {
                let line: Vec<u8> = picture.line(y, px).into_iter().map(u8::from).collect();
                core::iter::repeat_n(line, px as usize).flatten()
            })
            .collect();
        let frame = gif::Frame {
            width: side,
            height: side,
            // Hundredths of a second.
            delay: 100 / codes_per_second.clamp(1, 50),
            buffer: Cow::Owned(pixels),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).map_err(RenderError::gif)?;
        count += 1;
    }
    Ok(count)
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
}

impl RenderError {
    fn png(error: png::EncodingError) -> Self {
        Self::Write(error.into())
    }

    fn gif(error: gif::EncodingError) -> Self {
        Self::Write(std::io::Error::other(error))
    }
}
