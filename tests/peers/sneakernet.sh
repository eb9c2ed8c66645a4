#!/usr/bin/env bash
# Our stick and NNCP's on the same work, one after the other: 1,000 messages of 2 kB, then 200 MB.
# Prints one JSON line with the ratios.
#
#   tests/peers/sneakernet.sh PACKMULE [ROUNDS]
#
# NNCP makes each message by a program of its own, as it is used; both figures, with and without
# that, are told. Needs python3 and NNCP's driver in $PACKMULE_PEERS (default: ../shared/peers beside
# the checkout); installs NNCP.
set -euo pipefail
packmule=$(realpath "${1:?which packmule binary?}") rounds=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
drivers=${PACKMULE_PEERS:-$here/../../../shared/peers}
[ -f "$drivers/nncp_xfer.py" ] || { echo "peers: no drivers in $drivers; set PACKMULE_PEERS" >&2; exit 1; }
command -v nncp-file >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nncp >/dev/null

# All stores lie on the same file system; memory by default, as NNCP's published figures.
export BENCH_DIR=${BENCH_DIR:-/dev/shm}
out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT
for round in $(seq "$rounds"); do
  echo "sneakernet: round $round of $rounds" >&2
  "$packmule" bench drive --dir "$BENCH_DIR" --json >>"$out/small"
  "$packmule" bench drive --dir "$BENCH_DIR" --files --json >>"$out/files"
  "$packmule" bench drive --dir "$BENCH_DIR" --messages 200 --size 1000000 --json >>"$out/large"
  (cd "$drivers" && PYTHONDONTWRITEBYTECODE=1 python3 nncp_xfer.py 1 1000 2000 200 file | tail -1) >>"$out/nncp"
done
python3 "$here/sneakernet.py" "$out"
