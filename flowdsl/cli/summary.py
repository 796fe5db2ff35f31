"""The outcome of a run in a few lines: its pictures, its other outputs, its time and cost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.display.visible import visible_line
from flowdsl.image.store import Image

if TYPE_CHECKING:
    from flowdsl.engine.result import Result

_SHOWN = 100


def summary(result: Result, *, simulated: bool) -> str:
    """The outcome as text for people."""
    lines = [picture(image) for image in result.images]
    hidden = result.to_json()
    for value, (name, shown) in zip(result.outputs.values(), hidden.items(), strict=False):
        if not _only_images(value):
            lines.append(f"{visible_line(name)}: {_short(shown)}")
    number = len(result.images)
    made = f"{number} image{'' if number == 1 else 's'}" if number else "done"
    lines.append(f"{made} in {result.elapsed_s:.1f} s, {cost(result.cost_usd, simulated)}")
    return "\n".join([*lines, *reused(result.reused)])


def reused(number: int) -> list[str]:
    """A line on paid requests that a repetition did not send again, where there are any."""
    if not number:
        return []
    requests = "1 paid request was" if number == 1 else f"{number} paid requests were"
    return [f"{requests} not sent again: the result of the first time was used"]


def picture(image: Mapping[str, Any]) -> str:
    """A picture in one line: where it is, its size and its type."""
    width, height = image.get("width"), image.get("height")
    size = f"{width}x{height}" if width and height else "size unknown"
    return f"{visible_line(_near(image['path']))}  {size}  {image['mime'].partition('/')[2].partition('+')[0].upper()}"


def _near(path: str) -> str:
    """A path below the current folder in its short form, any other as it is."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return path if relative.startswith(os.pardir) else relative


def _only_images(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, Image) for item in value)
    return isinstance(value, Image)


def _short(plain: Any) -> str:
    """JSON values on one line, cut when they are long."""
    if not isinstance(plain, str):
        import json

        plain = json.dumps(plain, ensure_ascii=False)
    text = " ".join(plain.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def cost(usd: float | None, simulated: bool) -> str:
    """What a run cost, in words."""
    if simulated:
        return "simulated, nothing was charged"
    return "cost unknown" if usd is None else f"cost ${usd:.4f}" if usd else "no cost"
