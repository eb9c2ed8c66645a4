#!/usr/bin/env bash
# Our gateway and the Affinidi mediator under the same load, one after the other on a loopback of
# their own, both synced: the same client (npm didcomm-node, in $PACKMULE_PEERS/mediators), the
# same messages. Prints one JSON line with the ratios; fails where we are behind what we promise.
#
#   tests/peers/mediators.sh PACKMULE [ROUNDS]
#
# Needs root (unshare -n), node, npm and cargo. Builds the mediator (430 crates) into the cache.
set -euo pipefail
packmule=$(realpath "${1:?which packmule binary?}") rounds=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
clients=${PACKMULE_PEERS:-$here/../../../shared/peers}/mediators
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}/mediators
[ -f "$clients/load.mjs" ] || { echo "mediators: no clients in $clients; set PACKMULE_PEERS" >&2; exit 1; }
mkdir -p "$cache/client"
affinidi=${AFFINIDI_BIN:-$cache/target/release/packmule-peer-affinidi}
if [ -z "${AFFINIDI_BIN:-}" ]; then
  CARGO_TARGET_DIR="$cache/target" cargo build --release --locked --manifest-path "$here/affinidi/Cargo.toml"
fi
cp "$clients"/*.mjs "$cache/client/"
if [ ! -d "$cache/client/node_modules/didcomm-node" ]; then
  (cd "$cache/client" && npm i --silent --no-audit --no-fund --ignore-scripts didcomm-node@0.4.1 ws@8.18.3 bs58@6.0.0 multiformats@13.4.1 did-resolver@4.1.0)
fi
place=$(mktemp -d "${BENCH_DIR:-$cache}/run.XXXXXX") && trap 'kill $(jobs -p) 2>/dev/null; if [ -z "${KEEP:-}" ]; then rm -rf "$place"; fi' EXIT
if [ "${ALONE:-}" != yes ]; then exec unshare -n env ALONE=yes AFFINIDI_BIN="$affinidi" sh -c 'ip link set lo up && exec "$@"' sh "$0" "$packmule" "$rounds"; fi

# They all come from one machine, as fast as they can.
export PACKMULE_GATEWAY_LIMITS__RATE_PER_ADDRESS=0 PACKMULE_GATEWAY_LIMITS__RATE_PER_SENDER=0 \
  PACKMULE_GATEWAY_LIMITS__CONNECTIONS_PER_ADDRESS=1000 PACKMULE_GATEWAY_MAILBOXES__ACCOUNT_MESSAGES=100000 \
  PACKMULE_GATEWAY_MAILBOXES__SENDER_MESSAGES=100000 SPREAD=100
field() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
wait_for() { for _ in $(seq 300); do [ -s "$1" ] && return; sleep 0.1; done; echo "mediators: $1 never came" >&2; exit 1; }

# run NAME KIND PID READY STORE: the loads on one server; what its store takes afterwards
run() {
  local name=$1 kind=$2 pid=$3 ready=$4 store=$5 http ws did
  http=$(field "$ready" http) ws=$(field "$ready" ws) did=$(field "$ready" did)
  if [ "$kind" = affinidi ]; then http=${http%/}; fi
  (cd "$cache/client"
    # No more at once than Affinidi's limits let in, 100 for one and 2,000 from one.
    node load.mjs "$kind" "$http" "$did" "$pid" 16 1600 16 10 >>"$place/$name.load"
    node live.mjs "$kind" "$http" "$ws" "$did" "$pid" 8 400 20 >>"$place/$name.live"
    if [ "$6" = last ]; then
      for _ in 1 2 3 4 5 6 7; do node load.mjs "$kind" "$http" "$did" "$pid" 16 1600 16 50 >>"$place/$name.long"; done
    fi)
  if [ "$6" = last ]; then sleep 15; du -sk "$store" | cut -f1 >"$place/$name.disk"; fi
}
for round in $(seq "$rounds"); do
  echo "mediators: round $round of $rounds" >&2
  last=no; if [ "$round" = "$rounds" ]; then last=last; fi
  "$packmule" --home "$place/kiosk" gateway --listen 127.0.0.1:0 --json >"$place/ours.ready" & wait_for "$place/ours.ready"
  run ours std "$(field "$place/ours.ready" pid)" "$place/ours.ready" "$place/kiosk" $last
  kill %1 && wait %1
  "$affinidi" "$place/affinidi" 127.0.0.1:7104 >"$place/affinidi.ready" 2>"$place/affinidi.log" & wait_for "$place/affinidi.ready"
  run affinidi affinidi "$(field "$place/affinidi.ready" pid)" "$place/affinidi.ready" "$place/affinidi" $last
  kill -INT %1 && { wait %1 || true; }
  rm -rf "$place/kiosk" "$place/affinidi" "$place"/*.ready
done
python3 "$here/mediators.py" "$place"
