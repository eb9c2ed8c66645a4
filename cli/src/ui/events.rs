//! What happens in a node, as a line for people or for scripts.
//!
//! Who calls it: `run --events`, `watch`, `send --by`. What can go wrong: the reader of our pipe
//! goes away, which the caller hears.

use std::io::{self, Write};

use packmule_node::control::EventLine;

use super::output::plain;

/// Prints one event.
pub(crate) fn print(event: &EventLine, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string(event)?)?;
    } else {
        writeln!(out, "{}", plain(&words(event)))?;
    }
    out.flush()
}

/// An event in words.
pub(crate) fn words(event: &EventLine) -> String {
    match event {
        EventLine::Received { id, transport } => {
            format!("received   {} by {transport}", short(id))
        }
        EventLine::Progress {
            id,
            rung,
            node,
            transport,
        } => {
            let by = transport
                .as_deref()
                .map_or_else(String::new, |by| format!(" by {by}"));
            let node = node
                .as_deref()
                .map_or_else(String::new, |node| format!(", says node {}", head(node)));
            format!("{rung:<10} {}{by}{node}", short(id))
        }
        EventLine::Carrying { id } => format!("carrying   {} for others", short(id)),
        EventLine::Dead { id, why } => format!("dead       {}: {why}", short(id)),
        EventLine::Evicted { id } => format!("evicted    {}: it made room", short(id)),
        EventLine::Met { link, node } => format!("met        node {} on link {link}", head(node)),
        EventLine::Proved { link, who } => format!("proved     {who} on link {link}"),
        EventLine::Parted { link, why } => format!("parted     link {link}: {why}"),
        EventLine::DiskFull => "disk full: nothing is taken on until it has room".into(),
        EventLine::DiskRoom => "the disk has room again".into(),
        EventLine::Other { what } => what.clone(),
        _ => String::from("something that this program does not know"),
    }
}

/// The beginning of an envelope's id, enough to name it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..26).unwrap_or(id)
}

/// The beginning of a node's key.
pub(crate) fn head(node: &str) -> &str {
    node.get(..12).unwrap_or(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mallorys_reason_does_not_reach_the_terminal_as_it_is() {
        let event = EventLine::Parted {
            link: 1,
            why: "bye\u{1b}[2J".into(),
        };
        assert_eq!(plain(&words(&event)), "parted     link 1: bye\\u{1b}[2J");
    }
}
