//! Content encryption and key wrapping.
