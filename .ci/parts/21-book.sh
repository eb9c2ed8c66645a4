#!/usr/bin/env bash
# a second reader of the formats, written beside docs/wire, against every vector
# modes: full deep
venv=$PACKMULE_CACHE/book-venv
[ -x "$venv/bin/python3" ] || python3 -m venv "$venv"
"$venv/bin/python3" -c 'import zstandard, cryptography' 2>/dev/null ||
  "$venv/bin/pip" install --quiet zstandard==0.25.0 cryptography==48.0.0
"$venv/bin/python3" tests/book/check.py
