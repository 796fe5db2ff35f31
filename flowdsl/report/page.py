"""A report as one page of HTML: its data stand in it, and it asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from flowdsl.display.visible import visible_line
from flowdsl.image.formats import media_type
from flowdsl.report.row import Row

MOST_EMBEDDED = 200
"""So many pictures at most are put into the page itself."""
MOST_BYTES = 300_000_000
"""Pictures in a page have so many bytes at most: a longer text of data is more than a browser reads."""
MOST_AS_THEY_ARE = 100_000_000
"""So many bytes of pictures are put into a page as they are; what is more is made to fit a screen before."""
_SHOWN = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg", ".avif", ".bmp"})
"""The endings of files that a browser shows."""
_HEAD = 32 * 1024


class Facts(NamedTuple):
    """What is said of all rows: a title, and a line below it. `simulated`: nothing was paid; None where that is not
    known of all of them, or is not the same."""

    title: str
    said: tuple[str, ...] = ()
    simulated: bool | None = False


def page(
    rows: Sequence[Row],
    facts: Facts,
    folder: Path,
    small: Mapping[str, Path],
    *,
    embed: bool,
    instead: Mapping[str, Path] = MappingProxyType({}),
) -> str:
    """The text of the page, which is to lie in a folder; `small` are the small pictures by the paths of the large ones.
    With `embed` the pictures are in the page, else it links to them; `instead` are files that are in it in their
    place."""
    template, style, script = (_part(f"page.{kind}") for kind in ("html", "css", "js"))
    shown = [_data(row, folder, small, instead, embed=embed) for row in rows]
    data = {
        "title": visible_line(facts.title),
        "facts": [visible_line(each) for each in facts.said],
        "simulated": facts.simulated,
        "key": hashlib.sha256(json.dumps([facts.title, shown]).encode()).hexdigest()[:16],
        "rows": shown,
    }
    parts = {
        "STYLE-DIGEST": _digest(style),
        "SCRIPT-DIGEST": _digest(script),
        "PAGE-STYLE": style,
        "PAGE-SCRIPT": script,
        "PAGE-DATA": _safe(json.dumps(data, ensure_ascii=False, separators=(",", ":"))),
    }
    for name, text in parts.items():  # the data come last: no word of theirs is taken for a place
        before, _, after = template.partition(name)
        template = f"{before}{text}{after}"
    return template


def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _safe(text: str) -> str:
    """JSON that ends no element, begins none, and is one line for every reader; lone surrogates are told as such."""
    for sign in "&<>\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return "".join(f"\\u{ord(sign):04x}" if "\ud800" <= sign <= "\udfff" else sign for sign in text)


def _data(
    row: Row, folder: Path, small: Mapping[str, Path], instead: Mapping[str, Path], *, embed: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in row._asdict().items() if value not in (None, "")}
    if row.path is None:
        return found
    found["name"] = name = os.path.basename(row.path)  # noqa: PTH119
    if embed:
        found["path"] = name  # the page goes to others, whom the folders of this machine do not concern
    if not os.path.isfile(row.path):  # noqa: PTH113
        found["gone"] = True
    elif (source := _inline(str(instead.get(row.path, row.path))) if embed else _link(row.path, folder)) is not None:
        found["src"] = source
        if embed or os.path.splitext(name)[1].lower() in _SHOWN:  # noqa: PTH122
            found["thumb"] = source
    if (thumbnail := small.get(row.path)) is not None:
        found["thumb"] = _inline(str(thumbnail)) if embed else _link(str(thumbnail), folder)
    return found


def _link(path: str, folder: Path) -> str:
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix().encode("utf-8", "surrogateescape"))
    except ValueError:  # another drive
        return Path(path).as_uri()


def _inline(path: str) -> str | None:
    """A picture as an address; None for what is none, whatever a manifest calls it."""
    content = Path(path).read_bytes()
    mime = media_type(content[:_HEAD])
    return None if mime is None else f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
