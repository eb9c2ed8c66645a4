#!/usr/bin/env bash
# virtual NFC chips under Debian's libnfc tools and nfcpy, neither of which knows of us
# modes: full deep
cargo build --locked -p packmule
cargo build --locked -p packmule-nfc --example echo
peers=$PACKMULE_CACHE/nfcpy
if ! "$peers/bin/python" -c 'import nfc, ndef' 2>/dev/null; then
  python3 -m venv "$peers" && "$peers/bin/pip" install -q nfcpy==1.0.4 ndeflib==0.3.3
fi
PYTHONDONTWRITEBYTECODE=1 python3 tests/nfc/run.py "$CARGO_TARGET_DIR/debug/packmule" "$peers/bin/python" \
  "$CARGO_TARGET_DIR/debug/examples/echo"
