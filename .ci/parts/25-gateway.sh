#!/usr/bin/env bash
# a gateway used by clients nobody here wrote, over HTTP and WebSocket
# modes: full deep
cargo build --locked -p packmule
deep=()
if [ "$CHECK_MODE" = deep ]; then deep=(--deep); fi
PACKMULE_BIN="$CARGO_TARGET_DIR/debug/packmule" tests/interop/gateway.sh "${deep[@]}"
