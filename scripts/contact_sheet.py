"""Draws docs/images/simulator.jpg: what the simulator makes of twenty prompts, as thumbnails on one sheet.

Run by hand after a change of the simulator's pictures, from anywhere: `.venv/bin/python scripts/contact_sheet.py`. To
see other prompts: `scripts/contact_sheet.py --out sheet.png "a red fox" "two owls" …`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from flowdsl_steps.image.simulator.gallery import Gallery
from flowdsl_steps.image.simulator.models import MODELS
from flowdsl_steps.image.simulator.validation import validated

ROOT = Path(__file__).parent.parent
PROMPTS = (
    "A red fox in the snow, golden hour",
    "A paper boat on a puddle",
    "A cup of coffee on a wooden table",
    "A futuristic skyline at sunset",
    "An astronaut waving, film grain",
    "Three kittens in a basket",
    "A hot air balloon over the hills",
    "A bowl of ramen with an egg",
    "A lighthouse in a storm at night",
    "A vintage camera, studio light",
    "A blue bicycle against a wall",
    "Portrait of an old sailor",
    "A slice of pizza, food photography",
    "A castle in the clouds",
    "A goldfish in a bowl",
    "Sunflowers in July",
    "A steam train in the mountains",
    "日本語のポスター 🎨 夏祭り 2026",
    "A robot watering the plants",
    "The sound of silence",
)
_ACROSS, _SIDE, _GAP = 5, 208, 6


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 once the sheet is written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", nargs="*", default=PROMPTS, help="what to draw instead of the twenty")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "simulator.jpg")
    options = parser.parse_args(arguments)
    sheet(options.prompts).save(options.out, quality=85)
    print(options.out)
    return 0


def sheet(prompts: Sequence[str]) -> Image.Image:
    """The thumbnails of the prompts in rows."""
    down = -(-len(prompts) // _ACROSS)
    step = _SIDE + _GAP
    whole = Image.new("RGB", (_ACROSS * step + _GAP, down * step + _GAP), "white")
    for index, thumbnail in enumerate(map(thumbnail_of, prompts)):
        whole.paste(thumbnail, (_GAP + index % _ACROSS * step, _GAP + index // _ACROSS * step))
    return whole


def thumbnail_of(prompt: str) -> Image.Image:
    """The picture of a prompt as the simulator responds with it, made small."""
    body = {"prompt": prompt, "size": "1024x1024"}
    request = validated(body, MODELS["gpt-image-2"], vendor="openai", asked_model="gpt-image-2")
    with Image.open(io.BytesIO(Gallery().picture(request, 0).content)) as picture:
        return picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    raise SystemExit(main())
