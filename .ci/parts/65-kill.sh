#!/usr/bin/env bash
# kill -9 of either node 200 times while 10,000 messages cross: each arrives once
# modes: deep
PACKMULE_KILLS=200 PACKMULE_MESSAGES=10000 cargo test --release --locked -p packmule --test stories -- --exact storm::killed_nodes_lose_nothing_and_double_nothing --nocapture
