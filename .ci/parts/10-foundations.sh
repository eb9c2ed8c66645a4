#!/usr/bin/env bash
# format, lints, all tests of the product, docs, house rules
# modes: fast full deep
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo nextest run --workspace --locked --no-fail-fast
if [ "$CHECK_MODE" != fast ]; then
  cargo test --workspace --locked --doc
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps
fi
