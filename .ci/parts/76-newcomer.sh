#!/usr/bin/env bash
# a newcomer's system (Debian with git, a C compiler and Rust, nothing else): the README followed to the letter
# modes: deep
.ci/newcomer.sh
