"""../known.json: what is known not to work between whom, and why. Nothing is skipped in silence.

An entry matches by producer, consumer and kind (shell patterns), and holds only while the refusal
contains its `says`: if it goes away, or changes its words, the cross-tests fail until somebody
looks at it.
"""
import fnmatch, json, pathlib

KNOWN = json.loads((pathlib.Path(__file__).parent.parent / "known.json").read_text())


def cause(producer, consumer, kind):
    for entry in KNOWN:
        if all(
            any(fnmatch.fnmatchcase(value, pattern) for pattern in entry[member].split("|"))
            for member, value in (("producer", producer), ("consumer", consumer), ("kind", kind))
        ):
            return entry
    return None


def judge(producer, consumer, kind, error):
    """The cell of the table: error None means that it worked."""
    entry = cause(producer, consumer, kind)
    cell = {"producer": producer, "consumer": consumer, "kind": kind}
    if error is None:
        if entry:
            return {**cell, "outcome": "unexpected", "detail": f"works now; known.json says: {entry['cause']}"}
        return {**cell, "outcome": "ok", "detail": ""}
    if entry and entry["says"] in error:
        return {**cell, "outcome": "known", "detail": entry["cause"]}
    return {**cell, "outcome": "unexpected", "detail": error}
