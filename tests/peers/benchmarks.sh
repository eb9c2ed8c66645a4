#!/usr/bin/env bash
# Our side and every peer on the same work in one go, and docs/benchmarks.md from what came out.
#
#   tests/peers/benchmarks.sh PACKMULE [--rounds N] [--only NAME]... [--out FILE]
#
# NAMEs: link (NNCP, dtn7, LXMF), drive (NNCP's sneakernet), mediators (Affinidi), mail (Postfix's
# smtp-source, lettre), codes (our own; other fountains and decoders: ./check --deep --only qr),
# journey (one message by radio, codes and a stick), powercut (exFAT, FAT32), radio (Bluetooth in a
# guest), fuzz ($FUZZ_SECONDS in all, an hour if unset), newcomer (a bare Debian).
# A part that is not asked for keeps what FILE says of it, with its date. A promise that does not
# hold is told in FILE and ends this with 1; nothing is left out for it.
set -uo pipefail
packmule=$(realpath "${1:?which packmule binary?}") && shift
here=$(cd "$(dirname "$0")" && pwd)
rounds=3 only=() out=$here/../../docs/benchmarks.md
while [ $# -gt 0 ]; do
  case "$1" in
    --rounds) rounds=$2 ;;
    --only) only+=("$2") ;;
    --out) out=$2 ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ ${#only[@]} -gt 0 ] || only=(link drive mediators mail codes journey powercut radio fuzz newcomer)
told=$(mktemp -d) && trap 'rm -rf "$told"' EXIT

# What these parts of the check build goes where the check builds it.
export PACKMULE_CACHE=${PACKMULE_CACHE:-$HOME/.cache/packmule}
part() { (cd "$here/../.." && CHECK_MODE=full CARGO_TARGET_DIR=$PACKMULE_CACHE/target bash -euo pipefail ".ci/parts/$1"); }

for name in "${only[@]}"; do
  echo "benchmarks: $name" >&2
  cut -d' ' -f1 /proc/loadavg >"$told/$name.load"
  began=$SECONDS
  case "$name" in
    link) "$here/run.sh" "$packmule" "$rounds" ;;
    drive) "$here/sneakernet.sh" "$packmule" "$rounds" ;;
    mediators) "$here/mediators.sh" "$packmule" "$rounds" ;;
    mail) (cd "$here/../.." && TMPDIR=/dev/shm cargo bench --locked --profile dev -p packmule-mail --bench send) ;;
    codes) "$packmule" bench qr --seeds 50 --json ;;
    journey) (cd "$here/../.." && cargo test --locked -p packmule --test stories journey::a_radio -- --nocapture) ;;
    powercut) python3 "$here/../powercut/powercut.py" "$packmule" 75 ;;
    radio) part 56-ble.sh ;;
    fuzz) "$here/../fuzz/run.sh" --in-all "${FUZZ_SECONDS:-3600}" ;;
    newcomer) part 76-newcomer.sh ;;
    *) echo "benchmarks: there is no part $name" >&2; exit 2 ;;
  esac >"$told/$name.out" 2> >(tee "$told/$name.err" >&2)
  echo $? >"$told/$name.rc"
  echo $((SECONDS - began)) >"$told/$name.took"
done
python3 "$here/benchmarks.py" "$told" "$out" "$rounds" "$("$packmule" --version)" "$(git -C "$here" describe --always --dirty)"
