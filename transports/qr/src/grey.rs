//! A grey picture, and how files become such pictures without a stranger's file costing more than
//! it may.
//!
//! Called by the reader and by the sources of pictures. What can go wrong: not a picture, a picture that claims huge dimensions,
//! one that breaks off; all are errors, none a panic.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::{AnimationDecoder as _, DynamicImage, ImageFormat, ImageReader, Limits};

/// The longest side of a picture that is decoded, in pixels.
pub const MAX_SIDE: u32 = 12_000;

/// The most pixels of one picture (64 Mpx).
pub const MAX_PIXELS: u64 = 64 << 20;

/// The most pixels of all frames of one animation (1 Gpx).
const MAX_FILE_PIXELS: u64 = 1 << 30;

/// The most memory the picture decoders may take, in bytes.
const MAX_ALLOC: u64 = 256 << 20;

/// A picture of 8-bit grey pixels, as a camera or a file gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grey {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Grey {
    /// A picture of `width` × `height` pixels, row by row, 0 black.
    ///
    /// # Errors
    /// The number of pixels is another, or beyond [`MAX_SIDE`] and [`MAX_PIXELS`].
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, PictureError> {
        within(width, height)?;
        let (width, height) = (width as usize, height as usize);
        if width * height != pixels.len() {
            return Err(PictureError::Pixels(pixels.len()));
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// Pixels along the upper side.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels along the left side.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, row by row, 0 black.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The picture at half the resolution, each pixel the mean of four: noise shrinks by half.
    pub(crate) fn halved(&self) -> Self {
        let rows = self.pixels.chunks_exact(self.width.max(1));
        let rows: Vec<&[u8]> = rows.collect();
        let pixels = rows
            .chunks_exact(2)
            .flat_map(|two| {
                let (upper, lower) = (two.first(), two.last());
                let upper = upper.copied().unwrap_or_default().chunks_exact(2);
                let lower = lower.copied().unwrap_or_default().chunks_exact(2);
                upper.zip(lower).map(|(a, b)| {
                    let sum: u16 = a.iter().chain(b).map(|p| u16::from(*p)).sum();
                    // Four bytes' mean is a byte.
                    u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
                })
            })
            .collect();
        Self {
            width: self.width / 2,
            height: self.height / 2,
            pixels,
        }
    }

    /// The picture with its edges raised: every pixel is moved away from the mean of those within
    /// `reach`, by `gain` times what it differs. Undoes part of a blur of about that reach.
    pub(crate) fn sharpened(&self, reach: usize, gain: i32) -> Self {
        let means = self.means(reach);
        let pixels = self.pixels.iter().zip(means).map(|(p, mean)| {
            let (p, mean) = (i32::from(*p), i32::from(mean));
            u8::try_from((p + gain * (p - mean)).clamp(0, 255)).unwrap_or(u8::MAX)
        });
        Self {
            pixels: pixels.collect(),
            ..*self
        }
    }

    /// The mean around each pixel: of a square that reaches so many pixels each way, less at the
    /// borders.
    fn means(&self, reach: usize) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        // Sums above and left of each pixel, with a row and a column of zeroes first. 64 Mpx of
        // 255 are more than 32 bits hold, but what counts are differences of small squares.
        let mut sums = vec![0u32; (width + 1) * (height + 1)];
        for (y, row) in self.pixels.chunks_exact(width.max(1)).enumerate() {
            let (above, below) = sums.split_at_mut((y + 1) * (width + 1));
            let above = above.get(y * (width + 1)..).unwrap_or_default();
            let mut left = 0u32;
            let below = below.iter_mut().skip(1);
            for ((sum, above), pixel) in below.zip(above.iter().skip(1)).zip(row) {
                left = left.wrapping_add(u32::from(*pixel));
                *sum = above.wrapping_add(left);
            }
        }
        let at = |x: usize, y: usize| sums.get(y * (width + 1) + x).copied().unwrap_or_default();
        let mut means = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            let (top, bottom) = (y.saturating_sub(reach), (y + reach + 1).min(height));
            for x in 0..width {
                let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
                let sum = at(right, bottom)
                    .wrapping_sub(at(left, bottom))
                    .wrapping_sub(at(right, top))
                    .wrapping_add(at(left, top));
                let count = u32::try_from((right - left) * (bottom - top)).unwrap_or(u32::MAX);
                means.push(u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
            }
        }
        means
    }

    /// The picture with dark and light exchanged.
    pub(crate) fn inverted(&self) -> Self {
        Self {
            pixels: self.pixels.iter().map(|p| !p).collect(),
            ..*self
        }
    }

    /// Transparent ground counts as white, as paper would be.
    fn of(image: DynamicImage) -> Result<Self, PictureError> {
        let (width, height) = (image.width(), image.height());
        let pixels = if image.color().has_alpha() {
            let over_white = |p: image::LumaA<u8>| {
                let [grey, alpha] = p.0.map(u32::from);
                u8::try_from((grey * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
            };
            image
                .to_luma_alpha8()
                .pixels()
                .map(|p| over_white(*p))
                .collect()
        } else {
            image.into_luma8().into_raw()
        };
        Self::new(width, height, pixels)
    }
}

/// The pictures of a PNG, APNG, JPEG or GIF file, decoded as they are asked for. One that breaks
/// off gives an error after those that were whole, and then ends.
pub(crate) struct Pictures {
    frames: Box<dyn Iterator<Item = Result<Grey, PictureError>>>,
    animation: bool,
}

impl Pictures {
    /// Whether the file has frames: then the next one often shows what this one spoiled.
    pub(crate) fn is_animation(&self) -> bool {
        self.animation
    }
}

impl Iterator for Pictures {
    type Item = Result<Grey, PictureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.frames.next();
        if !matches!(next, Some(Ok(_))) {
            // What failed once is not asked again: a decoder might fail for ever.
            self.frames = Box::new(core::iter::empty());
        }
        next
    }
}

/// Opens a picture file.
///
/// # Errors
/// The file is no such picture, or claims to be larger than is read.
pub(crate) fn pictures(file: Vec<u8>) -> Result<Pictures, PictureError> {
    let format = image::guess_format(&file).map_err(|_| PictureError::NotAPicture)?;
    if !matches!(
        format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Gif
    ) {
        return Err(PictureError::NotAPicture);
    }
    let (width, height) = reader(&file, format).into_dimensions()?;
    within(width, height)?;
    let frames = match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(Cursor::new(file))?;
            image::ImageDecoder::set_limits(&mut decoder, limits())?;
            decoder.into_frames()
        }
        ImageFormat::Png if is_apng(&file)? => {
            let decoder = PngDecoder::with_limits(Cursor::new(file), limits())?;
            decoder.apng()?.into_frames()
        }
        _ => {
            let picture = Grey::of(reader(&file, format).decode()?)?;
            return Ok(Pictures {
                frames: Box::new(core::iter::once(Ok(picture))),
                animation: false,
            });
        }
    };
    let most = MAX_FILE_PIXELS / (u64::from(width) * u64::from(height)).max(1);
    let numbered = (0..).zip(frames).map(move |(n, frame)| {
        if u64::from(n) >= most {
            return Err(PictureError::TooManyFrames(n));
        }
        Grey::of(frame?.into_buffer().into())
    });
    Ok(Pictures {
        frames: Box::new(numbered),
        animation: true,
    })
}

