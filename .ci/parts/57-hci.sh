#!/usr/bin/env bash
# bumble on our virtual Bluetooth controllers, as central and as peripheral of the DIF's profile
# modes: full deep
peers=$PACKMULE_CACHE/bumble
if ! "$peers/bin/python" -c 'import bumble' 2>/dev/null; then
  python3 -m venv "$peers" && "$peers/bin/pip" install -q bumble==0.0.236
fi
PACKMULE_BUMBLE=$peers/bin/python PYTHONDONTWRITEBYTECODE=1 \
  cargo nextest run -p packmule-controller --locked --run-ignored only -E 'test(/^foreign::/)'
