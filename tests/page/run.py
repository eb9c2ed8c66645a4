"""The pages of a real gateway in headless Chromium: run.py [STORY]…

PACKMULE_BIN: the command line to test. Pictures go into PAGE_SHOTS. Ends with 1 if a story failed.
Nothing but Python's own library: see browser.py.
"""

import os
import pathlib
import sys
import tempfile
import time
import traceback

import browser
import operators
import scanner
import visitors

STORIES = {"visitor": visitors.story, "operator": operators.story, "scanner": scanner.story}


def main():
    shots = pathlib.Path(os.environ.get("PAGE_SHOTS", "page-shots"))
    shots.mkdir(parents=True, exist_ok=True)
    chosen = sys.argv[1:] or list(STORIES)
    failed = []
    for name in chosen:
        print(f"page: {name}", flush=True)
        began = time.monotonic()
        chromium = browser.Browser()
        try:
            with tempfile.TemporaryDirectory(prefix="packmule-kiosk-") as place:
                STORIES[name](chromium, place, shots)
            print(f"page: {name}: ok, {time.monotonic() - began:.0f} s", flush=True)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        finally:
            chromium.close()
    pictures = len(list(shots.glob("*.png")))
    print(f"page: {len(chosen) - len(failed)} ok, {len(failed)} failed; {pictures} pictures in {shots}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
