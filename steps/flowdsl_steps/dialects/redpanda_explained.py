"""The components of a pipeline of Redpanda Connect with their fields, as `flowdsl explain` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
