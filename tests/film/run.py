"""Codes on film, as a camera would take them, and what our scanner makes of it.

usage: run.py PACKMULE [DIR]. Saves a message of 30 kB as codes, spoils them with ffmpeg in the ways
that screens and cameras do, encodes each as H.264, scans it, and compares hashes. Prints a line a
film and fails where a message does not arrive whole.
"""
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BYTES = 30_000

# A camera's picture: 1280 × 720, at 30 a second, with grey around the screen.
VIEW = "fps=30,pad=1280:720:(ow-iw)/2:(oh-ih)/2:gray"
TILT = "rotate={}*PI/180:fillcolor=gray"
# Where a row belongs to the code before: a shutter that rolls, each time from somewhere else.
ROLL = (
    f"[0:v]{VIEW},split[now][then];[then]tpad=start=1[before];"
    "[now][before]blend=all_expr='if(lte(Y,H*mod(N*0.37,1)),A,B)'"
)

FILMS = [
    # name, profile, filter, quality of H.264 (higher is worse)
    ("as it is", "normal", f"[0:v]{VIEW}", 23),
    ("badly compressed", "normal", f"[0:v]{VIEW}", 35),
    ("large codes, fast", "fast", f"[0:v]{VIEW}", 28),
    ("blur, noise, low contrast, 2 degrees", "normal",
     f"[0:v]{VIEW},{TILT.format(2)},gblur=sigma=1,eq=contrast=0.5,noise=alls=12:allf=t", 28),
    ("12 degrees, uneven light", "normal",
     f"[0:v]{VIEW},{TILT.format(12)},geq=lum='lum(X,Y)*(0.35+0.65*X/W)':cb=128:cr=128,gblur=sigma=0.6", 25),
    ("out of focus", "normal", f"[0:v]{VIEW},gblur=sigma=1.8,noise=alls=4:allf=t", 23),
    ("every picture half the next", "normal",
     f"[0:v]{VIEW},tblend=all_mode=average,gblur=sigma=0.6,noise=alls=6:allf=t", 25),
    ("a shutter that rolls", "normal", ROLL + ",gblur=sigma=0.6,noise=alls=6:allf=t", 25),
    ("a third of the pictures gone", "normal",
     f"[0:v]{VIEW},select='gt(mod(n*7,10),2)',setpts=N/30/TB", 28),
]


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout


def main():
    packmule = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(scratch)
        where.mkdir(parents=True, exist_ok=True)
        sent = random.Random(20261121).randbytes(BYTES)
        letter, got = where / "letter.bin", where / "got.bin"
        letter.write_bytes(sent)
        failed = 0
        for name, profile, spoil, quality in FILMS:
            codes, film = where / "codes.y4m", where / (name.replace(" ", "-").replace(",", "") + ".mp4")
            saved = json.loads(run(packmule, "qr", "save", str(letter), "--out", str(codes),
                                   "--profile", profile, "--json"))["messages"][0]
            run("ffmpeg", "-nostdin", "-y", "-loglevel", "error", "-i", str(codes), "-filter_complex", spoil,
                "-c:v", "libx264", "-preset", "veryfast", "-crf", str(quality), "-pix_fmt", "yuv420p", str(film))
            got.unlink(missing_ok=True)
            began = time.monotonic()
            scan = subprocess.run([packmule, "qr", "scan", str(film), "--out", str(got), "--json", "--forget"],
                                  stdout=subprocess.PIPE)
            seconds = time.monotonic() - began
            told = json.loads(scan.stdout)
            whole = told["complete"] and got.read_bytes() == sent
            whole = whole and told["sha256"] == hashlib.sha256(sent).hexdigest() == saved["sha256"]
            failed += not whole
            print(f"film: {name}: {'whole' if whole else 'NOT WHOLE'}, {told['frames_read']} of "
                  f"{told['frames_needed']} codes in {told['pictures']} pictures, {seconds:.1f} s", flush=True)
        assert not failed, f"{failed} films did not bring the message"


if __name__ == "__main__":
    main()
