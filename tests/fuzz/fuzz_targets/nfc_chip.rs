//! Bytes from a serial line: at our driver's parser, and at a field of virtual chips whose hosts
//! they are. Frames written are frames read; nothing is kept beyond one frame.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use packmule_nfc::pn532::frame::{MAX, Parser, Said, command};
use packmule_sim::nfc::tag::TagKind;
use packmule_sim::nfc::{Field, Setup};

fuzz_target!(|data: &[u8]| {
    let mut parser = Parser::default();
    for byte in data {
        if let Some(Said::Answer(_, body)) = parser.feed(*byte) {
            assert!(body.len() <= MAX);
        }
    }
    let mut field = Field::new(Setup {
        chips: 2,
        tags: vec![TagKind::Ntag213],
        ..Setup::default()
    });
    // Raw, and as commands: a chip, a length, a command.
    field.hear(Duration::ZERO, 0, data);
    let (mut rest, mut now) = (data, Duration::ZERO);
    while let [chip, length, more @ ..] = rest {
        let (body, more) = more.split_at(more.len().min(usize::from(*length)));
        if let Some(frame) = command(body) {
            now += Duration::from_millis(u64::from(*chip));
            field.hear(now, usize::from(chip & 1), &frame);
        }
        rest = more;
        while let Some((_, bytes)) = field.poll() {
            assert!(bytes.len() < 5000);
        }
    }
});
