//! What happened, for a report.

use super::crowd::Crowd;
use crate::timeline::{Fate, Hop, NodeLine, Timeline};

impl Crowd<'_> {
    /// A message is whole at a node.
    pub(super) fn note_hop(&mut self, number: u32, from: u32, to: u32, delivered: bool) {
        let at = self.now.time.as_micros() / 1000;
        let name = |n: u32| {
            let names = self.contacts.nodes();
            names.get(n as usize).cloned().unwrap_or_default()
        };
        if let Some(line) = self.lines.get_mut(number as usize) {
            line.hops.push(Hop {
                from: name(from),
                to: name(to),
                at,
            });
            if delivered {
                line.delivered_at = Some(at);
                line.fate = Fate::Delivered;
            }
        }
    }

    pub(super) fn story(&mut self) -> Timeline {
        let end = self.end.as_micros() / 1000;
        let mut lines = std::mem::take(&mut self.lines);
        for line in &mut lines {
            if line.delivered_at.is_none() && line.born + self.config.lasts_s * 1000 < end {
                line.fate = Fate::Expired;
            }
        }
        Timeline {
            name: "trace".into(),
            seed: self.run.seed,
            ends_ms: end,
            calm_ms: 0,
            nodes: self
                .contacts
                .nodes()
                .iter()
                .map(|name| NodeLine {
                    name: name.clone(),
                    role: "honest".into(),
                    down: Vec::new(),
                })
                .collect(),
            contacts: Vec::new(),
            messages: lines,
            events: Vec::new(),
        }
    }
}
