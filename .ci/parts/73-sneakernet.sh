#!/usr/bin/env bash
# a stick of ours beside NNCP's: messages and megabytes a second, bytes on the stick, memory
# modes: deep
cargo build --release --locked -p packmule
tests/peers/sneakernet.sh "$CARGO_TARGET_DIR/release/packmule" 3
