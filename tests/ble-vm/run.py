#!/usr/bin/env python3
"""The shipped packmule speaks Bluetooth LE with itself and with bumble, in a guest of its own.

usage: run.py PACKMULE PACKMULE-WITH-BTLEPLUG SUITE PYTHON-WITH-BUMBLE CACHE [STORY]...|deep

The guest has Debian's kernel, its bluetoothd, and btvirt's controllers, whose radio is the guest's memory. Nothing is
installed on this machine: packages are fetched and unpacked into CACHE. It fails loudly when anything is missing, when
a story does not hold, and when one was not told.
"""

import glob
import json
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Dependency order: there is no modprobe in the guest. Without the hashes and random numbers ECDH fails its own test.
MODULES = """sha512_generic drbg ctr cmac ecb crc16 ecc rfkill ecdh_generic bluetooth hci_vhci
af_alg algif_hash algif_skcipher uinput""".split()
TOOLS = """sh cat ls mount umount poweroff sleep insmod mkdir ln kill ps dmesg date mknod hostname ip sync tail
head grep echo sed""".split()
# Before 6.12.16 a list of channels was freed under whoever walked it (Linux's commit ab4eedb790ca).
OLDEST = (6, 12, 16)
# Since when more than one further ATT bearer cannot be had at once is not known: 6.1 gives three, 6.12 does not (ADR 21).
# In a guest with that older one, which is not to be trusted with more, this is told.
OLDER = ((6, 1), (6, 2))
TOLD_THERE = "gatt_3"
KERNEL = re.compile(r"linux-image-[0-9][0-9.]*[^-]*(-[0-9]+)?-amd64")
# What a kernel says when it is not to be trusted any more.
BROKEN = re.compile(r"list_(add|del) corruption|BUG: |BUG at|Oops|general protection fault|Kernel panic|cut here")
PARTIES = ["alice", "bob", "mule", "cloud"]
PASSPHRASE = "correct horse"
# A guest that stands still for so long is stuck: seconds on this machine's clock.
SILENCE = 900
# And the whole so long, in seconds.
LONGEST = 5400
KVM_PATIENCE = 20
# A kernel that broke has so long to say where, in seconds.
AFTERMATH = 5
# Debian lets everybody speak to BlueZ; other systems let root and a group, and so does this one.
BUS = """<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow send_destination="*" eavesdrop="true"/></policy><includedir>/etc/dbus-1/system.d</includedir>
<policy context="default"><deny send_destination="org.bluez"/></policy></busconfig>
"""


