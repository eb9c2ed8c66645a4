#!/usr/bin/env bash
# a gateway with 1,000 idle WebSockets and 100,000 stored messages
# modes: deep
PACKMULE_SOCKETS=1000 PACKMULE_HELD=100000 cargo test --release --locked -p packmule --test stories -- --exact gateway::crowd::a_crowd_listens_a_mountain_waits_and_the_next_message_is_there_at_once --nocapture
