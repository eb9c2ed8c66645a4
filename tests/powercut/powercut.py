#!/usr/bin/env python3
"""packmule's sticks on real file systems through FUSE: power cuts, pulled out, full, write-protected.

usage: powercut.py PACKMULE [CUTS [FS...]]

CUTS (default 40) are replayed of each of three kinds, see cuts.py; FS is exfat or fat32 (default: both).
Needs root, strace, sleuthkit, and exfat-fuse, exfatprogs; fusefat, dosfstools. Prints one line of JSON for each
file system, and on stderr what did not hold; ends with 0 if all held. Nothing stays mounted. The cuts are chosen by
the number in $PROPTEST_RNG_SEED, as everywhere in ./check; without it by another one each time.
"""
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from cuts import story
from mishaps import stories
from people import Hung, People
from stick import FILE_SYSTEMS, Failed, free_of_mounts, need

SEED = int(os.environ.get("PROPTEST_RNG_SEED") or random.randrange(1 << 32))
# Bytes for the images (sparse) and the homes.
ROOM = 400 << 20


def test(fs, program, cuts):
    # In memory, if that is to be had: the disk below the images is no part of the test, and others use it.
    memory = "/dev/shm"
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    scratch = Path(tempfile.mkdtemp(prefix="packmule-powercut-", dir=memory if roomy else None))
    mount = scratch / "stick"
    mount.mkdir()
    try:
        need(fs.driver[0], fs.make[0], fs.repair[0], "tsk_recover", "strace", "umount", "losetup")
        people = People(program, scratch)
        people.meet()
        told, held = story(fs, people, mount, cuts, SEED)
        ran, broken = stories(fs, people, mount)
        print(json.dumps({"fs": fs.name, "seed": SEED, **told, "mishaps": ran, "broken": len(broken)}), flush=True)
        for line in broken:
            print(line, file=sys.stderr)
        return held and not broken
    except (Failed, Hung) as error:
        print(f"{fs.name}: {error}", file=sys.stderr)
        return False
    finally:
        free_of_mounts(mount)
        shutil.rmtree(scratch)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # So that the media are let go of, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    program = Path(sys.argv[1]).resolve()
    cuts = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    names = sys.argv[3:] or FILE_SYSTEMS
    held = [test(FILE_SYSTEMS[name], program, cuts) for name in names]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
