//! Frames as codes, one after the other: a beacon of whatever draws pictures.
//!
//! What is it: [`Board`], which draws each frame as one code and hands it to a screen. Who calls it:
//! whoever holds a [`Beacon`] and knows no pictures. What can go wrong: a frame that is longer than
//! the largest code; a screen that is gone. That anybody looked is not known.

use std::io;

use packmule_bus::fountain::OVERHEAD;
use packmule_bus::link::{Beacon, BoxFut, LinkError};

use crate::picture::Picture;
use crate::profile::Profile;
use crate::text::text_of_frame;

/// A screen that shows frames as codes.
pub struct Board<S> {
    largest: u8,
    screen: S,
}

impl<S: FnMut(Picture) -> io::Result<()> + Send> Board<S> {
    /// In codes up to version `largest` (1 ..= 40), each given to `screen`, which shows it before it
    /// returns.
    pub const fn new(largest: u8, screen: S) -> Self {
        Self { largest, screen }
    }

    /// Bytes of the longest frame.
    #[must_use]
    pub fn longest(&self) -> usize {
        match Profile::symbol_bytes_of(self.largest) {
            0 => 0,
            symbol => symbol + OVERHEAD,
        }
    }
}

impl<S: FnMut(Picture) -> io::Result<()> + Send> Beacon for Board<S> {
    fn show(&mut self, frame: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let too_large = LinkError::TooLarge {
                bytes: frame.len(),
                limit: self.longest(),
            };
            if frame.len() > self.longest() {
                return Err(too_large);
            }
            let picture = Picture::alphanumeric(&text_of_frame(&frame), self.largest);
            let picture = picture.map_err(|_| too_large)?;
            (self.screen)(picture).map_err(LinkError::Io)
        })
    }
}
