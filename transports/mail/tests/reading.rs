//! Mails as people, lists and gateways make them of ours, and as mallory does.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

use data_encoding::BASE64_MIME;
use packmule_bus::Envelope;
use packmule_mail::{Address, Limits, Mail, compose, read};
use proptest::prelude::*;

const JWE: &str = r#"{"protected":"e30","recipients":[{"header":{"kid":"did:key:z6Mk#z6LS"},"encrypted_key":"AAAA"}],"iv":"AAAA","ciphertext":"SGVsbG8gYm9i","tag":"AAAA"}"#;

fn look(mail: &str) -> Mail {
    // Written with bare ends of lines here, sent with those of mails.
    read(mail.replace('\n', "\r\n").as_bytes(), &Limits::default())
}

fn texts(mail: &Mail) -> Vec<String> {
    let text = |bytes: &&[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    mail.messages().iter().map(text).collect()
}

fn ours(packed: &str) -> String {
    let alice = Address::parse("alice@kiosk.test").unwrap();
    let bob = Address::parse("bob@edge.test").unwrap();
    let letter = compose(packed.as_bytes(), &alice, &[bob], 1_795_305_599);
    String::from_utf8(letter.expect("a message").bytes).unwrap()
}

/// As Thunderbird 128 attaches a file whose type it does not know.
fn by_hand(file: &str, content_type: &str, encoding: &str, body: &str) -> String {
    format!(
        "Message-ID: <0c1ad4e2-5d2e-4a31-9a70-7d3e5a1f21c9@kiosk.test>
Date: Sat, 21 Nov 2026 21:04:11 +0100
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Content-Language: de-DE, en-US
To: Bob <bob@edge.test>
From: =?UTF-8?Q?Alice_M=C3=BCller?= <alice@kiosk.test>
Subject: =?UTF-8?Q?Die_Nachricht_f=C3=BCr_dich?=
Content-Type: multipart/mixed; boundary=\"------------R0aGc9Hb2i0pYfVq6f0V0Qnm\"

This is a multi-part message in MIME format.
--------------R0aGc9Hb2i0pYfVq6f0V0Qnm
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 8bit

Hallo Bob, im Anhang. Grüße!

--------------R0aGc9Hb2i0pYfVq6f0V0Qnm
Content-Type: {content_type}; name=\"{file}\"
Content-Disposition: attachment; filename=\"{file}\"
Content-Transfer-Encoding: {encoding}

{body}
--------------R0aGc9Hb2i0pYfVq6f0V0Qnm--
"
    )
}

fn base64(bytes: &[u8]) -> String {
    BASE64_MIME.encode(bytes).replace("\r\n", "\n")
}

#[test]
fn a_file_that_a_person_attached_is_read() {
    let body = base64(JWE.as_bytes());
    for (file, content_type) in [
        ("for bob.dcem", "application/octet-stream"),
        ("FORBOB.DCEM", "application/x-unknown"),
        ("for bob.dcsm", "text/plain; charset=UTF-8"),
        ("message.json", "application/didcomm-encrypted+json"),
        (
            "message",
            "Application/DIDComm-Encrypted+JSON; charset=utf-8",
        ),
    ] {
        let mail = look(&by_hand(file, content_type, "base64", &body));
        assert_eq!(texts(&mail), [JWE], "{file} {content_type}");
    }
    let mail = look(&by_hand("a.dcem", "text/plain; charset=UTF-8", "7bit", JWE));
    assert_eq!(texts(&mail), [JWE]);
    let marked = format!("\u{feff}{JWE}\n");
    let body = base64(marked.as_bytes());
    let mail = look(&by_hand(
        "a.dcem",
        "application/octet-stream",
        "base64",
        &body,
    ));
    assert_eq!(texts(&mail), [JWE]);
}

#[test]
fn a_name_in_pieces_or_in_another_alphabet_is_a_name() {
    let part = format!(
        "From: a@b.test\nMIME-Version: 1.0\nContent-Type: application/octet-stream
Content-Disposition: attachment; filename*0=\"a-very-long-name-\"; filename*1=\"for-bob.dcem\"
Content-Transfer-Encoding: base64\n\n{}",
        base64(JWE.as_bytes())
    );
    assert_eq!(texts(&look(&part)), [JWE]);
    let part = part.replace(
        "filename*0=\"a-very-long-name-\"; filename*1=\"for-bob.dcem\"",
        "filename*=UTF-8''f%C3%BCr%20bob.dcem",
    );
    assert_eq!(texts(&look(&part)), [JWE]);
}

#[test]
fn other_mail_is_foreign() {
    for mail in [
        "From: a@b.test\nSubject: lunch?\n\nAt one?\n",
        "From: a@b.test\nKeywords: didcomm\nSubject: DIDComm message\n\nNothing here.\n",
        &by_hand("invoice.pdf", "application/pdf", "base64", "JVBERi0xLjcK"),
        &by_hand("dcem", "application/octet-stream", "base64", "AAAA"),
        "",
        "\n\n\n",
        "no header at all",
    ] {
        assert!(look(mail).is_foreign(), "{mail}");
    }
}

#[test]
fn many_attachments_come_in_their_order() {
    let message = |n: usize| JWE.replace("SGVsbG8", &format!("AAAA{n:03}"));
    let mut mail =
        "From: a@b.test\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n".to_owned();
    let parts: Vec<String> = (0..100).map(message).collect();
    for (n, part) in parts.iter().enumerate() {
        mail.push_str(&format!(
            "\n--x\nContent-Type: text/plain\n\nNumber {n}.\n--x\nContent-Type: application/didcomm-encrypted+json\n\n{part}\n"
        ));
    }
    mail.push_str("--x--\n");
    assert_eq!(texts(&look(&mail)), parts);
    let few = Limits {
        messages: 99,
        ..Limits::default()
    };
    let mail = read(mail.as_bytes(), &few);
    assert_eq!(mail.messages().len(), 99);
    assert_eq!(mail.damage(), Some("there are too many parts in it"));
}

#[test]
fn what_a_list_adds_does_no_harm() {
    let mail = ours(JWE);
    let footer = "_______________________________________________\r\nvillage mailing list\r\nhttps://lists.test/village\r\n";
    // Behind the end of the mail.
    assert_eq!(
        texts(&read(
            format!("{mail}{footer}").as_bytes(),
            &Limits::default()
        )),
        [JWE]
    );
    // As a part of its own, as Mailman does, and the whole wrapped once more.
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let wrapped = format!(
        "From: <village@lists.test>\r\nSubject: [village] DIDComm message\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=====\"\r\n\r\n--=====\r\n{}\r\n\r\n{body}\r\n--=====\r\nContent-Type: text/plain\r\n\r\n{footer}\r\n--=====--\r\n",
        head.lines()
            .skip_while(|line| !line.starts_with("Content-Type"))
            .collect::<Vec<_>>()
            .join("\r\n"),
    );
    assert_eq!(texts(&read(wrapped.as_bytes(), &Limits::default())), [JWE]);
    // Into the text of the part itself.
    let end = mail.rfind("\r\n--=_").unwrap();
    let mangled = format!("{}\r\n{footer}{}", &mail[..end], &mail[end..]);
    assert_eq!(texts(&read(mangled.as_bytes(), &Limits::default())), [JWE]);
    // Forwarded as an attachment.
    let forwarded = format!(
        "From: <bob@edge.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"fwd\"\r\n\r\n--fwd\r\nContent-Type: message/rfc822\r\n\r\n{mail}\r\n--fwd--\r\n"
    );
    assert_eq!(
        texts(&read(forwarded.as_bytes(), &Limits::default())),
        [JWE]
    );
    // Ends of lines as a Unix file has them.
    assert_eq!(
        texts(&read(
            mail.replace("\r\n", "\n").as_bytes(),
            &Limits::default()
        )),
        [JWE]
    );
}

#[test]
fn a_gateway_that_writes_the_json_anew_changes_nothing_that_counts() {
    let value: serde_json::Value = serde_json::from_str(JWE).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let name = ours(JWE).split("filename=\"").nth(1).unwrap()[..31].to_owned();
    let mail = look(&by_hand(
        &name,
        "application/octet-stream",
        "base64",
        &base64(pretty.as_bytes()),
    ));
    assert_eq!(mail.messages().len(), 1, "{mail:?}");
    let id = |bytes: &[u8]| Envelope::from_packed(bytes).unwrap().id();
    assert_eq!(id(mail.messages()[0]), id(JWE.as_bytes()));
}

#[test]
fn what_is_damaged_is_refused_and_says_why() {
    let mail = ours(JWE);
    let damaged = |mail: &str| look_raw(mail).damage().expect("damaged");
    // A character of the ciphertext: JSON still, and the name tells.
    let flipped = mail.replace("SGVsbG8", "SGVsbG9");
    assert_ne!(flipped, mail);
    assert_eq!(
        damaged(&flipped),
        "it is not the message that its name tells"
    );
    // Cut off in the middle.
    let cut = mail.find("ciphertext").unwrap();
    assert_eq!(damaged(&mail[..cut]), "it is no JSON");
    // Lines broken by software that knows no quoted-printable.
    let body = format!("{}\n{}", &JWE[..60], &JWE[60..]);
    let text = by_hand(
        "a.dcem",
        "text/plain",
        "7bit",
        &body.replace("encrypted_key", "encr\nypted_key"),
    );
    assert!(look(&text).damage().is_some());
    for body in ["", "e30=", "AAAA", "bm8ganNvbg=="] {
        let text = by_hand("a.dcem", "application/octet-stream", "base64", body);
        assert!(look(&text).damage().is_some(), "{body}");
    }
}

fn look_raw(mail: &str) -> Mail {
    read(mail.as_bytes(), &Limits::default())
}

#[test]
fn limits_hold() {
    let mail = ours(JWE);
    let tight = |limits: Limits| read(mail.as_bytes(), &limits).damage();
    let base = Limits::default();
    let short = Limits {
        mail: mail.len() - 1,
        ..base
    };
    assert_eq!(tight(short), Some("the mail is too long"));
    let short = Limits {
        message: JWE.len() - 1,
        ..base
    };
    assert_eq!(tight(short), Some("the message is too long"));
    let few = Limits { parts: 2, ..base };
    assert_eq!(tight(few), Some("there are too many parts in it"));
    // Boxes in boxes, and parts without end: bounded work, no stack.
    let mut boxes = "From: a@b\nMIME-Version: 1.0\n".to_owned();
    for at in 0..20_000 {
        boxes.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n"
        ));
    }
    assert_eq!(
        look(&boxes).damage(),
        Some("there are too many parts in it")
    );
    let mails = "Content-Type: message/rfc822\n\n".repeat(20_000);
    let _ = look(&format!("From: a@b\nMIME-Version: 1.0\n{mails}"));
    let heads = "A: b\n".repeat(100_000);
    let why = "the mail has more heads than a mail has";
    assert_eq!(look(&heads).damage(), Some(why));
    let deep = "[".repeat(1 << 20);
    assert!(
        look(&by_hand(
            "a.dcem",
            "text/plain",
            "7bit",
            &format!("{{\"a\":{deep}")
        ))
        .damage()
        .is_some()
    );
}

proptest! {
    #[test]
    fn whatever_is_written_is_read(body in "\\PC{0,400}", line in "[ -~\\r\\n.]{0,300}") {
        let text = serde_json::json!({"id": "1", "type": "https://x.test/p/1.0/m", "body": {"a": body, "b": line}});
        for packed in [text.to_string(), serde_json::to_string_pretty(&text).unwrap()] {
            let mail = read(ours(&packed).as_bytes(), &Limits::default());
            prop_assert_eq!(texts(&mail), vec![packed]);
        }
    }

    #[test]
    fn hostile_bytes_are_answered(mut mail in proptest::collection::vec(any::<u8>(), 0..64), at in 0usize..2000) {
        let whole = ours(JWE);
        let at = at.min(whole.len());
        let mut bytes = whole.as_bytes()[..at].to_vec();
        bytes.append(&mut mail);
        bytes.extend_from_slice(&whole.as_bytes()[at..]);
        for found in read(&bytes, &Limits::default()).messages() {
            prop_assert!(Envelope::from_packed(found).is_ok());
        }
    }
}
