"""The lines of a generated function."""

from __future__ import annotations

import re
from typing import Any, Final

from flowdsl.template.runtime import Place, Places

Line = tuple[int, str, Place]
Piece = list[tuple[str, Place]]
"""The code of a text, in fragments with the places they come from."""

_CANNOT_FAIL: Final = re.compile(r"k\d+,?|[*()',]*")


class Writer:
    """Collects lines, constants and where they come from."""

    def __init__(self, places: Places, names: dict[str, Any]) -> None:
        self.places = places
        self.names = names
        self.lines: list[Line] = []
        self.indent = 2
        self.origin: Place = (0, len(places.text))
        self._temps = 0
        self._constants: dict[Any, str] = {}

    def line(self, code: str) -> None:
        """Add a line."""
        self.lines.append((self.indent, code, self.origin))

    def wrapped(self, before: str, pieces: list[Piece], after: str) -> None:
        """Write texts as items of a tuple, each on a line of its own, so that a failure knows its place."""
        line, at = before, self.origin
        for piece in pieces:
            for code, origin in piece:
                if origin != at and not _CANNOT_FAIL.fullmatch(code):
                    self.lines.append((self.indent, line, at))
                    line, at = "", origin
                line += code
            line += ", "
        self.lines.append((self.indent, line + after, at))

    def temp(self) -> str:
        """A fresh local name."""
        self._temps += 1
        return f"t{self._temps}"

    def hoist(self, code: str) -> str:
        """The name of a local that holds what the code gives."""
        temp = self.temp()
        self.line(f"{temp} = {code}")
        return temp

    def constant(self, value: Any) -> str:
        """The name of a value."""
        kind = type(value)
        key = value if kind is str else (kind, value if isinstance(value, (str, int, float)) else id(value))
        name = self._constants.get(key)
        if name is None:
            name = f"k{len(self._constants)}"
            self._constants[key] = name
            self.names[name] = value
        return name

    def outdent(self) -> None:
        """Move all lines one level out."""
        self.lines = [(indent - 1, code, origin) for indent, code, origin in self.lines]

    def source(self, head: list[str], tail: list[str]) -> str:
        """The text of the function; `places` learns where its lines come from."""
        for number, (_indent, _code, origin) in enumerate(self.lines, len(head) + 1):
            self.places.lines[number] = origin
        body = ["    " * indent + code for indent, code, _origin in self.lines]
        return "\n".join([*head, *body, *tail])
