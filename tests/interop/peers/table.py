"""Prints the results of one run as a table, then everything unexpected, then `N passed, N failed`.

    table.py RESULTS.jsonl      exit code 1 if anything was unexpected, or if there is no result
"""
import json, pathlib, sys

SIGN = {"ok": "yes", "known": "no*", "unexpected": "FAIL"}


def main(path):
    cells = [json.loads(line) for line in path.read_text().splitlines()]
    columns = list(dict.fromkeys((cell["producer"], cell["consumer"]) for cell in cells))
    kinds = list(dict.fromkeys(cell["kind"] for cell in cells))
    by = {(cell["producer"], cell["consumer"], cell["kind"]): cell for cell in cells}
    for number, (producer, consumer) in enumerate(columns, 1):
        print(f"{number:>4}  {producer} -> {consumer}")
    width = max((len(kind) for kind in kinds), default=4)
    print("\n" + "kind".ljust(width) + "".join(f"{n:>6}" for n in range(1, len(columns) + 1)))
    for kind in kinds:
        row = [by.get((*column, kind)) for column in columns]
        print(kind.ljust(width) + "".join(f"{SIGN[cell['outcome']] if cell else '.':>6}" for cell in row))
    causes = dict.fromkeys(
        f"{c['producer']} -> {c['consumer']}: {c['detail']}" for c in cells if c["outcome"] == "known"
    )
    print("\n* known incompatibilities, checked to be still there:")
    for cause in causes:
        print(f"  {cause}")
    failed = [cell for cell in cells if cell["outcome"] == "unexpected"]
    for cell in failed:
        print(f"FAILED {cell['producer']} -> {cell['consumer']} {cell['kind']}: {cell['detail']}")
    print(f"\n{len(cells) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not cells else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
