//! Letters to measure with, where they go, and what arrived.
//!
//! Who calls it: `bench link` and `bench drive`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use packmule_agent::message::Message;
use packmule_bus::Envelope;
use packmule_node::desk::{Desk, Protection};
use packmule_node::{Home, OutRecord};
use serde_json::json;

use super::pair::PASSPHRASE;
use crate::fault::Fault;
use crate::flow::files;

const TYPE: &str = "https://didcomm.org/basicmessage/2.0/message";

/// Packs for bob by alice's keys.
pub(super) struct Packer {
    pub(super) desk: Desk,
    bob: String,
    noise: u64,
}

impl Packer {
    pub(super) fn of(home: &Path) -> Result<Self, Fault> {
        let desk = Desk::unlock(Home::open(home)?, PASSPHRASE.as_bytes())?;
        let bob = crate::flow::party::peer(desk.home(), "bob")?.did;
        let noise = 0x9e37_79b9_7f4a_7c15;
        Ok(Self { desk, bob, noise })
    }

    /// What is to be packed: so many texts of so many bytes.
    pub(super) fn texts(&mut self, count: u32, size: u64) -> Vec<String> {
        (0..count).map(|_| text(&mut self.noise, size)).collect()
    }

    /// So many letters of so many bytes.
    pub(super) fn pack(&mut self, count: u32, size: u64) -> Result<Vec<OutRecord>, Fault> {
        let texts = self.texts(count, size);
        self.pack_all(texts)
    }

    /// Letters with these texts.
    pub(super) fn pack_all(&self, texts: Vec<String>) -> Result<Vec<OutRecord>, Fault> {
        let mut letters = Vec::new();
        for text in texts {
            let mut message = Message::new(TYPE);
            message.body = Some(json!({ "content": text }));
            letters.extend(self.desk.records(&self.bob, message, Protection::Auth)?);
        }
        Ok(letters)
    }
}

/// Letters that do not compress to nothing: xorshift, six bits each.
fn text(noise: &mut u64, length: u64) -> String {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let mut text = String::new();
    for _ in 0..length {
        *noise ^= *noise << 13;
        *noise ^= *noise >> 7;
        *noise ^= *noise << 17;
        let letter = LETTERS.get((*noise >> 58) as usize).copied();
        text.push(char::from(letter.unwrap_or(b'-')));
    }
    text
}

/// The ids of their envelopes.
pub(super) fn names(letters: &[OutRecord]) -> Result<BTreeSet<String>, Fault> {
    let id = |one: &OutRecord| Ok(Envelope::from_packed(&one.packed)?.id().to_string());
    letters.iter().map(id).collect()
}

/// How many of these are not in an inbox, and how many are in it more than once.
pub(super) fn arrived_in(home: &Path, names: &BTreeSet<String>) -> Result<(usize, usize), Fault> {
    let home = Home::open(home)?;
    let mut there: BTreeMap<String, usize> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = home.inbox(after, 1000)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in &page {
            *there.entry(row.id.to_string()).or_default() += 1;
        }
    }
    let lost = names.iter().filter(|id| !there.contains_key(*id)).count();
    let doubled = there.values().map(|n| n.saturating_sub(1)).sum();
    Ok((lost, doubled))
}

/// Where the homes are: removed afterwards, unless somebody chose the place.
pub(super) struct Scratch {
    pub(super) dir: PathBuf,
}

impl Scratch {
    pub(super) fn at(dir: Option<PathBuf>) -> Result<Self, Fault> {
        let base = dir.unwrap_or_else(std::env::temp_dir);
        let dir = base.join(format!("packmule-bench-{}", std::process::id()));
        files::make_dir(&dir)?;
        Ok(Self { dir })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
