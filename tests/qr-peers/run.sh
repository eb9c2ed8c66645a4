#!/usr/bin/env bash
# Other codes and other decoders on the same work as ours; with --deep.
#
#   tests/qr-peers/run.sh CORPUS [SEEDS]
#
# CORPUS is a folder that `packmule-qr`'s example `corpus` filled, with what it printed in `ours`.
# Installs what is foreign into $PACKMULE_CACHE: the `ur` and `quircs` crates, @ngraveio/bc-ur, and
# ZBar, OpenCV and zxing-cpp from PyPI (those that cannot be had are left out, and it is told).
set -euo pipefail
corpus=${1:?which corpus?} seeds=${2:-1000}
here=$(cd "$(dirname "$0")" && pwd)
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}/qr-peers
mkdir -p "$cache"
export CARGO_TARGET_DIR=$cache/target
(cd "$here" && cargo build --release --locked -q --bins)

echo "qr-peers: frames until whole, $seeds seeds"
"$CARGO_TARGET_DIR/release/packmule-qr-peers" "$seeds" "$((seeds / 5 + 1))" | grep -v '^{'
cp "$here"/ngrave/* "$cache/" && (cd "$cache" && npm ci --no-audit --no-fund --silent)
(cd "$cache" && node frames.cjs "$((seeds / 10 + 1))" 100) >"$cache/ngrave.json"

python=$cache/venv/bin/python
[ -x "$python" ] || python3 -m venv "$cache/venv"
"$cache/venv/bin/pip" -q install numpy==2.4.6 opencv-python-headless==5.0.0.93 pyzbar==0.1.9 zxing-cpp==3.1.1
{ "$CARGO_TARGET_DIR/release/decoders" "$corpus"; "$python" "$here/decoders.py" "$corpus"; } >"$cache/decoders.json"
python3 "$here/table.py" "$cache/ngrave.json" "$cache/decoders.json" "$corpus/ours"
