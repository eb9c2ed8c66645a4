#!/usr/bin/env bash
# format, lints, all tests of the product, docs, house rules
# modes: fast full deep
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
if [ "$CHECK_MODE" = fast ]; then
  cargo nextest run --workspace --locked --no-fail-fast -E 'not test(/slow_/)'
else
  cargo nextest run --workspace --locked --no-fail-fast
  cargo test --workspace --locked --doc
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps
fi
