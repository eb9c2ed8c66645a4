"""What else happens to sticks: pulled out in the middle, full, write-protected.

Who calls it: powercut.py. Each story runs through FUSE on a real image of the file system. The end is always
the same: bob has every message once.
"""
import time

from people import letter
from stick import Failed, Stick, calls, new_image, room_for

MESSAGES = 5
GONE, NO_SPACE = 1, 7


class Story:
    """alice has MESSAGES letters for bob, and a new stick."""

    def __init__(self, fs, people, mount):
        self.fs, self.people, self.mount = fs, people, mount
        self.image = people.scratch / "work.img"
        new_image(fs, self.image)
        self.alice, self.bob = people.copy("alice", "alice-plays"), people.copy("bob", "bob-plays")
        self.broken = []

    def holds(self, what, is_so):
        if not is_so:
            self.broken.append(what)

    def stick(self, **how):
        stick = Stick(self.fs, self.image, self.mount, **how)
        if not stick.up:
            stick.close()
            raise Failed(f"{self.fs.name}: the medium does not mount")
        return stick

    def send(self, numbers):
        for number in numbers:
            self.people.done(self.alice, "send", "bob", letter(number))

    def export(self, stick):
        return self.people.run(self.alice, "export", self.mount, stick=stick)

    def take(self, stick):
        code, out, err = self.people.run(self.bob, "import", self.mount, stick=stick)
        self.holds(f"import ends well: {code} {out} {err}", code == 0)
        return out

    def has(self, numbers):
        """Bob has these, each once, and no others."""
        there = self.people.texts(self.bob)
        wanted = {letter(number): 1 for number in numbers}
        self.holds(f"bob has each of {list(numbers)} once, not {sorted((t[:9], n) for t, n in there.items())}",
                   there == wanted)

    def fails(self, ended, code, words, queued):
        """The export says why it stopped, and what was not written waits."""
        got, out, err = ended
        self.holds(f"export ends with {code} and says '{words}', not {got}: {out}{err}", got == code and words in err)
        if queued is not None:
            waiting = self.people.queued(self.alice)
            self.holds(f"{queued} wait at alice's, not {waiting}", waiting == queued)


def yanked(fs, people, mount):
    """The driver is killed as it begins its n-th write of an export, as if the stick were pulled out."""
    # How many writes there are before that export, and in it.
    trace = people.scratch / "trace.log"
    story = Story(fs, people, mount)
    with story.stick(trace=trace) as stick:
        story.send([0])
        people.done(story.alice, "export", mount, stick=stick)
        story.send(range(1, MESSAGES))
        began = time.time()
        people.done(story.alice, "export", mount, stick=stick)
        ended = time.time()
    writes = [when for when, kind, *_ in calls(trace) if kind == "write"]
    before = sum(1 for when in writes if when < began)
    during = sum(1 for when in writes if began <= when < ended)
    if during < 20:
        raise Failed(f"{fs.name}: an export of {MESSAGES - 1} messages is only {during} writes")
    for share in (0.05, 0.3, 0.55, 0.8, 0.95):
        story = Story(fs, people, mount)
        with story.stick(trace=trace, die_at=before + int(during * share)) as stick:
            story.send([0])
            people.done(story.alice, "export", mount, stick=stick)
            story.send(range(1, MESSAGES))
            # One batch: none is reported as sent before all are durable.
            story.fails(story.export(stick), GONE, "gone", MESSAGES - 1)
        with story.stick() as stick:
            code, out, err = story.export(stick)
            story.holds(f"the second export ends well: {code} {out} {err}", code == 0)
            story.holds("nothing waits any more", people.queued(story.alice) == 0)
        with story.stick() as stick:
            story.take(stick)
            story.has(range(MESSAGES))
            story.take(stick)
            story.has(range(MESSAGES))
        yield f"yanked at {share:.0%}", story


def full(fs, people, mount):
    """There is room for two or three messages; what did not fit goes when there is room again."""
    story = Story(fs, people, mount)
    with story.stick() as stick:
        story.send([0])
        people.done(story.alice, "export", mount, stick=stick)
        story.send(range(1, MESSAGES))
        room_for(mount, 28 << 10)
        code, words = fs.full
        story.fails(story.export(stick), code, words, None)
        waiting = people.queued(story.alice)
        story.holds(f"some of {MESSAGES - 1} fitted, not all: {waiting} wait", 0 < waiting < MESSAGES - 1)
        # Again, and nothing more: still full.
        story.fails(story.export(stick), code, words, waiting)
    with story.stick(read_only=True) as stick:
        story.take(stick)
        story.has(range(MESSAGES - waiting))
    with story.stick() as stick:
        (mount / "ballast.bin").unlink()
        ended = story.export(stick)
        story.holds(f"with room the export ends well: {ended}", ended[0] == 0 and people.queued(story.alice) == 0)
        story.take(stick)
        story.has(range(MESSAGES))
    yield "full", story


def write_protected(fs, people, mount):
    """A stick with messages on it, its slider on lock: it can be read, and read again."""
    story = Story(fs, people, mount)
    with story.stick(read_only=True) as stick:
        story.send([0])
        # One that was never written to, either.
        story.fails(story.export(stick), NO_SPACE, "read-only", 1 + people.queued("alice"))
    with story.stick() as stick:
        story.send(range(1, MESSAGES - 1))
        people.done(story.alice, "export", mount, stick=stick)
    story.send([MESSAGES - 1])
    with story.stick(read_only=True) as stick:
        ended = story.export(stick)
        story.fails(ended, NO_SPACE, "read-only", 1)
        story.holds(f"it says what to do: {ended[2]}", "writeable" in ended[2])
        for _ in range(2):
            said = story.take(stick)
            story.holds(f"import says that nothing was removed: {said}", "read-only" in said)
            story.has(range(MESSAGES - 1))
    with story.stick() as stick:
        story.holds("the last one goes out", story.export(stick)[0] == 0)
        story.take(stick)
        story.has(range(MESSAGES))
        left = [file.name for file in mount.glob("DIDCOMM/*.dcem")]
        story.holds(f"what was taken is gone from the stick: {left}", not left)
    yield "read-only", story


def stories(fs, people, mount):
    """How many ran, and what did not hold."""
    ran, broken = 0, []
    for tell in (yanked, full, write_protected):
        for name, story in tell(fs, people, mount):
            ran += 1
            broken += [f"{fs.name}, {name}: {what}" for what in story.broken]
    return ran, broken
