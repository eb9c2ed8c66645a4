//! Picture files, one by one, each frame of an animation a picture of its own.
//!
//! Called by [`open`](super::open). What can go wrong: a file that is no picture. It is an error
//! of that file; the next one follows.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{FrameSource, SourceError};
use crate::grey::{Grey, PictureError, Pictures, pictures};

/// The largest picture file that is read, in bytes (256 MiB).
const MAX_FILE: u64 = 256 << 20;

/// Picture files, in order.
pub struct Stills {
    files: VecDeque<PathBuf>,
    current: Option<(PathBuf, Pictures)>,
    /// The file being read is an animation.
    moving: bool,
}

impl Stills {
    /// The picture at this path, or all those in this folder by name.
    ///
    /// # Errors
    /// There is nothing, or the folder cannot be listed.
    pub fn of(path: &Path) -> Result<Self, SourceError> {
        let files = picture_files(path)?;
        Ok(Self {
            files: files.into(),
            current: None,
            moving: false,
        })
    }

    fn open(path: PathBuf) -> Result<(PathBuf, Pictures), SourceError> {
        let opened = pictures(load(&path)?);
        match opened {
            Ok(pictures) => Ok((path, pictures)),
            Err(source) => Err(SourceError::Picture { path, source }),
        }
    }
}

impl FrameSource for Stills {
    fn next_frame(&mut self) -> Option<Result<Grey, SourceError>> {
        loop {
            if let Some((path, pictures)) = &mut self.current {
                match pictures.next() {
                    Some(Ok(picture)) => return Some(Ok(picture)),
                    Some(Err(source)) => {
                        let path = path.clone();
                        self.current = None;
                        return Some(Err(SourceError::Picture { path, source }));
                    }
                    None => self.current = None,
                }
            }
            match Self::open(self.files.pop_front()?) {
                Ok((path, pictures)) => {
                    self.moving = pictures.is_animation();
                    self.current = Some((path, pictures));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn is_moving(&self) -> bool {
        self.moving
    }
}

/// A picture file's bytes.
pub(crate) fn load(path: &Path) -> Result<Vec<u8>, SourceError> {
    let failed = |source| SourceError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(SourceError::Picture {
            path: path.to_owned(),
            source: PictureError::File,
        });
    }
    Ok(bytes)
}

/// The picture files under a path: the path itself, or the PNG, JPEG and GIF files of a folder
/// by name.
///
/// # Errors
/// The folder cannot be listed.
pub fn picture_files(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |source| SourceError::File {
        path: path.to_owned(),
        source,
    };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let extension = file.extension().map(|e| e.to_ascii_lowercase());
        let extension = extension.as_deref().and_then(|e| e.to_str());
        if matches!(extension, Some("png" | "apng" | "jpg" | "jpeg" | "gif")) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
