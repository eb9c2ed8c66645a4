//! Held against The ONE.
