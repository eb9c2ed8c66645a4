#!/usr/bin/env bash
# Runs every ```sh block of README.md that follows a `<!-- tested -->` line, in order, in one
# scratch folder, with the release binary on PATH. A block that fails fails the check.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${CARGO_TARGET_DIR:-$root/target}/release
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
awk '/^<!-- tested -->/{t=1;next} t&&/^```sh/{p=1;t=0;n++;next} p&&/^```/{p=0;next} p' "$root/README.md" >"$scratch/examples.sh"
[ -s "$scratch/examples.sh" ] || { echo "README.md has no tested examples" >&2; exit 1; }
(cd "$scratch" && PATH="$bin:$PATH" HOME="$scratch" XDG_DATA_HOME= PACKMULE_PASSPHRASE=correct-horse bash -euo pipefail examples.sh >out.log 2>&1) ||
  { tail -20 "$scratch/out.log" >&2; echo "a README example failed" >&2; exit 1; }
echo "README: $(grep -cv '^\s*\(#.*\)\?$' "$scratch/examples.sh") example lines ran"
