//! A look at a mail's bones before it is parsed: how much a parser would have to remember of it.
//!
//! What is it: one pass over the lines, counting what becomes a header or a part; a few bytes of
//! a mail each cost a parser hundreds. Who calls it: `read`. What can go wrong: it counts too much
//! (text that looks like bones), so its bounds are far above what mails have.

/// Whether a mail has at most so many lines in heads and between parts, and no mail within a mail
/// that is encoded (RFC 2045, 6.4 forbids that, and what is inside could not be counted).
pub(crate) fn is_bearable(mail: &[u8], most: usize) -> bool {
    let mut bones = 0_usize;
    // A mail begins with a head; so does each part, and what a mail within a mail begins with.
    let mut block = Some(Block::default());
    let mut digest = false;
    for line in mail.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"--") {
            bones += 1;
            block = Some(Block::default());
        } else if let Some(open) = &mut block {
            if line.is_empty() {
                if open.mail && open.encoded {
                    return false;
                }
                block = (open.mail || digest).then(Block::default);
            } else {
                bones += 1;
                open.mail |= has(line, b"rfc822") || has(line, b"global");
                open.encoded |= has(line, b"base64") || has(line, b"quoted");
                digest |= has(line, b"digest");
            }
        }
        if bones > most {
            return false;
        }
    }
    true
}

/// What a head says of what follows it.
#[derive(Default)]
struct Block {
    mail: bool,
    encoded: bool,
}

fn has(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::is_bearable;

    #[test]
    fn heads_and_parts_count_and_bodies_do_not() {
        let body = "a: b\r\n".repeat(1000);
        let mail = format!("From: a\r\nTo: b\r\n\r\n{body}--x\r\nA: b\r\n\r\n{body}");
        assert!(is_bearable(mail.as_bytes(), 4));
        assert!(!is_bearable(mail.as_bytes(), 3));
        for bones in [
            body.clone(),
            format!("Content-Type: message/RFC822\r\n\r\n{body}"),
            format!("Content-Type: multipart/digest; boundary=x\n\n--x\n\n{body}"),
            "--x\r\n\r\n".repeat(1000),
        ] {
            assert!(!is_bearable(bones.as_bytes(), 900), "{bones:.80}");
        }
    }

    #[test]
    fn a_mail_within_a_mail_is_not_encoded() {
        let mail = "Content-Type: message/rfc822\nContent-Transfer-Encoding: Base64\n\nAAAA\n";
        assert!(!is_bearable(mail.as_bytes(), 9));
        assert!(is_bearable(mail.replace("Base64", "8bit").as_bytes(), 9));
    }
}
