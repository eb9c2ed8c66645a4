"""The stories, one after the other. Each line `held: NAME` is one that held; the first line names all of them."""

import re
import sys
import time
import traceback
from pathlib import Path

from node import Party, arrived, text
from radio import Failed, Radio, log, uptime

# Behind an adapter's name: without L2CAP.
GATT = "?gatt"
SIZES = [1, 1_000, 100_000]
alice, bob, mule = (Party(name, number) for number, name in enumerate(["alice", "bob", "mule"]))
all_three = [alice, bob, mule]


# So many bytes take some seconds.
LONG = {GATT: 600_000, "": 4_000_000}


def exchange(radio, bearers, how):
    """Messages of three sizes go both ways, by the bearer that was asked for."""
    radio.serve(bearers)
    words = {}
    for sender, peer in [(alice, bob), (bob, alice)]:
        words[sender] = [text(size, f"{sender.name} {bearers} {how} {size}") for size in SIZES]
        for one in words[sender]:
            sender.send(peer, one)
    alice.run(how)
    bob.run(how)
    alice.linked()
    by(radio, how)
    arrived(bob, alice, words[alice])
    arrived(alice, bob, words[bob])


def by(radio, how):
    """Is the link by what it should be by?"""
    channels = radio.channels_of_ours()
    if bool(channels) == (how == GATT):
        raise Failed(f"it was to be by {how or 'L2CAP'}: {Path('/sys/kernel/debug/bluetooth/l2cap').read_text()}")


def gatt_1(radio):
    exchange(radio, 1, GATT)


def gatt_3(radio):
    exchange(radio, 3, GATT)


def l2cap_1(radio):
    exchange(radio, 1, "")


def l2cap_3(radio):
    exchange(radio, 3, "")


def on_the_way(how, story):
    """A long message from alice to bob, of which a part is there."""
    words = text(LONG[how], f"{story} {how}")
    alice.run(how)
    bob.run(how)
    alice.linked()
    alice.send(bob, words)
    bob.receiving()
    return words


def half(words):
    """Only now, and not sooner, is the message whole."""
    if any(what == words for _, what, _ in bob.texts()):
        raise Failed("it was whole before anything happened to it")


def cut(radio, how):
    """The connection ends in the middle, and the message goes on where it was."""
    radio.serve(1)
    words = on_the_way(how, "cut")
    half(words)
    radio.cut(alice.number)
    arrived(bob, alice, [words], 180)


def cut_gatt(radio):
    cut(radio, GATT)


def cut_l2cap(radio):
    cut(radio, "")


def off_and_on(radio):
    """bob's adapter is switched off in the middle, and on again."""
    radio.serve(3)
    words = on_the_way("", "off")
    half(words)
    radio.power(bob.number, on=False)
    time.sleep(5)
    half(words)
    radio.power(bob.number, on=True)
    radio.powered(bob.number)
    arrived(bob, alice, [words], 300)


def killed(radio, how):
    """First bob is killed in the middle, then alice: the message is whole, once."""
    radio.serve(3)
    words = on_the_way(how, "killed")
    half(words)
    bob.kill()
    bob.run(how)
    bob.receiving()
    half(words)
    alice.kill()
    alice.run(how)
    arrived(bob, alice, [words], 300)
    # Nor does it come a second time.
    alice.send(bob, "the end")
    arrived(bob, alice, [words, "the end"], 180)


def killed_gatt(radio):
    killed(radio, GATT)


def killed_l2cap(radio):
    killed(radio, "")


def restarted(radio):
    """The daemon is killed under both, and comes back."""
    radio.serve(3)
    words = on_the_way("", "restarted")
    radio.stop()
    radio.serve(3)
    arrived(bob, alice, [words], 400)


def three(radio):
    """Three devices at once, each with something for both others."""
    radio.serve(3)
    words = {(one, other): text(10_000, f"{one.name} {other.name}") for one in all_three for other in all_three if one != other}
    for (one, other), what in words.items():
        one.send(other, what)
    for party in all_three:
        party.run()
    for (one, other), what in words.items():
        arrived(other, one, [what], 180)


STORIES = [gatt_1, l2cap_1, gatt_3, l2cap_3, cut_gatt, cut_l2cap, off_and_on, killed_gatt, killed_l2cap, restarted,
           three]


def main():
    only = re.search(r"only=(\S*)", Path("/proc/cmdline").read_text())
    only = [name for name in only[1].split(",") if name] if only else []
    stories = [story for story in STORIES if not only or story.__name__ in only]
    print("plan:", " ".join(story.__name__ for story in stories))
    radio = Radio()
    for story in stories:
        began = uptime()
        try:
            for party in all_three:
                party.fresh()
            story(radio)
            for party in all_three:
                party.stop()
        except BaseException:
            traceback.print_exc()
            for file in sorted(log.iterdir()):
                print(f"--- {file.name}")
                sys.stdout.write(file.read_text(errors="replace")[-3000:])
            print(f"FAILED: {story.__name__} after {uptime() - began:.1f} s")
            return
        print(f"held: {story.__name__} {uptime() - began:.1f} s")


main()
