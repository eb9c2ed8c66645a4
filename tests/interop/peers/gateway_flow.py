"""What a client of PyPI `didcomm` 0.3.2 does at a gateway, step by step.

gateway_flow.py '{"did","http","ws"}': prints a line for each step, ends with 1 if one failed.
"""
import asyncio, base64, json, sys, time, urllib.error, urllib.request, uuid

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from didcomm.common.algorithms import AnonCryptAlg
from didcomm.common.resolvers import ResolversConfig
from didcomm.did_doc.did_doc import DIDDoc
from didcomm.message import Attachment, AttachmentDataBase64, AttachmentDataJson, Message
from didcomm.pack_encrypted import PackEncryptedConfig, pack_encrypted
from didcomm.secrets.secrets_resolver_in_memory import SecretsResolverInMemory
from didcomm.secrets.secrets_util import jwk_to_secret
from didcomm.unpack import unpack

ENCRYPTED = "application/didcomm-encrypted+json"
CODES = {b"\xec\x01": "X25519", b"\xed\x01": "Ed25519"}
GATEWAY = json.loads(sys.argv[1])
WITHOUT_FORWARD = PackEncryptedConfig(enc_alg_anon=AnonCryptAlg.A256CBC_HS512_ECDH_ES_A256KW, forward=False)


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def document(did):
    """The document of a did:peer:2 with Curve25519 keys; services are of no use to us."""
    methods, uses = [], {"E": [], "V": []}
    keys = [part for part in did[len("did:peer:2.") :].split(".") if part[0] != "S"]
    for number, part in enumerate(keys, 1):
        raw, kid = base58.b58decode(part[2:]), f"{did}#key-{number}"
        jwk = {"kty": "OKP", "crv": CODES[raw[:2]], "x": b64(raw[2:])}
        methods.append({"id": kid, "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": jwk})
        uses[part[0]].append(kid)
    return DIDDoc.deserialize(
        {"id": did, "verificationMethod": methods, "keyAgreement": uses["E"], "authentication": uses["V"], "service": []}
    )


class Resolver:
    async def resolve(self, did):
        return document(did)


class Client:
    def __init__(self):
        own, parts = [], []
        for code, use, key in ((b"\xec\x01", "E", X25519PrivateKey.generate()), (b"\xed\x01", "V", Ed25519PrivateKey.generate())):
            public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            secret = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            parts.append(f"{use}z{base58.b58encode(code + public).decode()}")
            own.append({"kty": "OKP", "crv": CODES[code], "x": b64(public), "d": b64(secret)})
        self.did = "did:peer:2." + ".".join(parts)
        secrets = [jwk_to_secret({**jwk, "kid": f"{self.did}#key-{n}"}) for n, jwk in enumerate(own, 1)]
        self.config = ResolversConfig(secrets_resolver=SecretsResolverInMemory(secrets), did_resolver=Resolver())

    async def pack(self, to, kind, body, anonymous=False, **headers):
        sender = None if anonymous else self.did
        message = Message(
            id=str(uuid.uuid4()), type=f"https://didcomm.org/{kind}", body=body, to=[to],
            created_time=int(time.time()), **({} if anonymous else {"frm": sender}), **headers,
        )
        packed = await pack_encrypted(self.config, message, to, sender, None, WITHOUT_FORWARD)
        return packed.packed_msg

    async def open(self, packed):
        return (await unpack(self.config, packed)).message

    async def ask(self, kind, body=None):
        """Asks, and opens what comes back."""
        packed = await self.pack(GATEWAY["did"], kind, body or {}, custom_headers={"return_route": "all"})
        status, answer = post(packed)
        assert status == 200, f"HTTP {status}"
        return await self.open(answer)

    async def forward(self, to, text, form="json"):
        """A text for somebody, as a forward from nobody; the HTTP status."""
        inner = await self.pack(to, "basicmessage/2.0/message", {"content": text})
        data = AttachmentDataJson(json=json.loads(inner)) if form == "json" else AttachmentDataBase64(base64=b64(inner.encode()))
        attachment = Attachment(data=data, id=str(uuid.uuid4()), media_type=ENCRYPTED)
        packed = await self.pack(GATEWAY["did"], "routing/2.0/forward", {"next": to}, True, attachments=[attachment])
        return post(packed)[0]


