//! The suite that every transport passes, and links that lose, delay, double and reorder.
