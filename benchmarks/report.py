"""The page of `flowdsl report` with 10,000 pictures in headless Chromium, beside a plain page of pictures.

The peer is what one writes by hand: a figure for each picture, loaded lazily, with its prompt below it. Memory is the
resident set of the process that renders the page, with the libraries of the browser in it.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.table import Row, duration, show
from flowdsl.cli import main as flowdsl
from flowdsl.report.thumbnails import SIZE, thumbnails
from tests.verify.browser import MISSING, browse
from tests.verify.report_pages import many_pictures, rows_of

COUNT = 10_000
MOST_S, MOST_MB = 2.0, 300
ROUNDS = 5
LARGE = 60


def main() -> None:
    """Prints the tables."""
    with tempfile.TemporaryDirectory(prefix="flowdsl-report-") as folder:
        if MISSING is None:
            opened(Path(folder))
        else:
            print(f"\nthe page of {COUNT:,} pictures: {MISSING}")
        made_small(Path(folder) / "large")


def opened(folder: Path) -> None:
    """How long the page takes until its first pictures are there, and the memory it has then and at its end."""
    many_pictures(folder, COUNT, 256)
    began = time.perf_counter()
    flowdsl(["report", str(folder), "--quiet", "--out", str(folder / "report.html")])
    written = time.perf_counter() - began
    figures = "".join(
        f'<figure class="card"><img loading="lazy" width="220" height="220" alt="" src="{row["src"]}">'
        f"<figcaption>{row['prompt']}</figcaption></figure>"
        for row in rows_of(folder / "report.html")
    )
    style = "body{display:grid;grid-template-columns:repeat(auto-fill,220px)}figure{margin:0}"
    (folder / "plain.html").write_text(f"<!doctype html><title>Plain</title><style>{style}</style>{figures}")
    found: dict[str, list[list[float]]] = {"report": [], "plain": []}
    for _ in range(ROUNDS):  # in turns
        for name, measured in found.items():
            end = ["press", "End"], ["until", "[...document.images].every((e) => e.complete || e.loading === 'lazy')"]
            first = ["press", "ArrowRight"] if name == "report" else ["value", "0"]
            took, memory, _, *_, last = browse(
                ["open", str(folder / f"{name}.html")], ["memory"], first, *end, ["memory"]
            )
            measured.append([took / 1000, memory / 1e6, last / 1e6])
    (ours, memory, later), plain = ([median(each) for each in zip(*found[name], strict=True)] for name in found)
    rows = [
        Row("plain figures", (duration(plain[0]), f"{plain[1]:.0f} MB", f"{plain[2]:.0f} MB")),
        Row(
            "flowdsl report",
            (duration(ours), f"{memory:.0f} MB", f"{later:.0f} MB"),
            f"{ours / plain[0]:.2f} of the time, {later / plain[2]:.2f} of the memory",
            f"under {MOST_S:g} s and {MOST_MB} MB",
        ),
    ]
    show(f"A page of {COUNT:,} pictures, written in {duration(written)}", ("opens in", "memory", "at the end"), rows)


def made_small(folder: Path) -> None:
    """Small pictures of large ones, beside a loop on Pillow alone."""
    from PIL import Image

    folder.mkdir()
    paths = [str(folder / f"{number}.png") for number in range(LARGE)]
    for path in paths:
        noise = Image.frombytes("RGB", (128, 128), os.urandom(3 * 128 * 128))
        noise.resize((1024, 1024)).save(path, compress_level=1)
    began = time.perf_counter()
    for path in paths:
        with Image.open(path) as image:
            image.thumbnail((SIZE, SIZE))
            image.save(f"{path}.webp", quality=78)
    loop = time.perf_counter() - began
    times = []
    for _ in range(2):
        began = time.perf_counter()
        thumbnails(paths, folder / ".thumbnails")
        times.append(time.perf_counter() - began)
    rows = [
        Row("a loop on Pillow", (duration(loop / LARGE),)),
        Row("flowdsl report", (duration(times[0] / LARGE),), f"{times[0] / loop:.2f}"),
        Row("once more", (duration(times[1] / LARGE),), f"{times[1] / loop:.4f}"),
    ]
    show(f"Small pictures of {LARGE} of 1024x1024", ("each",), rows)
