//! What `packmule doctor` finds out about mail: each server alone, and the clock.
//!
//! Called by the doctor. What can go wrong: servers that are not there or will not have us, which
//! are findings. Nothing is sent.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use packmule_bus::link::{Probe, Transport};
use packmule_transports::mail::{Imap, Mailto};
use tokio::runtime::Builder;

use super::Finding;
use crate::flow::settings::Settings;

/// The beginning of 2026: a clock before it is wrong, and no certificate holds yet.
const WRITTEN: u64 = 1_767_225_600;

/// Nothing, if no mail is set up.
pub(super) fn look(home: &Path) -> Vec<Finding> {
    let settings = match Settings::of_home(home) {
        Ok(settings) if settings.mail.is_some() => settings,
        Ok(_) => return Vec::new(),
        Err(fault) => return vec![Finding::note("node.toml", fault.what, "mend the file")],
    };
    let mailer = match settings.mailer(home) {
        Ok(mailer) => mailer,
        Err(fault) => return vec![Finding::note("mail", fault.what, "mend the section [mail]")],
    };
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let mut findings = vec![clock()];
    if let Some(outbox) = mailer.outbox {
        let probe = runtime.block_on(Mailto::new(outbox).probe());
        findings.push(finding("submission", probe));
    }
    if let Some(account) = mailer.account {
        let probe = runtime.block_on(Imap::new(account).probe());
        findings.push(finding("imap", probe));
    }
    findings
}

fn finding(name: &'static str, probe: Probe) -> Finding {
    if probe.ready {
        return Finding::good(name, probe.finding);
    }
    let hint = hint(&probe.finding);
    Finding::note(name, probe.finding, hint)
}

/// What to do about what a server or TLS said.
fn hint(why: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["UnknownIssuer", "authorities"]) {
        "name the authority that signed its certificate: authority = \"ca.pem\""
    } else if says(&["NotValidYet", "not valid yet", "Expired", "expired"]) {
        "look at this computer's clock; if it is right, the server's certificate is old"
    } else if says(&["NotValidForName", "not valid for name"]) {
        "write the server's name as it stands in its certificate"
    } else if says(&["no STARTTLS"]) {
        "write smtps:// or imaps://, or open = true on this machine"
    } else if says(&["535", "AUTHENTICATIONFAILED", "uthentication"]) {
        "look at user and password-file"
    } else if says(&["refused", "no answer", "lookup"]) {
        "look at the server's name and port, and whether this computer is on the net"
    } else {
        "the words are the server's own"
    }
}

fn clock() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    if now < WRITTEN {
        Finding::note(
            "clock",
            "it stands before 2026: no certificate holds yet",
            "set it, or let the net set it (systemd-timesyncd)",
        )
    } else {
        Finding::good("clock", "it stands after this program was written")
    }
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn what_a_server_said_leads_to_what_to_do() {
        for (why, word) in [
            ("invalid peer certificate: UnknownIssuer", "authority ="),
            (
                "invalid peer certificate: certificate not valid yet",
                "clock",
            ),
            (
                "invalid peer certificate: certificate not valid for name",
                "name",
            ),
            ("permanent error (535): 5.7.8 Error", "password-file"),
            ("Connection refused (os error 111)", "port"),
            ("the server offers no STARTTLS", "smtps://"),
        ] {
            assert!(hint(why).contains(word), "{why}");
        }
    }
}
