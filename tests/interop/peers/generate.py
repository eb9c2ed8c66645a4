"""Writes fixtures/didcomm/foreign/<producer>/*.json: what one foreign implementation packs.

    generate.py PRODUCER PARTIES_DIR OUT_DIR -- COMMAND...

COMMAND is that peer (contract: README.md). A kind that the producer cannot make is left out and
named on stderr; a README in the folder, written by hand, says why.
"""
import json, pathlib, subprocess, sys

ALICE, BOB = "did:example:alice", "did:example:bob"


def plaintext(name, sender, recipient):
    return {
        "id": f"foreign-{name}",
        "typ": "application/didcomm-plain+json",
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": sender,
        "to": [recipient],
        "created_time": 1516269022,
        "body": {"content": f"Packed as {name}."},
    }


def jobs(docs):
    kiosk = next(d for d in docs if d["id"].startswith("did:key:"))
    mule = next(d for d in docs if d["id"].startswith("did:peer:2"))
    x, p256 = "#key-x25519-1", "#key-p256-1"
    table = [
        # name, from DID, to DID, to (key or DID), authcrypt key, signing key, enc, hide sender
        ("signed-ed25519", ALICE, BOB, None, None, ALICE + "#key-1", None, False),
        ("signed-p256", ALICE, BOB, None, None, ALICE + "#key-2", None, False),
        ("signed-k256", ALICE, BOB, None, None, ALICE + "#key-3", None, False),
        ("anon-x25519-cbc", ALICE, BOB, BOB + x, None, None, "A256CBC-HS512", False),
        ("anon-x25519-gcm", ALICE, BOB, BOB + x, None, None, "A256GCM", False),
        ("anon-x25519-xc20p", ALICE, BOB, BOB + x, None, None, "XC20P", False),
        ("auth-x25519-three-keys", ALICE, BOB, BOB, ALICE + x, None, "A256CBC-HS512", False),
        ("auth-x25519", ALICE, BOB, BOB + x, ALICE + x, None, "A256CBC-HS512", False),
        ("auth-p256", ALICE, BOB, BOB + p256, ALICE + p256, None, "A256CBC-HS512", False),
        ("anon-sign", ALICE, BOB, BOB + x, None, ALICE + "#key-1", "A256CBC-HS512", False),
        ("anon-auth", ALICE, BOB, BOB + x, ALICE + x, None, "A256CBC-HS512", True),
        ("auth-key-to-peer2", kiosk["id"], mule["id"], mule["keyAgreement"][0],
         kiosk["keyAgreement"][0], None, "A256CBC-HS512", False),
    ]
    for name, sender, recipient, to, auth, sign, enc, hide in table:
        yield {"op": "pack", "name": name, "message": plaintext(name, sender, recipient), "to": to,
               "from": auth, "sign": sign, "enc": enc, "hide_sender": hide}


def main(producer, parties, out, command):
    docs, secrets = (json.loads((parties / f"{n}.json").read_text()) for n in ("docs", "secrets"))
    task = {"docs": docs, "secrets": secrets, "jobs": list(jobs(docs))}
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{producer}: {done.stderr[-2000:]}")
    out.mkdir(parents=True, exist_ok=True)
    for result in json.loads(done.stdout):
        if result["ok"]:
            # No newline after it: the file is the packed message, byte for byte.
            (out / f"{result['name']}.json").write_text(result["packed"])
        else:
            print(f"{producer}: no {result['name']}: {result['error']}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[5:])
