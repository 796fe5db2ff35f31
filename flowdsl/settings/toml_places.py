"""Where the keys and values of a TOML file stand: the parser of Python does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]
"""Names of tables and keys from the root, and the number of an item in a list."""

_TOKEN = re.compile(
    r"""\#[^\n]*|\"{3}(?:\\.|[^\\])*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[][{}=,\n]|[^\s\][{}=,\#"']+""",
    re.DOTALL,
)


class Places:
    """The places of a file that `tomllib` has read without a complaint, as offsets into its text."""

    def __init__(self, text: str) -> None:
        self.keys: dict[Path, tuple[int, int]] = {}
        """Where each key, and each name of a table, stands."""
        self.values: dict[Path, tuple[int, int]] = {}
        """Where each value that is no list and no table stands."""
        self._text = text
        self._tokens = [found.span() for found in _TOKEN.finditer(text) if not found[0].startswith("#")]
        self._at = 0
        self._table: Path = ()
        self._arrays: dict[Path, int] = {}
        """Tables of which there are several, with the number of the last."""
        while self._at < len(self._tokens):
            self._statement()

    def _sign(self) -> str:
        if self._at == len(self._tokens):
            return "\n"
        start, end = self._tokens[self._at]
        return self._text[start:end]

    def _statement(self) -> None:
        """A line: the name of a table, or a key with its value."""
        sign = self._sign()
        if sign == "\n":
            self._at += 1
        elif sign == "[":
            self._at += 1
            is_item = self._sign() == "["
            self._at += is_item
            self._table = self._header(is_item=is_item)
            while self._sign() != "\n":
                self._at += 1
        else:
            self._value(self._keys(self._table, "="))

    def _header(self, *, is_item: bool) -> Path:
        """The path of a table by its header; `is_item`: of one more of those that have this name."""
        first = self._at
        names, path = self._keys((), "]"), Path()
        for name in names:
            path = (*path, self._arrays[path], name) if path in self._arrays else (*path, name)
        if is_item:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            path = (*path, self._arrays[path])
            self.keys[path] = self._tokens[first][0], self._tokens[self._at - 2][1]
        elif path in self._arrays:
            path = (*path, self._arrays[path])
        return path

    def _keys(self, path: Path, end: str) -> Path:
        """The path that dotted keys name, up to a sign, which is passed over."""
        while (sign := self._sign()) not in (end, "\n"):
            start, _ = self._tokens[self._at]
            for name, at, length in _names(sign):
                path = (*path, name)
                self.keys.setdefault(path, (start + at, start + at + length))
            self._at += 1
        self._at += 1
        return path

    def _value(self, path: Path) -> None:
        """A value, and what is inside it."""
        sign = self._sign()
        if sign not in ("[", "{"):
            if sign != "\n":
                self.values[path] = self._tokens[self._at]
            while self._sign() not in ("\n", ",", "]", "}"):
                self._at += 1
            return
        self._at += 1
        number, closing = 0, "]" if sign == "[" else "}"
        while self._at < len(self._tokens) and self._sign() != closing:
            if self._sign() in ("\n", ","):
                self._at += 1
            elif sign == "[":
                self._value((*path, number))
                number += 1
            else:
                self._value(self._keys(path, "="))
        self._at += 1


def _names(token: str) -> Iterator[tuple[str, int, int]]:
    """The names in a token of a key, and where each stands in it: a bare one may have dots, or be a dot."""
    if token[0] in "\"'":
        yield token[1:-1], 0, len(token)
        return
    for found in re.finditer(r"[^.]+", token):
        yield found[0], found.start(), len(found[0])
