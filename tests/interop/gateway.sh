#!/bin/sh
# A gateway as a process, used by clients that nobody here wrote: gateway.sh [--deep]
#
# PyPI `didcomm` 0.3.2 and npm `didcomm-node` 0.4.1, set up as for the cross-tests; with --deep the
# wallet of npm `@hyperledger/identus-sdk` 7.0.0 too. Ends with 1 if a step failed. PACKMULE_BIN: the
# command line to test.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}
peers=$cache/interop-peers
place=$(mktemp -d)
gateway=
end() {
    if [ -n "$gateway" ]; then kill "$gateway" 2>/dev/null || true; fi
    rm -rf "$place"
}
trap end EXIT

"$here/peers.sh" setup-gateway "$@"
unset PACKMULE_PASSPHRASE
# They all come from one address, as fast as they can.
export PACKMULE_GATEWAY_LIMITS__RATE_PER_ADDRESS=0 PACKMULE_GATEWAY_LIMITS__RATE_PER_SENDER=0
"$PACKMULE_BIN" --home "$place/kiosk" gateway --listen 127.0.0.1:0 --json >"$place/ready" &
gateway=$!
tries=0
until [ -s "$place/ready" ]; do
    kill -0 "$gateway" || { echo "gateway: it did not start" >&2; exit 1; }
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "gateway: not ready after a minute" >&2; exit 1; }
    sleep 0.1
done
ready=$(cat "$place/ready")
failed=0
"$peers/didcomm-python/bin/python" "$here/peers/gateway_flow.py" "$ready" || failed=1
NODE_PATH="$peers/gateway/node_modules" node "$here/peers/gateway/flow.cjs" "$ready" || failed=1
if [ "${1:-}" = --deep ]; then
    NODE_PATH="$peers/identus/node_modules" node "$here/peers/identus/flow.mjs" "$ready" || failed=1
fi
grep VmRSS "/proc/$gateway/status"
kill "$gateway"
wait "$gateway" || { echo "gateway: it did not end well" >&2; failed=1; }
gateway=
exit "$failed"
