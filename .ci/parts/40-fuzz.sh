#!/usr/bin/env bash
# every decoder against hostile bytes: a smoke run, a minute each with --deep
# modes: full deep
if [ "$CHECK_MODE" = deep ]; then tests/fuzz/run.sh 60; else tests/fuzz/run.sh 5; fi
