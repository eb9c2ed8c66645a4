#!/usr/bin/env bash
# the table of compact sizes beside JSON and the floor
# modes: full deep
cargo bench --locked -p packmule-bus --bench sizes
