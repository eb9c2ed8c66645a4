//! One JSON object a line, of bounded length, read without losing anything to a cancelled wait.

use std::io;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::MAX_LINE;

/// Reads lines from one client.
pub(super) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
}

/// Why there is no further line.
#[derive(Debug)]
pub(super) enum LineEnd {
    /// The client is gone, or the socket failed.
    Closed,
    /// Longer than [`MAX_LINE`].
    TooLong,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn of(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
        }
    }

    /// The next line, without its end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, LineEnd> {
        let mut looked = 0;
        loop {
            let unseen = self.buffer.get(looked..).unwrap_or_default();
            if let Some(at) = unseen.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(looked + at + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return Ok(line);
            }
            looked = self.buffer.len();
            if looked > MAX_LINE {
                return Err(LineEnd::TooLong);
            }
            match self.from.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(LineEnd::Closed),
                Ok(_) => {}
            }
        }
    }
}

/// A value as a line. One that would be too long is an error.
pub(super) fn line_of(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    if line.len() > MAX_LINE {
        let what = format!(
            "{} bytes are more than a line holds ({MAX_LINE})",
            line.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(line)
}
