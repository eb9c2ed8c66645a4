#!/usr/bin/env bash
# a kiosk behind the Affinidi mediator and behind Veramo's, really running
# modes: deep
cargo build --locked -p packmule
CARGO_TARGET_DIR="$PACKMULE_CACHE/mediators/target" cargo build --release --locked --manifest-path tests/peers/affinidi/Cargo.toml
PACKMULE_BIN="$CARGO_TARGET_DIR/debug/packmule" AFFINIDI_BIN="$PACKMULE_CACHE/mediators/target/release/packmule-peer-affinidi" tests/interop/upstreams.sh
