#!/usr/bin/env bash
# simulated runs: 2,000 seeds, 100,000 with --deep, and days of a gateway; nothing broken, every fault fired
# modes: full deep
seeds=2000 days=5
if [ "$CHECK_MODE" = deep ]; then seeds=100000 days=500; fi
cargo build --release --locked -p packmule
# Every machine and every build replays these seeds to the same number. Whoever changes what a
# bus says or what the simulator does changes it: then keep the new one.
known=$(cat fixtures/scenarios/mixed-0-20.hash)
for profile in "" --release; do
  line=$(cargo run $profile --locked -q -p packmule-sim --example fingerprint)
  [ "$line" = "$known" ] || { echo "sim: seeds 0..20 have fingerprint $line here, not $known (cargo run ${profile:-, debug,})"; exit 1; }
done
# Failing seeds are said at once, on stderr; the last line of stdout tells all.
last=$(cargo run --release --locked -q -p packmule -- sim run mixed --seeds "0..$seeds" --json --keep-going --save "${CARGO_TARGET_DIR:-target}/failing" | tail -n 1) || true
python3 - "$last" "$seeds" <<'PY'
import json, sys
end, seeds = json.loads(sys.argv[1]), int(sys.argv[2])
for failure in end["failures"]:
    print(f"sim: seed {failure['seed']}: {failure['violations'][0]['text']}\n  packmule sim replay {failure['replay']}")
idle = [name for name, count in end["faults_fired"].items() if not count]
assert end["violations"] == 0, f"{end['violations']} runs broke a promise"
assert end["seeds"] == seeds, f"ran {end['seeds']} of {seeds} seeds"
assert not idle, f"these faults never fired: {idle}"
print(f"sim: {seeds} seeds, no violation, {len(end['faults_fired'])} kinds of faults fired, {end['seeds_per_s']:.0f} seeds/s")
PY
# A gateway for a day and a night, so many times: what was not delivered had a life too short for it.
last=$(cargo run --release --locked -q -p packmule -- sim run gateway-day --seeds "0..$days" --json --keep-going --save "${CARGO_TARGET_DIR:-target}/failing" | tail -n 1) || true
python3 - "$last" "$days" <<'PY'
import json, sys
end, days = json.loads(sys.argv[1]), int(sys.argv[2])
for failure in end["failures"]:
    print(f"sim: gateway-day, seed {failure['seed']}: {failure['violations'][0]['text']}")
assert (end["violations"], end["seeds"]) == (0, days), f"{end['violations']} of {end['seeds']} days broke a promise"
late = end["submitted"] - end["delivered"]
assert late <= 20 * days, f"{late} of {end['submitted']} messages were not delivered, and 20 a day may expire"
print(f"sim: {days} days of a gateway, {end['delivered']} messages delivered, {late} expired")
PY
