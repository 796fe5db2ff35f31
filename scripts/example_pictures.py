"""Draws docs/images/examples: what each example makes on the simulator, its pictures side by side.

Run by hand after a change of the examples or of the simulator's pictures, from anywhere:
`.venv/bin/python scripts/example_pictures.py`. Examples that read from the web read from a server on this machine.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from flowdsl_steps.image.simulator import Simulator

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "examples"), str(ROOT / "scripts")]

from contact_sheet import thumbnail_of  # noqa: E402
from loopback_web import running_web  # noqa: E402
from studio import EXAMPLES, Studio  # noqa: E402

FOLDER = ROOT / "docs" / "images" / "examples"
ACTIONS = {"studio.ai-kit.yaml": ("Event poster", "Menu picture", "Icon")}
_HEIGHT, _GAP = 180, 6


def main() -> int:
    """The exit code: 0 once the pictures are written."""
    FOLDER.mkdir(exist_ok=True)
    for example in sorted(EXAMPLES.glob("*.yaml")):
        path = FOLDER / f"{example.name.partition('.')[0]}.jpg"
        beside(pictures_of(example.name)).save(path, quality=80, optimize=True)
        print(path)
    return 0


def pictures_of(name: str) -> list[Image.Image]:
    """All that one example makes, in order; of a kit what each action makes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_web() as web,
        Simulator() as openai,
        Simulator(deployments={"images": "gpt-image-2"}) as azure,
    ):
        web.responses.update(responses(web.url))
        studio = Studio(openai, azure, Path(folder))
        made = []
        for action in ACTIONS.get(name, (None,)):
            result = studio.run(name, inputs(name, web.url), action)
            saved = result.outputs.get("works", ())  # those that the web gave stand first
            made += [picture.read() for picture in (*saved, *result.images)]
        return [Image.open(io.BytesIO(content)).convert("RGB") for content in dict.fromkeys(made)]


def inputs(name: str, web: str) -> dict[str, Any]:
    """Where an example finds its web service; all else are the example's own defaults."""
    return {
        "newsletter.flow.yaml": {"feed": f"{web}/feed.json"},
        "museum.flow.yaml": {"api": f"{web}/v1"},
        "release-banner.flow.yaml": {"api": web, "repository": "me/tool", "tag": "2.0"},
    }.get(name, {})


def responses(web: str) -> dict[str, Any]:
    """What the web services of the examples respond with."""
    titles = ("Boats at Rest", "Fishing Boat at Dawn", "The Lighthouse")
    works = [{"id": place, "title": title, "image_id": str(place)} for place, title in enumerate(titles)]
    articles = ("The night train is back", "A robot in the bakery", "How the lighthouse was saved")
    return {
        "/feed.json": {"items": [{"title": title} for title in articles]},
        "/v1/artworks/search": {"data": works, "config": {"iiif_url": f"{web}/iiif"}},
        **{f"/iiif/{place}/full/843,/0/default.jpg": png(title) for place, title in enumerate(titles)},
        "/repos/me/tool/releases/tags/2.0": {"name": "2.0 Aurora", "html_url": "https://example.com/2.0"},
    }


def png(prompt: str) -> bytes:
    """A picture that a web service responds with."""
    content = io.BytesIO()
    thumbnail_of(prompt).save(content, "PNG")
    return content.getvalue()


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """The pictures in one row, all of one height."""
    small = [
        picture.resize((round(picture.width * _HEIGHT / picture.height), _HEIGHT), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    row = Image.new("RGB", (sum(picture.width + _GAP for picture in small) - _GAP, _HEIGHT), "white")
    left = 0
    for picture in small:
        row.paste(picture, (left, 0))
        left += picture.width + _GAP
    return row


if __name__ == "__main__":
    raise SystemExit(main())
