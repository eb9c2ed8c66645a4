"""The ratios of tests/peers/mediators.sh: medians over its rounds; fails where we are behind what we had."""

import json
import pathlib
import statistics
import sys

place = pathlib.Path(sys.argv[1])


def rows(name):
    return [json.loads(line) for line in (place / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def median(name, member):
    return statistics.median(float(row[member]) for row in rows(name))


report, behind = {}, []
for who in ("ours", "affinidi"):
    long = rows(f"{who}.long")[-1]
    report[who] = {
        "forward_cpu_ms": median(f"{who}.load", "fwd_cpu_ms_each"),
        "forwards_per_s": median(f"{who}.load", "fwd_per_s"),
        "forward_p99_ms": median(f"{who}.load", "fwd_p99_ms"),
        "delivery_cpu_ms": median(f"{who}.load", "del_cpu_ms_each"),
        "deliveries_per_s": median(f"{who}.load", "del_per_s"),
        "delivery_p99_ms": median(f"{who}.load", "del_p99_ms"),
        "live_p50_ms": median(f"{who}.live", "live_p50_ms"),
        "live_p99_ms": median(f"{who}.live", "live_p99_ms"),
        "live_lost": sum(row["lost"] for row in rows(f"{who}.live")),
        "rss_mb_after_10000": round(long["rss_kb"][2] / 1024, 1),
        "undelivered": sum(row["forwards"] - row["delivered"] for row in rows(f"{who}.load") + rows(f"{who}.long")),
        "disk_kb_after_acks": int((place / f"{who}.disk").read_text(encoding="utf-8")),
    }
ours, theirs = report["ours"], report["affinidi"]
# The slowest pushes are the client's: it packs an acknowledgement for each of ours between them.
# What was promised, and what was reached and must not be lost again.
for name, aim, held in (("forward_cpu_ms", 3.0, 2.5), ("delivery_cpu_ms", 3.0, 1.8), ("forward_p99_ms", 1.0, 1.0), ("delivery_p99_ms", 1.0, 1.0),
                        ("live_p50_ms", 1.0, 0.8), ("rss_mb_after_10000", 1.0, 1.0), ("disk_kb_after_acks", 1.0, 1.0)):
    ratio = theirs[name] / ours[name] if ours[name] else float("inf")
    report[f"times better in {name}"] = round(ratio, 2)
    if ratio < aim:
        print(f"mediators: {name}: {ratio:.2f} times better, the aim is {aim}", file=sys.stderr)
    if ratio < held:
        behind.append(f"{name}: {ratio:.2f}, not {held}")
print(json.dumps(report))
if ours["undelivered"] or ours["live_lost"]:
    sys.exit(f"mediators: we lost {ours['undelivered']} and {ours['live_lost']} pushed")
if behind:
    sys.exit("mediators: behind in " + "; ".join(behind))
