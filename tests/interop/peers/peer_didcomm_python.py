"""PyPI `didcomm` 0.3.2 behind the peers' contract (README.md): jobs on stdin, results on stdout."""
import asyncio, json, sys
from didcomm.common.algorithms import AnonCryptAlg
from didcomm.common.resolvers import ResolversConfig
from didcomm.did_doc.did_doc import DIDDoc
from didcomm.did_doc.did_resolver_in_memory import DIDResolverInMemory
from didcomm.pack_encrypted import PackEncryptedConfig, pack_encrypted
from didcomm.pack_signed import pack_signed
from didcomm.secrets.secrets_resolver_in_memory import SecretsResolverInMemory
from didcomm.secrets.secrets_util import jwk_to_secret
from didcomm.unpack import unpack

ENC = {
    "A256CBC-HS512": AnonCryptAlg.A256CBC_HS512_ECDH_ES_A256KW,
    "A256GCM": AnonCryptAlg.A256GCM_ECDH_ES_A256KW,
    "XC20P": AnonCryptAlg.XC20P_ECDH_ES_A256KW,
}


async def pack(config, job):
    if not job["to"]:
        return (await pack_signed(config, job["message"], job["sign"])).packed_msg
    how = PackEncryptedConfig(
        enc_alg_anon=ENC[job["enc"]], protect_sender_id=job["hide_sender"], forward=False
    )
    result = await pack_encrypted(
        config, job["message"], job["to"], job["from"], job["sign"], how
    )
    return result.packed_msg


async def run(config, job):
    if job["op"] == "pack":
        return {"packed": await pack(config, job)}
    result = await unpack(config, job["packed"])
    return {
        "message": result.message.as_dict(),
        "sender_kid": result.metadata.encrypted_from,
        "signer_kid": result.metadata.sign_from,
    }


async def main():
    task = json.load(sys.stdin)
    config = ResolversConfig(
        secrets_resolver=SecretsResolverInMemory(
            [jwk_to_secret({**jwk, "kid": kid}) for kid, jwk in task["secrets"].items()]
        ),
        did_resolver=DIDResolverInMemory([DIDDoc.deserialize(doc) for doc in task["docs"]]),
    )
    results = []
    for job in task["jobs"]:
        try:
            results.append({"name": job["name"], "ok": True, **await run(config, job)})
        except Exception as error:  # a peer's refusal is a result, whatever its class
            results.append({"name": job["name"], "ok": False, "error": f"{type(error).__name__}: {error}"})
    json.dump(results, sys.stdout, default=str)


asyncio.run(main())