def out(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def need(condition, what):
    if not condition:
        sys.exit(f"ble-vm: {what}")


def newest_kernel(first, beyond):
    """The newest of Debian's kernels that apt can fetch, by number, from `first` on, and before `beyond`."""
    known = set(out("apt-cache", "pkgnames", "linux-image-").split())
    numbered = [(tuple(map(int, re.findall(r"\d+", name))), name) for name in known if KERNEL.fullmatch(name)]
    for number, name in sorted(numbered, reverse=True):
        if not first <= number < beyond:
            continue
        # A name may be known of which there is no package any more.
        if (candidate := version_of(name)) != "(none)":
            return name, candidate
    first, beyond = (".".join(map(str, number)) for number in (first, beyond))
    sys.exit(f"ble-vm: apt knows no kernel from {first} on and before {beyond}: `apt-get update`; Debian 12 has 6.12 in "
             "bookworm-security (linux-image-6.12-amd64), and 6.1 of its own")


def version_of(package):
    said = re.search(r"Candidate: (\S+)", out("apt-cache", "policy", package))
    return said[1] if said else "(none)"


def unpacked_kernel(vmlinuz):
    """What a vmlinuz has inside, which the guest would take seconds for.

    Its head says where: Documentation/arch/x86/boot.rst, payload_offset and payload_length.
    """
    whole = vmlinuz.read_bytes()
    sectors, (offset, length) = whole[0x1f1], struct.unpack_from("<II", whole, 0x248)
    begin = 512 * (sectors + 1) + offset
    return plain(whole[begin:begin + length], f"{vmlinuz}")


def plain(packed, what):
    if packed.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(packed)
    if packed.startswith(b"\x28\xb5\x2f\xfd"):
        # A length may follow, of which zstd complains after it has said everything.
        done = subprocess.run(["zstd", "-d", "-q", "-c"], input=packed, capture_output=True)
        need(done.stdout, f"{what}: {done.stderr.decode(errors='replace')}")
        return done.stdout
    need(packed.startswith(b"\x7fELF"), f"{what} is packed in a way that is not known here")
    return packed


def wanted_packages(numbers):
    kernel, version = newest_kernel(*numbers)
    return kernel, {kernel: version, **{name: version_of(name) for name in ["bluez", "bluez-test-tools"]}}


def download(wanted, folder):
    exact = [f"{name}={number}" for name, number in wanted.items()]
    return subprocess.run(["apt-get", "download", "-q", *exact], cwd=folder).returncode == 0


def packages(cache, numbers):
    """Debian's kernel and BlueZ, unpacked; anew when apt has another kernel or BlueZ than the last time."""
    kernel, wanted = wanted_packages(numbers)
    unpacked, vmlinux, stamp = cache / "unpacked", cache / "vmlinux", cache / "packages.json"
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return unpacked, vmlinux, kernel
    debs = cache / "debs"
    stamp.unlink(missing_ok=True)
    shutil.rmtree(debs, ignore_errors=True)
    shutil.rmtree(unpacked, ignore_errors=True)
    debs.mkdir(parents=True)
    if not download(wanted, debs):
        # What apt knew is not there any more: it has to look again.
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        kernel, wanted = wanted_packages(numbers)
        need(download(wanted, debs), "apt could not fetch the kernel and BlueZ")
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, unpacked], check=True)
    (packed,) = unpacked.glob("boot/vmlinuz-*")
    vmlinux.write_bytes(unpacked_kernel(packed))
    shutil.rmtree(debs)
    stamp.write_text(json.dumps(wanted))
    return unpacked, vmlinux, kernel


class Tree:
    """What the guest finds at its root."""

    def __init__(self, root):
        shutil.rmtree(root, ignore_errors=True)
        self.root = root
        for name in "proc sys dev run tmp root lib/mods etc/dbus-1/system.d etc/bluetooth var/lib/bluetooth bin".split():
            (root / name).mkdir(parents=True)
        (root / "var/run").symlink_to("/run")

    def write(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def copy(self, source, name):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)

    def program(self, source, name):
        """With the libraries that it is linked to."""
        need(Path(source).exists(), f"{source} is missing")
        self.copy(source, name)
        self.libraries(source)

    def libraries(self, source):
        linked = subprocess.run(["ldd", source], capture_output=True, text=True).stdout
        for library in re.findall(r"/\S+(?= \(0x)", linked):
            if not (self.root / library.lstrip("/")).exists():
                self.copy(os.path.realpath(library), library.lstrip("/"))

    def python(self, interpreter):
        """The interpreter, its own modules, and those of the virtual environment."""
        said = json.loads(out(interpreter, "-c", "import sys, sysconfig, json; print(json.dumps([sys.version_info[:2], "
                              "sysconfig.get_path('stdlib'), sysconfig.get_path('purelib'), "
                              "getattr(sys, '_base_executable', sys.executable)]))"))
        (major, minor), library, site, real = said
        self.program(os.path.realpath(real), "usr/bin/python3")
        left = shutil.ignore_patterns("test", "tests", "idlelib", "lib2to3", "ensurepip", "config-*", "tkinter",
                                      "turtledemo", "pydoc_data", "dist-packages", "site-packages")
        home = f"usr/lib/python{major}.{minor}"
        shutil.copytree(library, self.root / home, ignore=left, symlinks=False)
        drop = shutil.ignore_patterns("pip", "pip-*", "setuptools*", "_distutils_hack", "test", "tests", "apps")
        shutil.copytree(site, self.root / "usr/lib/python3/site", ignore=drop)
        for shared in (self.root / "usr/lib").rglob("*.so"):
            self.libraries(shared)

    def pack(self, image):
        with open(image, "wb") as file:
            names = subprocess.run(["find", "."], cwd=self.root, check=True, capture_output=True).stdout
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=self.root, check=True, input=names, stdout=file)


