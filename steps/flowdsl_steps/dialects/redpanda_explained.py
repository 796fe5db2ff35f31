"""What people are shown of a pipeline of Redpanda Connect: its components with their fields (`flowdsl explain`), and
what became of its messages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.document.dialects import Node
from flowdsl.document.dialects.task import ForeignOption, ForeignTask, flattened

_BESIDE = ("label", "type")


def components(
    parts: Mapping[str, Node], lists: Mapping[str, str], defaults: Mapping[str, Mapping[str, str]]
) -> Iterator[ForeignTask]:
    """The input, the processors, those of `lists` before the ones in them, and the output. `defaults` are values of
    fields that a component has by itself."""
    if "input" in parts:
        yield from _component(parts["input"], "input", {}, defaults)
    processors = parts.get("processors")
    if processors is not None:
        path = "pipeline.processors" if "pipeline" in parts else "processors"
        yield from _listed(processors, path, lists, defaults)
    if "output" in parts:
        yield from _component(parts["output"], "output", {}, defaults)


def _listed(
    listed: Node, path: str, lists: Mapping[str, str], defaults: Mapping[str, Mapping[str, str]]
) -> Iterator[ForeignTask]:
    items = listed.value if listed.kind == "list" else [listed]
    for number, item in enumerate(items):
        yield from _component(item, f"{path}[{number}]", lists, defaults)


def _component(
    item: Node, path: str, lists: Mapping[str, str], defaults: Mapping[str, Mapping[str, str]]
) -> Iterator[ForeignTask]:
    names = [name for name in item.value if name not in _BESIDE] if item.kind == "map" else []
    if len(names) != 1:
        return
    (name,), label = names, item.value.get("label")
    own: Node = item.value[name]
    id = label.value if label is not None and isinstance(label.value, str) and label.value else None
    options: list[ForeignOption] = []
    if name not in lists:
        written = flattened(own) if own.kind == "map" else [(name, own)]
        options = [ForeignOption(each, node.plain(), "processor" if lists else path) for each, node in written]
        missing = defaults.get(name, {}).items()
        given = {option.name for option in options}
        options += [ForeignOption(each, value, f"default of {name}") for each, value in missing if each not in given]
    yield ForeignTask(name, id, path, item, tuple(options))
    if name in lists:
        yield from _listed(own, f"{path}.{name}", lists, defaults)


_MOST_NAMED = 20
"""So many messages are named in the summary of a run."""


def counted(records: Mapping[str, Any], told: int) -> list[str]:
    """What became of the messages: their numbers, the pictures of each, and the failures behind those that are `told`
    already."""
    numbers = [f"{records[word]:,} {word}" for word in ("written", "dropped", "failed") if records[word]]
    read = records["read"]
    lines = [", ".join((f"{read:,} message{'' if read == 1 else 's'} read", *numbers))]
    found = {
        each["record"]: [each["at"], *(_near(image["path"]) for image in each["images"])]
        for each in records["messages"]
    }
    for each in records["failures"][told:]:
        found.setdefault(each["record"], [each["at"]]).append(f"failed: {each['error']}")
    for number in sorted(found)[:_MOST_NAMED]:
        at, *facts = found[number]
        lines.append(f"{at or 'the message'}: {', '.join(facts)}")
    more = len(found) - _MOST_NAMED
    return [*lines, f"… and {more:,} more, which --json names"] if more > 0 else lines


def _near(path: str) -> str:
    """A path below the current folder in its short form."""
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else near
