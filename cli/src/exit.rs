//! Exit codes: what a script can tell from packmule's end.
//!
//! What it is: the one table of exit codes. Who calls it: every [`Fault`](crate::fault::Fault)
//! and [`Report`](crate::ui::output::Report) carries one; `packmule --help` prints the table.
//! What can go wrong: renumbering breaks scripts, so `cli/tests/help.rs` holds the table.

/// How a run of packmule ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Ok,
    /// An error of the operating system or of packmule itself.
    Internal,
    /// The command line makes no sense (also clap's own code).
    Usage,
    /// No such home, peer, message or file.
    NotFound,
    /// A message was refused; the `problem` code says why.
    Refused,
    /// The passphrase is wrong or was not given.
    Passphrase,
    /// A file, picture, folder or store is damaged or is not what it should be.
    Damaged,
    /// The medium is full, or cannot be written.
    NoSpace,
    /// Not complete yet: more frames are needed, or nobody has taken the message. What is there
    /// is kept.
    Incomplete,
    /// It exists already and was left alone.
    Exists,
}

impl Exit {
    /// Every code, in order of its number.
    pub(crate) const ALL: [Self; 10] = [
        Self::Ok,
        Self::Internal,
        Self::Usage,
        Self::NotFound,
        Self::Refused,
        Self::Passphrase,
        Self::Damaged,
        Self::NoSpace,
        Self::Incomplete,
        Self::Exists,
    ];

    /// The number handed to the operating system.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::Passphrase => 5,
            Self::Damaged => 6,
            Self::NoSpace => 7,
            Self::Incomplete => 8,
            Self::Exists => 9,
        }
    }

    /// One line for `packmule --help`.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Internal => "an error of the operating system or of packmule itself",
            Self::Usage => "the command line makes no sense",
            Self::NotFound => "no such home, peer, message or file",
            Self::Refused => "at least one message was refused; `problem` says why",
            Self::Passphrase => "the passphrase is wrong, or none was given",
            Self::Damaged => "a file, picture, folder or store is damaged or not what it should be",
            Self::NoSpace => "the medium is full or cannot be written; nothing is lost",
            Self::Incomplete => {
                "not yet: more frames are needed, or nobody has taken the message; what is there is kept"
            }
            Self::Exists => "it exists already and was left alone",
        }
    }

    /// The table that `packmule --help` ends with.
    pub(crate) fn table() -> String {
        let mut text = String::from("Exit codes:\n");
        for exit in Self::ALL {
            text.push_str(&format!("  {}  {}\n", exit.code(), exit.meaning()));
        }
        text
    }
}