fn is_apng(file: &[u8]) -> Result<bool, PictureError> {
    Ok(PngDecoder::with_limits(Cursor::new(file), limits())?.is_apng()?)
}

fn reader(file: &[u8], format: ImageFormat) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits());
    reader
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    limits
}

pub(crate) fn within(width: u32, height: u32) -> Result<(), PictureError> {
    let fits = width <= MAX_SIDE
        && height <= MAX_SIDE
        && u64::from(width) * u64::from(height) <= MAX_PIXELS;
    if fits {
        Ok(())
    } else {
        Err(PictureError::TooLarge { width, height })
    }
}

/// Why bytes are not a picture that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// Neither PNG, JPEG nor GIF.
    #[error("not a PNG, JPEG or GIF file")]
    NotAPicture,
    /// More bytes than are read of one file (256 MiB).
    #[error("the file is too large for a picture")]
    File,
    /// Beyond [`MAX_SIDE`] or [`MAX_PIXELS`].
    #[error("a picture of {width} × {height} pixels is too large")]
    TooLarge {
        /// Pixels along the upper side.
        width: u32,
        /// Pixels along the left side.
        height: u32,
    },
    /// The animation goes on beyond what is read of one file.
    #[error("the animation goes on after {0} frames; those were read")]
    TooManyFrames(u32),
    /// The number of pixels does not fit the dimensions.
    #[error("{0} pixels do not fill the picture")]
    Pixels(usize),
    /// Damaged, cut short, or of a kind the decoder does not know.
    #[error("the picture is damaged: {0}")]
    Damaged(#[from] image::ImageError),
}
