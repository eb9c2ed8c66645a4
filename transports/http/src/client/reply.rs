//! What an answer means for a message.
//!
//! What is it: the status judged, and the packed message in a body found. Who calls it: the
//! mailbox. What can go wrong: servers answer in many ways: with words for people, with JSON of
//! their own, with the message inside a JSON string. What is no DIDComm message is no reply.

use hyper::StatusCode;
use packmule_bus::link::LinkError;
use packmule_bus::{Envelope, Kind};

use super::Reply;

/// Whether a message of so many bytes was taken.
pub(super) fn judge(reply: &Reply, bytes: usize) -> Result<(), LinkError> {
    let status = reply.status;
    if status.is_success() {
        return Ok(());
    }
    let mut words = format!("HTTP {status}");
    if let Some(when) = &reply.retry_after {
        words.push_str("; try again after ");
        words.push_str(when);
        if when.bytes().all(|b| b.is_ascii_digit()) {
            words.push_str(" s");
        }
    }
    Err(match status {
        // How much it would take is not told: less than this.
        StatusCode::PAYLOAD_TOO_LARGE => LinkError::TooLarge {
            bytes,
            limit: bytes.saturating_sub(1),
        },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            LinkError::Busy(words)
        }
        _ if status.is_server_error() => LinkError::Busy(words),
        _ => LinkError::Refused(words),
    })
}

/// The packed message in a body, if there is one: bare, or as a JSON string.
pub(super) fn message(body: Vec<u8>) -> Option<Vec<u8>> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let body = match first {
        b'"' => serde_json::from_slice::<String>(&body).ok()?.into_bytes(),
        _ => body,
    };
    let envelope = Envelope::from_packed(&body).ok()?;
    (envelope.kind() != Kind::Other).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: Option<&str>) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).expect("a status"),
            body: Vec::new(),
            retry_after: retry_after.map(str::to_owned),
        }
    }

    #[test]
    fn statuses_say_whether_to_try_again() {
        for status in [200, 201, 202, 204] {
            assert!(judge(&reply(status, None), 9).is_ok(), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let fault = judge(&reply(status, None), 9);
            assert!(matches!(fault, Err(LinkError::Busy(_))), "{status}");
        }
        for status in [301, 302, 303, 304, 308, 400, 401, 403, 404, 405, 410, 415] {
            let fault = judge(&reply(status, None), 9);
            assert!(matches!(fault, Err(LinkError::Refused(_))), "{status}");
        }
        let fault = judge(&reply(413, None), 9);
        assert!(matches!(fault, Err(LinkError::TooLarge { bytes: 9, .. })));
        let fault = judge(&reply(503, Some("120")), 9).expect_err("busy");
        assert!(fault.to_string().ends_with("try again after 120 s"));
    }

    #[test]
    fn a_message_is_found_however_it_is_wrapped() {
        let jwe = br#"{"protected":"e30","ciphertext":"AA","recipients":[]}"#;
        assert_eq!(message(jwe.to_vec()).as_deref(), Some(&jwe[..]));
        let quoted = serde_json::to_vec(std::str::from_utf8(jwe).expect("text")).expect("JSON");
        assert_eq!(message(quoted).as_deref(), Some(&jwe[..]));
        for body in [
            "",
            "OK",
            "\"OK\"",
            "<html>",
            "{\"status\":\"ok\"}",
            "\"",
            "[]",
        ] {
            assert_eq!(message(body.into()), None, "{body}");
        }
    }
}
