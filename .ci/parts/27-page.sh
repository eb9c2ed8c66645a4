#!/usr/bin/env bash
# the gateway's pages in headless Chromium; pictures in $CARGO_TARGET_DIR/page
# modes: full deep
cargo build --locked -p packmule
PACKMULE_BIN="$CARGO_TARGET_DIR/debug/packmule" PAGE_SHOTS="$CARGO_TARGET_DIR/page" PYTHONDONTWRITEBYTECODE=1 \
  python3 tests/page/run.py
