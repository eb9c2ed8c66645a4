#!/usr/bin/env bash
# mail: how fast it is sent, beside lettre's pool and Postfix's own load generator
# modes: deep
# Waiting is nearly all that is measured: the libraries are optimised in this profile, too.
cargo bench --locked --profile dev -p packmule-mail --bench send
