#!/usr/bin/env bash
# simulated runs: 2,000 seeds, 100,000 with --deep; nothing broken, every fault fired
# modes: full deep
seeds=2000
if [ "$CHECK_MODE" = deep ]; then seeds=100000; fi
cargo build --release --locked -p packmule
last=$(cargo run --release --locked -q -p packmule -- sim run mixed --seeds "0..$seeds" --json | tail -n 1)
python3 - "$last" "$seeds" <<'PY'
import json, sys
end, seeds = json.loads(sys.argv[1]), int(sys.argv[2])
idle = [name for name, count in end["faults_fired"].items() if not count]
assert end["seeds"] == seeds, f"ran {end['seeds']} of {seeds} seeds"
assert end["violations"] == 0, f"{end['violations']} runs broke a promise: {end.get('failures')}"
assert not idle, f"these faults never fired: {idle}"
print(f"sim: {seeds} seeds, no violation, {len(end['faults_fired'])} kinds of faults fired")
PY
