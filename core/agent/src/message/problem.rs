//! Problem codes (DIDComm v2.1 §6.2.1): `e.p.trust.crypto` and the like.
//!
//! What is it: the grammar of codes, and what they let a reader decide: is it an error, how
//! much is undone, is it of a kind we know. Who calls it: `protocol::report_problem`, the
//! command line. What can go wrong: [`CodeError`]; a report with a bad code is still shown.

use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// Longest code that is read, in bytes.
const MAX_CODE: usize = 256;

/// Why a text is no problem code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Longer than 256 bytes.
    #[error("the problem code is too long")]
    TooLong,
    /// It does not begin with `e.` or `w.`.
    #[error("the problem code begins neither with \"e.\" nor with \"w.\"")]
    Sorter,
    /// There is no scope.
    #[error("the problem code has no scope")]
    Scope,
    /// A token is empty or not lower kebab-case.
    #[error("the problem code is not in lower-case words joined by hyphens")]
    Token,
}

/// Whether the sender knows what the problem means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sorter {
    /// `e`: it defeats somebody's intent.
    Error,
    /// `w`: the recipient must judge.
    Warning,
}

/// How much is undone if the problem is an error.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `p`: the whole protocol.
    Protocol,
    /// `m`: the one message.
    Message,
    /// The state that the sender goes back to.
    State(String),
}

impl Scope {
    /// Whether it undoes at least as much as `other`; an answer to a warning must (§6.2.2).
    /// Two different states cannot be compared: false.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Protocol, _) | (_, Self::Message) => true,
            (Self::State(ours), Self::State(theirs)) => ours == theirs,
            (Self::Message, _) | (Self::State(_), Self::Protocol) => false,
        }
    }
}

/// A problem code: sorter, scope, and words from the general to the special.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProblemCode {
    /// Error or warning.
    pub sorter: Sorter,
    /// How much is undone.
    pub scope: Scope,
    /// What it is about: `["trust", "crypto"]`. Senders should give one at least (§6.2.1).
    pub descriptors: Vec<String>,
}

impl ProblemCode {
    /// Reads a code. Beyond kebab-case, `_` is taken for a hyphen's place, since §8.4.1 has
    /// `message_too_big` itself.
    ///
    /// # Errors
    /// Any [`CodeError`].
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > MAX_CODE {
            return Err(CodeError::TooLong);
        }
        let mut tokens = text.split('.');
        let sorter = match tokens.next() {
            Some("e") => Sorter::Error,
            Some("w") => Sorter::Warning,
            _ => return Err(CodeError::Sorter),
        };
        let scope = match tokens.next() {
            None => return Err(CodeError::Scope),
            Some("p") => Scope::Protocol,
            Some("m") => Scope::Message,
            Some(state) => Scope::State(token(state)?),
        };
        let descriptors = tokens.map(token).collect::<Result<_, _>>()?;
        Ok(Self {
            sorter,
            scope,
            descriptors,
        })
    }

    /// Whether it begins with the tokens of `prefix` (§6.2.1: readers match by prefix).
    /// Whole tokens: `e.p.xfer` begins `e.p.xfer.timeout`, not `e.p.xfers`. A `.` at the end
    /// of the prefix changes nothing.
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        let prefix = prefix.strip_suffix('.').unwrap_or(prefix);
        let text = self.to_string();
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether its descriptors begin with these, whatever sorter and scope: `trust.crypto`.
    #[must_use]
    pub fn is_about(&self, descriptors: &str) -> bool {
        let mut ours = self.descriptors.iter();
        descriptors
            .split('.')
            .all(|token| ours.next().is_some_and(|our| our == token))
    }

    /// The code with which a warning is answered that turned out to be an error (§6.2.2):
    /// never of a smaller scope than the warning.
    #[must_use]
    pub fn as_error(&self, scope: Scope) -> Self {
        Self {
            sorter: Sorter::Error,
            scope: if scope.covers(&self.scope) {
                scope
            } else if self.scope.covers(&scope) {
                self.scope.clone()
            } else {
                Scope::Protocol
            },
            descriptors: self.descriptors.clone(),
        }
    }

    /// The comment that §6.2.1 ties to the most special descriptor it defines.
    #[must_use]
    pub fn standard_comment(&self) -> Option<&'static str> {
        STANDARD
            .iter()
            .find(|(descriptors, _)| self.is_about(descriptors))
            .map(|(_, comment)| *comment)
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.sorter {
            Sorter::Error => "e.",
            Sorter::Warning => "w.",
        })?;
        f.write_str(match &self.scope {
            Scope::Protocol => "p",
            Scope::Message => "m",
            Scope::State(state) => state,
        })?;
        self.descriptors
            .iter()
            .try_for_each(|token| write!(f, ".{token}"))
    }
}

impl FromStr for ProblemCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::parse(text)
    }
}

/// The table of §6.2.1, the special before the general.
const STANDARD: [(&str, &str); 10] = [
    ("trust.crypto", "Cryptographic operation failed."),
    ("trust", "Failed to achieve required trust."),
    ("xfer", "Unable to transport data."),
    ("did", "DID is unusable."),
    ("msg", "Bad message."),
    (
        "me.res",
        "A required resource is inadequate or unavailable.",
    ),
    ("me", "Internal error."),
    ("req.time", "Failed to satisfy timing constraints."),
    ("req", "Circumstances don't satisfy requirements."),
    ("legal", "Failed for legal reasons."),
];

fn token(text: &str) -> Result<String, CodeError> {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if text.split(['-', '_']).all(word) {
        Ok(text.to_owned())
    } else {
        Err(CodeError::Token)
    }
}
