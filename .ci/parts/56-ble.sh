#!/usr/bin/env bash
# Bluetooth LE in a guest with BlueZ and virtual controllers: our nodes with one another and with bumble
# modes: full deep
cargo build --locked -p packmule --features btleplug
cp "$CARGO_TARGET_DIR/debug/packmule" "$PACKMULE_CACHE/packmule-btleplug"
cargo build --locked -p packmule --features bluer
cp "$CARGO_TARGET_DIR/debug/packmule" "$PACKMULE_CACHE/packmule-bluer"
cargo build --locked -p packmule-ble-bluer --example suite
peers=$PACKMULE_CACHE/bumble
if ! "$peers/bin/python" -c 'import bumble' 2>/dev/null; then
  python3 -m venv "$peers" && "$peers/bin/pip" install -q bumble==0.0.236
fi
stories=()
if [ "$CHECK_MODE" = deep ]; then stories=(deep); fi
python3 tests/ble-vm/run.py "$PACKMULE_CACHE/packmule-bluer" "$PACKMULE_CACHE/packmule-btleplug" \
  "$CARGO_TARGET_DIR/debug/examples/suite" "$peers/bin/python" "$PACKMULE_CACHE/ble-vm" "${stories[@]}"
