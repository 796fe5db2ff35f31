"""What people are shown of a Kestra flow: its tasks with their properties (`flowdsl explain`), and their outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.document.dialects import Findings, Node
from flowdsl.document.dialects.task import ForeignOption, ForeignTask, flattened
from flowdsl_steps.dialects.kestra_defaults import with_defaults
from flowdsl_steps.image.model_providers import PROVIDERS, short_name

_LISTS = ("tasks", "then", "else", "defaults", "errors", "finally")
"""The properties that hold tasks; beside them there is `cases`."""


def tasks_of(root: Node) -> Iterator[ForeignTask]:
    """All tasks, those that hold others before them."""
    defaults = root.value.get("pluginDefaults", root.value.get("taskDefaults"))
    for name in ("tasks", "errors", "finally"):
        node = root.value.get(name)
        if node is not None:
            yield from _listed(with_defaults(node, defaults, Findings([])), name)


def _listed(tasks: Node, path: str) -> Iterator[ForeignTask]:
    for number, task in enumerate(tasks.value if tasks.kind == "list" else ()):
        if task.kind != "map" or not isinstance(type := _plain(task, "type"), str):
            continue
        place, id = f"{path}[{number}]", _plain(task, "id")
        yield ForeignTask(
            type.rpartition(".")[2], id if isinstance(id, str) else None, place, task, tuple(_options(task))
        )
        for name in _LISTS:
            if name in task.value:
                yield from _listed(task.value[name], f"{place}.{name}")
        cases = task.value.get("cases")
        for name, each in cases.value.items() if cases is not None and cases.kind == "map" else ():
            yield from _listed(each, f"{place}.cases.{name}")


def _plain(task: Node, name: str) -> object:
    return task.value[name].value if name in task.value else None


def _options(task: Node) -> Iterator[ForeignOption]:
    own: Mapping[str, Node] = {
        name: node for name, node in task.value.items() if name not in ("id", "type", "cases", *_LISTS)
    }
    for name, node in own.items():
        inside = flattened(node, f"{name}.") if node.kind == "map" else [(name, node)]
        for each, value in inside:
            yield ForeignOption(each, value.plain(), _origin(value, task))
    provider = own.get("provider")
    type = _plain(provider, "type") if provider is not None and provider.kind == "map" else None
    short = short_name(type) if isinstance(type, str) else ""
    given = {} if provider is None else provider.value
    for name, known in PROVIDERS[short].properties.items() if short in PROVIDERS else ():
        if known.default is not None and name not in given:
            yield ForeignOption(f"provider.{name}", known.default, f"default of {short}")


def _origin(value: Node, task: Node) -> str:
    if task.start <= value.start and value.end <= task.end:
        return "task"
    return f"pluginDefaults, line {value.span.first.line}"


def outputs_in_lines(outputs: Any) -> list[str]:
    """The outputs of each task in a line."""
    found = outputs.items() if isinstance(outputs, Mapping) else ()
    return [f"{id}: {_in_words(given)}" for id, given in found]


def _in_words(given: Any) -> str:
    if not isinstance(given, Mapping) or not given:
        return json.dumps(given, ensure_ascii=False)
    shown = ((name, value) for name, value in given.items() if name != "tokenUsage")
    return ", ".join(f"{name} {_value(value)}" for name, value in shown)


def _value(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
