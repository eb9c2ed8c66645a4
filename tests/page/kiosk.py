"""A real gateway, and people whose messages come as files."""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

BIN = os.environ["PACKMULE_BIN"]
MEDIATE = "https://didcomm.org/coordinate-mediation/3.0/mediate-request"
RECEIVED = "https://didcomm.org/messagepickup/3.0/messages-received"
TEXT = "https://didcomm.org/basicmessage/2.0/message"


def packmule(home, *words, **options):
    environment = dict(os.environ, PACKMULE_PASSPHRASE="for a test")
    done = subprocess.run([BIN, "--home", str(home), *words], capture_output=True, env=environment, **options)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


class Gateway:
    def __init__(self, place, name="kiosk", at="127.0.0.1:0", **settings):
        self.home = pathlib.Path(place) / name
        environment = {key: value for key, value in os.environ.items() if key != "PACKMULE_PASSPHRASE"}
        environment.update({f"PACKMULE_GATEWAY_{key}": value for key, value in settings.items()})
        self.log = open(self.home.with_suffix(".log"), "ab")
        self.process = subprocess.Popen(
            [BIN, "--home", str(self.home), "gateway", "--listen", at, "--json"],
            stdout=subprocess.PIPE, stderr=self.log, env=environment)
        ready = json.loads(self.process.stdout.readline())
        self.did, self.origin = ready["did"], ready["http"].rstrip("/")
        self.address = self.origin.removeprefix("http://")

    def get(self, path, **headers):
        """Status, headers and body; by a program, not by a browser."""
        return self.ask("GET", path, None, **headers)

    def ask(self, method, path, body, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.origin + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(30)
        assert code == 0, f"the gateway ended with {code}"

    def kill(self):
        self.process.kill()
        self.process.wait()


class Person:
    """A home of packmule's, and files that it packs."""

    def __init__(self, place, name):
        self.place, self.home = pathlib.Path(place), pathlib.Path(place) / name
        packmule(self.home, "init")
        self.did = json.loads(packmule(self.home, "--json", "id"))["did"]

    def letter(self, name, to, kind, body, **more):
        """A packed message as a file."""
        message = {"id": f"{name}-{time.time_ns()}", "type": kind, "typ": "application/didcomm-plain+json",
                   "created_time": int(time.time()), "body": body, **more}
        path = self.place / f"{name}.dcem"
        packmule(self.home, "pack", "--to", to, "--output", str(path), input=json.dumps(message).encode())
        return path

    def ask(self, gateway, name, kind, body):
        """A letter to the gateway that wants its answer on the same way."""
        return self.letter(name, gateway.did, kind, body, return_route="all")

    def read(self, packed):
        return json.loads(packmule(self.home, "unpack", input=packed))
