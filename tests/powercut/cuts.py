"""Power cuts under `packmule export`, replayed from what really reached the medium.

Who calls it: powercut.py. strace records every write and sync of the FUSE driver while alice exports one
message after the other. Then cuts are replayed on copies of the empty medium, block by block:

  * in order: the disk wrote in the order it was told, and stopped somewhere;
  * reordered: what was written since the last sync is there or not, block by block, at random;
  * unsynced: the same for everything since the medium was plugged in, as on a disk that lies about syncs.

The medium as the cut left it is mounted read-only, and a bob imports. If that fails, the medium is repaired
by its fsck and he tries again: an entry of an exFAT folder may lie across two blocks, and with half of it
exfat-fuse reads nothing of the folder. If it does not even then, he takes the files that another reader finds
(The Sleuth Kit): exfat-fuse stumbles over what lies behind a folder's end, where fsck.exfat does not look, and
other drivers do not, either. Then the alice of that moment takes another stick, and bob imports that
too. Always: no torn message is taken, none is there twice, and what alice's second stick brings is there. In
order and reordered also: the medium can be read, and a message whose export had returned is there. And alice
may take the same stick instead: she exports to it once more, as the cut left it, and another bob has all.
She may be refused, loudly: fusefat makes no file in a folder where half a long name lies, and fsck.vfat leaves
that there. Then her messages wait on for another stick. In most cuts it must go.

Where the driver passes no sync on (`syncs` is false), a sync by packmule would promise nothing to anybody
behind that driver. There the syncs that packmule asked for stand for the driver's: the cuts are those of
this file system under a driver that keeps its word. What that driver itself can promise is tested, too:
`in order` when the disk keeps the order, else `unsynced`.
"""
import random
import re
import shutil
import time

from people import Hung, letter
from stick import BLOCK, Failed, Stick, blocks, calls, copy_image, new_image, recover, repair

MESSAGES = 5
# Done; and done but for a damaged file, which was left in place.
IMPORTED = (0, 6)
KINDS = ("in order", "reordered", "unsynced")


def asked_syncs(trace, mount):
    """When packmule asked for syncs of what lies on the medium."""
    line = re.compile(r"^\d+\s+(\d+\.\d+) (?:fsync|fdatasync|syncfs)\(\d+<(.*?)>")
    for hit in filter(None, map(line.match, open(trace))):
        if hit[2].startswith(str(mount)):
            yield float(hit[1]), "sync", 0, b""


def record(fs, people, base, mount):
    """alice exports MESSAGES times. Returns the medium's history in blocks, and where in it each export returned."""
    scratch = people.scratch
    work, trace = scratch / "work.img", scratch / "trace.log"
    copy_image(base, work)
    alice = people.copy("alice", "alice-exports")
    returned, asked = [], []
    with Stick(fs, work, mount, trace=trace) as stick:
        if not stick.up:
            raise Failed("the medium did not mount")
        for number in range(MESSAGES):
            people.done(alice, "send", "bob", letter(number))
            people.copy(alice, f"alice-{number}")
            tracer, log = (), scratch / f"syncs-{number}.log"
            if not fs.syncs:
                tracer = ("strace", "-f", "-ttt", "-y", "-e", "trace=fsync,fdatasync,syncfs", "-o", log)
            people.done(alice, "export", mount, stick=stick, tracer=tracer)
            returned.append(time.time())
            asked += asked_syncs(log, mount) if tracer else ()
    people.copy(alice, f"alice-{MESSAGES}")
    did = list(calls(trace))
    if fs.syncs != any(kind == "sync" for _, kind, *_ in did):
        raise Failed(f"whether the driver of {fs.name} syncs is not what stick.py says")
    history = list(blocks(base, sorted([*did, *asked], key=lambda event: event[0])))
    marks = [sum(1 for event in history if event[0] < at) for at in returned]
    return history, marks


def plan(history, cuts, dice):
    """For each cut its kind, its place in the history, and which blocks have reached the disk."""
    places = range(1, len(history) + 1)
    for place in sorted(dice.sample(places, min(cuts, len(places)))):
        yield "in order", place, history[:place]
    for kind in ("reordered", "unsynced"):
        for _ in range(cuts):
            place = dice.choice(places)
            synced = 0
            if kind == "reordered":
                synced = max((i for i in range(place) if history[i][1] == "sync"), default=0)
            # From a disk that has hardly begun to one that has nearly done.
            kept = dice.choice((0.1, 0.5, 0.9, 0.99))
            yield kind, place, history[:synced] + [e for e in history[synced:place] if dice.random() < kept]


def lay(base, work, applied):
    copy_image(base, work)
    with open(work, "r+b") as disk:
        for _, kind, number, data in applied:
            if kind == "block":
                disk.seek(number * BLOCK)
                disk.write(data)


