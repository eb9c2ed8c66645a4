#!/usr/bin/env bash
# the README's two commands and its examples, as written there
# modes: full deep
cargo build --release --locked
lines=$(cargo run --release --locked -q -- demo --json)
last=$(tail -n 1 <<<"$lines")
python3 - "$last" <<'PY'
import json, sys
end = json.loads(sys.argv[1])
bad = [s["name"] for s in end["steps"] if not s["ok"]]
assert end["ok"] and end["steps"] and not bad, f"demo failed: {bad or end}"
print(f"demo: {len(end['steps'])} steps ok")
PY
.ci/readme-examples.sh
