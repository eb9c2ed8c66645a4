#![doc = include_str!("../README.md")]

mod ack;
mod animate;
mod base45;
mod bbqr;
mod beacon;
mod dense;
mod graphics;
mod grey;
mod mask;
mod pace;
mod picture;
mod profile;
mod reader;
mod render;
mod scan;
mod show;
mod source;
mod swap;
mod text;
mod ur;
mod watch;

pub use ack::Ack;
pub use beacon::Board;
pub use grey::{Grey, MAX_PIXELS, MAX_SIDE, PictureError};
pub use pace::Pace;
pub use picture::{DrawError, Picture, QUIET_ZONE};
pub use profile::{ParseProfileError, Profile};
pub use reader::{Found, Parts, Reader, Tally, is_invitation};
pub use render::{Background, MAX_MODULE_PIXELS, RenderError};
pub use scan::{scan, scan_quickly, scan_rqrr, scan_rxing};
pub use show::{Frames, Show, ShowError, show, show_text, show_ur, show_within};
pub use source::{
    Camera, FrameSource, Hints, RawGrey, SourceError, Stills, Video, Y4m, open, picture_files,
};
pub use swap::{Going, Heard, Swap};
pub use text::{BASE45_PREFIX, PREFIX, TextError, frame_of_text, text_of_frame};
pub use ur::{Count, Ur};
pub use watch::{Seen, watch};
