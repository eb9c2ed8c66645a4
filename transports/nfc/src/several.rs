//! Chips of several kinds: who knows a device is told by what stands before it.
//!
//! What is it: [`Several`]: serial lines, and back ends by prefix: `pcsc:ACR122`. Who calls it: the
//! façade, which knows what a build has. What can go wrong: a prefix that this build does not know.

use std::sync::Arc;

use packmule_bus::link::{OpenError, Probe};

use crate::chip::Chip;
use crate::pn532::Serial;
use crate::transport::Chips;

/// Prefixes that mean a back end, whether or not a build has it.
pub const PREFIXES: [&str; 2] = ["libnfc", "pcsc"];

/// Back ends by prefix, and PN532 chips on serial lines for all that has none.
#[derive(Clone)]
pub struct Several(Vec<(&'static str, Arc<dyn Chips>)>);

impl Several {
    /// These, and serial lines.
    #[must_use]
    pub const fn new(named: Vec<(&'static str, Arc<dyn Chips>)>) -> Self {
        Self(named)
    }

    /// What a back end finds; `None` if this build does not have it.
    #[must_use]
    pub fn finding(&self, prefix: &str) -> Option<Probe> {
        let named = self.0.iter().find(|(name, _)| *name == prefix)?;
        Some(named.1.probe())
    }
}

impl Chips for Several {
    fn probe(&self) -> Probe {
        let mut probe = Serial.probe();
        for (_, chips) in &self.0 {
            let more = chips.probe();
            // What is there comes before what is not.
            if more.ready && !probe.ready {
                probe = more;
            } else if more.ready {
                probe.finding = format!("{}; {}", probe.finding, more.finding);
            }
        }
        probe
    }

    fn open(&self, device: &str) -> Result<Box<dyn Chip>, OpenError> {
        let Some((prefix, rest)) = device
            .split_once(':')
            .filter(|(prefix, _)| PREFIXES.contains(prefix))
        else {
            return Serial.open(device);
        };
        match self.0.iter().find(|(name, _)| *name == prefix) {
            Some((_, chips)) => chips.open(rest),
            None => Err(OpenError::Unavailable(format!(
                "this build has no {prefix}: build it with --features nfc-{prefix}"
            ))),
        }
    }
}
