#!/usr/bin/env bash
# Packs packmule for Debian: cli/deb/build.sh [arguments of cargo-deb]
#
# Builds the program, lets it write its manual pages and completions beside itself, and packs what
# cli/Cargo.toml names. Wants cargo-deb (cargo install cargo-deb). PACKMULE_DEB_BUILT=1: the program
# is there already.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -n "${PACKMULE_DEB_BUILT:-}" ] || cargo build --release --locked -p packmule
beside=${CARGO_TARGET_DIR:-target}/release
rm -rf "$beside/man" "$beside/completions" && mkdir -p "$beside/completions"
"$beside/packmule" man --out "$beside/man"
gzip -9n "$beside"/man/*.1
"$beside/packmule" completions bash >"$beside/completions/packmule"
"$beside/packmule" completions zsh >"$beside/completions/_packmule"
"$beside/packmule" completions fish >"$beside/completions/packmule.fish"
exec cargo deb -p packmule --no-build "$@"
