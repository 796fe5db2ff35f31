"""Globs that name files of a project: `drafts`, `*.old.flow.yaml`, `flows/**/draft-*`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable


class Globs:
    """Globs that count from a folder, by default the working folder. One without a slash names files and folders at any
    depth; one with a slash a path from that folder on. `*` stands for what is between slashes, `**` for folders too.
    """

    def __init__(self, globs: Iterable[str], root: str = "") -> None:
        self._root = os.path.realpath(root or ".")
        self._compiled = {glob: _compiled(glob) for glob in globs}
        self.idle = dict.fromkeys(self._compiled)
        """Those that have matched nothing so far."""

    def __bool__(self) -> bool:
        return bool(self._compiled)

    def match(self, path: str) -> bool:
        """Whether one of them names a file, or a folder that it lies in."""
        folder, name = os.path.split(path)
        place = os.path.relpath(os.path.join(os.path.realpath(folder or "."), name), self._root).replace(os.sep, "/")  # noqa: PTH118
        found = [glob for glob, pattern in self._compiled.items() if pattern.search(f"/{place}/")]
        for glob in found:
            self.idle.pop(glob, None)
        return bool(found)


def _compiled(glob: str) -> re.Pattern[str]:
    """The pattern of a glob, for a path between two slashes."""
    begin = "^/" if "/" in glob.rstrip("/") else "/"
    parts = re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", glob.strip("/").removeprefix("./"))
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(begin + "".join(words.get(part) or re.escape(part) for part in parts) + "/", re.DOTALL)
