"""The outcome of a run in a few lines: its pictures, its other outputs, its time and cost."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.display.visible import visible_line
from flowdsl.image.image import Image
from flowdsl.values import ErrorValue

if TYPE_CHECKING:
    from flowdsl.document.document import Document
    from flowdsl.engine.result import Result

_SHOWN = 100
_LONGEST_LINE = 200
_MOST_FILES = 100
"""So many files are named that no output names."""
_CENT = 0.01
_WARNED = ("dropped-error", "fewer-images", "no-picture", "other-format", "picture-incomplete", "picture-unnamed")
"""Notes that a summary repeats: what was paid for is not what was asked for, or an error has gone unseen."""


def summary(
    result: Result,
    *,
    simulated: bool,
    inner: Collection[str] = (),
    lost: Iterable[str] | None = (),
    said: Mapping[str, Iterable[str]] | None = None,
    journaled: bool = False,
) -> str:
    """The outcome as text for people; the outputs whose names are `inner` are left out, warnings of what was `lost` are
    told, None where that is everything. What is `said` of an output stands in its place. A run that is `journaled` can
    be looked up."""
    lines = pictures(result.made)
    number = len(lines)
    files: dict[str, None] = {}
    for (name, value), shown in zip(result.outputs.items(), result.to_json().values(), strict=False):
        if said and name in said:
            lines += map(_line, said[name])
            continue
        if name in inner or _only_images(value):
            continue
        if isinstance(value, ErrorValue):
            step = f" ({value['step']})" if value["step"] else ""
            lines.append(f"note: an error was caught: {_short(value['message'])}{step}")
            continue
        paths = _paths(shown)
        if paths is None:
            lines.append(f"{visible_line(name)}: {_short(shown)}")
        files |= dict.fromkeys(map(_near, paths or ()))
    made = {_near(image.path) for image in result.made}
    lines += [path for path in files if path not in made]
    named = made.union(files)
    others = [path for path in map(_near, dict.fromkeys(result.files)) if path not in named and os.path.isfile(path)]  # noqa: PTH113
    lines += map(visible_line, others[:_MOST_FILES])
    more = len(others) - _MOST_FILES
    lines += [f"… and {more} more file{'' if more == 1 else 's'}"] if more > 0 else []
    lines += [f"warning: {text}" for code, text in dict.fromkeys(result.notes) if code in _WARNED]
    lines += [f"warning: {text}" for text in (*(lost or ()), *_doubts(result, journaled=journaled))]
    came = (
        f"{number} image{'' if number == 1 else 's'}" if number else "done" if lost is not None else "nothing was made"
    )
    lines.append(f"{came} in {result.elapsed_s:.1f} s, {cost(result.cost_usd, simulated)}")
    return "\n".join([*lines, *reused(result.reused), *recovered(result.recovered)])


def _doubts(result: Result, *, journaled: bool) -> Iterator[str]:
    """What a run that is done says of requests in doubt, all of which its flow has caught."""
    if not result.in_doubt:
        return
    number = len(result.in_doubt)
    requests = "1 request is" if number == 1 else f"{number} requests are"
    shown = f"`flowdsl runs show {result.run[:13]}` names what to look for" if journaled else "look"
    yield (
        f"{requests} in doubt, and caught by the flow, which went on: sent, and perhaps done and billed; "
        f"{shown} in the vendor's own account"
    )


def reused(number: int) -> list[str]:
    """A line on paid requests that a repetition did not send again, where there are any."""
    if not number:
        return []
    requests = "1 paid request was" if number == 1 else f"{number} paid requests were"
    return [f"{requests} not sent again: the result of the first time was used"]


def recovered(number: int) -> list[str]:
    """A line on paid requests of a run that was resumed, where there are any."""
    if not number:
        return []
    requests = "1 request was" if number == 1 else f"{number} requests were"
    return [f"{requests} paid for before the run was resumed: the results were used again"]


def inner_names(document: Document, given: Iterable[str]) -> set[str]:
    """The names of a run whose values nobody asked for, when a flow does not say what its outputs are: what the caller
    has given, and the variables of loops."""
    if document.outputs is not None:
        return set()
    loops = (found for step in document.every_step() for found in (step.item(), step.index()) if found is not None)
    return {*given, *(document.inputs or ()), *(name for name, _ in loops)}


def pictures(images: Iterable[Mapping[str, Any]]) -> list[str]:
    """Pictures, one in a line: each file once."""
    return [picture(image) for image in {image["path"]: image for image in images}.values()]


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


def _paths(value: Any) -> list[str] | None:
    """The paths that a value is, or a list is of, where each is a file that exists."""
    found = value if isinstance(value, list) else [value]
    if all(isinstance(path, str) and os.path.isabs(path) and os.path.isfile(path) for path in found):  # noqa: PTH117, PTH113
        return found
    return None


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


def _line(text: str) -> str:
    """A line of somebody else's, cut where it is long."""
    return visible_line(text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…")


def cost(usd: float | None, simulated: bool) -> str:
    """What a run cost, in words."""
    if simulated:
        if usd is None:
            return "simulated, cost unknown"
        about = f"${usd:.2f}" if usd >= _CENT else f"${usd:.4f}"
        return f"simulated, would cost about {about}" if usd else "simulated, no cost"
    return "cost unknown" if usd is None else f"cost ${usd:.4f}" if usd else "no cost"
