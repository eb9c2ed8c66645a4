#!/usr/bin/env bash
# Follows README.md to the letter where nothing else is: a Debian root with git, a C compiler and a
# Rust toolchain; an ordinary user; a clone; the crates of Cargo.lock, and no network. It runs the
# first of the two commands, sees what the second says that it lacks, and runs every block marked
# as tested, as they are written. Says how long the way to the end of the demo took.
#
# All of it lies in one folder of the cache, in namespaces of its own, and is gone afterwards. It
# wants root (for debootstrap and the namespaces) and what .ci/needs.sh installs with --deep.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}
[ "$(id -u)" = 0 ] || { echo "newcomer: debootstrap and namespaces want root" >&2; exit 1; }
for tool in debootstrap unshare ip python3; do
  command -v "$tool" >/dev/null || { echo "newcomer: $tool is missing" >&2; exit 1; }
done
mkdir -p "$cache/newcomer-debs"
place=$(mktemp -d "$cache/newcomer.XXXXXX")
root=$place/root home=$place/root/home/newcomer
away() {
  # What is mounted there is mounted in a namespace that has ended; anything else is not ours to remove.
  if grep -q " $place/" /proc/self/mounts; then echo "newcomer: something is mounted below $place, which is left" >&2
  else rm -rf --one-file-system "$place"; fi
}
trap away EXIT
trap 'exit 130' INT TERM

debootstrap --variant=minbase --cache-dir="$cache/newcomer-debs" --include=git,gcc,libc6-dev,ca-certificates \
  bookworm "$root" >"$place/debootstrap.log" 2>&1 || { tail -5 "$place/debootstrap.log" >&2; echo "newcomer: no Debian root" >&2; exit 1; }
echo 'newcomer:x:1000:1000::/home/newcomer:/bin/bash' >>"$root/etc/passwd"
echo 'newcomer:x:1000:' >>"$root/etc/group"
mkdir -p "$home/.cargo/registry" "$root/opt/rust"

# A clone by git, of what is committed.
git -C "$repo" bundle create -q "$root/srv/packmule.bundle" HEAD
chmod 644 "$root/srv/packmule.bundle"
# The crates that Cargo.lock names, as cargo would fetch them; hard links where that goes.
(cd "$repo" && cargo fetch --locked -q)
crates=${CARGO_HOME:-$HOME/.cargo}/registry
for part in index cache; do cp -al "$crates/$part" "$home/.cargo/registry/" 2>/dev/null || cp -a "$crates/$part" "$home/.cargo/registry/"; done
# Folders become the newcomer's; files may be links to the host's and stay whose they are.
find "$home" -type d -exec chown 1000:1000 {} +

cat >"$root/srv/follow.sh" <<'FOLLOW'
#!/bin/bash
# What the newcomer does.
set -euo pipefail
cd "$HOME"
git -c advice.detachedHead=false clone -q /srv/packmule.bundle packmule
cd packmule
readme=$PWD/README.md
mapfile -t commands < <(awk '/^## Two commands/{t=1;next} t&&/^```/{if(p)exit;p=1;next} p' "$readme" | sed 's/ *#.*//')
[ "${#commands[@]}" = 2 ] || { echo "newcomer: README.md has not two commands" >&2; exit 1; }
echo "newcomer: \$ ${commands[0]}"
began=$SECONDS
bash -c "${commands[0]}" >"$HOME/demo.log" 2>"$HOME/demo.err" || { tail -20 "$HOME/demo.err" "$HOME/demo.log" >&2; exit 1; }
echo "newcomer: the demo ended after $((SECONDS - began)) s, of which $(sed -n 's/.*Finished .* in //p' "$HOME/demo.err" | tail -1) were the build"
bash -c "${commands[0]} --json" 2>/dev/null | tail -n 1 >"$HOME/demo.json"
# The tests want more than this system has. They say what, and do nothing.
echo "newcomer: \$ ${commands[1]}"
if bash -c "${commands[1]}" >"$HOME/check.log" 2>&1; then echo "newcomer: ./check found all it needs on a bare system?" >&2; exit 1; fi
grep -q '^check: .* missing' "$HOME/check.log" || { tail -5 "$HOME/check.log" >&2; echo "newcomer: ./check does not say what is missing" >&2; exit 1; }
sed -n 's/^check: /newcomer: check: /p' "$HOME/check.log"
# The blocks in their order and in one shell, in the checkout, where the newcomer stands.
awk '/^<!-- tested -->/{t=1;next} t&&/^```sh/{p=1;t=0;next} p&&/^```/{p=0;next} p' "$readme" >"$HOME/examples.sh"
[ -s "$HOME/examples.sh" ] || { echo "newcomer: README.md has no tested examples" >&2; exit 1; }
bash -euo pipefail "$HOME/examples.sh" </dev/null >"$HOME/examples.log" 2>&1 || { tail -20 "$HOME/examples.log" >&2; echo "newcomer: an example failed" >&2; exit 1; }
echo "newcomer: $(grep -cv '^[[:space:]]*\(#.*\)\?$' "$HOME/examples.sh") example lines ran"
FOLLOW
toolchain=$(rustc --print sysroot)
# Mounts, processes and network of its own: all that is mounted or started ends with it.
unshare --mount --pid --net --ipc --uts --fork --kill-child bash -euo pipefail -c '
  root=$1 toolchain=$2
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs -o mode=1777 tmp "$root/tmp"
  mount --bind "$toolchain" "$root/opt/rust" && mount -o remount,bind,ro "$root/opt/rust"
  ip link set lo up
  exec chroot --userspec=1000:1000 "$root" /usr/bin/env -i HOME=/home/newcomer USER=newcomer LANG=C.UTF-8 \
    PATH=/opt/rust/bin:/usr/bin:/bin CARGO_NET_OFFLINE=true nice -n 10 /bin/bash /srv/follow.sh
' bash "$root" "$toolchain" </dev/null

python3 - "$home/demo.json" <<'PY'
import json, sys
end = json.load(open(sys.argv[1]))
bad = [step["name"] for step in end["steps"] if not step["ok"]]
assert end["ok"] and end["steps"] and not bad, f"demo failed: {bad or end}"
print(f"newcomer: demo, {len(end['steps'])} steps ok")
PY
