#!/usr/bin/env bash
# our node beside NNCP, dtn7 and LXMF on the same work; fails when one is ahead
# modes: deep
cargo build --release --locked -p packmule
tests/peers/run.sh "$CARGO_TARGET_DIR/release/packmule" 3
