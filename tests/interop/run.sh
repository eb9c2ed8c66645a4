#!/bin/sh
# Cross-tests with foreign DIDComm implementations, both ways: run.sh [--deep]
#
# Ends with a table and "N passed, N failed"; exit code 1 on anything unexpected, 3 when a tool
# is missing. PACKMULE_BIN: the command line to test (else it is built).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}
export PACKMULE_CACHE="$cache"
results=$(mktemp)
trap 'rm -f "$results"' EXIT

peers=didcomm-python
case ${1:-} in
'') ;;
--deep) peers="$peers didcomm-node didcomm-messaging veramo" ;;
*) echo "usage: run.sh [--deep]" >&2; exit 2 ;;
esac

command -v cargo >/dev/null || { echo "interop: MISSING cargo: install Rust" >&2; exit 3; }
if [ -z "${PACKMULE_BIN:-}" ]; then
    echo "interop: building packmule (set PACKMULE_BIN to use one that is there)" >&2
    PACKMULE_BIN=$(cd "$here/../.." && cargo build -q --locked -p packmule --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\/packmule\)".*/\1/p' | tail -n 1)
fi
[ -x "$PACKMULE_BIN" ] || { echo "interop: MISSING packmule: PACKMULE_BIN is '$PACKMULE_BIN'" >&2; exit 3; }

# Its own target folder, outside the clone: the foreign crates are built once a machine.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/interop-target}"
echo "interop: building the foreign crates in $CARGO_TARGET_DIR" >&2
cargo build -q --locked --manifest-path "$here/Cargo.toml" --workspace
"$here/peers.sh" setup ${1:+"$1"}

"$CARGO_TARGET_DIR/debug/cross-library" >"$results"
# shellcheck disable=SC2086 # a list of names
"$cache/interop-peers/didcomm-python/bin/python" "$here/peers/cross.py" --cli "$PACKMULE_BIN" \
    --library "$CARGO_TARGET_DIR/debug/peer-packmule" \
    --parties "$here/../../fixtures/didcomm/foreign/parties" --out "$results" $peers
cargo test -q --locked --manifest-path "$here/Cargo.toml" -p packmule-interop >&2
"$cache/interop-peers/didcomm-python/bin/python" "$here/peers/table.py" "$results"
