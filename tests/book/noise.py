"""docs/wire/session.md with its cipher: the recorded session `records-noise` of fixtures/pdu, opened.

What is it: Noise_XX_25519_ChaChaPoly_SHA256 on `cryptography`'s primitives, with the test's keys. Who calls it:
`check.py`. What can go wrong: anything that differs is an exception or a difference.
"""
import hashlib, hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def dice(seed, thrown):
    return hashlib.sha256(b"packmule dice" + seed + thrown.to_bytes(8, "big")).digest()


def ephemeral(seed):
    """As the test's sessions draw it: their third throw seeds the handshake's own dice."""
    return X25519PrivateKey.from_private_bytes(dice(dice(seed, 2), 0))


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class Symmetric:
    def __init__(self, prologue):
        self.hash = self.chain = b"Noise_XX_25519_ChaChaPoly_SHA256"
        self.key, self.number = None, 0
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def expand(self, data):
        temporary = hmac.digest(self.chain, data, "sha256")
        first = hmac.digest(temporary, b"\1", "sha256")
        return first, hmac.digest(temporary, first + b"\2", "sha256")

    def mix_key(self, ours, theirs):
        shared = ours.exchange(X25519PublicKey.from_public_bytes(theirs))
        self.chain, self.key = self.expand(shared)
        self.number = 0

    def open(self, sealed):
        plain = sealed if self.key is None else unseal(self.key, self.number, sealed, self.hash)
        self.number += 1
        self.mix_hash(sealed)
        return plain


def unseal(key, number, sealed, beside=b""):
    return ChaCha20Poly1305(key).decrypt(bytes(4) + number.to_bytes(8, "little"), sealed, beside)


def session(records, same):
    """`records` are those of each side, without their lengths."""
    (first, third, *ours), (second, *theirs) = records["a"], records["b"]
    statics = [X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]
    mine, yours = ephemeral(bytes([17]) * 32), ephemeral(bytes([18]) * 32)
    same("Noise", [m[:2].hex() for m in (first, second, third)], ["4101", "4201", "4301"])
    state = Symmetric(b"packmule session\1\0" + first[2:6])
    first, second, third = first[6:], second[6:], third[6:]

    same("Noise", first, public(mine))
    state.mix_hash(first)
    same("Noise", state.open(b""), b"")

    same("Noise", second[:32], public(yours))
    state.mix_hash(second[:32])
    state.mix_key(mine, public(yours))
    same("Noise", state.open(second[32:80]), public(statics[1]))
    state.mix_key(mine, public(statics[1]))
    hello = state.open(second[80:])

    same("Noise", state.open(third[:48]), public(statics[0]))
    state.mix_key(statics[0], public(yours))
    answer = state.open(third[48:])
    same("Noise", (len(hello), len(answer), hello[0], answer[0]), (32, 32, 0, 0))

    there, back = state.expand(b"")
    said = b"".join(unseal(there, number, record) for number, record in enumerate(ours))
    same("Noise", (said[:3].hex(), said[3 + 0x47 :][:5].hex(), said[-256:]), ("110047", "2100008002", bytes(range(256))))
    heard = b"".join(unseal(back, number, record) for number, record in enumerate(theirs))
    same("Noise", heard.hex(), "110003050100")
