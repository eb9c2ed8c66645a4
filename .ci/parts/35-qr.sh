#!/usr/bin/env bash
# QR codes on film and on bad pictures; with --deep beside other codes and decoders
# modes: full deep
cargo build --release --locked -p packmule
PACKMULE_BIN="$CARGO_TARGET_DIR/release/packmule"
PYTHONDONTWRITEBYTECODE=1 python3 tests/film/run.py "$PACKMULE_BIN"
# Frames needed, symbols filled, bytes through a modelled camera: bounds that hold on any machine.
python3 - "$("$PACKMULE_BIN" bench qr --seeds 50 --json)" <<'PY'
import json, sys
told = json.loads(sys.argv[1])
worst = max(cell["excess"] for cell in told["efficiency"])
least = min(row["useful"] for row in told["profiles"])
slow = min(told["throughput"], key=lambda row: row["ratio"])
# 50 seeds: one frame more in one run of a cell is 0.02.
mean = sum(cell["excess"] for cell in told["efficiency"]) / len(told["efficiency"])
assert mean <= 0.01, f"{mean:.4f} frames beyond k on average"
assert least >= 0.95, f"only {least:.3f} of what byte mode carries"
assert slow["complete"] and slow["ratio"] >= 0.95, f"too little comes across: {slow}"
print(f"qr: {mean:.4f} frames beyond k (worst cell {worst:.2f}), {least:.1%} of byte mode, at least {slow['ratio']:.1%} of what the codes that a modelled camera reads could carry")
PY
if [ "$CHECK_MODE" = deep ]; then
  transports/qr/page/build.sh --check
  corpus=$(mktemp -d) && trap 'rm -rf "$corpus"' EXIT
  cargo run --locked -q -p packmule-qr --example corpus -- 3 "$corpus" | tee "$corpus/ours"
  tests/qr-peers/run.sh "$corpus"
else
  cargo run --locked -q -p packmule-qr --example corpus -- 1 | grep -E '^(all|Camera) '
fi
