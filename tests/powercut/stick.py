"""A file system's image, mounted through FUSE; and what its driver wrote, as strace saw it.

Who calls it: cuts, mishaps. A file system is a row of `FILE_SYSTEMS`. What can go wrong: a driver that
does not come up (`up` is false), hangs (see `people.run`) or is killed; `close` and `pull` clean up after each.
"""
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

BLOCK = 512


class Failed(Exception):
    """The test itself could not go on."""


def tool(*args):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@dataclass(frozen=True)
class FileSystem:
    name: str
    size: str
    make: tuple
    # What a person's desktop or `fsck` does with a medium that cannot be read.
    repair: tuple
    # The driver in the foreground, then its words for writing and for reading only.
    driver: tuple
    writing: tuple
    reading: tuple
    # Does the driver take a block device only? Then the image is attached to a loop device.
    loop: bool
    # The call by which the driver writes to the medium.
    call: str
    # Does the driver sync the medium when a program syncs a file? If not, see cuts.py.
    syncs: bool
    # What `export` ends with on a full medium: its code and its words.
    full: tuple


FILE_SYSTEMS = {
    "exfat": FileSystem(
        "exfat", "16M", ("mkfs.exfat",), ("fsck.exfat", "-y"),
        ("mount.exfat-fuse", "-d"), (), ("-o", "ro"),
        loop=True, call="pwrite64", syncs=True, full=(7, "is full"),
    ),
    # FAT32 begins at 65,525 clusters. With more than one thread (without -s) this driver mixes up its offsets.
    # On a full medium it answers EPERM, and statfs with no blocks at all: nobody can tell that it is full.
    "fat32": FileSystem(
        "fat32", "34M", ("mkfs.vfat", "-F", "32", "-s", "1"), ("fsck.vfat", "-a"),
        ("fusefat", "-s", "-f"), ("-o", "rw+"), ("-o", "ro"),
        loop=False, call="write", syncs=False, full=(1, "cannot write the message"),
    ),
}


def new_image(fs, image):
    Path(image).unlink(missing_ok=True)
    tool("truncate", "-s", fs.size, image)
    tool(*fs.make, image)


def repair(fs, image):
    """As far as that goes; what is beyond repair shows when it is mounted."""
    try:
        subprocess.run([*fs.repair, str(image)], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    except subprocess.TimeoutExpired:
        pass


def recover(image, folder):
    """Writes the files of the image's folders into `folder`, by a reader that is no driver."""
    try:
        subprocess.run(["tsk_recover", "-a", str(image), str(folder)], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        pass


def copy_image(source, target):
    """Holes stay holes: most of a medium is empty."""
    tool("cp", "--sparse=always", source, target)


class Stick:
    """An image, mounted at `mount`.

    `trace`: record what the driver does to the medium. `die_at`: kill -9 the driver as it begins its
    write of this number.
    """

    def __init__(self, fs, image, mount, read_only=False, trace=None, die_at=None):
        self.mount, self.loop = str(mount), None
        device = str(image)
        if fs.loop:
            device = self.loop = tool("losetup", "-f", "--show", image)
        tracer = []
        if trace:
            # read and lseek, too: `write` goes where they have left the descriptor.
            calls = "trace=lseek,read,write,pwrite64,fsync,fdatasync"
            tracer = ["strace", "-f", "-ttt", "-P", device, "-e", calls, "-xx", "-s", "2000000", "-o", str(trace)]
        if die_at:
            tracer += ["-e", f"inject={fs.call}:signal=KILL:when={die_at}"]
        words = fs.reading if read_only else fs.writing
        self.driver = subprocess.Popen(
            [*tracer, *fs.driver, *words, device, self.mount],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(1000):
            if os.path.ismount(self.mount) or self.driver.poll() is not None:
                break
            time.sleep(0.01)
        self.up = os.path.ismount(self.mount)

    def close(self):
        """Safely removed; a driver that does not end, or has died, is pulled out."""
        if not self.up or subprocess.run(["umount", self.mount], capture_output=True).returncode:
            self.pull()
            return
        try:
            self.driver.wait(60)
        except subprocess.TimeoutExpired:
            self.pull()
            return
        self.detach()

    def pull(self):
        """Out without a word: whoever still waits for the driver hears that it is gone."""
        try:
            os.killpg(self.driver.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.driver.wait()
        subprocess.run(["umount", "-l", self.mount], capture_output=True)
        self.detach()

    def detach(self):
        if self.loop:
            loop, self.loop = self.loop, None
            # The last of a lazily unmounted driver may hold it a moment longer; it is released then.
            tool("losetup", "-d", loop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


LINE = re.compile(r"^\d+\s+(\d+\.\d+) (\w+)\((\d+)(?:, (.*))?\)\s+= (-?\d+)")
BYTES = re.compile(r'^"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?, \d+(?:, (\d+))?$')


def calls(trace):
    """What the driver did: (time, 'write', offset, bytes) and (time, 'sync', 0, b'')."""
    at = {}
    for line in open(trace):
        hit = LINE.match(line)
        if not hit:
            if "unfinished" in line or "resumed" in line:
                raise Failed("the driver works in several threads: the order of its writes is not known")
            continue
        when, call, fd, rest, result = float(hit[1]), hit[2], int(hit[3]), hit[4], int(hit[5])
        if result < 0:
            continue
        if call == "lseek":
            at[fd] = result
        elif call == "read":
            at[fd] = at.get(fd, 0) + result
        elif call in ("fsync", "fdatasync"):
            yield when, "sync", 0, b""
        else:
            what = BYTES.match(rest)
            if not what or what[2]:
                raise Failed(f"strace cut a write short: {line[:100]}")
            data = bytes.fromhex(what[1].replace("\\x", ""))[:result]
            if call == "pwrite64":
                yield when, "write", int(what[3]), data
            else:
                yield when, "write", at.get(fd, 0), data
                at[fd] = at.get(fd, 0) + result


def blocks(image, history):
    """The same as a disk has it: whole blocks. (time, 'block', number, bytes), and syncs as they are.

    Drivers write a few bytes of a block; what reaches the disk is all of it, with what was written before.
    """
    disk = {}
    with open(image, "rb") as before:
        for when, kind, offset, data in history:
            if kind != "write":
                yield when, kind, 0, b""
            while data:
                number, within = divmod(offset, BLOCK)
                if number not in disk:
                    before.seek(number * BLOCK)
                    disk[number] = before.read(BLOCK)
                part, data = data[:BLOCK - within], data[BLOCK - within:]
                disk[number] = disk[number][:within] + part + disk[number][within + len(part):]
                offset += len(part)
                yield when, "block", number, disk[number]


def free_of_mounts(mount):
    """For the end: nothing stays mounted, whatever happened."""
    while os.path.ismount(mount):
        subprocess.run(["umount", "-l", str(mount)], capture_output=True, check=True)


def room_for(mount, keep, ballast="ballast.bin", chunk=1 << 16):
    """Fills the medium up but for about `keep` bytes."""
    spare, ballast = Path(mount, "spare.bin"), Path(mount, ballast)
    spare.write_bytes(b"\0" * keep)
    try:
        with open(ballast, "wb", buffering=0) as file:
            while file.write(b"\0" * chunk):
                pass
    except OSError:
        pass
    spare.unlink()


def need(*commands):
    for command in commands:
        if not shutil.which(command):
            raise Failed(f"{command} is missing")
