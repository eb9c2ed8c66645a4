//! Which home a verb works on, and how it is opened.
//!
//! Who calls it: verbs that have a home. What can go wrong: there is none (the hint says
//! `init`), the passphrase is wrong, the store is damaged, newer or busy.

use std::path::PathBuf;

use packmule_node::Home;

use crate::args::Globals;
use crate::fault::Fault;
use crate::flow::party::Party;
use crate::ui::passphrase;

/// The home's directory: `--home`, `$PACKMULE_HOME`, `$XDG_DATA_HOME/packmule`, or
/// `~/.local/share/packmule` (XDG Base Directory specification).
pub(crate) fn dir(globals: &Globals) -> Result<PathBuf, Fault> {
    if let Some(dir) = &globals.home {
        return Ok(dir.clone());
    }
    let from = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    if let Some(dir) = from("PACKMULE_HOME") {
        return Ok(dir);
    }
    // A relative XDG path is to be ignored, says that specification.
    if let Some(data) = from("XDG_DATA_HOME").filter(|data| data.is_absolute()) {
        return Ok(data.join("packmule"));
    }
    let user = from("HOME").ok_or_else(|| {
        Fault::usage("no home directory is known here").hint("use --home DIR or set PACKMULE_HOME")
    })?;
    Ok(user.join(".local/share/packmule"))
}

/// Opens the home without its keys.
pub(crate) fn open(globals: &Globals) -> Result<Home, Fault> {
    Ok(Home::open(&dir(globals)?)?)
}

/// Opens the home and its keys.
pub(crate) fn unlock(globals: &Globals) -> Result<Party, Fault> {
    let home = open(globals)?;
    let passphrase = passphrase::of(&home, globals)?;
    Ok(Party::unlock(home, &passphrase)?)
}
