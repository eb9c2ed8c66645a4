//! The sans-IO heart: compact envelopes, identities, fountain frames.
