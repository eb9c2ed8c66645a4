"""PyPI `didcomm-messaging[askar]` 0.1.1 (Indicio) behind the peers' contract (README.md).

The library encrypts only: it has no signatures, no choice of content encryption and no nesting,
so jobs that ask for those are answered with an error that begins "unsupported by the library".
"""
import asyncio, json, sys
from aries_askar import Key
from didcomm_messaging.crypto.backend.askar import AskarCryptoService, AskarSecretKey
from didcomm_messaging.crypto import SecretsManager
from didcomm_messaging.packaging import PackagingService
from didcomm_messaging.resolver import DIDResolver


class Documents(DIDResolver):
    def __init__(self, docs):
        self.docs = {doc["id"]: doc for doc in docs}

    async def is_resolvable(self, did):
        return did in self.docs

    async def resolve(self, did):
        return self.docs[did]


class Secrets(SecretsManager):
    def __init__(self, secrets):
        self.secrets = secrets

    async def get_secret_by_kid(self, kid):
        jwk = self.secrets.get(kid)
        return AskarSecretKey(Key.from_jwk(jwk), kid) if jwk else None


async def run(service, crypto, resolver, secrets, job):
    if job["op"] == "pack":
        if job["sign"] or job["hide_sender"] or not job["to"]:
            raise ValueError("unsupported by the library: signing and nesting")
        if job["enc"] != ("A256CBC-HS512" if job["from"] else "XC20P"):
            raise ValueError("unsupported by the library: choosing the content encryption")
        packed = await service.pack(
            crypto, resolver, secrets, json.dumps(job["message"]).encode(), [job["to"]], job["from"]
        )
        return {"packed": packed.decode()}
    plaintext, meta = await service.unpack(crypto, resolver, secrets, job["packed"])
    return {"message": json.loads(plaintext), "sender_kid": meta.sender_kid, "signer_kid": None}


async def main():
    task = json.load(sys.stdin)
    parts = PackagingService(), AskarCryptoService(), Documents(task["docs"]), Secrets(task["secrets"])
    results = []
    for job in task["jobs"]:
        try:
            results.append({"name": job["name"], "ok": True, **await run(*parts, job)})
        except Exception as error:  # a peer's refusal is a result, whatever its class
            results.append({"name": job["name"], "ok": False, "error": f"{type(error).__name__}: {error}"})
    json.dump(results, sys.stdout, default=str)


asyncio.run(main())
