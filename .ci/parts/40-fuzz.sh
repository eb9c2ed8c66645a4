#!/usr/bin/env bash
# every decoder and whole sessions against hostile bytes: a smoke run, an hour in all with --deep
# modes: full deep
tests/fuzz/run.sh --blind
if [ "$CHECK_MODE" = deep ]; then
  tests/fuzz/run.sh --in-all 3600
else
  tests/fuzz/run.sh 5
fi
