//! `packmule doctor`: chips for NFC, and what more a build could drive.

use std::path::Path;

use packmule_transports::nfc::pn532::Serial;
use packmule_transports::nfc::{Chips, PREFIXES};
use packmule_transports::nfc_chips;
use rustix::fs::{Access, access};

use super::Finding;
use crate::flow::settings::Settings;

/// Looks at the chip that is set up, at serial lines, and at back ends.
pub(super) fn look(home: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A file that makes no sense is told of by `run`.
    match Settings::of_home(home).ok().and_then(|it| it.nfc) {
        Some(nfc) => findings.push(set_up(&nfc.device)),
        None => findings.push(lines()),
    }
    let chips = nfc_chips();
    for prefix in PREFIXES {
        let name = match prefix {
            "pcsc" => "nfc by pcscd",
            _ => "nfc by libnfc",
        };
        findings.push(match chips.finding(prefix) {
            Some(probe) if probe.ready => Finding::good(name, probe.finding),
            Some(probe) => Finding::note(name, probe.finding, how(prefix)),
            None => Finding::note(
                name,
                "not in this build; a PN532 on a serial line needs neither",
                format!("{}; cargo build --features nfc-{prefix}", how(prefix)),
            ),
        });
    }
    findings
}

fn how(prefix: &str) -> &'static str {
    match prefix {
        "pcsc" => "apt install pcscd libpcsclite-dev",
        _ => "apt install libnfc-dev libclang1 libclang-common-14-dev",
    }
}

/// The chip of node.toml is tried for real.
fn set_up(device: &str) -> Finding {
    match nfc_chips().open(device) {
        Ok(_) => Finding::good("nfc", format!("a chip answers on {device}")),
        Err(why) => {
            let why = why.to_string();
            let hint = hint(&why);
            Finding::note("nfc", why, hint)
        }
    }
}

/// What can be done about it.
fn hint(why: &str) -> &'static str {
    if why.contains("another program") {
        "end that program: a running node of yours has it, perhaps"
    } else if why.contains("ermission") {
        "add yourself to the group that owns it: usermod -aG dialout $USER, and log in again"
    } else if why.contains("No such file") {
        "plug it in, or name another one in node.toml: [nfc] device"
    } else if why.contains("does not answer") {
        "is it a PN532, and set to HSU (its switches both off)?"
    } else {
        "name another one in node.toml: [nfc] device"
    }
}

/// Opening a line might wake what is no chip at all: of those that nobody named only the
/// permissions are looked at.
fn lines() -> Finding {
    let lines = Serial::candidates();
    let may = |line: &&std::path::PathBuf| {
        access(line.as_path(), Access::READ_OK | Access::WRITE_OK).is_ok()
    };
    match (lines.iter().find(may), lines.first()) {
        (Some(line), _) => Finding::good(
            "nfc",
            format!(
                "a PN532 may be on {0}: `packmule nfc tap --device {0}`",
                line.display()
            ),
        ),
        (None, Some(line)) => Finding::note(
            "nfc",
            format!("no permission on {}", line.display()),
            hint("permission"),
        ),
        (None, None) => Finding::note(
            "nfc",
            "no serial line on this computer",
            "plug a PN532 in by USB or UART; `packmule sim nfc` plays some",
        ),
    }
}
