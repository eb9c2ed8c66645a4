//! NDEF messages and the tags that hold them, by strangers: what is read is written again and read
//! as the same; a tag whose memory is the input gives a message of its size or an error, in a
//! bounded number of exchanges.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use packmule_nfc::chip::{ApduLink, ChipError};
use packmule_nfc::{ndef, t2t, t4t};

/// A sticker with this memory.
struct Sticker<'a>(&'a [u8], u32);

impl ApduLink for Sticker<'_> {
    fn exchange(&mut self, command: &[u8], _: Duration) -> Result<Vec<u8>, ChipError> {
        self.1 += 1;
        assert!(self.1 < 600, "it asks without end");
        match *command {
            [0x30, page] => {
                let from = usize::from(page) * 4;
                let mut four = self.0.get(from..).unwrap_or_default().to_vec();
                four.resize(16, 0);
                Ok(four)
            }
            _ => Ok(vec![]),
        }
    }
}

/// A tag that answers with pieces of this, each with a length before it.
struct Talker<'a>(&'a [u8]);

impl ApduLink for Talker<'_> {
    fn exchange(&mut self, _: &[u8], _: Duration) -> Result<Vec<u8>, ChipError> {
        let (length, rest) = self.0.split_first().ok_or(ChipError::Lost)?;
        let (answer, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        self.0 = rest;
        Ok([answer, &[0x90, 0]].concat())
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(records) = ndef::read(data) {
        assert!(!records.is_empty() && records.len() <= ndef::MAX_RECORDS);
        for record in &records {
            let _ = (record.uri(), record.mime());
        }
        // The shortest form may still be longer than a message may be only if it was in pieces.
        if let Ok(bytes) = ndef::write(&records) {
            assert_eq!(ndef::read(&bytes), Ok(records));
        }
    }
    if let Ok(message) = t2t::read(&mut Sticker(data, 0)) {
        assert!(message.len() < 1024);
    }
    let _ = t2t::write(&mut Sticker(data, 0), &[7; 300]);
    if let Ok(message) = t4t::read(&mut Talker(data)) {
        assert!(message.len() <= data.len());
    }
    let _ = t4t::write(&mut Talker(data), &[7; 300]);
});
