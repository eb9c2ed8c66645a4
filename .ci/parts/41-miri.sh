#!/usr/bin/env bash
# the decoders of the session and their crates' unsafe code, under Miri
# modes: deep
.ci/miri.sh
