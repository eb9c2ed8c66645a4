#!/usr/bin/env bash
# a worked example for each kind of user: a device, a kiosk, a test harness; each is run
# modes: full deep
# says PACKAGE EXAMPLE LINE: runs it, and looks for a line that begins so in what it prints.
says() {
  local told
  told=$(cargo run --locked -q -p "$1" --example "$2")
  printf '%s\n' "$told"
  grep -q "^$3" <<<"$told"
}
says packmule-node device 'the pump hears: delivered$'
says packmule-gateway kiosk 'the kiosk has ended$'
says packmule-sim harness 'without numbers: seed [0-9]* shows'
