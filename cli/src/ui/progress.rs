//! Progress on standard error, for whatever takes longer than a second.
//!
//! What it is: a bar that stays invisible for its first second, and altogether when standard
//! error is no terminal or the output is JSON. Who calls it: flows that walk many items.
//! What can go wrong: nothing; a bar that cannot be drawn is not drawn.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a task runs before a bar appears.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar that waits a second before it shows itself.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    what: &'static str,
    total: u64,
    done: u64,
    wanted: bool,
}

impl Progress {
    /// A bar over `total` items (0: unknown), named by `what` ("importing").
    pub(crate) fn new(what: &'static str, total: u64, quiet: bool) -> Self {
        Self {
            bar: None,
            started: Instant::now(),
            what,
            total,
            done: 0,
            wanted: !quiet && std::io::stderr().is_terminal(),
        }
    }

    /// `more` items are done.
    pub(crate) fn add(&mut self, more: u64) {
        self.done = self.done.saturating_add(more);
        if !self.wanted {
            return;
        }
        if self.bar.is_none() && self.started.elapsed() >= PATIENCE {
            self.bar = Some(draw(self.what, self.total));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How often a line that tells of something live is drawn anew.
const OFTEN: Duration = Duration::from_millis(200);

/// One line that says how something goes on whose end is not known, a camera's scan for one.
pub(crate) struct Live {
    bar: Option<ProgressBar>,
    started: Instant,
    said: Option<Instant>,
    wanted: bool,
}

impl Live {
    /// A line that waits a second before it shows itself.
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            bar: None,
            started: Instant::now(),
            said: None,
            wanted: !quiet && std::io::stderr().is_terminal(),
        }
    }

    /// Whether it is time to say something again: what is to be said may be costly to find out.
    pub(crate) fn is_due(&self) -> bool {
        self.wanted
            && self.started.elapsed() >= PATIENCE
            && self.said.is_none_or(|said| said.elapsed() >= OFTEN)
    }

    /// Says it.
    pub(crate) fn say(&mut self, line: String) {
        self.said = Some(Instant::now());
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar
        });
        bar.set_message(line);
        bar.tick();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(what: &'static str, total: u64) -> ProgressBar {
    let (bar, template) = if total == 0 {
        (ProgressBar::new_spinner(), "{spinner} {msg} {pos}")
    } else {
        (
            ProgressBar::new(total),
            "{msg} {wide_bar} {pos}/{len} {eta}",
        )
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
