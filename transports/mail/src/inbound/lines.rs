//! What a visitor says, line by line, and mails.
//!
//! What is it: a buffer and the rules of line ends. Who calls it: `talk`. What can go wrong: lines
//! and mails without end, visitors who dawdle; each is a [`Trouble`]. A mail ends with CR LF dot CR
//! LF and with nothing that looks like it: a bare LF ends no line here, so that two servers never
//! differ about where a mail ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::InboundLimits;

/// Bytes of a command (RFC 5321, 4.5.3.1.4 has 512, extensions add to them).
const MAX_COMMAND: usize = 2048;
const CHUNK: usize = 64 << 10;

#[derive(Debug)]
pub(super) enum Trouble {
    /// The visitor left.
    Gone,
    /// A line or a mail is longer than it may be; the rest of a mail was read all the same.
    TooLong,
    TooSlow,
    /// All rooms are taken by other mails; the rest of this one was read all the same.
    NoRoom,
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// A mail, and its share of the room until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

pub(super) struct Lines {
    stream: TcpStream,
    /// Read, and not yet heard; what is before `at` was heard.
    buffer: Vec<u8>,
    at: usize,
}

impl Lines {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            at: 0,
        }
    }

    pub(super) async fn say(&mut self, words: &str, silence: Duration) -> Result<(), Trouble> {
        match timeout(silence, self.stream.write_all(words.as_bytes())).await {
            Ok(said) => Ok(said?),
            Err(_) => Err(Trouble::TooSlow),
        }
    }

    /// Waits until the visitor leaves, without hearing what comes meanwhile beyond a chunk.
    pub(super) async fn gone(&mut self) {
        loop {
            if self.buffer.len() > CHUNK {
                return std::future::pending().await;
            }
            if self.fill().await.is_err() {
                return;
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Trouble> {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        let had = self.buffer.len();
        self.buffer.reserve(CHUNK);
        // Cancel-safe: what was read is in the buffer, or was not read.
        if self.stream.read_buf(&mut self.buffer).await? == 0 || self.buffer.len() == had {
            return Err(Trouble::Gone);
        }
        Ok(())
    }

    fn unheard(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// A command, without its end.
    pub(super) async fn command(&mut self, silence: Duration) -> Result<String, Trouble> {
        let until = Instant::now() + silence;
        loop {
            let found = self.unheard().iter().position(|byte| *byte == b'\n');
            if let Some(end) = found {
                let line = self.unheard().get(..end).unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let text = String::from_utf8_lossy(line).into_owned();
                self.at += end + 1;
                return match text.len() {
                    0..=MAX_COMMAND => Ok(text),
                    _ => Err(Trouble::TooLong),
                };
            }
            if self.unheard().len() > MAX_COMMAND {
                return Err(Trouble::TooLong);
            }
            timeout_at(until, self.fill())
                .await
                .map_err(|_| Trouble::TooSlow)??;
        }
    }

    /// A mail of at most `most` bytes. What is too long is read to its end and forgotten, so that
    /// the visitor can be told; but no more than as much again.
    pub(super) async fn mail(
        &mut self,
        most: usize,
        limits: &InboundLimits,
        room: &Arc<Semaphore>,
    ) -> Result<Mail, Trouble> {
        let began = Instant::now();
        let (mut mail, mut heard) = (Mail::default(), 0_usize);
        let (mut fresh, mut fault) = (true, None);
        loop {
            // Lines that are whole.
            while let Some(end) = self.unheard().iter().position(|byte| *byte == b'\n') {
                let line = self.unheard().get(..=end).unwrap_or_default();
                if fresh && line == b".\r\n" {
                    self.at += end + 1;
                    return fault.map_or(Ok(mail), Err);
                }
                let ends = line.ends_with(b"\r\n");
                let text = line.strip_prefix(b".").filter(|_| fresh).unwrap_or(line);
                if fault.is_none() {
                    mail.bytes.extend_from_slice(text);
                }
                heard += line.len();
                self.at += end + 1;
                fresh = ends;
            }
            // A line that goes on: its beginning is taken now, but for what may be its end.
            if self.unheard().len() > CHUNK {
                let line = self.unheard();
                let now = line.get(..line.len() - 2).unwrap_or_default();
                let text = now.strip_prefix(b".").filter(|_| fresh).unwrap_or(now);
                if fault.is_none() {
                    mail.bytes.extend_from_slice(text);
                }
                let length = now.len();
                heard += length;
                self.at += length;
                fresh = false;
            }
            if fault.is_none() && mail.bytes.len() > most {
                (fault, mail) = (Some(Trouble::TooLong), Mail::default());
            }
            if fault.is_none() && !cover(&mut mail, room) {
                (fault, mail) = (Some(Trouble::NoRoom), Mail::default());
            }
            if heard > most.saturating_mul(2) {
                return Err(Trouble::Gone);
            }
            let earned = Duration::from_secs((heard / limits.rate.max(1)) as u64);
            timeout_at(began + limits.silence + earned, self.fill())
                .await
                .map_err(|_| Trouble::TooSlow)??;
        }
    }
}

/// Makes a mail's share of the room cover what is there of it.
fn cover(mail: &mut Mail, room: &Arc<Semaphore>) -> bool {
    let has = mail
        .share
        .as_ref()
        .map_or(0, OwnedSemaphorePermit::num_permits);
    let more = mail.bytes.len().div_ceil(1 << 10).saturating_sub(has);
    if more == 0 {
        return true;
    }
    let Ok(more) = u32::try_from(more) else {
        return false;
    };
    let Ok(more) = Arc::clone(room).try_acquire_many_owned(more) else {
        return false;
    };
    match &mut mail.share {
        Some(share) => share.merge(more),
        None => mail.share = Some(more),
    }
    true
}
