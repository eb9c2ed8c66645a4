//! Opened messages as people and scripts see them.
//!
//! Who calls it: `inbox`, the demo. What can go wrong: nothing; whatever a stranger wrote is
//! printed as text without control characters.

use packmule_agent::did::did_of;
use packmule_agent::message::Attachment;
use packmule_node::desk::Letter;
use packmule_node::{InRow, InState};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::flow::attachments;
use crate::flow::party::Party;
use crate::ui::output::{one_line, plain, size};
use crate::ui::time::rfc3339;

/// One message with its place in the inbox.
pub(crate) struct Entry {
    pub(crate) row: InRow,
    pub(crate) letter: Letter,
    /// The name of the peer that authenticated it.
    pub(crate) peer: Option<String>,
}

impl Entry {
    /// Finds the name of the sender.
    pub(crate) fn new(party: &Party, row: InRow, letter: Letter) -> Result<Self, Fault> {
        let peer = match &letter.sender {
            Some(sender) => party.known(sender)?.map(|peer| peer.name),
            None => None,
        };
        Ok(Self { row, letter, peer })
    }

    /// What the message says, if it is one that says something to a person.
    pub(crate) fn text(&self) -> Option<&str> {
        let body = self.letter.message.body.as_ref()?;
        body.get("content")
            .or_else(|| body.get("comment"))?
            .as_str()
    }

    /// Is there something for a person in it: words, attachments, or an unknown type?
    pub(crate) fn is_for_people(&self) -> bool {
        let message = &self.letter.message;
        let quiet = ["/trust-ping/", "/empty/", "/discover-features/"];
        !message.attachments.is_empty() || !quiet.iter().any(|q| message.type_uri.contains(q))
    }

    /// Who it is from, in words.
    pub(crate) fn from(&self) -> String {
        match (&self.peer, &self.letter.sender) {
            (Some(name), _) => name.clone(),
            (None, Some(did)) => format!("stranger {}", one_line(did_of(did), 40)),
            (None, None) => String::from("nobody (no authenticated sender)"),
        }
    }

    /// How it was protected: `authcrypt`, `anoncrypt signed`, …
    pub(crate) fn protection(&self) -> Vec<String> {
        self.letter
            .opened
            .layers
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// One line of a list.
    pub(crate) fn line(&self) -> String {
        let message = &self.letter.message;
        let mark = if self.row.state == InState::New {
            '*'
        } else {
            ' '
        };
        let words = self.text().map_or_else(
            || format!("[{}]", one_line(&message.type_uri, 60)),
            |text| one_line(text, 60),
        );
        let attached = match message.attachments.len() {
            0 => String::new(),
            n => format!("  +{n} attached"),
        };
        format!(
            "{mark} {}  {:<12} {}  {words}{attached}",
            rfc3339(self.row.received),
            one_line(&self.from(), 12),
            one_line(&message.id, 13),
        )
    }

    /// The whole message for people.
    pub(crate) fn full(&self) -> String {
        let message = &self.letter.message;
        let mut lines = vec![
            format!("id:        {}", plain(&message.id)),
            format!("envelope:  {}", self.row.id),
            format!("from:      {}", self.from()),
            format!("to:        {}", one_line(&to(&message.to), 200)),
            format!("protected: {}", self.protection().join(", ")),
            format!("type:      {}", plain(&message.type_uri)),
            format!(
                "received:  {} by {}",
                rfc3339(self.row.received),
                self.row.channel
            ),
        ];
        if let Some(created) = message.created_time {
            lines.push(format!("written:   {}", rfc3339(created)));
        }
        if let Some(thread) = &message.thid {
            lines.push(format!("thread:    {}", plain(thread)));
        }
        for warning in &self.letter.opened.warnings {
            lines.push(format!("warning:   {}", plain(&warning.to_string())));
        }
        for (number, attachment) in message.attachments.iter().enumerate() {
            lines.push(format!("attached:  {}", attached(attachment, number)));
        }
        lines.push(String::new());
        match (self.text(), &message.body) {
            (Some(text), _) => lines.push(plain(text)),
            (None, Some(body)) => lines.push(plain(&format!("{body:#}"))),
            (None, None) => {}
        }
        lines.join("\n")
    }

    /// The message for scripts.
    pub(crate) fn json(&self) -> Value {
        let message = &self.letter.message;
        let attachments: Vec<Value> = message
            .attachments
            .iter()
            .enumerate()
            .map(|(number, attachment)| attachments::describe(attachment, number))
            .collect();
        json!({
            "id": message.id,
            "envelope": self.row.id.to_string(),
            "peer": self.peer,
            "sender": self.letter.sender,
            "to": message.to,
            "type": message.type_uri,
            "text": self.text(),
            "layers": self.protection(),
            "signed_by": self.letter.opened.signed_by,
            "created_time": message.created_time,
            "expires_time": message.expires_time,
            "thid": message.thid,
            "pthid": message.pthid,
            "received": self.row.received,
            "channel": self.row.channel,
            "read": self.row.state == InState::Read,
            "attachments": attachments,
        })
    }
}

fn to(dids: &[String]) -> String {
    if dids.is_empty() {
        return "nobody named".into();
    }
    dids.join(", ")
}

fn attached(attachment: &Attachment, number: usize) -> String {
    let about = attachments::describe(attachment, number);
    let name = about
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let bytes = about.get("bytes").and_then(Value::as_u64);
    let media = attachment.media_type.as_deref().unwrap_or("unknown type");
    format!(
        "{} ({}, {})",
        one_line(name, 80),
        bytes.map_or_else(|| "links only".into(), size),
        one_line(media, 40)
    )
}
