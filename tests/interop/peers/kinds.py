"""Reads ../kinds.json: every kind of packed message that the cross-tests know, as jobs."""
import json, pathlib

KINDS = json.loads((pathlib.Path(__file__).parent.parent / "kinds.json").read_text())


def key(docs, name):
    """`alice` -> her DID; `alice#key-1` -> that key; `kiosk#keyAgreement` -> its first such key."""
    if name is None:
        return None
    who, _, fragment = name.partition("#")
    prefix = {"kiosk": "did:key:", "mule": "did:peer:2"}.get(who, f"did:example:{who}")
    doc = next(doc for doc in docs if doc["id"].startswith(prefix))
    if fragment in ("keyAgreement", "authentication"):
        return doc[fragment][0]
    return f"{doc['id']}#{fragment}" if fragment else doc["id"]


def jobs(docs):
    """One pack job a kind, with its plaintext; `fixture` tells the kinds that are kept as files."""
    for kind in KINDS:
        sender, recipient = key(docs, kind["sender"]), key(docs, kind["recipient"])
        message = {
            "id": f"foreign-{kind['name']}",
            "typ": "application/didcomm-plain+json",
            "type": "https://didcomm.org/basicmessage/2.0/message",
            "from": sender,
            "to": [recipient],
            "created_time": 1516269022,
            "body": {"content": f"Packed as {kind['name']}."},
        }
        yield {
            "op": "pack", "name": kind["name"], "message": message,
            **{member: key(docs, kind[member]) for member in ("to", "from", "sign")},
            "enc": kind["enc"], "hide_sender": kind["hide_sender"], "fixture": kind["fixture"],
        }