def parties(packmule, homes):
    """Homes of people who know one another; made here, where it takes no time."""
    shutil.rmtree(homes, ignore_errors=True)
    homes.mkdir()
    word = homes / "passphrase"
    word.write_text(PASSPHRASE)
    word.chmod(0o600)

    def say(name, *words):
        return out(packmule, "--home", homes / name, "--passphrase-file", word, "--json", *words)

    dids = {}
    for name in PARTIES:
        say(name, "init", "--kdf-memory", "8", "--did-method", "key")
        dids[name] = json.loads(say(name, "id"))["did"]
    for name in PARTIES:
        for other in PARTIES:
            if other != name:
                say(name, "accept", "--no-hello", "--name", other, dids[other])


def image(programs, python, cache, unpacked):
    tree = Tree(cache / "root")
    tree.program("/bin/busybox", "bin/busybox")
    for tool in TOOLS:
        (tree.root / "bin" / tool).symlink_to("busybox")
    tree.program("/usr/bin/dbus-daemon", "usr/bin/dbus-daemon")
    tree.program(unpacked / "usr/libexec/bluetooth/bluetoothd", "usr/bin/bluetoothd")
    for tool in ["btvirt", "btmgmt", "btmon", "bluetoothctl"]:
        tree.program(unpacked / "usr/bin" / tool, f"usr/bin/{tool}")
    for program, name in zip(programs, ["packmule", "packmule-btleplug", "suite"]):
        stripped = cache / name
        subprocess.run(["strip", "--strip-debug", "-o", stripped, program], check=True)
        tree.program(stripped, f"usr/bin/{name}")
    tree.python(python)
    tree.copy(unpacked / "etc/dbus-1/system.d/bluetooth.conf", "etc/dbus-1/system.d/bluetooth.conf")
    tree.write("etc/dbus-1/sys.conf", BUS)
    tree.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/:/bin/false\n"
               "somebody:x:1000:1000::/:/bin/sh\n")
    tree.write("etc/group", "root:x:0:\nbluetooth:x:101:\n")
    (listed,) = unpacked.glob("lib/modules/*/modules.builtin")
    built_in = listed.read_text()
    for number, name in enumerate(MODULES):
        module = tree.root / f"lib/mods/{number:02}-{name}.ko"
        found = glob.glob(str(unpacked / f"lib/modules/*/kernel/**/{name}.ko*"), recursive=True)
        if found:
            module.write_bytes(plain(Path(found[0]).read_bytes(), found[0]))
        else:
            need(f"/{name}.ko\n" in built_in, f"the kernel has no module {name}")
    parties(programs[0], tree.root / "homes")
    for file in (HERE / "guest").iterdir():
        if file.is_file():
            tree.copy(file, f"guest/{file.name}")
    tree.copy(HERE / "guest/init", "init")
    (tree.root / "init").chmod(0o755)
    subprocess.run([python, "-m", "compileall", "-q", "-x", "bad_|/lib2to3/", tree.root / "usr/lib"], check=False)
    tree.pack(cache / "initrd.cpio")
    return cache / "initrd.cpio"


