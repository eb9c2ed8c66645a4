"""Cross-tests of the packmule command line with foreign peers, both ways.

    cross.py --bin PACKMULE --parties DIR --out RESULTS.jsonl PEER...

Writes one line a cell: producer, consumer, kind, outcome (ok | known | unexpected), detail.
"""
import argparse, json, pathlib, subprocess, sys
from kinds import jobs
from known import judge
from packmule_cli import Packmule

PEERS_SH = pathlib.Path(__file__).parent.parent / "peers.sh"


def run_peer(peer, docs, secrets, todo):
    task = json.dumps({"docs": docs, "secrets": secrets, "jobs": todo})
    done = subprocess.run([PEERS_SH, "run", peer], input=task, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{peer} is broken: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def differs(job, message, sender, signer, sender_of, signer_of):
    """In words, how what was read differs from what was packed; None if it does not."""
    for member in ("id", "type", "from", "to", "created_time", "body"):
        if message.get(member) != job["message"][member]:
            return f"`{member}` became {message.get(member)!r}"
    if (sender or None) != (sender_of(job["from"]) if job["from"] else None):
        return f"sender became {sender!r}"
    if (signer or None) != (signer_of(job["sign"]) if job["sign"] else None):
        return f"signer became {signer!r}"
    return None


def ours_to(peer, packmule, docs, secrets, kinds):
    packed = []
    for job in kinds:
        try:
            text = packmule.pack(job)
            if text is not None:
                packed.append((job, text))
        except Exception as error:  # reported as a cell of the table
            yield judge("packmule", peer, job["name"], f"packmule pack: {error}")
    todo = [{"op": "unpack", "name": job["name"], "packed": text} for job, text in packed]
    for (job, _), result in zip(packed, run_peer(peer, docs, secrets, todo), strict=True):
        error = result.get("error")
        if result["ok"]:
            same = lambda kid: kid
            error = differs(job, result["message"], result["sender_kid"], result["signer_kid"], same, same)
        yield judge("packmule", peer, job["name"], error)


def theirs_to_us(peer, packmule, docs, secrets, kinds):
    for job, result in zip(kinds, run_peer(peer, docs, secrets, kinds), strict=True):
        if not result["ok"]:
            yield judge(peer, "(packing)", job["name"], result["error"])
            continue
        try:
            read = packmule.unpack(result["packed"])
            did = lambda kid: kid.split("#")[0]
            error = differs(job, read["message"], read["sender"], read["signed_by"], did, lambda kid: kid)
        except Exception as refused:  # reported as a cell of the table
            error = str(refused)
        yield judge(peer, "packmule", job["name"], error)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--parties", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("peers", nargs="+")
    args = parser.parse_args()
    docs, secrets = (json.loads((args.parties / f"{n}.json").read_text()) for n in ("docs", "secrets"))
    packmule = Packmule(args.bin, docs, secrets)
    kinds = [{k: v for k, v in job.items() if k != "fixture"} for job in jobs(docs)]
    with args.out.open("a") as out:
        for peer in args.peers:
            for cells in (ours_to, theirs_to_us):
                for cell in cells(peer, packmule, docs, secrets, kinds):
                    out.write(json.dumps(cell) + "\n")


main()
