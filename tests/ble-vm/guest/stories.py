"""The stories, one after the other. Each line `held: NAME` is one that held; the first line names all of them."""

import re
import sys
import time
import traceback
from pathlib import Path

import node
from node import Party, arrived, text
from radio import Failed, Radio, log, uptime

SIZES = [1, 1_000, 100_000]
alice, bob, mule = (Party(name, number) for number, name in enumerate(["alice", "bob", "mule"]))


def exchange(radio, channels, how):
    """Messages of three sizes go both ways."""
    radio.serve(channels)
    words = {}
    for sender, peer in [(alice, bob), (bob, alice)]:
        words[sender] = [text(size, f"{sender.name} {channels} {how} {size}") for size in SIZES]
        for one in words[sender]:
            sender.send(peer, one)
    alice.run(how)
    bob.run(how)
    arrived(bob, alice, words[alice])
    arrived(alice, bob, words[bob])


def gatt_1(radio):
    exchange(radio, 1, "?gatt")


def gatt_3(radio):
    exchange(radio, 3, "?gatt")


def l2cap_1(radio):
    exchange(radio, 1, "")


def l2cap_3(radio):
    exchange(radio, 3, "")


STORIES = [gatt_1, l2cap_1, gatt_3, l2cap_3]


def main():
    only = re.search(r"only=(\S*)", Path("/proc/cmdline").read_text())
    only = [name for name in only[1].split(",") if name] if only else []
    stories = [story for story in STORIES if not only or story.__name__ in only]
    print("plan:", " ".join(story.__name__ for story in stories))
    radio = Radio()
    for story in stories:
        began = uptime()
        try:
            story(radio)
            for party in (alice, bob, mule):
                party.stop()
        except BaseException:
            traceback.print_exc()
            for file in sorted(log.iterdir()):
                print(f"--- {file.name}")
                sys.stdout.write(file.read_text(errors="replace")[-4000:])
            print(f"FAILED: {story.__name__} after {uptime() - began:.1f} s")
            return
        print(f"held: {story.__name__} {uptime() - began:.1f} s")


main()
