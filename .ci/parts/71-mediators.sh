#!/usr/bin/env bash
# our gateway beside the Affinidi mediator under the same load; fails where we are behind
# modes: deep
cargo build --release --locked -p packmule
tests/peers/mediators.sh "$CARGO_TARGET_DIR/release/packmule" 3
