"""alice, bob and mule: each a process of the shipped packmule, with a home and an adapter of their own."""

import json
import random
import signal
import string
import subprocess

from radio import PATIENCE, Failed, log, start, until

PASSPHRASE = "/homes/passphrase"


class Party:
    """Somebody with a home."""

    def __init__(self, name, number):
        self.name = name
        self.adapter = f"hci{number}"
        self.number = number
        self.process = None

    def say(self, *words, given=None):
        command = ["packmule", "--home", f"/homes/{self.name}", "--passphrase-file", PASSPHRASE, "--json", *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise Failed(f"{self.name}: {' '.join(words)}: {done.stderr or done.stdout}")
        return json.loads(done.stdout)

    def run(self, how="", *more):
        """Starts the node; `how` is written behind the adapter's name."""
        words = ["packmule", "--home", f"/homes/{self.name}", "--passphrase-file", PASSPHRASE, "--json"]
        self.process = start(self.name, *words, "run", "--events", "--listen", f"ble:{self.adapter}{how}", *more)
        until(f"{self.name}'s node", lambda: self.status() is not None)
        return self

    def status(self):
        try:
            return self.say("status")
        except Failed:
            if self.process.poll() is not None:
                raise Failed(f"{self.name}'s node ended: {(log / self.name).with_suffix('.log').read_text()[-2000:]}")
            return None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise Failed(f"{self.name}'s node did not end")
        self.process = None

    def send(self, peer, text):
        return self.say("send", peer.name, "-", given=text)["id"]

    def texts(self):
        """Everything that arrived: who from, what, and by what."""
        return [(one["peer"], one["text"], one["channel"]) for one in self.say("inbox")["messages"]]


def text(length, seed):
    """Words that zstd makes nothing of."""
    dice = random.Random(seed)
    return "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(length))


def arrived(party, sender, wanted, patience=PATIENCE):
    """Each of these came from this sender, by Bluetooth, once."""
    def all_here():
        here = [what for who, what, _ in party.texts() if who == sender.name]
        return all(one in here for one in wanted)
    until(f"{len(wanted)} messages from {sender.name} at {party.name}", all_here, patience)
    here = [(what, channel) for who, what, channel in party.texts() if who == sender.name]
    for one in wanted:
        by = [channel for what, channel in here if what == one]
        if len(by) != 1 or not by[0].startswith("ble"):
            raise Failed(f"{len(one)} bytes from {sender.name} came {len(by)} times, by {by}")
