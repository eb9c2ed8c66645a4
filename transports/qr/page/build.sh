#!/usr/bin/env bash
# Builds gateway/page/qr.wasm out of this crate: build.sh [--check]
#
# With Debian's Rust for the web (rustc-web, cargo-web, rust-web-src, lld, clang), because the
# usual toolchain has no standard library for WebAssembly here. The same sources and toolchain give
# the same bytes, wherever the checkout lies: gateway/page/qr.wasm.made names both. --check builds
# and compares with what is committed, and writes nothing.
set -euo pipefail
cd "$(dirname "$0")/../../.."
target="${PACKMULE_CACHE:-$HOME/.cache/packmule}/wasm"
# None is told below.
ar=$({ compgen -c llvm-ar- || true; } | sort -V | tail -1)
for tool in /usr/bin/rustc /usr/bin/cargo wasm-ld clang "${ar:-llvm-ar}"; do
  command -v "$tool" >/dev/null || { echo "build.sh: $tool is missing: apt-get install rustc-web cargo-web rust-web-src lld clang llvm" >&2; exit 1; }
done
# Not the toolchain of the product, should that be first on the path.
export PATH="/usr/bin:/bin"
unset RUSTUP_TOOLCHAIN CARGO RUSTDOC RUSTC_WRAPPER CARGO_ENCODED_RUSTFLAGS CARGO_INCREMENTAL
home="${CARGO_HOME:-$HOME/.cargo}"
env RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target" \
  CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
  CC_wasm32_unknown_unknown=clang AR_wasm32_unknown_unknown="$ar" CFLAGS_wasm32_unknown_unknown="-ffile-prefix-map=$home=/cargo -g0" \
  CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_PROFILE_RELEASE_PANIC=abort \
  CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_OPT_LEVEL=s \
  RUSTFLAGS="-Zlocation-detail=none --remap-path-prefix=$home=/cargo --remap-path-prefix=$PWD=/packmule" \
  nice -n 5 /usr/bin/cargo build --locked --release -q -p packmule-qr-page \
  --config 'profile.release.package.rxing.opt-level=3' --config 'profile.release.package.raptorq.opt-level=3' \
  --config 'profile.release.package.packmule-bus.overflow-checks=false' --config 'profile.release.package.packmule-qr.overflow-checks=false' \
  --target wasm32-unknown-unknown -Z build-std=std,panic_abort
built="$target/wasm32-unknown-unknown/release/packmule_qr_page.wasm"
made="$target/qr.wasm.made"
{
  echo "sha256 $(sha256sum "$built" | cut -d' ' -f1)"
  echo "$(/usr/bin/rustc --version)"
  echo "$(/usr/bin/wasm-ld --version)"
  echo "$(clang --version | head -1)"
} >"$made"
if [ "${1:-}" != --check ]; then
  cp "$built" gateway/page/qr.wasm && chmod 644 gateway/page/qr.wasm && cp "$made" gateway/page/qr.wasm.made
elif ! cmp "$built" gateway/page/qr.wasm || ! cmp "$made" gateway/page/qr.wasm.made; then
  echo "build.sh: gateway/page/qr.wasm is not what these sources and this toolchain give; was, and is:" >&2
  diff gateway/page/qr.wasm.made "$made" >&2 || true
  echo "build.sh: transports/qr/page/build.sh makes it anew" >&2
  exit 1
fi
cat "$made"