def scratch_folder(people, name):
    folder = people.scratch / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def read(fs, people, image, mount, bob):
    """Bob's texts after he has imported from it; None if that does not go."""
    with Stick(fs, image, mount, read_only=True) as stick:
        if not stick.up:
            return None
        try:
            code, _, _ = people.run(bob, "import", mount, stick=stick)
        except Hung:
            return None
    return people.texts(bob) if code in IMPORTED else None


def judge(fs, people, base, mount, applied, sent):
    """Bob at the cut medium, and at the second stick of the alice who had exported `sent` of the messages.

    Returns his texts after each, the first None if the medium cannot be read; and by which means it was."""
    work = people.scratch / "work.img"
    lay(base, work, applied)
    bob = people.copy("bob", "bob-at-the-cut")
    means = "as it is"
    first = read(fs, people, work, mount, bob)
    if first is None:
        repair(fs, work)
        means, first = "repaired", read(fs, people, work, mount, bob)
    if first is None:
        means, files = "other_reader", scratch_folder(people, "found")
        recover(work, files)
        code, _, _ = people.run(bob, "import", files)
        first = people.texts(bob) if code in IMPORTED and any(files.iterdir()) else None
    second = scratch_folder(people, "second-stick")
    alice = people.copy(f"alice-{sent}", "alice-at-the-cut")
    people.done(alice, "export", second)
    people.done(bob, "import", second)
    return first, people.texts(bob), means


def once_more(fs, people, base, mount, applied, sent):
    """The alice of that moment exports to the medium as the cut left it, repaired if nothing else helps.

    Returns what another bob then finds there; None if her export failed nevertheless, and told her so."""
    work = people.scratch / "work.img"
    lay(base, work, applied)
    alice, bob = people.copy(f"alice-{sent}", "alice-again"), people.copy("bob", "bob-after")
    for attempt in ("as it is", "repaired"):
        if attempt == "repaired":
            repair(fs, work)
        with Stick(fs, work, mount) as stick:
            try:
                done = stick.up and people.run(alice, "export", mount, stick=stick)[0] == 0
            except Hung:
                done = False
        if done:
            return read(fs, people, work, mount, bob) or {}
    return None


def story(fs, people, mount, cuts, seed):
    """Counts for each kind of cut, and whether all held."""
    base = people.scratch / "base.img"
    new_image(fs, base)
    history, marks = record(fs, people, base, mount)
    letters = {letter(number) for number in range(MESSAGES)}
    told = {kind: dict(cuts=0, taken=0, torn=0, doubled=0, lost=0, never_came=0, repaired=0, other_reader=0,
                      unreadable=0, refused_again=0)
            for kind in KINDS}
    for kind, place, applied in plan(history, cuts, random.Random(seed)):
        sent = sum(1 for mark in marks if mark <= place)
        first, last, means = judge(fs, people, base, mount, applied, sent)
        counts, texts = told[kind], first or {}
        counts["cuts"] += 1
        counts["taken"] += len(texts)
        if first is None:
            counts["unreadable"] += 1
        elif means != "as it is":
            counts[means] += 1
        counts["torn"] += any(text not in letters for text in last)
        counts["doubled"] += any(times > 1 for times in last.values())
        counts["lost"] += any(letter(number) not in texts for number in range(sent))
        # What still waited at alice's is lost by no disk, whatever it does.
        counts["never_came"] += sent < MESSAGES and letter(sent) not in last
        if kind != "unsynced":
            after = once_more(fs, people, base, mount, applied, sent)
            counts["refused_again"] += after is None
            if after is not None:
                counts["torn"] += any(text not in letters for text in after)
                counts["doubled"] += any(times > 1 for times in after.values())
                counts["lost"] += any(letter(number) not in after for number in range(min(sent + 1, MESSAGES)))
    held = all(
        counts["cuts"] and not counts["torn"] and not counts["doubled"]
        and not counts["never_came"] and (kind == "unsynced" or not (counts["lost"] or counts["unreadable"]))
        # These ways out are for few cuts: else they would hide a driver that has never worked.
        and (kind == "unsynced" or (counts["repaired"] + counts["other_reader"]) * 2 <= counts["cuts"])
        and counts["refused_again"] * 2 <= counts["cuts"]
        for kind, counts in told.items()
    )
    # A replay in which nothing ever arrives would prove nothing.
    held = held and told["in order"]["taken"] > 0 and told["reordered"]["taken"] > 0
    syncs = sum(1 for event in history if event[1] == "sync")
    return dict(blocks=len(history) - syncs, syncs=syncs, hung=people.hung, **told), held
