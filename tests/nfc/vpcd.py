"""A card for vpcd (the driver of pcscd that has its card behind a socket): whatever card lies before one of our chips.

Who calls it: the story of pcscd. It is a host of a PN532 as any other: looks for a card, puts it into vpcd's slot, passes
APDUs, and takes it out of the slot when the card has gone.
"""

import os
import select
import socket
import threading
import time
import tty

PORT = 35963
ATR = bytes.fromhex("3b80800101")


class Gone(Exception):
    """The card has left the field."""


class Chip:
    """A PN532 on a line, as a reader."""

    def __init__(self, path):
        self.line = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.line)
        os.write(self.line, b"\x55\x55" + bytes(14))
        self.ask(b"\x14\x01")
        self.ask(b"\x12\x34")
        self.ask(b"\x32\x05\xff\x01\x02")

    def read(self, count, until):
        data = b""
        while len(data) < count:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.line], [], [], left)[0]:
                raise TimeoutError
            data += os.read(self.line, count - len(data))
        return data

    def ask(self, command, wait=5.0):
        length = len(command) + 1
        if length < 255:
            head = bytes([length, -length & 0xFF])
        else:
            high, low = divmod(length, 256)
            head = bytes([0xFF, 0xFF, high, low, -(high + low) & 0xFF])
        body = b"\xd4" + command
        os.write(self.line, b"\x00\x00\xff" + head + body + bytes([-sum(body) & 0xFF, 0]))
        until = time.monotonic() + wait
        while True:
            while self.read(1, until) != b"\xff":
                pass
            length, check = self.read(2, until)
            if (length, check) == (0, 0xFF):
                continue
            if (length, check) == (0xFF, 0xFF):
                high, low, _ = self.read(3, until)
                length = high * 256 + low
            body = self.read(length + 1, until)
            if body[:2] == bytes([0xD5, command[0] + 1]):
                return body[2:-1]

    def seek(self):
        found = self.ask(b"\x4a\x01\x00")
        return bool(found and found[0])

    def release(self):
        self.ask(b"\x52\x00")

    def exchange(self, apdu):
        answer = self.ask(b"\x40\x01" + apdu)
        if answer[0]:
            raise Gone
        return answer[1:]


class Bridge:
    """Between a chip and vpcd, until it is left."""

    def __init__(self, path):
        self.chip, self.ended = Chip(path), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def run(self):
        while not self.ended.is_set():
            if not self.chip.seek():
                time.sleep(0.05)
                continue
            try:
                with socket.create_connection(("127.0.0.1", PORT), timeout=0.5) as slot:
                    self.play(slot)
            except (Gone, OSError):
                # Taken out of the slot, long enough for pcscd to see it; or no slot yet.
                self.ended.wait(1.5)
            self.chip.release()

    def play(self, slot):
        while not self.ended.is_set():
            try:
                length = int.from_bytes(self.take(slot, 2), "big")
            except TimeoutError:
                continue
            asked = self.take(slot, length)
            if asked == b"\x04":
                answer = ATR
            elif asked == b"\x02":
                self.chip.release()
                if not self.chip.seek():
                    raise Gone
                continue
            elif length == 1:
                continue
            else:
                answer = self.chip.exchange(asked)
            slot.sendall(len(answer).to_bytes(2, "big") + answer)

    @staticmethod
    def take(slot, count):
        data = b""
        while len(data) < count:
            more = slot.recv(count - len(data))
            if not more:
                raise Gone
            data += more
            # vpcd sends length and body apart: without this each waits for a delayed acknowledgement.
            slot.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data
