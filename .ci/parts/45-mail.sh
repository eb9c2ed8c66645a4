#!/usr/bin/env bash
# mail: how fast it is sent, beside lettre's pool and Postfix's own load generator
# modes: full deep
# Waiting is nearly all that is measured: the libraries are optimised in this profile, too. Postfix's
# queue lies in memory, since its disk is no part of the comparison and others may be using it.
[ -d /dev/shm ] && [ -w /dev/shm ] && export TMPDIR=/dev/shm
cargo bench --locked --profile dev -p packmule-mail --bench send
