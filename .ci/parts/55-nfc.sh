#!/usr/bin/env bash
# virtual NFC chips under Debian's libnfc tools and nfcpy; nodes that touch by our driver, by libnfc and by pcscd
# modes: full deep
cargo clippy --locked -p packmule-nfc-libnfc -p packmule-nfc-pcsc -p packmule-transports --all-targets \
  --features packmule-transports/nfc-libnfc,packmule-transports/nfc-pcsc -- -D warnings
cargo build --locked -p packmule --features nfc-libnfc,nfc-pcsc
cargo build --locked -p packmule-nfc --example echo
cargo build --locked -p packmule-transports --features nfc-libnfc,nfc-pcsc --example carry
peers=$PACKMULE_CACHE/nfcpy
if ! cmp -s tests/nfc/requirements.txt "$peers/installed"; then
  rm -rf "$peers"
  python3 -m venv "$peers" && "$peers/bin/pip" install -q --no-build-isolation --require-hashes -r tests/nfc/requirements.txt
  cp tests/nfc/requirements.txt "$peers/installed"
fi
export PYTHONDONTWRITEBYTECODE=1
python3 tests/nfc/run.py "$CARGO_TARGET_DIR/debug/packmule" "$peers/bin/python" "$CARGO_TARGET_DIR/debug/examples/echo"
python3 tests/nfc/nodes.py "$CARGO_TARGET_DIR/debug/packmule" "$CARGO_TARGET_DIR/debug/examples/carry"
