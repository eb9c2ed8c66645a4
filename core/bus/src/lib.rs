//! The sans-IO heart: compact envelopes, identities, fountain frames.

pub mod fountain;
