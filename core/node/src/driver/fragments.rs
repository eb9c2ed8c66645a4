//! What scans of codes have begun, for links to finish.
//!
//! Called by the driver as it begins, when another program says that it has changed the home, and
//! when a message arrives. What can go wrong: files that cannot be read; then links bring those
//! messages whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use packmule_bus::Fragment;
use packmule_bus::bus::io::{Input, Op};

use super::{Driver, Heard};

/// What of it is known.
#[derive(Default)]
pub(crate) struct Scanned {
    /// When the folder had changed as it was read.
    at: Option<SystemTime>,
    /// Something is in it, or may be.
    any: Arc<AtomicBool>,
}

impl Driver {
    /// Reads it beside everything else, if it has changed, and tells the bus.
    pub(super) fn look_for_fragments(&mut self) {
        let folder = std::fs::metadata(self.desk.home().scans());
        let at = folder.and_then(|folder| folder.modified()).ok();
        if at == self.scanned.at {
            return;
        }
        let any = Arc::new(AtomicBool::new(at.is_some()));
        self.scanned = Scanned {
            at,
            any: Arc::clone(&any),
        };
        let (desk, answers) = (self.desk.clone(), self.mouth.answers.clone());
        self.tasks.spawn_blocking(move || {
            let fragments = desk.home().scanned();
            any.store(!fragments.is_empty(), Ordering::Relaxed);
            let known = fragments.into_iter().map(|(_, fragment)| fragment);
            let _ = answers.send(Heard::Input(Input::Known(known.collect())));
        });
    }

    /// What has come whole by a link needs no more codes. Before the commit: should that fail, the
    /// link brings it again.
    pub(super) fn forget_scanned(&mut self, ops: &[Op]) {
        if !self.scanned.any.load(Ordering::Relaxed) {
            return;
        }
        let wires = ops.iter().filter_map(|op| match op {
            Op::Body(_, wire) => Some(wire.clone()),
            _ => None,
        });
        let wires: Vec<Vec<u8>> = wires.collect();
        if wires.is_empty() {
            return;
        }
        let desk = self.desk.clone();
        self.tasks.spawn_blocking(move || {
            for (path, fragment) in desk.home().scanned() {
                if wires
                    .iter()
                    .any(|wire| Fragment::is_part_of(&fragment, wire))
                {
                    let _ = std::fs::remove_file(path);
                }
            }
        });
    }
}
