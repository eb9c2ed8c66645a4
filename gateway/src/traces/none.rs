//! No traces.
//!
//! Called by the office in builds without the feature `otel`; the compiler leaves nothing of it.
//! What can go wrong: nothing. Whoever configures a collector is told by `check-config`.

use crate::config;

/// Sends nothing anywhere.
#[derive(Debug)]
pub(crate) struct Traces;

/// A part of the work on a message.
#[derive(Debug, Default)]
pub(crate) struct Span;

#[expect(
    clippy::unused_self,
    clippy::unused_async,
    reason = "the same shape as with the feature"
)]
impl Traces {
    /// As configured.
    pub(crate) const fn start(_: &config::Traces) -> Self {
        Self
    }

    /// A message of so many bytes came by this door.
    pub(crate) const fn message(&self, _door: &'static str, _bytes: usize) -> Span {
        Span
    }

    /// Sends what is left.
    pub(crate) async fn end(&self) {}
}

#[expect(clippy::unused_self, reason = "the same shape as with the feature")]
impl Span {
    /// A part of it, which ends when it is dropped.
    pub(crate) const fn part(&self, _name: &'static str) -> Self {
        Self
    }

    /// It is over before it would be dropped.
    pub(crate) const fn end(self) {}

    /// A fact about it: never anything that strangers wrote.
    pub(crate) const fn fact(&self, _name: &'static str, _value: &'static str) {}
}
