#!/usr/bin/env bash
# a worked example for each kind of user: a device, a kiosk, a test harness; each is run
# modes: full deep
run() { cargo run --locked -q -p "$1" --example "$2"; }
run packmule-node device | tee >(cat >&2) | grep -qx 'the pump hears: delivered'
run packmule-gateway kiosk | tee >(cat >&2) | grep -qx 'the kiosk has ended'
run packmule-sim harness | tee >(cat >&2) | grep -q '^without numbers: seed [0-9]* shows'
