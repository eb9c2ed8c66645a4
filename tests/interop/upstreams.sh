#!/usr/bin/env bash
# A kiosk behind mediators that nobody here wrote, all really running on loopback:
#
#   upstreams.sh            Affinidi's (it logs in, collects, is killed and comes again), and
#                           Veramo's (which takes forwards and holds nothing for us)
#
# PACKMULE_BIN: the command line to test; AFFINIDI_BIN: its mediator as tests/peers/affinidi builds
# it. Senders and readers are npm `didcomm-node` and Veramo's own. Ends with 1 if a step failed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}
peers=$cache/interop-peers
place=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$place"' EXIT
: "${PACKMULE_BIN:?which packmule?}" "${AFFINIDI_BIN:?which mediator? build tests/peers/affinidi}"
export PACKMULE_BIN

# ready FILE PID: waits until it has said so.
ready() {
    for _ in $(seq 600); do
        if [ -s "$1" ]; then return; fi
        kill -0 "$2" || { echo "upstreams: it did not start: $1" >&2; exit 1; }
        sleep 0.1
    done
    echo "upstreams: not ready after a minute: $1" >&2
    exit 1
}

"$here/peers.sh" setup-upstreams
unset PACKMULE_PASSPHRASE
failed=0

"$AFFINIDI_BIN" "$place/affinidi" 127.0.0.1:7104 >"$place/affinidi.ready" 2>"$place/affinidi.log" &
ready "$place/affinidi.ready" $!
NODE_PATH="$peers/gateway/node_modules" node "$here/peers/upstreams/affinidi.cjs" "$place" "$(cat "$place/affinidi.ready")" || failed=1

(cd "$peers/upstreams" && PORT=7101 exec node mediator.mjs) >"$place/veramo.ready" 2>"$place/veramo.log" &
ready "$place/veramo.ready" $!
node "$peers/upstreams/veramo.mjs" "$place" "$(head -1 "$place/veramo.ready")" || failed=1

exit "$failed"
