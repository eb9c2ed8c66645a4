#![doc = include_str!("../README.md")]

mod base45;
mod grey;
mod picture;
mod profile;
mod reader;
mod render;
mod scan;
mod show;
mod text;

pub use grey::{Grey, MAX_PIXELS, MAX_SIDE, PictureError};
pub use picture::{DrawError, Picture, QUIET_ZONE};
pub use profile::{ParseProfileError, Profile};
pub use reader::{Found, ReadError, Reader, Tally, is_invitation, picture_files};
pub use render::{Background, MAX_MODULE_PIXELS, RenderError};
pub use scan::{scan, scan_rqrr, scan_rxing};
pub use show::{Frames, Show, ShowError, show, show_text};
pub use text::{PREFIX, TextError, frame_of_text, text_of_frame};
