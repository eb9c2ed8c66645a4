"""Writes fixtures/didcomm/foreign/parties: the people whom every implementation writes for.

alice and bob are those of the DIDComm specification's appendices A and B (folder given as the
first argument); cloud (has the P-384 key that alice lacks), kiosk (did:key) and mule (did:peer:2) have keys derived from their names, so
that running this again gives the same bytes. All of these secrets are public: tests only.
"""
import base64, hashlib, json, pathlib, sys
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def multikey(crv: str, public: bytes) -> str:
    return "z" + base58({"Ed25519": b"\xed\x01", "X25519": b"\xec\x01"}[crv] + public)


def seed(name: str) -> bytes:
    return hashlib.sha256(f"packmule interop {name}".encode()).digest()


def okp(crv: str, secret: bytes):
    cls = {"Ed25519": Ed25519PrivateKey, "X25519": X25519PrivateKey}[crv]
    public = cls.from_private_bytes(secret).public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": crv, "x": b64url(public)}
    return public, jwk, {**jwk, "d": b64url(secret)}


def document(did, methods, services=()):
    """One plain shape that every implementation reads: absolute ids, embedded nothing."""
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"],
        "id": did,
        "verificationMethod": [
            {"id": kid, "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": jwk}
            for kid, _, jwk in methods
        ],
        "authentication": [kid for kid, use, _ in methods if use == "authentication"],
        "keyAgreement": [kid for kid, use, _ in methods if use == "keyAgreement"],
        "service": list(services),
    }


def cloud():
    """A sender with a P-384 key: the specification's alice has none."""
    key = ec.derive_private_key(int.from_bytes(seed("cloud p-384"), "big"), ec.SECP384R1())
    point = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-384", "x": b64url(point.x.to_bytes(48, "big")), "y": b64url(point.y.to_bytes(48, "big"))}
    kid = "did:example:cloud#key-p384-1"
    secret = key.private_numbers().private_value.to_bytes(48, "big")
    return document("did:example:cloud", [(kid, "keyAgreement", jwk)]), {kid: {**jwk, "d": b64url(secret)}}


def from_appendix(path):
    doc = json.loads(path.read_text())
    return document(doc["id"], [
        (method["id"], use, method["publicKeyJwk"])
        for use in ("authentication", "keyAgreement")
        for method in doc.get(use, [])
    ])


def kiosk():
    """did:key of an Ed25519 key, with the X25519 key that the method derives from it."""
    secret = seed("kiosk")
    ed_public, ed_jwk, ed_secret = okp("Ed25519", secret)
    _, x_jwk, _ = x = okp("X25519", hashlib.sha512(secret).digest()[:32])
    did = "did:key:" + multikey("Ed25519", ed_public)
    sign, agree = f"{did}#{multikey('Ed25519', ed_public)}", f"{did}#{multikey('X25519', x[0])}"
    doc = document(did, [(sign, "authentication", ed_jwk), (agree, "keyAgreement", x_jwk)])
    return doc, {sign: ed_secret, agree: x[2]}


def mule():
    """did:peer:2 with both keys and one service."""
    x_public, x_jwk, x_secret = okp("X25519", seed("mule x25519"))
    ed_public, ed_jwk, ed_secret = okp("Ed25519", seed("mule ed25519"))
    short = {"t": "dm", "s": {"uri": "file:///media/mule", "a": ["didcomm/v2"], "r": []}}
    service = b64url(json.dumps(short, separators=(",", ":")).encode())
    did = f"did:peer:2.E{multikey('X25519', x_public)}.V{multikey('Ed25519', ed_public)}.S{service}"
    agree, sign = f"{did}#key-1", f"{did}#key-2"
    doc = document(did, [(agree, "keyAgreement", x_jwk), (sign, "authentication", ed_jwk)])
    return doc, {agree: x_secret, sign: ed_secret}


def main(appendix, out):
    docs = [from_appendix(appendix / f"did-{name}.json") for name in ("alice", "bob")]
    secrets = json.loads((appendix / "secrets.json").read_text())
    for doc, keys in (cloud(), kiosk(), mule()):
        docs.append(doc)
        secrets.update(keys)
    out.mkdir(parents=True, exist_ok=True)
    for name, value in (("docs", docs), ("secrets", secrets)):
        (out / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
