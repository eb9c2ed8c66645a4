#!/usr/bin/env bash
# messages both ways with implementations nobody here wrote
# modes: full deep
cargo build --locked -p packmule
export PACKMULE_BIN="$CARGO_TARGET_DIR/debug/packmule"
# A target folder of its own: other lock files, other versions of the same crates.
export CARGO_TARGET_DIR="$PACKMULE_CACHE/interop-target"
if [ "$CHECK_MODE" = deep ]; then tests/interop/run.sh --deep; else tests/interop/run.sh; fi
