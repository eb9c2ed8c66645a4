#!/usr/bin/env bash
# a gateway built with the feature `otel`: lints, and what a collector of traces is told
# modes: full deep
cargo clippy -p packmule -p packmule-gateway --features otel --all-targets --locked -- -D warnings
cargo nextest run -p packmule-gateway --features otel --lib --locked -E 'test(traces)'
