#!/usr/bin/env bash
# Runs tests of packmule-bus under Miri, which knows what unsafe code may not do. Ours has none; what
# stands below it has (hashes, CRC, hex, …). zstd is C, which Miri cannot run: so the codecs of
# PDUs, ranges and fragments, and the gate before the disk, not the wire form. Properties are tried
# a few times only: a test takes a hundred times as long as usual.
#
# Wants a nightly toolchain with Miri; rustup brings it if it can. PACKMULE_NIGHTLY names another one.
set -euo pipefail
cd "$(dirname "$0")/.."
nightly=${PACKMULE_NIGHTLY:-nightly}
if ! { cargo "+$nightly" miri --version && [ -d "$(rustc "+$nightly" --print sysroot)/lib/rustlib/src" ]; } >/dev/null 2>&1; then
  echo "miri: bringing the toolchain $nightly with miri and rust-src"
  timeout 900 rustup toolchain install "$nightly" --profile minimal --component miri,rust-src --no-self-update >"$PACKMULE_CACHE/miri-install.log" 2>&1 ||
    { tail -5 "$PACKMULE_CACHE/miri-install.log" >&2; echo "miri: there is no toolchain '$nightly' with miri, and rustup could not bring it" >&2; exit 1; }
fi
cargo "+$nightly" miri --version
export CARGO_TARGET_DIR=$PACKMULE_CACHE/miri-target PROPTEST_CASES=4
# Properties read the environment for what they were tried with, and the tests' fixtures are files.
export MIRIFLAGS=-Zmiri-disable-isolation
cargo "+$nightly" miri setup -q
which='test(/^(pdu|ranges|fragment)::/)
  or (binary(pdu) and test(/heads|ranges|written|harm/))
  or (package(packmule-bus) and kind(lib) and test(/^bus::gate::/))'
timeout 1500 cargo "+$nightly" miri nextest run --locked -p packmule-bus --lib --test pdu -E "$which" --no-fail-fast
