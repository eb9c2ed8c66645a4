"""alice and bob: homes, and what packmule says to them.

Who calls it: cuts, mishaps. What can go wrong: a driver that hangs, and packmule with it; then the driver
is killed, so that the call ends (`Hung`).
"""
import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from stick import Failed

# In seconds; a driver that reads a damaged medium may go round in circles.
PATIENCE = 30


class Hung(Exception):
    """The driver did not answer."""


class People:
    def __init__(self, program, scratch):
        self.program, self.scratch = str(program), Path(scratch)
        self.env = dict(os.environ, PACKMULE_PASSPHRASE="power cut", HOME=str(scratch))
        self.hung = 0
        self.env.pop("PACKMULE_HOME", None)

    def meet(self):
        """alice has accepted bob's invitation; copies of these two play every story."""
        for who in ("alice", "bob"):
            self.done(who, "init", "--kdf-memory", "8")
        invitation = json.loads(self.done("bob", "invite", "--json"))["url"]
        self.done("alice", "accept", invitation, "--name", "bob")

    def copy(self, who, name):
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        shutil.copytree(self.scratch / who, self.scratch / name)
        return name

    def run(self, who, *args, stick=None, tracer=()):
        """Ends with (code, what it printed, what it said on stderr)."""
        words = [*tracer, self.program, "--home", self.scratch / who, *args]
        child = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=self.env)
        try:
            out, err = child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.hung += 1
            # First the driver: whoever waits for it cannot be killed.
            if stick:
                stick.pull()
            child.kill()
            child.communicate()
            raise Hung(f"{' '.join(map(str, args))}: no end") from None
        return child.returncode, out, err

    def done(self, who, *args, **more):
        code, out, err = self.run(who, *args, **more)
        if code:
            raise Failed(f"{who}: {' '.join(map(str, args))}: {code}\n{out}{err}")
        return out

    def queued(self, who):
        """How many messages wait."""
        listed = json.loads(self.done(who, "outbox", "--json"))["messages"]
        return sum(1 for message in listed if message["state"] == "queued")

    def texts(self, who):
        """How often each text is there; what was taken and could not be opened counts as a text that nobody sent."""
        listed = json.loads(self.done(who, "inbox", "--json"))["messages"]
        refused = json.loads(self.done(who, "inbox", "--refused", "--json"))["refused"]
        texts = Counter(message["text"] for message in listed if message.get("text"))
        return texts + Counter("refused" for _ in refused)


def letter(number):
    """About 7 kB when packed: several clusters."""
    return f"message {number} " + "water " * 700
