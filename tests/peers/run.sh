#!/usr/bin/env bash
# Our node and its rivals on the same work, one after the other on the same machine, each on a
# loopback of its own: NNCP 8.8.2, dtn7 0.21.0, LXMF 1.2.1. Prints one JSON line for each, and
# one with the ratios.
#
#   tests/peers/run.sh PACKMULE [ROUNDS]
#
# Needs root (unshare -n), python3, and the drivers of the peers in $PACKMULE_PEERS
# (default: ../shared/peers beside the checkout). Installs the peers into $PACKMULE_CACHE.
set -euo pipefail
packmule=$(realpath "${1:?which packmule binary?}") rounds=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
drivers=${PACKMULE_PEERS:-$here/../../../shared/peers}
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}/peers
[ -f "$drivers/nncp_tcp.py" ] || { echo "peers: no drivers in $drivers; set PACKMULE_PEERS" >&2; exit 1; }
mkdir -p "$cache"

command -v nncp-file >/dev/null || apt-get install -y nncp >/dev/null
[ -x "$cache/lxmf/bin/python" ] || { python3 -m venv "$cache/lxmf" && "$cache/lxmf/bin/pip" -q install rns==1.5.7 lxmf==1.2.1; }
[ -x "$cache/dtn7/bin/dtnd" ] || cargo install dtn7 --version 0.21.0 --locked --root "$cache/dtn7"

# All stores lie on the same file system; memory by default, as NNCP's published figures.
export BENCH_DIR=${BENCH_DIR:-/dev/shm} DTN7_BIN=$cache/dtn7/bin/dtnd VENV_PY=$cache/lxmf/bin/python
out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT
alone() { unshare -n sh -c 'ip link set lo up && exec "$@"' sh "$@"; }
ours() { alone "$packmule" bench link --dir "$BENCH_DIR" --json "$@" | tail -1; }

for round in $(seq "$rounds"); do
  echo "peers: round $round of $rounds" >&2
  ours --messages 1000 --size 2000 >>"$out/ours-small"
  (cd "$drivers" && alone python3 dtn7_bench.py mtcp mem 1000 2000 1 4 0 0 | tail -1) >>"$out/dtn7"
  (cd "$drivers" && alone python3 nncp_tcp.py 1 1000 2000 200 | tail -1) >>"$out/nncp"
  ours --messages 200 --size 1000000 >>"$out/ours-large"
  (cd "$drivers" && alone "$VENV_PY" lxmf_bench.py tcp direct 20 200 1 serial | tail -1) >>"$out/lxmf"
  ours --messages 200 --size 200 --serial >>"$out/ours-serial"
done
python3 "$here/compare.py" "$out"
