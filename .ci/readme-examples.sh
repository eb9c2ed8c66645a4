#!/usr/bin/env bash
# Runs every ```sh block of README.md and of the tutorials in docs that follows a `<!-- tested -->`
# line: those of one page in order, in one scratch folder, with the release binary on PATH. A block
# that fails fails the check.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${PACKMULE_BIN_DIR:-${CARGO_TARGET_DIR:-$root/target}/release}
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
cd "$root"
for page in README.md docs/tutorials/*.md; do
  place=$scratch/$(basename "$page" .md); mkdir -p "$place"
  awk '/^<!-- tested -->/{t=1;next} t&&/^```sh/{p=1;t=0;n++;next} p&&/^```/{p=0;next} p' "$page" >"$place/examples.sh"
  [ -s "$place/examples.sh" ] || { echo "$page has no tested examples" >&2; exit 1; }
  (cd "$place" && PATH="$bin:$PATH" HOME="$place" XDG_DATA_HOME= PACKMULE_PASSPHRASE=correct-horse \
    bash -euo pipefail examples.sh </dev/null >out.log 2>&1) ||
    { tail -20 "$place/out.log" >&2; echo "an example of $page failed" >&2; exit 1; }
  echo "$page: $(grep -cv '^\s*\(#.*\)\?$' "$place/examples.sh") example lines ran"
done
