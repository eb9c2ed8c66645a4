#!/usr/bin/env bash
# the Debian package: built, unpacked, its binary and its unit looked at
# modes: deep
deb=$PACKMULE_CACHE/cargo-deb
if ! "$deb/bin/cargo-deb" --version 2>/dev/null | grep -q '^3\.'; then
  cargo install --quiet --locked --root "$deb" --target-dir "$deb/target" cargo-deb@3.8.0
  rm -rf "$deb/target"
fi
cargo build --release --locked -p packmule
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
"$deb/bin/cargo-deb" -q -p packmule --no-build --output "$place/packmule.deb"
dpkg-deb --info "$place/packmule.deb"
dpkg-deb --extract "$place/packmule.deb" "$place/root" && dpkg-deb --control "$place/packmule.deb" "$place/control"
grep -qx /etc/packmule/gateway.toml "$place/control/conffiles"
grep -q 'Depends:.*libc6' "$place/control/control"
# Nobody is surprised by a service that starts with the installation.
! grep -q 'systemctl.*enable\|deb-systemd-helper enable' "$place/control/postinst"
"$place/root/usr/bin/packmule" --version
"$place/root/usr/bin/packmule" --home "$place/home" gateway check-config "$place/root/etc/packmule/gateway.toml"
unit=$(find "$place/root" -name packmule-gateway.service)
grep -q '^ExecStart=/usr/bin/packmule .*--config /etc/packmule/gateway.toml$' "$unit"
if command -v systemd-analyze >/dev/null; then
  sed "s#/usr/bin/packmule#$place/root/usr/bin/packmule#" "$unit" >"$place/packmule-gateway.service"
  systemd-analyze verify --man=no "$place/packmule-gateway.service"
  systemd-analyze security --offline=yes --threshold=30 --no-pager "$place/packmule-gateway.service" | tail -1
fi
