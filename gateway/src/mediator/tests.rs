//! Alice behind cloud, bob the stranger, mallory everywhere.

mod again;
mod attacks;
mod mailboxes;
mod moves;
mod shelf;
pub(crate) mod stage;
mod strangers;
