//! Where the passphrase comes from: a file, the environment, or a prompt.
//!
//! What it is: the one reader of secrets typed or handed over. Who calls it: verbs that need
//! the keys. What can go wrong: no source at all (exit 5 and the three ways out), an empty
//! passphrase (refused: it protects nothing), two different ones at `init`.

use std::io::IsTerminal;
use std::path::Path;

use packmule_node::Home;
use zeroize::Zeroizing;

use crate::args::Globals;
use crate::exit::Exit;
use crate::fault::Fault;

/// The environment variable that holds the passphrase.
pub(crate) const VARIABLE: &str = "PACKMULE_PASSPHRASE";

const WAYS: &str =
    "set PACKMULE_PASSPHRASE, or use --passphrase-file FILE, or run in a terminal to be asked";

/// The passphrase of an existing home: `--passphrase-file`, then the one that lies in the home of a
/// gateway (what the environment says is for homes that have none), then the environment, then a
/// prompt.
pub(crate) fn of(home: &Home, globals: &Globals) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let file = globals.passphrase_file.as_deref();
    if file.is_none()
        && let Some(passphrase) = home.own_passphrase()?
    {
        return Ok(passphrase);
    }
    match given(file)? {
        Some(passphrase) => Ok(passphrase),
        None => prompt("Passphrase: "),
    }
}

/// The passphrase of a new home; a prompt asks twice.
pub(crate) fn choose(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if let Some(passphrase) = given(file)? {
        return Ok(passphrase);
    }
    let first = prompt("New passphrase (protects your keys on this disk): ")?;
    let second = prompt("The same again: ")?;
    if first != second {
        return Err(Fault::new(Exit::Passphrase, "the two passphrases differ").hint("try again"));
    }
    Ok(first)
}

/// A passphrase that was given without asking anyone.
pub(crate) fn given(file: Option<&Path>) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    if let Some(path) = file {
        let mut bytes = Zeroizing::new(
            std::fs::read(path)
                .map_err(|err| Fault::file("read the passphrase from", path, &err))?,
        );
        // Editors and `echo` end a file with a newline that nobody means.
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        return not_empty(bytes).map(Some);
    }
    match std::env::var_os(VARIABLE) {
        Some(value) => not_empty(Zeroizing::new(value.into_encoded_bytes())).map(Some),
        None => Ok(None),
    }
}

fn prompt(question: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
        return Err(Fault::new(
            Exit::Passphrase,
            "a passphrase is needed, and none was given",
        )
        .hint(WAYS));
    }
    let typed = rpassword::prompt_password(question).map_err(|err| {
        Fault::new(
            Exit::Passphrase,
            format!("cannot ask for the passphrase: {err}"),
        )
        .hint(WAYS)
    })?;
    not_empty(Zeroizing::new(typed.into_bytes()))
}

fn not_empty(passphrase: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if passphrase.is_empty() {
        return Err(
            Fault::new(Exit::Passphrase, "an empty passphrase protects nothing").hint(WAYS),
        );
    }
    Ok(passphrase)
}
