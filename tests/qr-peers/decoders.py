"""Other decoders on the degraded corpus: ZBar, OpenCV, zxing-cpp, one try at full size each.

usage: decoders.py DIR. Prints one JSON line for each, as the Rust ones do; those that are not
installed say so and are left out.
"""
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy

here = Path(sys.argv[1])


def pgm(path):
    data = path.read_bytes()
    head, pixels = data.split(b"\n", 1)
    _, width, height, _ = head.split(b" ")
    return numpy.frombuffer(pixels, numpy.uint8).reshape(int(height), int(width))


def zbar():
    from pyzbar import pyzbar

    kinds = [pyzbar.ZBarSymbol.QRCODE]
    return lambda picture: [code.data.decode("latin-1") for code in pyzbar.decode(picture, symbols=kinds)]


def opencv():
    import cv2

    cv2.setNumThreads(1)
    finder = cv2.QRCodeDetector()
    return lambda picture: [finder.detectAndDecode(picture)[0]]


def opencv_aruco():
    import cv2

    cv2.setNumThreads(1)
    finder = cv2.QRCodeDetectorAruco()
    return lambda picture: [finder.detectAndDecode(picture)[0]]


def zxing_cpp():
    import zxingcpp

    kinds = zxingcpp.BarcodeFormat.QRCode
    return lambda picture: [code.text for code in zxingcpp.read_barcodes(picture, formats=kinds)]


lines = [line.split("\t", 2) for line in (here / "list.tsv").read_text().splitlines()]
for name, make in [("zbar", zbar), ("opencv", opencv), ("opencv, aruco", opencv_aruco), ("zxing-cpp", zxing_cpp)]:
    try:
        decode = make()
    except (ImportError, OSError) as why:
        print(json.dumps({"decoder": name, "missing": str(why)}))
        continue
    scores, times = defaultdict(lambda: [0, 0]), []
    for file, kind, says in lines:
        picture = pgm(here / file)
        began = time.perf_counter()
        try:
            read = says in decode(picture)
        except Exception:  # a decoder that throws has read nothing
            read = False
        times.append(time.perf_counter() - began)
        for group in (kind, "all"):
            scores[group][0] += read
            scores[group][1] += 1
    print(json.dumps({"decoder": name, "median_ms": statistics.median(times) * 1000, "read": scores}), flush=True)
