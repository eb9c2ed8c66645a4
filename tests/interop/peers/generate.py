"""Writes fixtures/didcomm/foreign/<producer>/*.json: what one foreign implementation packs.

    generate.py PRODUCER PARTIES_DIR OUT_DIR -- COMMAND...

COMMAND is that peer (contract: README.md). A kind that the producer cannot make is left out and
named on stderr; a README in the folder, written by hand, says why.
"""
import json, pathlib, subprocess, sys
from kinds import jobs


def main(producer, parties, out, command):
    docs, secrets = (json.loads((parties / f"{n}.json").read_text()) for n in ("docs", "secrets"))
    task = {"docs": docs, "secrets": secrets, "jobs": [job for job in jobs(docs) if job.pop("fixture")]}
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
