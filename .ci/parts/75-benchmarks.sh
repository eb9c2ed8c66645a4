#!/usr/bin/env bash
# the command behind docs/benchmarks.md, on what no other part compares; what it writes is looked at and thrown away
# modes: deep
cargo build --release --locked -p packmule
page=$(mktemp) && trap 'rm -f "$page"' EXIT
cp docs/benchmarks.md "$page" 2>/dev/null || true
tests/peers/benchmarks.sh "$CARGO_TARGET_DIR/release/packmule" --only codes --only mail --out "$page"
for part in mail codes; do grep -qx "<!-- $part -->" "$page"; done
