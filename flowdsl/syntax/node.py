"""Node: a value of a file with its place, which is what everybody works on behind the reader."""

from __future__ import annotations

import re
from typing import Any, Literal

from flowdsl.source import Source, Span

Kind = Literal["scalar", "list", "map"]

_PROPERTIES = r"(?:[&!]\S*(?:\s+|$))+"


class Node:
    """A value and where it stands.

    `value` is a scalar's Python value, a list of nodes, or a dict from key to node; `keys` maps a map's keys to their
    own nodes. `style` is the YAML style of a scalar: None for plain, `'`, `"`, `|` or `>`.
    """

    __slots__ = ("end", "height", "keys", "kind", "size", "source", "start", "style", "value")

    def __init__(self, kind: Kind, value: Any, source: Source, start: int, end: int, style: str | None = None) -> None:
        self.kind = kind
        self.value = value
        self.source = source
        self.start = start
        self.end = end
        self.style = style
        self.size = 1
        self.height = 0
        self.keys: dict[str, Node] = {} if kind == "map" else _NO_KEYS

    def grow(self, child: Node) -> None:
        """Makes the node as large and as high as a child that it gets asks for."""
        self.size += child.size
        self.height = max(self.height, child.height + 1)

    @property
    def span(self) -> Span:
        """Where the node stands."""
        return Span(self.source, self.start, self.end)

    def plain(self) -> Any:
        """The value without positions: text, number, boolean, None, list or dict."""
        if self.kind == "map":
            return {key: node.plain() for key, node in self.value.items()}
        if self.kind == "list":
            return [node.plain() for node in self.value]
        return self.value

    def __repr__(self) -> str:
        return f"Node({self.kind}, {self.plain()!r}, {self.start}-{self.end})"


_NO_KEYS: dict[str, Node] = {}


def content_start(node: Node) -> int:
    """Where the text of a scalar starts: behind its anchor and tag."""
    match = re.compile(_PROPERTIES).match(node.source.text, node.start, node.end)
    return match.end() if match else node.start
