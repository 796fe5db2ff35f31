"""The tasks of a document of another system, in its own words: what `flowdsl explain` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdsl.record import Record
from flowdsl.syntax.node import Node


class ForeignOption(Record):
    """An option of a task: its value as the document has it, and where that comes from: `task`, or other words of the
    system, such as a line of its defaults."""

    name: str
    value: Any
    origin: str


class ForeignTask(Record):
    """A task of a document: what kind of one it is, its id, where it stands, and its options."""

    kind: str
    id: str | None
    path: str
    node: Node
    options: tuple[ForeignOption, ...]


def flattened(node: Node, before: str = "") -> Iterator[tuple[str, Node]]:
    """The values in a map, those of maps in it under `name.key`."""
    for name, value in node.value.items() if node.kind == "map" else ():
        if value.kind == "map" and value.value:
            yield from flattened(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
