//! Writing mails, as the e-mail transport extension says.
//!
//! What is it: one packed message as one mail: a body for people, and the message attached. Who
//! calls it: [`crate::Outbox`]. What can go wrong: nothing; what a plaintext says of itself goes
//! into headers only where it is a plain word, since its writer may be a stranger.

use packmule_bus::{Envelope, EnvelopeId, Kind};

use crate::address::Address;
use crate::date::date;
use crate::encode::Encoding;
use crate::face::Face;
use crate::name::Name;

/// Our own compact form of a packed message, for those who know it.
pub(crate) const COMPACT: &str = "application/x.packmule.envelope";

/// Names no protocol: what is opaque is not told from what else is opaque.
const OPAQUE: &str = "DIDComm message";

/// What people read. It is a part of every mail, so it is short; nobody is asked to open anything.
const BODY: &str = "\
A message between programs; not to be opened by hand.\r\n\
https://didcomm.org/book/v2/attachment-help\r\n";

/// A mail, ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// The mail's bytes, in lines that end with CR LF, all of them ASCII.
    pub bytes: Vec<u8>,
    /// The message's name, by which copies are known.
    pub name: Name,
}

/// Writes the mail that carries a packed message; `now` is in seconds since 1970. `None` if the
/// bytes are no DIDComm message: mail carries nothing else.
#[must_use]
pub fn compose(packed: &[u8], from: &Address, to: &[Address], now: u64) -> Option<Letter> {
    let envelope = match Envelope::decode(packed) {
        Ok(envelope) => (envelope, true),
        Err(_) => (Envelope::from_packed(packed).ok()?, false),
    };
    let (envelope, compact) = envelope;
    let (kind, id) = (envelope.kind(), envelope.id());
    if kind == Kind::Other {
        return None;
    }
    let face = match kind {
        Kind::Plaintext if !compact => Face::of(packed),
        _ => None,
    };
    let media_type = if compact { COMPACT } else { kind.media_type() };
    Some(write(
        packed,
        (kind, media_type, &id),
        face,
        (from, to, now),
    ))
}

