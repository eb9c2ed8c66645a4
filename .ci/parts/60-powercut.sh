#!/usr/bin/env bash
# power cuts under an export to exFAT, replayed write by write
# modes: deep
for tool in mount.exfat-fuse:exfat-fuse mkfs.exfat:exfatprogs; do
  command -v "${tool%%:*}" >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${tool##*:}"
done
cargo build --locked -p packmule
python3 tests/powercut/exfat.py "$CARGO_TARGET_DIR/debug/packmule"
