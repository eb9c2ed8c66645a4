# What the tests need from the machine beyond a Rust toolchain and a C compiler.
# Sourced by ./check: installs missing Debian packages when it can, else names them and stops.
# command:package pairs; a command that is there is never installed over.
needs=(g++:g++ curl:curl python3:python3 python3:python3-venv node:nodejs npm:npm unshare:util-linux mount:mount strace:strace ip:iproute2 chromium:chromium ffmpeg:ffmpeg groff:groff-base)
if [ "${CHECK_MODE:-full}" = fast ]; then needs=(); fi
missing=()
for pair in "${needs[@]}"; do command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}"); done
# Debian's python3 comes without what makes a virtual environment.
if [ ${#needs[@]} -gt 0 ] && command -v python3 >/dev/null 2>&1 && ! python3 -c 'import venv, ensurepip' 2>/dev/null; then missing+=(python3-venv); fi
# A database server, for gateway/postgres; Debian keeps it off the PATH.
if [ ${#needs[@]} -gt 0 ] && ! command -v initdb >/dev/null 2>&1 && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then missing+=(postgresql); fi
# Mail servers, for transports/mail and the command line; the system's own are never started.
if [ ${#needs[@]} -gt 0 ]; then
  for pair in /usr/sbin/postfix:postfix /usr/sbin/smtp-source:postfix /usr/sbin/dovecot:dovecot-core /usr/lib/dovecot/imap:dovecot-imapd /usr/lib/dovecot/lmtp:dovecot-lmtpd; do
    [ -x "${pair%%:*}" ] || missing+=("${pair##*:}")
  done
fi
# A WebSocket library that is not ours, for transports/ws/tests/foreign.rs.
if [ ${#needs[@]} -gt 0 ] && ! python3 -c 'import websockets' 2>/dev/null && ! /usr/bin/python3 -c 'import websockets' 2>/dev/null; then missing+=(python3-websockets); fi
# libnfc's own programs, for the virtual chips; and what the back ends of NFC are built with and tried against.
if [ ${#needs[@]} -gt 0 ]; then
  for pair in nfc-list:libnfc-bin nfc-dep-target:libnfc-examples pn53x-diagnose:libnfc-pn53x-examples pcscd:pcscd pkg-config:pkg-config; do command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}"); done
  for pair in /usr/include/nfc/nfc.h:libnfc-dev /usr/include/PCSC/winscard.h:libpcsclite-dev /usr/lib/pcsc/drivers/serial/libifdvpcd.so:vsmartcard-vpcd; do [ -e "${pair%%:*}" ] || missing+=("${pair##*:}"); done
  # bindgen reads headers by it; its own headers come with the second one.
  compgen -G '/usr/lib/*/libclang*.so*' >/dev/null || missing+=(libclang1 libclang-common-14-dev)
fi
# A guest with Bluetooth; its kernel and BlueZ are unpacked into the cache by tests/ble-vm/run.py, if apt knows them.
if [ ${#needs[@]} -gt 0 ]; then
  for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio dbus-daemon:dbus-daemon strip:binutils zstd:zstd; do command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}"); done
fi
if [ ${#needs[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-cache >/dev/null 2>&1 && [ -z "$(apt-cache pkgnames linux-image-6)" ]; then
  apt-get update -qq >"$PACKMULE_CACHE/apt.log" 2>&1 || { tail -5 "$PACKMULE_CACHE/apt.log" >&2; exit 1; }
fi
# A bare Debian, for the newcomer.
if [ "${CHECK_MODE:-full}" = deep ]; then command -v debootstrap >/dev/null 2>&1 || missing+=(debootstrap); fi
# What the Affinidi mediator links to, for the parts that build it.
if [ "${CHECK_MODE:-full}" = deep ] && ! { command -v pkg-config >/dev/null 2>&1 && pkg-config --exists dbus-1; }; then missing+=(pkg-config libdbus-1-dev); fi
# What pyzbar reads with, for the table of decoders.
if [ "${CHECK_MODE:-full}" = deep ] && ! compgen -G '/usr/lib/*/libzbar.so.0' >/dev/null; then missing+=(libzbar0); fi
# Debian's Rust for WebAssembly, for the part that builds the page's reader anew.
if [ "${CHECK_MODE:-full}" = deep ]; then
  for pair in /usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web wasm-ld:lld clang:clang; do command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}"); done
  compgen -G '/usr/src/rustc-*/library' >/dev/null || missing+=(rust-web-src)
  compgen -c llvm-ar >/dev/null || missing+=(llvm)
fi
if ! cargo nextest --version >/dev/null 2>&1; then
  echo "check: cargo-nextest is missing: cargo install cargo-nextest --locked" >&2; exit 1
fi
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "check: installing ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$PACKMULE_CACHE/apt.log" 2>&1 ||
      { tail -5 "$PACKMULE_CACHE/apt.log" >&2; echo "check: could not install: ${missing[*]}" >&2; exit 1; }
  else
    echo "check: these Debian packages are missing; install them and run again: ${missing[*]}" >&2; exit 1
  fi
fi
