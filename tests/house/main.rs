//! The house rules as tests: what `ARCHITECTURE.md` and `CONTRIBUTING.md` promise of the
//! repository's shape, checked on every run. A rule that fails says which file and what to do.

#![expect(
    clippy::expect_used,
    reason = "a rule that cannot read its subject must fail loudly"
)]

mod book;
mod dependencies;
mod direction;
mod pages;
mod safety;
mod sources;
