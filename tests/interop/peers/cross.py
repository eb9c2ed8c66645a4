"""Cross-tests of packmule with foreign peers, both ways.

    cross.py --cli PACKMULE --library PEER_PACKMULE --parties DIR --out RESULTS.jsonl PEER...

`packmule` is the agent as a library, which can do every kind; `packmule-cli` is the command line
with its own choices. Appends one line a cell: producer, consumer, kind, outcome (ok | known |
unexpected), detail.
"""
import argparse, json, pathlib, subprocess, sys
from kinds import jobs
from known import judge
from packmule_cli import Packmule

PEERS_SH = pathlib.Path(__file__).parent.parent / "peers.sh"


class Program:
    """Anybody behind the peers' contract."""

    def __init__(self, name, command, docs, secrets):
        self.name, self.command, self.docs, self.secrets = name, command, docs, secrets

    def do(self, todo):
        task = json.dumps({"docs": self.docs, "secrets": self.secrets, "jobs": todo})
        done = subprocess.run(self.command, input=task, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{self.name} is broken: {done.stderr[-2000:]}")
        results = json.loads(done.stdout)
        if len(results) != len(todo):
            sys.exit(f"{self.name} is broken: {len(todo)} jobs, {len(results)} results")
        return results


def differs(job, read):
    """In words, how what was read differs from what was packed; None if it does not."""
    for member in ("id", "type", "from", "to", "created_time", "body"):
        if read["message"].get(member) != job["message"][member]:
            return f"`{member}` became {read['message'].get(member)!r}"
    for member, kid in (("sender_kid", job["from"]), ("signer_kid", job["sign"])):
        said = read[member]
        # The command line names the sender's DID, not the key.
        wanted = kid.split("#")[0] if kid and said and "#" not in said else kid
        if said != wanted:
            return f"{member} became {said!r}"
    return None


def cells(producer, consumer, kinds):
    packed = []
    for job, result in zip(kinds, producer.do(kinds)):
        if result.get("not_offered"):
            continue
        if result["ok"]:
            packed.append((job, result["packed"]))
        elif consumer.name != Packmule.name:  # a peer packs for both of ours: one cell is enough
            yield judge(producer.name, "(packing)", job["name"], result["error"])
    todo = [{"op": "unpack", "name": job["name"], "packed": text} for job, text in packed]
    for (job, _), read in zip(packed, consumer.do(todo)):
        yield judge(producer.name, consumer.name, job["name"],
                    differs(job, read) if read["ok"] else read["error"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cli", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--parties", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("peers", nargs="+")
    args = parser.parse_args()
    docs, secrets = (json.loads((args.parties / f"{n}.json").read_text()) for n in ("docs", "secrets"))
    kinds = [{k: v for k, v in job.items() if k != "fixture"} for job in jobs(docs)]
    ours = [Program("packmule", [args.library], docs, secrets), Packmule(args.cli, docs, secrets)]
    with args.out.open("a") as out:
        for peer in args.peers:
            theirs = Program(peer, [PEERS_SH, "run", peer], docs, secrets)
            for own in ours:
                for pair in ((own, theirs), (theirs, own)):
                    for cell in cells(*pair, kinds):
                        out.write(json.dumps(cell) + "\n")


main()
