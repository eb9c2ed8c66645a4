//! What a person or a script sees: reports, progress, passphrase, times.

pub(crate) mod events;
pub(crate) mod output;
pub(crate) mod passphrase;
pub(crate) mod progress;
pub(crate) mod screen;
pub(crate) mod time;
