//! The guard that makes "drain, then go on" a rule of the compiler.
//!
//! What is it: [`Outputs`], what [`super::Bus::handle`] answers. Who calls it: drivers, in a
//! `for` loop. What can go wrong: a driver that stops half-way; in debug builds the guard says
//! so when it is dropped, in release builds what is left comes first the next time.

use std::collections::VecDeque;
use std::iter::FusedIterator;

use super::io::Output;

/// What the bus says to one input, in order. While it lives the bus is borrowed, so that a
/// second input before the end of the first does not compile:
///
/// ```compile_fail,E0499
/// use packmule_bus::bus::io::Input;
/// use packmule_bus::bus::{Bus, Config};
/// use packmule_bus::time::Now;
///
/// let mut bus = Bus::restore([], Config::new([7; 32], [9; 32]), Now::default());
/// let first = bus.handle(Now::default(), Input::Timeout);
/// let second = bus.handle(Now::default(), Input::Timeout);
/// first.chain(second).for_each(drop);
/// ```
#[must_use = "outputs that are not carried out are lost messages"]
#[derive(Debug)]
pub struct Outputs<'a> {
    pub(super) queue: &'a mut VecDeque<Output>,
}

impl Iterator for Outputs<'_> {
    type Item = Output;

    fn next(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.queue.len(), Some(self.queue.len()))
    }
}

impl ExactSizeIterator for Outputs<'_> {}
impl FusedIterator for Outputs<'_> {}

impl Drop for Outputs<'_> {
    fn drop(&mut self) {
        debug_assert!(
            self.queue.is_empty() || std::thread::panicking(),
            "{} outputs of the bus were not carried out",
            self.queue.len()
        );
    }
}
