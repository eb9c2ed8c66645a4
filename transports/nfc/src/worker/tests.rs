use std::process::Command;
use std::sync::mpsc;

use super::*;
use crate::field::Field;

/// What a child would be told and say, over a chip in memory.
fn told(chip: &mut dyn Chip, asked: &[(u8, &[u8])]) -> Vec<(u8, Vec<u8>)> {
    let mut input = Vec::new();
    for (what, apdu) in asked {
        let body = [&5_000_u32.to_be_bytes()[..], apdu].concat();
        write(&mut input, *what, &body).unwrap();
    }
    let mut output = Vec::new();
    serve(Ok(chip), &mut &input[..], &mut output).unwrap();
    let mut rest = &output[..];
    let mut said = Vec::new();
    while let [high, low, what, more @ ..] = rest {
        let (body, more) = more.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        said.push((*what, body.to_vec()));
        rest = more;
    }
    said
}

#[test]
fn a_child_does_what_it_is_told() {
    let field = Field::default();
    let (tell, heard) = mpsc::channel();
    let mut kiosk = field.chip("kiosk");
    let card = std::thread::spawn(move || {
        assert!(kiosk.listen(Duration::from_secs(10)).unwrap());
        tell.send(kiosk.hear(Duration::from_secs(10)).unwrap())
            .unwrap();
        kiosk.answer(b"answer").unwrap();
        // It stays until it is let go.
        kiosk.hear(Duration::from_secs(10)).unwrap_err();
    });
    // The card may not be there at once.
    let mut alice = field.chip("alice");
    while told(&mut alice, &[(SEEK, b"")])[1].0 == NOTHING {}
    let said = told(
        &mut alice,
        &[(EXCHANGE, b"command"), (RELEASE, b""), (b'?', b"")],
    );
    let done = |body: &[u8]| (DONE, body.to_vec());
    let odd = (UNSUPPORTED, Vec::new());
    assert_eq!(said, [done(b""), done(b"answer"), done(b""), odd]);
    assert_eq!(heard.recv().unwrap(), b"command");
    card.join().unwrap();
}

#[test]
fn a_child_without_a_chip_says_why() {
    let mut output = Vec::new();
    serve(Err("no such thing".to_owned()), &mut &b""[..], &mut output).unwrap();
    assert_eq!(output, b"\0\x0d\x07no such thing");
}

/// Children that are none of ours: each is a fault of the chip, and soon.
#[test]
fn children_that_die_lie_or_say_nothing_are_told_of() {
    for (script, word) in [
        ("exit 3", "exit status: 3"),
        ("kill -SEGV $$", "signal: 11"),
        ("printf '\\377\\377\\000'", "ended"),
        ("printf '\\000\\005\\007hello'", "hello"),
        ("printf '\\000\\000\\143'; exec sleep 60", "makes no sense"),
    ] {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let why = Worker::start(&mut command, "pretend").unwrap_err();
        assert!(why.to_string().contains(word), "{script}: {why}");
    }
    // It lives, and dies at the first call.
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "printf '\\000\\000\\000'; head -c 7 >/dev/null; kill -ABRT $$",
    ]);
    let mut worker = Worker::start(&mut command, "pretend").unwrap();
    let why = worker.seek(Duration::from_millis(10)).unwrap_err();
    assert!(matches!(why, ChipError::Broken(_)), "{why}");
    assert!(why.to_string().contains("signal: 6"), "{why}");
    let again = worker.listen(Duration::from_millis(10)).unwrap_err();
    assert!(matches!(again, ChipError::Broken(_)), "{again}");
}
