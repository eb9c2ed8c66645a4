#!/usr/bin/env bash
# the Debian package: built, unpacked, its binary and its unit looked at
# modes: deep
deb=$PACKMULE_CACHE/cargo-deb
if ! "$deb/bin/cargo-deb" --version 2>/dev/null | grep -q '^3\.'; then
  cargo install --quiet --locked --root "$deb" --target-dir "$deb/target" cargo-deb@3.8.0
  rm -rf "$deb/target"
fi
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
PATH="$deb/bin:$PATH" cli/deb/build.sh -q --output "$place/packmule.deb"
dpkg-deb --info "$place/packmule.deb"
dpkg-deb --extract "$place/packmule.deb" "$place/root" && dpkg-deb --control "$place/packmule.deb" "$place/control"
grep -qx /etc/packmule/gateway.toml "$place/control/conffiles"
grep -q 'Depends:.*libc6' "$place/control/control"
# Nobody is surprised by a service that starts with the installation.
! grep -q 'systemctl.*enable\|deb-systemd-helper enable' "$place/control/postinst"
"$place/root/usr/bin/packmule" --version
"$place/root/usr/bin/packmule" --home "$place/home" gateway check-config "$place/root/etc/packmule/gateway.toml"
# A page for each verb, as man finds and sets them; completions; the book with every page of it.
pages=("$place"/root/usr/share/man/man1/packmule*.1.gz)
wanted=$("$place/root/usr/bin/packmule" man --json --out "$place/man" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["pages"]))')
[ "${#pages[@]}" = "$wanted" ] || { echo "deb: ${#pages[@]} manual pages of $wanted" >&2; exit 1; }
for page in "${pages[@]}"; do
  said=$(zcat "$page" | groff -man -Tutf8 -ww -z 2>&1) && [ -z "$said" ] || { echo "deb: $page: $said" >&2; exit 1; }
done
for script in bash-completion/completions/packmule zsh/vendor-completions/_packmule fish/vendor_completions.d/packmule.fish; do
  [ -s "$place/root/usr/share/$script" ] || { echo "deb: no completions in /usr/share/$script" >&2; exit 1; }
done
while read -r page; do
  [ -s "$place/root/usr/share/doc/packmule/$page" ] || [ -s "$place/root/usr/share/doc/packmule/$page.gz" ] || { echo "deb: the book lacks $page" >&2; exit 1; }
done < <(git ls-files 'docs/*.md')
echo "deb: ${#pages[@]} manual pages, three completions, the book"
unit=$(find "$place/root" -name packmule-gateway.service)
grep -q '^ExecStart=/usr/bin/packmule .*--config /etc/packmule/gateway.toml$' "$unit"
if command -v systemd-analyze >/dev/null; then
  sed "s#/usr/bin/packmule#$place/root/usr/bin/packmule#" "$unit" >"$place/packmule-gateway.service"
  systemd-analyze verify --man=no "$place/packmule-gateway.service"
  systemd-analyze security --offline=yes --threshold=30 --no-pager "$place/packmule-gateway.service" | tail -1
fi
