//! Who is called, when and how, as people say it.
//!
//! Called by whoever configures an uplink. What can go wrong: a name that is neither a DID nor an
//! invitation ([`NameError`]).

use std::str::FromStr;
use std::time::Duration;

use packmule_agent::did::did_of;
use packmule_agent::protocol::out_of_band::{self, InvitationError};
use packmule_agent::{Did, DidError};

use crate::pace::Window;

/// What sort of mediator it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// As its DID document shows.
    #[default]
    Auto,
    /// Coordinate-mediation 3.0 or 2.0 and message pickup 3.0 or 4.0: ours, estoc, RootsID, Identus.
    Standard,
    /// Affinidi's: a login before anything, no coordinate-mediation.
    Affinidi,
    /// It takes forwards and holds nothing for us.
    PushOnly,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => Self::Auto,
            "standard" => Self::Standard,
            "affinidi" => Self::Affinidi,
            "push-only" => Self::PushOnly,
            _ => {
                return Err(format!(
                    "`{text}` is none of auto, standard, affinidi, push-only"
                ));
            }
        })
    }
}

/// A mediator that is called.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Upstream {
    /// Its DID.
    pub did: String,
    /// What sort it is.
    pub kind: Kind,
    /// Where it is reached, if not where its document says.
    pub url: Option<String>,
    /// Keep a WebSocket open on which new messages come at once, if it offers that.
    pub live: bool,
    /// Only at these times of day; none: always.
    pub calls: Vec<Window>,
    /// At most so many bytes a second, both ways together.
    pub rate: Option<u64>,
    /// Messages fetched at once. Halved while answers do not arrive whole.
    pub batch: u32,
    /// The longest time between two looks into an empty mailbox, where nothing comes by itself.
    pub poll: Duration,
    /// The longest time between two tries while nobody answers.
    pub retry: Duration,
    /// How long an answer may take. Some hold a request for seconds when they have nothing to
    /// say, and a page of messages over a slow link takes longer still.
    pub patience: Duration,
}

impl Upstream {
    /// A mediator with this DID, and everything else as usual.
    #[must_use]
    pub fn new(did: &str) -> Self {
        Self {
            did: did.to_owned(),
            kind: Kind::Auto,
            url: None,
            live: true,
            calls: Vec::new(),
            rate: None,
            batch: 10,
            poll: Duration::from_secs(60),
            retry: Duration::from_secs(15 * 60),
            patience: Duration::from_secs(60),
        }
    }
}

/// This names no mediator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It begins like a DID and is none.
    #[error(transparent)]
    Did(#[from] DidError),
    /// It is not an invitation either.
    #[error("it is neither a DID nor an invitation: {0}")]
    Invitation(#[from] InvitationError),
    /// An invitation from nobody.
    #[error("the invitation does not say from whom it is")]
    From,
}

/// The DID of the mediator that is named: by itself, or by an invitation (a URL or its JSON).
///
/// # Errors
/// [`NameError`].
pub fn did_named(text: &str) -> Result<String, NameError> {
    let text = text.trim();
    if text.starts_with("did:") {
        Did::parse(text)?;
        return Ok(text.to_owned());
    }
    let invitation = out_of_band::parse(text)?;
    let from = invitation.from.ok_or(NameError::From)?;
    Ok(did_of(&from).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: &str = "did:example:cloud";

    #[test]
    fn a_mediator_is_named_by_its_did_or_its_invitation() {
        let invitation = out_of_band::invitation(CLOUD, Some("request-mediate"), None);
        let url = out_of_band::to_url(&invitation, "https://cloud.example/").unwrap();
        for text in [CLOUD, &format!(" {CLOUD}\n"), &url] {
            assert_eq!(did_named(text).unwrap(), CLOUD);
        }
        for text in [
            "",
            "cloud",
            "did:",
            "https://cloud.example/",
            "https://c/?_oobid=1",
        ] {
            assert!(did_named(text).is_err(), "{text}");
        }
    }
}
