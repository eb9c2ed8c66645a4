#!/usr/bin/env bash
# usage: tests/fuzz/run.sh [--in-all SECONDS | SECONDS_EACH] [TARGET...]
#        tests/fuzz/run.sh --blind      # do `talk` and `peer` find a bug that is put into the bus?
# Builds every target with coverage instrumentation on stable Rust and fuzzes each for the
# given time, from the seeds in fixtures/hostile and the corpus kept in the cache. With --in-all
# the time is divided among the targets, and each first makes its corpus small: of what the last
# run found it keeps the fewest inputs that reach as much. A find is made small, printed with the
# command that replays it, and kept in the cache; copied to fixtures/hostile/TARGET it stays.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$(dirname "$0")/../.." && pwd)
mode=each seconds=5
case "${1:-}" in
  --in-all) mode=all seconds=${2:?--in-all needs seconds}; shift 2 ;;
  --blind) mode=blind; shift ;;
  [0-9]*) seconds=$1; shift ;;
esac
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}
export CARGO_TARGET_DIR=$cache/fuzz-target
# The coverage pass is a stable flag; only --cfg fuzzing is added so that libfuzzer-sys exports its entry.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
host=$(rustc -vV | sed -n 's/^host: //p')
# --target keeps the flags off build scripts and macros, which run on the host uninstrumented.
(cd "$here" && cargo build --release --locked --bins --target "$host")
bins=$CARGO_TARGET_DIR/$host/release
targets=("$@"); [ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd "$here/fuzz_targets" && ls -- *.rs | sed 's/\.rs$//')
limits=(-timeout=20 -rss_limit_mb=1024)

if [ "$mode" = blind ]; then
  scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
  passed=0 failed=0
  for t in talk peer; do
    mkdir "$scratch/$t"
    if FUZZ_BUG=1 "$bins/$t" "${limits[@]}" -max_total_time=600 -max_len=4000 -artifact_prefix="$scratch/" "$scratch/$t" "$root/fixtures/hostile/$t" >"$scratch/$t.log" 2>&1; then
      echo "fuzz: $t is blind: custody before the commit was not found in ten minutes"; failed=$((failed + 1))
    elif grep -aqE 'before_durable|was not durable yet|before it was durable' "$scratch/$t.log"; then
      echo "fuzz: $t finds custody before the commit"; passed=$((passed + 1))
    else
      tail -25 "$scratch/$t.log"; echo "fuzz: $t found something else"; failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed"
  exit "$failed"
fi

# Whole stories take thousands of times as long as a PDU: they get four shares of the time.
shares() { case $1 in talk | peer) echo 4 ;; *) echo 1 ;; esac; }
total=0; for t in "${targets[@]}"; do total=$((total + $(shares "$t"))); done
passed=0 failed=0 runs=0 edges=0
for t in "${targets[@]}"; do
  seeds=$root/fixtures/hostile/$t corpus=$cache/corpus/$t finds=$cache/finds/$t log=$cache/fuzz-$t.log
  mkdir -p "$corpus" "$finds"
  [ -d "$seeds" ] || { echo "fuzz: $t has no seeds in fixtures/hostile/$t" >&2; failed=$((failed + 1)); continue; }
  each=$seconds; if [ "$mode" = all ]; then each=$((seconds * $(shares "$t") / total)); fi
  # Scripts of whole runs are slow to play: a long one tells no more than a few short ones.
  longest=200000; case $t in talk | peer) longest=4000 ;; esac
  kept=$(find "$corpus" -type f | wc -l) began=$SECONDS
  if [ "$mode" = all ] && [ "$kept" -gt 0 ]; then
    fewer=$cache/corpus/$t.fewer; rm -rf "$fewer"; mkdir "$fewer"
    # If an input of the corpus itself breaks something now, the run below says so.
    if timeout $((each / 4 + 10)) "$bins/$t" -merge=1 "${limits[@]}" -max_len=$longest -artifact_prefix="$finds/" "$fewer" "$seeds" "$corpus" >"$log" 2>&1; then
      rm -rf "$corpus" && mv "$fewer" "$corpus"
    else rm -rf "$fewer"; fi
  fi
  left=$((each - (SECONDS - began)))
  if "$bins/$t" -max_total_time=$((left > 5 ? left : 5)) "${limits[@]}" -max_len=$longest -print_final_stats=0 \
      -artifact_prefix="$finds/" "$corpus" "$seeds" >"$log" 2>&1; then
    count=$(grep -aoE 'Done [0-9]+ runs' "$log" | tail -1 | grep -oE '[0-9]+') cov=$(grep -aoE 'cov: [0-9]+' "$log" | tail -1 | grep -oE '[0-9]+')
    echo "fuzz: $t ok, $count runs, $cov edges, corpus $kept -> $(find "$corpus" -type f | wc -l)"
    passed=$((passed + 1)) runs=$((runs + count)) edges=$((edges + cov))
  else
    tail -25 "$log"
    find=$(grep -aoE "$finds/[a-z]+-[0-9a-f]+" "$log" | tail -1)
    if [ -n "$find" ]; then
      timeout 120 "$bins/$t" -minimize_crash=1 -max_total_time=60 "${limits[@]}" -exact_artifact_path="$find.small" "$find" >"$log.small" 2>&1 || true
      [ -s "$find.small" ] || cp "$find" "$find.small"
      echo "fuzz: $t FAILED; replay: $bins/$t $find.small"
    else echo "fuzz: $t FAILED without an input; see $log"; fi
    failed=$((failed + 1))
  fi
done
echo "fuzz: ${#targets[@]} targets, $SECONDS s with the build, $runs runs, $edges edges"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
