"""The ratios of tests/peers/run.sh: medians over its rounds; fails when we are not ahead."""

import json
import statistics
import sys


def rows(name):
    with open(f"{sys.argv[1]}/{name}", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def median(name, *members):
    for member in members:
        values = [row[member] for row in rows(name) if row.get(member) is not None]
        if values:
            return statistics.median(values)
    sys.exit(f"peers: {name} told none of {members}: {rows(name)}")


lost = sum(row["lost"] + row["doubled"] for name in ("ours-small", "ours-large", "ours-serial") for row in rows(name))
table = {
    "1000 x 2 kB, messages/s": (median("ours-small", "msgs_per_s"), {
        "dtn7 mtcp, in memory": median("dtn7", "online_bundles_per_s"),
        "NNCP, TCP": median("nncp", "msgs_per_s"),
    }),
    "200 MB, MB/s": (median("ours-large", "mb_per_s"), {"NNCP, TCP": median("nncp", "file_MBps")}),
    "serial with receipt, messages/s": (median("ours-serial", "msgs_per_s"), {"LXMF": median("lxmf", "msgs_per_s", "msg_per_s")}),
}
report = {"lost_or_doubled": lost, "rss_mb": max(row["rss_mb"] for row in rows("ours-large"))}
behind = []
for work, (ours, peers) in table.items():
    report[work] = {"packmule": round(ours, 1)}
    for peer, theirs in peers.items():
        report[work][peer] = round(theirs, 1)
        report[work][f"ratio to {peer}"] = round(ours / theirs, 2)
        if ours <= theirs:
            behind.append(f"{work}: {peer}")
print(json.dumps(report))
if lost:
    sys.exit(f"peers: {lost} messages lost or doubled")
if report["rss_mb"] >= 64:
    sys.exit(f"peers: {report['rss_mb']} MB of memory, 64 allowed")
if behind:
    sys.exit("peers: behind in " + "; ".join(behind))
