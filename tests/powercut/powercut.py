#!/usr/bin/env python3
"""Power cuts under `packmule export` on exFAT, replayed from what really reached the device.

strace records every write and sync that the exFAT driver issues to a loop device while
`packmule export` runs for real. Afterwards many cuts are replayed on a copy of the empty
medium: prefixes of the writes (the disk kept its order) and random subsets of those since the
last sync (the disk reordered). Each is mounted read-only and read by `packmule import`:

  * no torn message may be taken: what imports must be what was sent;
  * a message whose export had returned before the cut must be there;
  * the medium must mount.

usage: exfat.py PACKMULE [CUTS]   needs root, exfat-fuse, exfatprogs, strace; prints one line of JSON.
"""
import json, os, random, re, shutil, subprocess, sys, tempfile, time

PACKMULE, CUTS = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 40
MESSAGES, SEED = 5, 7
scratch = tempfile.mkdtemp(prefix="packmule-powercut-")
base, work, mount, trace = (os.path.join(scratch, n) for n in ("base.img", "work.img", "stick", "trace.log"))
env = dict(os.environ, PACKMULE_PASSPHRASE="power cut", HOME=scratch)


def run(*args, check=True):
    done = subprocess.run(args, capture_output=True, text=True, env=env)
    if check and done.returncode:
        sys.exit(f"{' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def packmule(home, *args, check=True):
    return run(PACKMULE, "--home", os.path.join(scratch, home), *args, check=check)


class Stick:
    """The image attached to a loop device and mounted; `tracer` words come before the driver."""

    def __init__(self, image, options=(), tracer=()):
        self.loop = run("losetup", "-f", "--show", image).stdout.strip()
        self.driver = subprocess.Popen(
            [*tracer, "mount.exfat-fuse", "-d", *options, self.loop, mount], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            if os.path.ismount(mount) or self.driver.poll() is not None:
                break
            time.sleep(0.02)
        self.up = os.path.ismount(mount)

    def close(self):
        if self.up:
            run("umount", mount)
        self.driver.wait()
        run("losetup", "-d", self.loop)


def recorded_writes():
    """The device's history: ('write', offset, bytes) and ('sync',), in order."""
    history = []
    for line in open(trace):
        hit = re.search(r'pwrite64\(\d+, "((?:\\x..)*)"(\.\.\.)?, \d+, (\d+)', line)
        if hit:
            assert not hit.group(2), "strace cut a write short"
            history.append(("write", int(hit.group(3)), bytes.fromhex(hit.group(1).replace("\\x", ""))))
        elif re.search(r"\b(fsync|fdatasync)\(", line):
            history.append(("sync",))
    return history


def import_after_cut(applied, number):
    """Mount the medium as the cut left it; returns the texts that a fresh bob gets, or None."""
    shutil.copy(base, work)
    with open(work, "r+b") as disk:
        for _, offset, data in applied:
            disk.seek(offset)
            disk.write(data)
    stick = Stick(work, ("-o", "ro"))
    try:
        if not stick.up:
            return None
        bob = f"bob-{number}"
        shutil.copytree(os.path.join(scratch, "bob"), os.path.join(scratch, bob))
        packmule(bob, "import", mount, check=False)
        listed = json.loads(packmule(bob, "inbox", "--json").stdout or "{}")
        shutil.rmtree(os.path.join(scratch, bob))
        return [m.get("text") for m in listed["messages"] if m.get("text")]
    finally:
        stick.close()


os.makedirs(mount)
packmule("alice", "init", "--kdf-memory", "8")
packmule("bob", "init", "--kdf-memory", "8")
invitation = json.loads(packmule("bob", "invite", "--json").stdout)["url"]
packmule("alice", "accept", invitation, "--name", "bob")
run("truncate", "-s", "16M", base)
run("mkfs.exfat", base)
shutil.copy(base, work)
stick = Stick(work, tracer=("strace", "-f", "-e", "trace=pwrite64,fsync,fdatasync", "-xx", "-s", "2000000", "-o", trace))
if not stick.up:
    sys.exit("the exFAT driver did not mount the medium")
texts, durable_at = [], []
for i in range(MESSAGES):
    texts.append(f"message {i} " + "water " * 700)
    packmule("alice", "send", "bob", texts[-1])
    packmule("alice", "export", mount)
    time.sleep(0.1)
    durable_at.append(sum(1 for line in open(trace) if "pwrite64" in line))
stick.close()

history = recorded_writes()
writes = [i for i, event in enumerate(history) if event[0] == "write"]
dice = random.Random(SEED)
counts = {"cuts": 0, "torn": 0, "lost": 0, "unmountable": 0}


def judge(applied, promised):
    got = import_after_cut(applied, counts["cuts"])
    counts["cuts"] += 1
    if got is None:
        counts["unmountable"] += 1
        return
    counts["torn"] += any(text not in texts for text in got)
    counts["lost"] += any(text not in got for text in texts[:promised])


for k in sorted(dice.sample(range(1, len(writes) + 1), min(CUTS, len(writes)))):
    judge([history[i] for i in writes[:k]], sum(1 for mark in durable_at if mark <= k))
for _ in range(CUTS):
    k = dice.randint(1, len(writes))
    cut = writes[k - 1]
    synced = max((i for i in range(cut) if history[i][0] == "sync"), default=-1)
    before = sum(1 for i in writes if i < synced)
    applied = [history[i] for i in writes[:k] if i < synced or dice.random() < 0.5]
    judge(applied, sum(1 for mark in durable_at if mark <= before))

print(json.dumps({**counts, "writes": len(writes), "syncs": len(history) - len(writes)}))
shutil.rmtree(scratch)
sys.exit(0 if counts["cuts"] and not (counts["torn"] or counts["lost"] or counts["unmountable"]) else 1)
