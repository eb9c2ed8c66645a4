#!/usr/bin/env bash
# Our side and every peer on the same work in one go, and docs/benchmarks.md from what came out.
#
#   tests/peers/benchmarks.sh PACKMULE [--rounds N] [--only NAME]... [--out FILE]
#
# NAMEs: link (NNCP, dtn7, LXMF), drive (NNCP's sneakernet), mediators (Affinidi), mail (Postfix's
# smtp-source, lettre), codes (our own; other fountains and decoders: ./check --deep --only qr).
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
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ ${#only[@]} -gt 0 ] || only=(link drive mediators mail codes)
told=$(mktemp -d) && trap 'rm -rf "$told"' EXIT

for name in "${only[@]}"; do
  echo "benchmarks: $name" >&2
  cut -d' ' -f1 /proc/loadavg >"$told/$name.load"
  case "$name" in
    link) "$here/run.sh" "$packmule" "$rounds" ;;
    drive) "$here/sneakernet.sh" "$packmule" "$rounds" ;;
    mediators) "$here/mediators.sh" "$packmule" "$rounds" ;;
    mail) (cd "$here/../.." && TMPDIR=/dev/shm cargo bench --locked --profile dev -p packmule-mail --bench send) ;;
    codes) "$packmule" bench qr --seeds 50 --json ;;
    *) echo "benchmarks: there is no part $name" >&2; exit 2 ;;
  esac >"$told/$name.out" 2> >(tee "$told/$name.err" >&2)
  echo $? >"$told/$name.rc"
done
python3 "$here/benchmarks.py" "$told" "$out" "$rounds" "$("$packmule" --version)" "$(git -C "$here" describe --always --dirty)"
