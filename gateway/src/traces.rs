//! Where the time of a message goes, for whoever collects traces.
//!
//! What is it: [`Traces`], and a [`Span`] for each message and each part of the work on it. In a
//! usual build they are nothing at all; with the feature `otel` they go to an OpenTelemetry
//! collector. This file is the one place that knows which. Who calls it: the office. What can go
//! wrong: the collector is away: spans are lost, and messages are not. No span holds a DID, an
//! address or anything that a stranger wrote.

#[cfg(not(feature = "otel"))]
mod none;
#[cfg(feature = "otel")]
mod otlp;

#[cfg(not(feature = "otel"))]
pub(crate) use none::{Span, Traces};
#[cfg(feature = "otel")]
pub(crate) use otlp::{Span, Traces};

/// Can this build send traces?
pub(crate) const BUILT_IN: bool = cfg!(feature = "otel");
