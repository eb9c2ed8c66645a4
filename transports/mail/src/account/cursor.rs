//! How far a folder was looked through.
//!
//! What is it: the folder's UIDVALIDITY and the first UID that was not dealt with, in a small
//! file, so that other people's mail is looked at once and not after each start. Who calls it: the
//! watch. What can go wrong: the file is lost, damaged or of another folder: then all is looked at
//! again, and the bus knows what it has.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::Account;
use super::session::Entered;

pub(super) struct Cursor {
    file: Option<PathBuf>,
    /// Which folder, and its UIDVALIDITY.
    place: String,
    saved: u32,
    /// The first UID that was not looked at.
    pub(super) next: u32,
}

impl Cursor {
    pub(super) fn load(account: &Account, entered: &Entered) -> Self {
        let place = format!(
            "{} {} {}",
            account.server.place(),
            entered.validity,
            account.folder
        );
        let next = account.memory.as_ref().and_then(|file| {
            let text = fs::read_to_string(file).ok()?;
            let (next, found) = text.trim_end().split_once(' ')?;
            (found == place).then(|| next.parse::<u32>().ok()).flatten()
        });
        let next = next.unwrap_or(1).max(1);
        Self {
            file: account.memory.clone(),
            place,
            saved: next,
            next,
        }
    }

    /// Everything before `first` is dealt with. A file that cannot be written costs a second look
    /// after the next start.
    pub(super) fn save(&mut self, first: u32) {
        if let Some(file) = &self.file
            && self.saved != first
            && write(file, &format!("{first} {}\n", self.place)).is_ok()
        {
            self.saved = first;
        }
    }
}

fn write(file: &std::path::Path, text: &str) -> io::Result<()> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, file)
}
