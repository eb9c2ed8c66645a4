#!/bin/sh
# Foreign DIDComm implementations for the cross-tests: set up, run, and make fixtures with.
#
#   peers.sh setup [--deep]     set up (kept in the cache; a second call does nothing)
#   peers.sh setup-gateway [--deep]   set up the clients of gateway.sh
#   peers.sh setup-upstreams    set up what upstreams.sh needs
#   peers.sh run PEER < task    one peer on a task; contract: README.md
#   peers.sh generate [PEER]... rewrite fixtures/didcomm/foreign/<producer>/*.json
#
# PEER: didcomm-python | didcomm-messaging | didcomm-node | veramo | didcomm-rust | affinidi
# Cache: ${PACKMULE_CACHE:-$HOME/.cache/packmule}; cargo: ${CARGO_TARGET_DIR:-<cache>/interop-target}
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}
peers=$cache/interop-peers
foreign=$here/../../fixtures/didcomm/foreign
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/interop-target}"

need() {
    command -v "$1" >/dev/null || { echo "interop: MISSING $1: $2" >&2; exit 3; }
}

# venv NAME REQUIREMENTS: made anew whenever the pins or the interpreter change.
venv() {
    need python3 "install Python 3.11 or newer with its venv module"
    stamp="$(python3 --version) $(cksum <"$2")"
    if [ "$(cat "$peers/$1/.stamp" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    echo "interop: setting up $1 in $peers" >&2
    rm -rf "${peers:?}/$1"
    mkdir -p "$peers"
    python3 -m venv "$peers/$1" || {
        echo "interop: MISSING python3 venv module (Debian: apt install python3-venv)" >&2
        exit 3
    }
    "$peers/$1/bin/pip" install -q --disable-pip-version-check -r "$2" >&2
    echo "$stamp" >"$peers/$1/.stamp"
}

# node_peer FOLDER: made anew whenever its lock file or Node.js changes.
node_peer() {
    need node "install Node.js 18 or newer"
    need npm "install npm (comes with Node.js)"
    stamp="$(node --version) $(cksum <"$here/peers/$1/package-lock.json")"
    if [ "$(cat "$peers/$1/.stamp" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    echo "interop: setting up $1 in $peers" >&2
    rm -rf "${peers:?}/$1"
    mkdir -p "$peers/$1"
    cp "$here/peers/$1/package.json" "$here/peers/$1/package-lock.json" "$peers/$1/"
    (cd "$peers/$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    echo "$stamp" >"$peers/$1/.stamp"
}

rust_peer() {
    need cargo "install Rust"
    cargo build -q --locked --manifest-path "$here/Cargo.toml" -p packmule-interop-foreign
}

setup() {
    venv didcomm-python "$here/peers/requirements-didcomm.txt"
    if [ "${1:-}" = --deep ]; then
        venv didcomm-messaging "$here/peers/requirements-didcomm-messaging.txt"
        node_peer node
        node_peer veramo
    fi
}

# The clients of a gateway.
setup_gateway() {
    venv didcomm-python "$here/peers/requirements-didcomm.txt"
    node_peer gateway
    if [ "${1:-}" = --deep ]; then node_peer identus; fi
}

# A mediator with its own client; it is started from its folder.
setup_upstreams() {
    node_peer gateway
    node_peer upstreams
    cp "$here"/peers/upstreams/*js "$peers/upstreams/"
}

run() {
    case $1 in
    didcomm-python) "$peers/didcomm-python/bin/python" "$here/peers/peer_didcomm_python.py" ;;
    didcomm-messaging) "$peers/didcomm-messaging/bin/python" "$here/peers/peer_indicio.py" ;;
    didcomm-node) NODE_PATH="$peers/node/node_modules" node "$here/peers/peer_didcomm_node.cjs" ;;
    veramo) NODE_PATH="$peers/veramo/node_modules" node "$here/peers/peer_veramo.mjs" ;;
    didcomm-rust) "$CARGO_TARGET_DIR/debug/peer-rust" sicpa ;;
    affinidi) "$CARGO_TARGET_DIR/debug/peer-rust" affinidi ;;
    *) echo "interop: no such peer: $1" >&2; exit 2 ;;
    esac
}

generate() {
    setup --deep
    rust_peer
    python=$peers/didcomm-python/bin/python
    if [ $# = 0 ]; then set -- didcomm-python didcomm-messaging didcomm-node veramo didcomm-rust affinidi; fi
    for producer; do
        "$python" "$here/peers/generate.py" "$producer" "$foreign/parties" "$foreign/$producer" \
            -- "$0" run "$producer"
    done
}

case ${1:-} in
setup) shift; setup "$@" ;;
setup-gateway) shift; setup_gateway "$@" ;;
setup-upstreams) setup_upstreams ;;
run) shift; run "$@" ;;
generate) shift; generate "$@" ;;
*) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
