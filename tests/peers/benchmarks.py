"""docs/benchmarks.md from what tests/peers/benchmarks.sh has measured.

usage: benchmarks.py TOLD OUT ROUNDS VERSION COMMIT

TOLD holds NAME.out, NAME.err, NAME.rc and NAME.load of each part that ran. Parts that did not keep their section.
"""

import datetime
import json
import os
import pathlib
import re
import sys

TOLD, OUT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
ROUNDS, VERSION, COMMIT = sys.argv[3:]
HEAD = """# Benchmarks

Our side and each peer on the same work, one after the other on one machine. **Written by a command that anybody can run
again:** `tests/peers/benchmarks.sh target/release/packmule`; parts of `./check --deep` run the same. Ratios are
worth more than numbers: these are of whatever machine it was, with whatever else it did. What was aimed at and is not
reached says so.
"""
TITLES = {"link": "Links", "drive": "Sneakernet", "mediators": "Mediators", "mail": "Mail", "codes": "Codes",
          "journey": "One message, many channels", "powercut": "Power cuts", "radio": "Bluetooth LE",
          "fuzz": "Hostile bytes", "newcomer": "A newcomer"}
ORDER = list(TITLES)


def number(value):
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def times(ours, theirs):
    return f"{ours / theirs:.2f}×"


def link(said):
    lines = ["Two nodes over TCP on loopback, stores in memory; everything durable as each does it.", ""]
    rows = []
    for work, row in said.items():
        if isinstance(row, dict):
            for peer in (name for name in row if name != "packmule" and not name.startswith("ratio")):
                rows.append([work, number(row["packmule"]), peer, number(row[peer]), times(row["packmule"], row[peer])])
    lines += table(["work", "packmule", "peer", "peer's", "ratio"], rows)
    return lines + ["", f"Lost or doubled: {said['lost_or_doubled']}. Memory with 200 MB under way: {number(said['rss_mb'])} MB (less "
                        "than 64 is promised)."]


def drive(said):
    small, large = said["1000 x 2 kB, messages/s"], said["200 MB, MB/s"]
    rows = [["1,000 × 2 kB, messages/s", number(small["packmule"]), "NNCP, a process each", number(small["NNCP"]),
             times(small["packmule"], small["NNCP"]), "20×"],
            ["the same, NNCP's once enqueued", number(small["packmule"]), "NNCP", number(small["NNCP, once enqueued"]),
             times(small["packmule"], small["NNCP, once enqueued"]), ""],
            ["the same, a file each", number(small["packmule, a file each"]), "NNCP, a process each", number(small["NNCP"]),
             times(small["packmule, a file each"], small["NNCP"]), ""],
            ["200 MB in messages of 1 MB, MB/s", number(large["packmule"]), "NNCP, one file", number(large["NNCP"]),
             times(large["packmule"], large["NNCP"]), "3×"]]
    lines = ["From words to an opened inbox (packed, committed, exported, imported, opened) by a folder in memory.", ""]
    lines += table(["work", "packmule", "peer", "peer's", "ratio", "aim"], rows)
    return lines + ["", f"On the stick beyond the message: {number(said['overhead_bytes'])} bytes each (NNCP "
                        f"{number(said['nncp_overhead_bytes'])}). Memory: {number(said['rss_mb'])} MB (aim: below 32). Lost or doubled: "
                        f"{said['lost_or_doubled']}."]


def mediators(said):
    ours, theirs = said["ours"], said["affinidi"]
    aims = {"forward_cpu_ms": "3×", "delivery_cpu_ms": "3×"}
    rows = []
    for name in ours:
        if name in ("live_lost", "undelivered"):
            continue
        better = ours[name] / theirs[name] if name.endswith("_per_s") else theirs[name] / max(ours[name], 1e-9)
        rows.append([name.replace("_", " "), number(ours[name]), number(theirs[name]), f"{better:.2f}×", aims.get(name, "1×")])
    lines = ["The same client (npm didcomm-node) at both, both synced to disk.", ""]
    lines += table(["", "packmule gateway", "Affinidi mediator", "times better", "aim"], rows)
    return lines + ["", f"Undelivered: {ours['undelivered']} and {theirs['undelivered']}; lost of those pushed: {ours['live_lost']} "
                        f"and {theirs['live_lost']}."]


def codes(said):
    mean = sum(cell["excess"] for cell in said["efficiency"]) / len(said["efficiency"])
    rows = [[row["profile"], f"{row['useful']:.1%}"] for row in said["profiles"]]
    lines = [f"Frames received beyond the fewest possible, mean of 50 seeds over all losses: {mean:.4f}. Other fountains and "
             "decoders stand beside ours in `./check --deep --only qr`.", ""]
    return lines + table(["profile", "of what byte mode carries"], rows)


def mail(text):
    kept = [line for line in text.splitlines() if re.search(r"one at a time|eight at a time|for each|each byte beyond", line)]
    return ["To a real Postfix on loopback.", "", *(f"- {line}" for line in kept)]


