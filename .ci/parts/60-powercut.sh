#!/usr/bin/env bash
# sticks on exFAT and FAT32 images: power cuts replayed block by block, yanked, full, read-only
# modes: deep
if [ "$(id -u)" != 0 ] || [ ! -c /dev/fuse ]; then
  echo "powercut: mounts images through FUSE: needs root and /dev/fuse" >&2; exit 1
fi
missing=()
for tool in mount.exfat-fuse:exfat-fuse mkfs.exfat:exfatprogs fusefat:fusefat mkfs.vfat:dosfstools \
  tsk_recover:sleuthkit strace:strace; do
  command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "powercut: installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
cargo build --locked -p packmule
# Of each kind of cut on each file system.
cuts=10
if [ "$CHECK_MODE" = deep ]; then cuts=75; fi
PYTHONDONTWRITEBYTECODE=1 python3 tests/powercut/powercut.py "$CARGO_TARGET_DIR/debug/packmule" "$cuts"
