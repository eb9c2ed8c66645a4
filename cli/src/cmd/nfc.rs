//! `packmule nfc`: one touch, and messages on tags.
//!
//! What is it: the verbs, and how a device is chosen. Who calls it: people; `nfc-worker` is called
//! by a node of ours. What can go wrong: no device, several, or none that works: each is said.

mod tags;
mod tap;

use std::path::Path;

use packmule_transports::nfc::pn532::Serial;

use crate::args::{Globals, NfcVerb, NfcWorkerArgs};
use crate::fault::Fault;
use crate::flow::settings::Settings;
use crate::ui::output::Report;

/// Runs one of its verbs.
pub(crate) fn run(globals: &Globals, verb: &NfcVerb) -> Result<Report, Fault> {
    match verb {
        NfcVerb::Tap(args) => tap::run(globals, args),
        NfcVerb::Read(args) => tags::read(args),
        NfcVerb::Write(args) => tags::write(args),
    }
}

/// Drives a chip for the node that started us.
pub(crate) fn work(args: &NfcWorkerArgs) -> Result<Report, Fault> {
    packmule_transports::nfc_worker(&args.device)?;
    Ok(Report::told())
}

/// The device that was named, or is set up in the home, or the only one that is there.
fn device(named: Option<&str>, home: &Path) -> Result<String, Fault> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    if let Some(nfc) = Settings::of_home(home)?.nfc {
        return Ok(nfc.device);
    }
    match Serial::candidates().as_slice() {
        [only] => Ok(only.display().to_string()),
        [] => Err(Fault::not_found("no chip for NFC is on a serial line here")
            .hint("plug a PN532 in; name others by --device, as `packmule doctor` says")),
        several => {
            let names: Vec<String> = several.iter().map(|l| l.display().to_string()).collect();
            let what = format!("several serial lines are here: {}", names.join(", "));
            Err(Fault::usage(what).hint("name one by --device, or in node.toml: [nfc] device"))
        }
    }
}