def machine(vmlinux, initrd, accelerator, words):
    append = ("console=ttyS0 quiet oops=panic panic=-1 mitigations=off nokaslr random.trust_cpu=on tsc=unstable "
              f"{words}")
    return ["qemu-system-x86_64", *accelerator, "-M", "pc", "-m", "1024", "-smp", "1", "-kernel", str(vmlinux),
            "-initrd", str(initrd), "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio", "-append", append]


def kvm_works(vmlinux, initrd):
    """There may be a device and no machine behind it: a guest is tried, not a file."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = machine(vmlinux, initrd, ["-accel", "kvm", "-cpu", "host"], "only=boot")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=KVM_PATIENCE, errors="replace").stdout
    except subprocess.TimeoutExpired:
        return False
    return "booted" in said


def boot(command):
    """Runs the guest, prints what it says, and gives it back. A guest whose kernel is broken is ended at once."""
    lines, began, broken = [], time.monotonic(), None
    guest = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    # Whoever says nothing is given up, and whoever says the same for ever too.
    end = threading.Timer(LONGEST, guest.kill)
    alarm = threading.Timer(SILENCE, guest.kill)
    for timer in (end, alarm):
        timer.daemon = True
        timer.start()
    for line in guest.stdout:
        alarm.cancel()
        alarm = threading.Timer(SILENCE, guest.kill)
        alarm.daemon = True
        alarm.start()
        line = line.rstrip()
        told = line.startswith(("held: ", "FAILED: "))
        print(f"{line} ({time.monotonic() - began:.0f} s here)" if told else line, flush=True)
        lines.append(line)
        if broken is None and BROKEN.search(line):
            broken = threading.Timer(AFTERMATH, guest.kill)
            broken.daemon = True
            broken.start()
    if broken:
        broken.cancel()
    alarm.cancel()
    end.cancel()
    guest.wait()
    need(not broken, "the guest's kernel broke")
    return lines


def tell(programs, python, cache, numbers, only):
    """Boots a guest with such a kernel, in which these stories are told; how many."""
    cache.mkdir(parents=True, exist_ok=True)
    unpacked, vmlinux, kernel = packages(cache, numbers)
    initrd = image(programs, python, cache, unpacked)
    if kvm_works(vmlinux, initrd):
        accelerator = ["-accel", "kvm", "-cpu", "host"]
    else:
        # The guest's clock counts instructions, whatever this machine does besides; and each byte of a `rep movsb`, which
        # CPUs copy by the line: said to have none of it, the guest copies by words.
        accelerator = ["-accel", "tcg,tb-size=512", "-cpu", "max,-erms,-fsrm", "-icount", "shift=1,sleep=off,align=off"]
        only = [*only, "counted"]
    print(f"ble-vm: {kernel}; {' '.join(accelerator)}; {initrd.stat().st_size >> 20} MB", flush=True)
    said = boot(machine(vmlinux, initrd, accelerator, f"only={','.join(only)}"))
    plan = re.search(r"^plan: (.*)$", "\n".join(said), re.M)
    need(plan, "the guest told no plan")
    planned = plan[1].split()
    held = [line.split()[1] for line in said if line.startswith("held: ")]
    need(planned and held == planned, f"planned {planned}, held {held}")
    return len(held)


def main():
    *programs, python, cache = sys.argv[1:6]
    only, cache = sys.argv[6:], Path(cache).resolve()
    for tool in ["qemu-system-x86_64", "busybox", "cpio", "dbus-daemon", "dpkg", "apt-get", "strip", "zstd"]:
        need(shutil.which(tool), f"{tool} is missing: .ci/needs.sh installs it")
    held, all_of_them = 0, only in ([], ["deep"])
    if only != [TOLD_THERE]:
        held += tell(programs, python, cache, (OLDEST, (99,)), [name for name in only if name != TOLD_THERE])
    if all_of_them or TOLD_THERE in only:
        held += tell(programs, python, cache / "older", OLDER, [TOLD_THERE])
    print(f"ble-vm: {held} stories held")


if __name__ == "__main__":
    main()
