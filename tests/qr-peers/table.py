"""The tables of tests/qr-peers/run.sh: @ngraveio/bc-ur's frames, and all decoders by trouble.

usage: table.py NGRAVE_JSON DECODERS_JSON OURS. Fails where another decoder reads more than ours.
"""
import json
import sys

ngrave, decoders, ours = sys.argv[1:]
cells = [json.loads(line) for line in open(ngrave)]
losses = list(dict.fromkeys(cell["loss"] for cell in cells))
print(f"\n@ngraveio/bc-ur, {cells[0]['seeds']} seeds: frames shown until whole, median/99th of a hundred")
print(f"{'':<24}" + "".join(f"{loss:>12}" for loss in losses))
for k, late in dict.fromkeys((cell["k"], cell["late"]) for cell in cells):
    row = {cell["loss"]: cell for cell in cells if (cell["k"], cell["late"]) == (k, late)}
    text = "".join(f"{str(row[l]['median']) + '/' + str(row[l]['p99']):>12}" for l in losses)
    print(f"{f'k = {k}' + (', joined late' if late else ''):<24}{text}")

read = [{"decoder": "packmule", "read": json.loads([line for line in open(ours) if line.startswith("{")][-1])}]
read += [json.loads(line) for line in open(decoders)]
kinds = [kind for kind in read[0]["read"] if kind[0].isupper()] + ["all"]
print("\npictures read of a hundred, by trouble; all but ours in one try at full size")
print(f"{'':<14}" + "".join(f"{kind:>9}" for kind in kinds))
best = 0.0
for one in read:
    if "missing" in one:
        print(f"{one['decoder']:<14} not installed: {one['missing']}")
        continue
    part = {kind: good * 100 / of for kind, (good, of) in one["read"].items()}
    print(f"{one['decoder']:<14}" + "".join(f"{part[kind]:>9.1f}" for kind in kinds))
    if one is not read[0]:
        best = max(best, part["all"])
mine = read[0]["read"]["all"][0] * 100 / read[0]["read"]["all"][1]
assert mine >= best, f"another decoder reads {best:.1f} of a hundred, ours {mine:.1f}"
