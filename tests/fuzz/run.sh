#!/usr/bin/env bash
# usage: tests/fuzz/run.sh [SECONDS_EACH [TARGET...]]
# Builds every target with coverage instrumentation on stable Rust and fuzzes each for the
# given time, from the seeds in fixtures/hostile and the corpus kept in the cache. A find is
# printed with the command that replays it, and copied to fixtures/hostile/TARGET for keeping.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-5}; shift || true
cache=${PACKMULE_CACHE:-$HOME/.cache/packmule}
export CARGO_TARGET_DIR=$cache/fuzz-target
# The coverage pass is a stable flag; only --cfg fuzzing is added so that libfuzzer-sys exports its entry.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
host=$(rustc -vV | sed -n 's/^host: //p')
# --target keeps the flags off build scripts and macros, which run on the host uninstrumented.
(cd "$here" && cargo build --release --locked --bins --target "$host")
targets=("$@"); [ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd "$here/fuzz_targets" && ls -- *.rs | sed 's/\.rs$//')
passed=0 failed=0
for t in "${targets[@]}"; do
  seeds=$root/fixtures/hostile/$t corpus=$cache/corpus/$t finds=$cache/finds/$t
  mkdir -p "$corpus" "$finds"
  [ -d "$seeds" ] || { echo "fuzz: $t has no seeds in fixtures/hostile/$t" >&2; failed=$((failed + 1)); continue; }
  if "$CARGO_TARGET_DIR/$host/release/$t" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -max_len=200000 -print_final_stats=0 \
      -artifact_prefix="$finds/" "$corpus" "$seeds" >"$cache/fuzz-$t.log" 2>&1; then
    echo "fuzz: $t ok, $(grep -oE 'Done [0-9]+ runs' "$cache/fuzz-$t.log" | tail -1), $(grep -oE 'cov: [0-9]+' "$cache/fuzz-$t.log" | tail -1)"
    passed=$((passed + 1))
  else
    tail -25 "$cache/fuzz-$t.log"; echo "fuzz: $t FAILED; the input is in $finds (replay: $CARGO_TARGET_DIR/$host/release/$t FILE)"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
