"""A report as one page of HTML: its data stand in it, and it asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flowdsl.display.visible import visible_line
from flowdsl.report.rows import Row

MOST_EMBEDDED = 200
"""So many pictures at most are put into the page itself."""


def page(title: str, rows: Sequence[Row], folder: Path, small: Mapping[str, Path], *, embed: bool) -> str:
    """The text of the page, which is to lie in a folder; `small` are the small pictures by the paths of the large ones.
    With `embed` the pictures are in the page, else it links to them."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    script = template.partition("<script>")[2].partition("</script>")[0]
    data = {"title": visible_line(title), "rows": [_data(row, folder, small, embed=embed) for row in rows]}
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    safe = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    safe = safe.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return template.replace("SCRIPT-DIGEST", digest).replace('"DATA"', safe)


def _data(row: Row, folder: Path, small: Mapping[str, Path], *, embed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in row._asdict().items() if value not in (None, "")}
    if row.path is None:
        return found
    found["name"] = os.path.basename(row.path)  # noqa: PTH119
    if not os.path.isfile(row.path):  # noqa: PTH113
        found["gone"] = True
        return found
    thumbnail = small.get(row.path)
    if embed:
        found["src"] = _inline(row.path)
        found["thumb"] = found["src"] if thumbnail is None else _inline(str(thumbnail))
    else:
        found["src"] = _link(row.path, folder)
        found["thumb"] = found["src"] if thumbnail is None else _link(str(thumbnail), folder)
    return found


def _link(path: str, folder: Path) -> str:
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # another drive
        return Path(path).as_uri()


def _inline(path: str) -> str:
    kind = {".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".svg": "svg+xml", ".gif": "gif"}
    mime = kind.get(os.path.splitext(path)[1].lower(), "png")  # noqa: PTH122
    return f"data:image/{mime};base64,{base64.b64encode(Path(path).read_bytes()).decode('ascii')}"
