//! End-to-end tests, vectors and the house rules.