def post(packed, kind=ENCRYPTED):
    request = urllib.request.Request(GATEWAY["http"], packed.encode(), {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def letters(delivery):
    """The packed messages of a delivery, with their ids."""
    found = []
    for one in delivery.attachments or []:
        data = one.data
        packed = json.dumps(data.json) if isinstance(data, AttachmentDataJson) else unb64(data.base64).decode()
        found.append((one.id, packed))
    return found


class Steps:
    def __init__(self):
        self.passed = self.failed = 0

    async def step(self, name, work):
        began = time.perf_counter()
        try:
            await work()
            self.passed += 1
            print(f"ok   didcomm-python: {name} ({(time.perf_counter() - began) * 1000:.1f} ms)", flush=True)
        except Exception as error:  # whatever it is, this step failed and the next one has its turn
            self.failed += 1
            print(f"FAIL didcomm-python: {name}: {type(error).__name__}: {error}", flush=True)


async def mediate(steps, version):
    alice, alias, stranger = Client(), Client(), Client()
    update, query, dids = ("keylist-update", "keylist-query", "keys") if version == "2.0" else ("recipient-update", "recipient-query", "dids")
    protocol = f"coordinate-mediation/{version}"

    async def request():
        answer = await alice.ask(f"{protocol}/mediate-request")
        assert answer.type.endswith(f"{protocol}/mediate-grant"), answer.type
        told = answer.body["routing_did"]
        assert told == (GATEWAY["did"] if version == "2.0" else [GATEWAY["did"]]), told

    async def register():
        answer = await alice.ask(f"{protocol}/{update}", {"updates": [{"recipient_did": alias.did, "action": "add"}]})
        assert [one["result"] for one in answer.body["updated"]] == ["success"], answer.body
        answer = await alice.ask(f"{protocol}/{query}")
        assert alias.did in [one["recipient_did"] for one in answer.body[dids]], answer.body

    await steps.step(f"{protocol}: mediate-request", request)
    await steps.step(f"{protocol}: {update}, {query}", register)
    return alice, alias, stranger


async def pick_up(steps, alice, alias, stranger):
    pickup = "messagepickup/3.0"

    async def forwards():
        for form in ("json", "base64"):
            for to in (alice, alias):
                assert await stranger.forward(to.did, f"{form} {to is alice}", form) == 202

    async def collect():
        status = await alice.ask(f"{pickup}/status-request")
        assert status.body["message_count"] == 4, status.body
        page = letters(await alice.ask(f"{pickup}/delivery-request", {"limit": 10}))
        texts = []
        for _, packed in page:
            try:
                message = await alice.open(packed)
            except Exception:  # it is for her other DID
                message = await alias.open(packed)
            texts.append(message.body["content"])
        assert sorted(texts) == ["base64 False", "base64 True", "json False", "json True"], texts
        status = await alice.ask(f"{pickup}/messages-received", {"message_id_list": [one for one, _ in page]})
        assert status.body["message_count"] == 0, status.body
        empty = await alice.ask(f"{pickup}/delivery-request", {"limit": 10})
        assert empty.type.endswith(f"{pickup}/status"), empty.type

    async def large():
        # joserfc opens no JWE of more than 256,000 characters: a page must stay below.
        texts = [f"{number} " + "x" * 30_000 for number in range(12)]
        for text in texts:
            assert await stranger.forward(alice.did, text) == 202
        got = []
        while page := letters(await alice.ask(f"{pickup}/delivery-request", {"limit": 100})):
            got += [(await alice.open(packed)).body["content"] for _, packed in page]
            await alice.ask(f"{pickup}/messages-received", {"message_id_list": [one for one, _ in page]})
        assert got == texts, [text[:4] for text in got]

    await steps.step("four forwards", forwards)
    await steps.step("status, delivery, messages-received", collect)
    await steps.step("twelve of 30 kB, page by page, in order", large)


async def errors(steps, alice):
    async def known():
        pong = await alice.ask("trust-ping/2.0/ping", {"response_requested": True})
        assert pong.type.endswith("trust-ping/2.0/ping-response"), pong.type
        asked = {"queries": [{"feature-type": "protocol", "match": "https://didcomm.org/coordinate-mediation/*"}]}
        told = (await alice.ask("discover-features/2.0/queries", asked)).body["disclosures"]
        assert len(told) == 2, told

    async def refused():
        assert (await alice.ask("nonsense/1.0/x")).body["code"] == "e.p.msg.unsupported"
        other = Client()
        answer = await alice.ask("messagepickup/3.0/status-request", {"recipient_did": other.did})
        assert answer.type.endswith("problem-report"), answer.type
        answer = await alice.ask("messagepickup/3.0/live-delivery-change", {"live_delivery": True})
        assert answer.body["code"] == "e.m.live-mode-not-supported", answer.body
        assert post("not an envelope")[0] == 400
        assert post("{}", "text/html")[0] == 415

    await steps.step("ping, discover-features", known)
    await steps.step("what cannot be", refused)


async def main():
    steps = Steps()
    await pick_up(steps, *await mediate(steps, "2.0"))
    alice, alias, stranger = await mediate(steps, "3.0")
    await pick_up(steps, alice, alias, stranger)
    await errors(steps, alice)
    print(f"didcomm-python: {steps.passed} passed, {steps.failed} failed")
    return 0 if steps.failed == 0 and steps.passed > 0 else 1


sys.exit(asyncio.run(main()))
