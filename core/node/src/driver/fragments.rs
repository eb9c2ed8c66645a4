//! What scans of codes have begun, for links to finish.
//!
//! Called by the driver as it begins, and when another program says that it has changed the home.
//! What can go wrong: files that cannot be read; then links bring those messages whole.

use packmule_bus::bus::io::Input;

use super::{Driver, Heard};

impl Driver {
    /// Reads it beside everything else, and tells the bus.
    pub(super) fn look_for_fragments(&mut self) {
        let (desk, answers) = (self.desk.clone(), self.mouth.answers.clone());
        self.tasks.spawn_blocking(move || {
            let fragments = desk.home().scanned();
            let _ = answers.send(Heard::Input(Input::Known(fragments)));
        });
    }
}