def journey(text):
    (said,) = re.findall(r"^(\d+) bytes: (\d+) by radio \((\d+) were sent\), (\d+) by codes, (\d+) on a stick$", text, re.M)
    whole, radio, sent, codes, stick = map(int, said)
    return [f"A message of {whole:,} bytes: {radio:,} arrived by a radio in memory before it was out of reach ({sent:,} were sent), "
            f"{codes:,} by QR codes, {stick:,} on a stick: {(radio + codes + stick) / whole - 1:.1%} more than one copy. Its receipt came "
            "by a real Postfix and Dovecot; the mule's copy and a spare stick's were purged."]


def powercut(text):
    rows = []
    for fs in (json.loads(line) for line in text.splitlines() if line.startswith("{")):
        for kind, said in ((kind, said) for kind, said in fs.items() if isinstance(said, dict)):
            rows.append([fs["fs"], kind, said["cuts"], said["torn"], said["doubled"], said["lost"], said["unreadable"]])
        rows.append([fs["fs"], "yanked, full, read-only: stories that do not hold", fs["mishaps"], fs["broken"], "", "", ""])
    lines = ["Writes of a FUSE driver, replayed block by block up to a cut; then `import`, a repair, another export. What was "
             "reported as written may be lost where the disk ignores syncs (`unsynced`), and nowhere else.", ""]
    return lines + table(["file system", "order of writes", "cuts", "torn", "doubled", "lost", "unreadable"], rows)


def radio(text):
    found = re.findall(r"^rate: (\w+): echo (\d+) kB/s each way in values of (\d+), sessions (\d+) kB/s each way: (\d+) %", text, re.M)
    rows = [[by, value, echo, ours, f"{share} %", "90 %"] for by, echo, value, ours, share in found]
    (held,) = re.findall(r"^ble-vm: (\d+) stories held$", text, re.M)[-1:] or ["no"]
    lines = [f"BlueZ, Debian's kernel and virtual controllers in a guest whose clock counts instructions: {held} stories held.", ""]
    return lines + table(["by", "bytes of a value", "bare echo, kB/s each way", "sessions", "share", "aim"], rows)


def fuzz(text):
    found = re.findall(r"^fuzz: (\S+) ok, (\d+) runs, (\d+) edges, corpus \d+ -> (\d+)$", text, re.M)
    took = int((TOLD / "fuzz.took").read_text(encoding="utf-8"))
    lines = [f"{len(found)} targets, {sum(int(runs) for _, runs, _, _ in found):,} runs in {took:,} seconds; finds: "
             f"{len(re.findall(r'^fuzz: .* FAILED', text, re.M))}.", ""]
    return lines + table(["target", "runs", "edges", "inputs kept"], [[name, f"{int(runs):,}", edges, kept] for name, runs, edges, kept in found])


def newcomer(text):
    took = int((TOLD / "newcomer.took").read_text(encoding="utf-8"))
    said = [line.removeprefix("newcomer: ") for line in text.splitlines() if line.startswith("newcomer: ")]
    return [f"A bare Debian with git, a C compiler and Rust, the README to the letter: {took:,} seconds with debootstrap and the build.", "",
            *(f"- {line}" for line in said)]


def section(name):
    text = (TOLD / f"{name}.out").read_text(encoding="utf-8")
    code = int((TOLD / f"{name}.rc").read_text(encoding="utf-8"))
    lines = [f"## {TITLES[name]}"]
    if name in ("mail", "journey", "powercut", "radio", "fuzz", "newcomer"):
        lines += globals()[name](text)
    else:
        found = [line for line in text.splitlines() if line.startswith("{")]
        if not found:
            sys.exit(f"benchmarks: {name} told no figures, so {OUT} stays as it is")
        lines += globals()[name](json.loads(found[-1]))
    errors = (TOLD / f"{name}.err").read_text(encoding="utf-8").splitlines()
    if code and name in ("journey", "powercut", "radio", "fuzz", "newcomer"):
        errors.append(f"peers: {name}: a promise is not kept")
    missed = [line for line in errors if re.match(r"(peers|mediators|sneakernet): .*(behind|not kept|lost|aim)", line)]
    lines += ["", *(f"**Not reached:** {line}" for line in missed)] if missed else []
    load = (TOLD / f"{name}.load").read_text(encoding="utf-8").strip()
    when = datetime.date.today().isoformat()
    lines += ["", f"*{when}, {VERSION} at {COMMIT}, {ROUNDS} rounds, medians; {machine()}; load as it began {load}.*"]
    return "\n".join(lines) + "\n", code


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(": ")[1].strip() for line in lines if line.startswith("model name")), os.uname().machine)
    return f"{os.cpu_count()} cores of {model}, Linux {os.uname().release.split('-')[0]}"


def main():
    old = OUT.read_text(encoding="utf-8") if OUT.exists() else ""
    kept = dict(re.findall(r"<!-- (\w+) -->\n(.*?)(?=\n<!-- |\Z)", old, re.S))
    failed = []
    for name in ORDER:
        if (TOLD / f"{name}.out").exists():
            kept[name], code = section(name)
            failed += [name] if code else []
    parts = [f"<!-- {name} -->\n{kept[name].rstrip()}\n" for name in ORDER if name in kept]
    OUT.write_text(HEAD + "\n" + "\n".join(parts), encoding="utf-8")
    print(f"benchmarks: {OUT}: {', '.join(name for name in ORDER if name in kept)}")
    if failed:
        sys.exit(f"benchmarks: a promise does not hold: {', '.join(failed)}")


main()
