"""A page of very many pictures, for tests and for the benchmark."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

from flowdsl.image.manifest import whole_manifest

MODELS = ("gpt-image-2", "gpt-image-1.5")
WORDS = ("harbour", "lighthouse", "fox", "meadow", "bakery", "skyline", "kite", "lantern", "orchard", "violin")


def png(side: int, number: int) -> bytes:
    """A picture of stripes in colours of its own."""
    colours = [bytes((number * 37 + part * 61) % 256 for part in (band, band + 1, band + 2)) for band in range(4)]
    lines = b"".join(b"\0" + colours[line * 4 // side] * side for line in range(side))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines, 1)),
        (b"IEND", b""),
    ]
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def many_pictures(folder: Path, count: int, side: int) -> None:
    """A folder of pictures with their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(count):
        file = f"card-{number}.png"
        (folder / file).write_bytes(png(side, number))
        lines.append(
            {
                "file": file,
                "prompt": f"A {WORDS[number % 10]} near a {WORDS[number // 10 % 10]}, number {number}",
                "model": MODELS[number % 4 == 3],
                "service": "OPENAI_IMAGE_GENERATION",
                "size": f"{side}x{side}",
                "step": "OPENAI_IMAGE_GENERATION",
                "id": "card",
                "at": "card.flow.yaml:7",
                "iteration": [number],
                "cost_usd": 0.006 if number % 4 != 3 else 0.05,
                "request_id": f"req_{number}",
                "run": "01a21bb6-33d0-7ff0-9eea-75fb59918096",
                "made": "2026-11-27T06:34:15+00:00",
            }
        )
    (folder / "manifest.json").write_bytes(whole_manifest(lines))


def rows_of(page: Path) -> list[dict[str, object]]:
    """The rows in a page."""
    text = page.read_text(encoding="utf-8")
    data = text.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    rows: list[dict[str, object]] = json.loads(data)["rows"]
    return rows
