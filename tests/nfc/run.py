#!/usr/bin/env python3
"""Programs that nobody here wrote use our virtual chips: Debian's libnfc tools, and nfcpy.

usage: run.py PACKMULE [PYTHON-WITH-NFCPY ECHO]

ECHO is the example of that name of packmule-nfc: our card on a chip. Each story starts a field of its own (`packmule sim nfc`) and fails loudly when a program
does not say what it must, or is missing.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE = 60


class Field:
    """A field with chips, for one story."""

    def __init__(self, packmule, *words, chips=2):
        self.folder = tempfile.mkdtemp(prefix="pm-nfc-")
        command = [packmule, "sim", "nfc", "--chips", str(chips), "--dir", self.folder, "--json", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.process.stdout.readline())
        assert ready["ready"] and len(ready["chips"]) == chips, ready
        self.chips = ready["chips"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        left = [name for name in os.listdir(self.folder) if name.startswith("pn532")]
        shutil.rmtree(self.folder)
        assert not left, f"links were left behind: {left}"

    def end(self):
        """Ends the field; what it counted."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.tally = json.loads(self.process.communicate(timeout=PATIENCE)[0])
        return self.tally

    def env(self, chip):
        return {**os.environ, "LIBNFC_DEVICE": f"pn532_uart:{self.chips[chip]}"}

    def start(self, chip, *command):
        return subprocess.Popen(command, env=self.env(chip), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace")

    def run(self, chip, *command):
        return said(self.start(chip, *command))


def said(process):
    """What it said, once it has ended by itself."""
    try:
        text, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
        raise AssertionError(f"{process.args} never ended; it said:\n{text}") from None
    return process.returncode, text


def ends(process):
    """Stops what would go on for ever."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def must(text, *words):
    for word in words:
        assert word in text, f"{word!r} is not in:\n{text}"


def devices_are_found(packmule):
    with Field(packmule, chips=1) as field:
        code, text = field.run(0, "nfc-scan-device")
        assert code == 0, text
        must(text, "1 NFC device(s) found", "pn532_uart")


def diagnosis_is_good(packmule):
    with Field(packmule, chips=1) as field:
        code, text = field.run(0, "pn53x-diagnose")
        assert code == 0, text
        must(text, "Communication line test: OK", "ROM test: OK", "RAM test: OK")


def a_sticker_is_listed(packmule):
    with Field(packmule, "--tag", "ntag215", chips=1) as field:
        code, text = field.run(0, "nfc-list")
        assert code == 0, text
        must(text, "1 ISO14443A passive target(s) found", "00  44", "04  70  6d")


def an_empty_field_is_told(packmule):
    with Field(packmule, chips=1) as field:
        code, text = field.run(0, "nfc-list")
        assert code == 0, text
        assert "passive target(s) found" not in text, text


def a_sticker_is_dumped(packmule):
    with Field(packmule, "--tag", "ntag215", chips=1) as field:
        dump = Path(field.folder) / "dump"
        code, text = field.run(0, "nfc-mfultralight", "r", str(dump))
        assert code == 0, text
        must(text, "NTAG215", "135 of 135 pages read")
        assert dump.read_bytes()[12:16] == bytes([0xE1, 0x10, 0x3E, 0]), dump.read_bytes()[:20]


def two_devices_talk(packmule):
    with Field(packmule) as field:
        target = field.start(0, "nfc-dep-target")
        code, text = field.run(1, "nfc-dep-initiator")
        target_code, target_text = said(target)
        assert (code, target_code) == (0, 0), f"{text}\n{target_text}"
        must(text, "Received: Hello Mars!")
        must(target_text, "Received: Hello World!")


def a_foreign_card_is_listed(packmule):
    with Field(packmule) as field:
        card = field.start(0, "nfc-emulate-forum-tag4", "-1")
        try:
            for _ in range(20):
                code, text = field.run(1, "nfc-list")
                assert code == 0, text
                if "1 ISO14443A passive target(s) found" in text:
                    break
            must(text, "SAK (SEL_RES): 20", "ATS: 75  33  92")
        finally:
            ends(card)


def two_nodes_touch(packmule):
    with Field(packmule, "--rate", "106", "--breaks", "10..60") as field:
        env = {**os.environ, "PACKMULE_PASSPHRASE": "a touch"}

        def run(who, *words):
            home = os.path.join(field.folder, who)
            return subprocess.run([packmule, "--home", home, *words], env=env, text=True, check=True,
                                  capture_output=True, timeout=PATIENCE).stdout

        for who in ("alice", "bob"):
            run(who, "init")
        invitation = next(word for word in run("bob", "invite").split() if "_oob=" in word)
        run("alice", "accept", invitation)
        nodes = [subprocess.Popen([packmule, "--home", os.path.join(field.folder, who), "run", "--listen",
                                   f"nfc:{field.chips[chip]}"], env=env, stdout=subprocess.DEVNULL)
                 for chip, who in enumerate(("alice", "bob"))]
        try:
            until = time.monotonic() + PATIENCE
            # Alice's hello goes over, and bob's word that he has it comes back.
            while "1 acknowledged" not in (text := run("alice", "outbox")):
                assert time.monotonic() < until, text
                time.sleep(0.2)
        finally:
            for node in nodes:
                node.terminate()
                node.wait(timeout=PATIENCE)


NFCPY = r"""
import sys, nfc
device, story = sys.argv[1:]
front = nfc.ContactlessFrontend("tty:" + device + ":pn532")
try:
    for _ in range(20):
        target = front.sense(nfc.clf.RemoteTarget("106A"), iterations=10, interval=0.05)
        tag = target and nfc.tag.activate(front, target)
        if tag is not None:
            break
    print(tag)
    if story == "sticker":
        import ndef
        tag.ndef.records = [ndef.UriRecord("https://example.org/?_oob=eyJ0")]
        again = nfc.tag.activate(front, front.sense(nfc.clf.RemoteTarget("106A"), iterations=10))
        print("uri", again.ndef.records[0].uri, "capacity", again.ndef.capacity)
    elif story == "card":
        print("message", tag.ndef.octets)
    else:
        print("uri", tag.ndef.records[0].uri)
        select = tag.send_apdu(0, 0xA4, 4, 0, b"\xf0DIDCOMM\x01", mrl=256)
        opened = tag.send_apdu(0x80, 0xD0, 0, 0, b"nfcpy!!!", mrl=256)
        print("version", select[0], "token of", len(opened) - 1, "known", opened[0])
        # Every length, the longest in several blocks; the echo comes in this answer or the next.
        echoes, sent = [], []
        for number, length in enumerate([1, 2, 57, 58, 61, 62, 120, 200, 252, 253]):
            sent.append(bytes([length]) * length)
            answer = tag.send_apdu(0x80, 0xD2, number, 1, sent[-1], mrl=256)
            again = tag.send_apdu(0x80, 0xD2, number, 1, sent[-1], mrl=256)
            assert answer == again and answer[0] == number, (answer, again)
            echoes.append(bytes(answer[2:]))
        for number in range(10, 40):
            echoes.append(bytes(tag.send_apdu(0x80, 0xD2, number, 1, None, mrl=256)[2:]))
        echoes = [echo for echo in echoes if echo]
        assert echoes == sent, (echoes, sent)
        try:
            tag.send_apdu(0, 0xA4, 4, 0, b"\xa0\x00\x00", mrl=256)
        except nfc.tag.tt4.Type4TagCommandError as fault:
            print("unknown", fault)
        print("echoed", len(echoes))
finally:
    front.close()
"""


def nfcpy(field, chip, python, story):
    # nfcpy takes the name of a terminal below /dev alone.
    name = f"pm-nfc-{os.getpid()}"
    link = Path("/dev") / name
    link.symlink_to(os.path.realpath(field.chips[chip]))
    try:
        return said(subprocess.Popen([python, "-c", NFCPY, name, story], stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True))
    finally:
        link.unlink()


def nfcpy_writes_a_sticker(packmule, python):
    with Field(packmule, "--tag", "ntag215", chips=1) as field:
        code, text = nfcpy(field, 0, python, "sticker")
        assert code == 0, text
        must(text, "Type2Tag", "uri https://example.org/?_oob", "capacity 492")


def nfcpy_reads_libnfcs_card(packmule, python):
    with Field(packmule) as field:
        card = field.start(0, "nfc-emulate-forum-tag4", "-1")
        try:
            code, text = nfcpy(field, 1, python, "card")
            assert code == 0, text
            must(text, "Type4", "libnfc.org")
        finally:
            ends(card)


def nfcpy_reads_our_tag_and_drives_our_application(packmule, python):
    with Field(packmule) as field:
        card = field.start(0, sys.argv[3], field.chips[0], "https://example.org/oob")
        try:
            assert card.stdout.readline() == "ready\n"
            code, text = nfcpy(field, 1, python, "ours")
            assert code == 0, text
            must(text, "uri https://example.org/oob", "version 1 token of 8 known 0", "unknown", "echoed 10")
        finally:
            card.kill()
            card.communicate()


def main():
    packmule, python = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    stories = [devices_are_found, diagnosis_is_good, a_sticker_is_listed, an_empty_field_is_told,
               a_sticker_is_dumped, two_devices_talk, a_foreign_card_is_listed, two_nodes_touch]
    peers = [nfcpy_writes_a_sticker, nfcpy_reads_libnfcs_card,
             nfcpy_reads_our_tag_and_drives_our_application] if python else []
    failed = []
    for story in stories + peers:
        try:
            story(packmule, python) if story in peers else story(packmule)
            print(f"nfc: {story.__name__.replace('_', ' ')}: ok", flush=True)
        except Exception as fault:
            failed.append(story.__name__)
            print(f"nfc: {story.__name__.replace('_', ' ')}: FAILED\n{fault}", flush=True)
    print(f"{len(stories) + len(peers) - len(failed)} passed, {len(failed)} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
