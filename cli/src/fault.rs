//! Faults: why a verb could not do what it was asked, and what to do next.
//!
//! What it is: the one error type at the edge; each room's error becomes a `Fault` here, with
//! an exit code, a hint, and a problem code when a message was refused. Who calls it: verbs
//! and flows. What can go wrong: an error mapped to the wrong code; `cli/tests` hold them.

mod rooms;

use std::fmt;
use std::io;
use std::path::Path;

use crate::exit::Exit;

/// Why a verb stopped.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What happened, in one line.
    pub(crate) what: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// The DIDComm problem code, when a message was refused.
    pub(crate) problem: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            hint: None,
            problem: None,
        }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Something named on the command line does not exist.
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, what)
    }

    /// Something is not what it should be.
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::new(Exit::Damaged, what)
    }

    /// A message was refused, with its problem code.
    pub(crate) fn refused(problem: impl Into<String>, what: impl Into<String>) -> Self {
        let mut fault = Self::new(Exit::Refused, what);
        fault.problem = Some(problem.into());
        fault
    }

    /// What to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file operation failed: `verb` reads like "read" or "write the picture".
    pub(crate) fn file(verb: &str, path: &Path, err: &io::Error) -> Self {
        let what = format!("cannot {verb} {}: {err}", path.display());
        let fault = Self::new(exit_of_io(err), what);
        match fault.exit {
            Exit::NotFound => fault.hint("check the path"),
            Exit::NoSpace => fault.hint(SPACE),
            _ => fault,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl From<io::Error> for Fault {
    fn from(err: io::Error) -> Self {
        Self::new(exit_of_io(&err), err.to_string())
    }
}

/// The hint for a full medium.
pub(crate) const SPACE: &str =
    "make room (or mount the medium writeable) and run the same command again; nothing is lost";

/// The exit code of an error of the operating system.
pub(crate) fn exit_of_io(err: &io::Error) -> Exit {
    match err.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::FileTooLarge => Exit::NoSpace,
        io::ErrorKind::AlreadyExists => Exit::Exists,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Exit::Damaged,
        _ => Exit::Internal,
    }
}