fn write(
    packed: &[u8],
    (kind, media_type, id): (Kind, &str, &EnvelopeId),
    face: Option<Face>,
    (from, to, now): (&Address, &[Address], u64),
) -> Letter {
    let name = Name::of(id);
    let short = name.as_str();
    let face = face.unwrap_or_default();
    let message_id = face
        .message_id
        .unwrap_or_else(|| format!("{short}@{}", from.domain()));
    let to: Vec<&str> = to.iter().map(Address::as_str).collect();
    let mut head = format!(
        "From: <{from}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{message_id}>\r\n",
        to.join(">,\r\n <"),
        face.subject.as_deref().unwrap_or(OPAQUE),
        date(now),
    );
    if let Some(parent) = face.in_reply_to {
        head.push_str(&format!("In-Reply-To: <{parent}>\r\n"));
    }
    // A boundary that neither encoding can write: "=_" is no escape, and base64 has no "_". It
    // stands in a mail four times: a few letters of the name are enough to tell two mails apart.
    let boundary = format!("=_{}", short.get(..4).unwrap_or_default());
    head.push_str(&format!(
        "Keywords: didcomm\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
    ));
    match face.problem {
        // A part without a head is text/plain in US-ASCII (RFC 2046, 5.1).
        None => head.push_str(&format!("\r\n{BODY}")),
        Some(words) => {
            let mut text = Vec::new();
            let words = format!("{words}\r\n\r\n{BODY}");
            // Ends of lines are ends of lines here: this part is for people.
            for line in words.split("\r\n") {
                Encoding::QuotedPrintable.write(line.as_bytes(), &mut text);
                text.extend_from_slice(b"\r\n");
            }
            head.push_str(
                "Content-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            );
            // Quoted-printable is ASCII.
            head.push_str(&String::from_utf8_lossy(&text));
        }
    }
    let encoding = Encoding::of(packed);
    let file = format!("{short}.{}", kind.extension());
    head.push_str(&format!(
        "\r\n--{boundary}\r\nContent-Type: {media_type}\r\n\
         Content-Disposition: attachment; filename=\"{file}\"\r\n\
         Content-Transfer-Encoding: {}\r\n\r\n",
        encoding.word()
    ));
    let mut bytes = head.into_bytes();
    bytes.reserve(packed.len() + packed.len() / 20);
    encoding.write(packed, &mut bytes);
    bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Letter { bytes, name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Limits, read};

    const JWE: &[u8] = br#"{"protected":"e30","recipients":[{"header":{"kid":"did:key:z6Mk#z6LS"},"encrypted_key":"AA"}],"iv":"AA","ciphertext":"AA","tag":"AA"}"#;

    fn letter(packed: &[u8]) -> String {
        let (alice, bob) = ("alice@kiosk.test", "bob@edge.test");
        let from = Address::parse(alice).unwrap();
        let to = [
            Address::parse(bob).unwrap(),
            Address::parse("c@d.test").unwrap(),
        ];
        let letter = compose(packed, &from, &to, 0).expect("a message");
        let text = String::from_utf8(letter.bytes).unwrap();
        assert!(text.is_ascii());
        for line in text.split_inclusive("\r\n") {
            assert!(line.ends_with("\r\n") && line.len() <= 100, "{line}");
            assert!(!line.trim_end_matches("\r\n").contains(['\r', '\n']));
        }
        let mail = read(text.as_bytes(), &Limits::default());
        assert_eq!(mail.messages(), [packed], "{text}");
        text
    }

    #[test]
    fn an_opaque_message_shows_nothing_of_itself() {
        let text = letter(JWE);
        let name = Name::of(&Envelope::from_packed(JWE).unwrap().id());
        for line in [
            "From: <alice@kiosk.test>",
            "To: <bob@edge.test>,",
            " <c@d.test>",
            "Subject: DIDComm message",
            "Keywords: didcomm",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "Content-Transfer-Encoding: quoted-printable",
            &format!("Message-ID: <{}@kiosk.test>", name.as_str()),
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        assert!(text.contains("\r\nContent-Type: application/didcomm-encrypted+json\r\n"));
        assert!(text.contains(&format!("filename=\"{}.dcem\"", name.as_str())));
    }

    #[test]
    fn a_mail_is_little_more_than_its_message() {
        let alice = Address::parse("alice@kiosk.test").unwrap();
        let bob = Address::parse("bob@edge.test").unwrap();
        for (bytes, most) in [(2_000, 1.34), (20_000, 1.071), (200_000, 1.045)] {
            let text = "AbC-".repeat(bytes / 4);
            let packed = format!(
                "{{\"ciphertext\":\"{text}\",\"protected\":\"e30\",\"recipients\":[],\"iv\":\"AA\",\"tag\":\"AA\"}}"
            );
            let letter = compose(packed.as_bytes(), &alice, std::slice::from_ref(&bob), 0);
            let ratio = letter.expect("a message").bytes.len() as f64 / packed.len() as f64;
            assert!(ratio <= most, "{bytes}: {ratio}");
        }
    }

    #[test]
    fn a_plaintext_carries_its_thread_in_headers() {
        let text = letter(
            br#"{"id":"m-2","thid":"thread-77","type":"https://didcomm.org/issue-credential/3.0/offer-credential","body":{}}"#,
        );
        assert!(
            text.contains("\r\nSubject: Re: issue-credential thread-7\r\n"),
            "{text}"
        );
        assert!(
            text.contains("\r\nMessage-ID: <m-2@thread-77>\r\n"),
            "{text}"
        );
        assert!(text.contains(".dcpm"), "{text}");
    }

    #[test]
    fn a_problem_report_tells_people_what_happened() {
        let text = letter(
            r#"{"id":"m-3","pthid":"m-1","type":"https://didcomm.org/report-problem/2.0/problem-report","body":{"code":"e.p.xfer.cant-use-endpoint","comment":"Unable to use the {1} endpoint for {2}. ü","args":["https://a/","bob"],"escalate_to":"mailto:admin@a.test"}}"#.as_bytes(),
        );
        assert!(
            text.contains("\r\nSubject: Problem e.p.xfer.cant-use-endpoint -- Re: m-1\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nIn-Reply-To: <m-1@m-1>\r\n"), "{text}");
        assert!(
            text.contains("Unable to use the https://a/ endpoint for bob. =C3=BC"),
            "{text}"
        );
        assert!(text.contains("mailto:admin@a.test"), "{text}");
    }

    #[test]
    fn headers_take_no_orders_from_a_message() {
        let text = letter(
            br#"{"id":"m\r\nBcc: mallory@evil.test","thid":"a b","type":"https://x/y\r\nX: y/1.0/z","body":{"code":"e\r\n"}}"#,
        );
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("mallory") && !head.contains("X:"), "{head}");
        assert!(head.contains("Subject: DIDComm message"), "{head}");
    }

    #[test]
    fn what_is_no_message_is_not_carried() {
        let alice = Address::parse("alice@kiosk.test").unwrap();
        for bytes in [&b"hello"[..], b"{}", b"", b"\xff\xfe"] {
            assert_eq!(
                compose(bytes, &alice, std::slice::from_ref(&alice), 0),
                None
            );
        }
    }
}
