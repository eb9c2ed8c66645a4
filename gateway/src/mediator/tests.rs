//! Alice behind cloud, bob the stranger, mallory everywhere.

mod attacks;
mod mailboxes;
mod shelf;
mod stage;
mod strangers;
