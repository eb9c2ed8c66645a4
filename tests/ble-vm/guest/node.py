"""alice, bob and mule: each a process of the shipped packmule, with a home and an adapter of their own."""

import base64
import json
import random
import shutil
import signal
import subprocess

from radio import PATIENCE, Failed, log, start, until

# As they were made; each story has copies of its own.
HOMES = "/homes"
PASSPHRASE = f"{HOMES}/passphrase"
# Asking costs a process and its key: so many seconds lie between two times, or the guest does little else.
ASK = 0.5


class Party:
    """Somebody with a home."""

    def __init__(self, name, number):
        self.name = name
        self.adapter = f"hci{number}"
        self.number = number
        self.process = None
        self.told = (0, "")
        self.home = f"/tmp/{name}"

    def fresh(self):
        """A home in which nothing has happened yet."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(f"{HOMES}/{self.name}", self.home)

    def say(self, *words, given=None):
        command = ["packmule", "--home", self.home, "--passphrase-file", PASSPHRASE, "--json", *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise Failed(f"{self.name}: {' '.join(words)}: {done.stderr or done.stdout}")
        return json.loads(done.stdout)

    def run(self, how="", *more, program="packmule"):
        """Starts the node; `how` is written behind the adapter's name."""
        words = [program, "--home", self.home, "--passphrase-file", PASSPHRASE, "--json"]
        (log / f"{self.name}.log").unlink(missing_ok=True)
        self.told = (0, "")
        self.process = start(self.name, *words, "run", "--events", "--listen", f"ble:{self.adapter}{how}", *more)
        until(f"{self.name}'s node", lambda: self.status() is not None, step=ASK)
        return self

    def status(self):
        """How its node stands; nothing, while it starts."""
        if self.process.poll() is not None:
            raise Failed(f"{self.name}'s node ended: {(log / self.name).with_suffix('.log').read_text()[-2000:]}")
        status = self.say("status")
        return status if "links" in status else None

    def linked(self):
        """The links that it has, once there is one to somebody."""
        return until(f"a link of {self.name}", self.proven, step=ASK)

    def proven(self):
        return [link for link in self.status()["links"] if link["proven"]]

    def heard(self, word):
        """Did its node say so since it started?"""
        file = log / f"{self.name}.log"
        # Whoever waits asks often, and is not to take the time of those who are measured.
        if (size := file.stat().st_size) != self.told[0]:
            self.told = (size, file.read_text())
        return word in self.told[1]

    def start_sending(self, peer, what):
        """The same as `send`, without waiting."""
        words = ["--home", self.home, "--passphrase-file", PASSPHRASE, "send", peer.name, "-"]
        process = start(f"{self.name}.send", "packmule", *words, stdin=subprocess.PIPE)
        process.stdin.write(what.encode())
        process.stdin.close()
        return process

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
    return base64.b64encode(random.Random(seed).randbytes(length)).decode()[:length]


def arrived(party, sender, wanted, patience=PATIENCE):
    """Each of these came from this sender, by Bluetooth, once."""
    def all_here():
        here = [what for who, what, _ in party.texts() if who == sender.name]
        return all(one in here for one in wanted)
    until(f"{len(wanted)} messages from {sender.name} at {party.name}", all_here, patience, ASK)
    here = [(what, channel) for who, what, channel in party.texts() if who == sender.name]
    for one in wanted:
        by = [channel for what, channel in here if what == one]
        if len(by) != 1 or not by[0].startswith("ble"):
            raise Failed(f"{len(one)} bytes from {sender.name} came {len(by)} times, by {by}")
