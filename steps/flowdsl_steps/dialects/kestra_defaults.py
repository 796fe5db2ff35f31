"""`pluginDefaults` of a Kestra flow: values for every task and provider of a type."""

from __future__ import annotations

from flowdsl.document.dialects import Findings, Node, made
from flowdsl.step.problem import show
from flowdsl_steps.dialects.kestra_flowables import type_of
from flowdsl_steps.image.model_providers import OLD_PACKAGES, PACKAGE

_KEYS = ("type", "values", "forced")


def with_defaults(tasks: Node, defaults: Node | None, findings: Findings) -> Node:
    """The tasks with the values that the file gives to their types. What a task says itself wins, unless a default is
    `forced`."""
    rules = [*_rules(defaults, findings)] if defaults is not None else []
    return _merged_below(tasks, rules) if rules else tasks


def _rules(defaults: Node, findings: Findings) -> list[tuple[str, Node, bool]]:
    if defaults.kind != "list":
        findings.add("wrong-type", f"`pluginDefaults` takes a list, not {show(defaults.plain())}", defaults)
        return []
    found = []
    for each in defaults.value:
        type = each.value.get("type") if each.kind == "map" else None
        values = each.value.get("values") if each.kind == "map" else None
        if type is None or not isinstance(type.value, str) or values is None or values.kind != "map":
            hint = "write `- type: io.kestra.plugin.ai.provider.OpenAI`, and `values:` below it"
            findings.add("missing-key", "an item of `pluginDefaults` needs `type` and `values`", each, hint=hint)
            continue
        for name, key in each.keys.items():
            if name not in _KEYS:
                findings.unknown_key(key, _KEYS, "`pluginDefaults`", beside=each.value)
        forced = each.value.get("forced")
        if forced is not None and not isinstance(forced.value, bool):
            findings.add("wrong-type", f"`forced` takes true or false, not {show(forced.plain())}", forced)
        found.append((_present(type.value), values, forced is not None and forced.value is True))
    return sorted(found, key=lambda rule: -len(rule[0]))  # the whole name before a beginning of it, the longest first


def _present(name: str) -> str:
    for old in OLD_PACKAGES:
        if name.startswith(old):
            return PACKAGE + name.removeprefix(old)
    return type_of(name)


def _merged_below(node: Node, rules: list[tuple[str, Node, bool]]) -> Node:
    """A value with the defaults of every map in it that has a type; those inside come first."""
    if node.kind == "list":
        return made([_merged_below(item, rules) for item in node.value], node.span)
    if node.kind != "map":
        return node
    found = made({key: _merged_below(item, rules) for key, item in node.value.items()}, node.span)
    found.keys = dict(node.keys)
    type = found.value.get("type")
    if type is None or not isinstance(type.value, str):
        return found
    name = _present(type.value)
    for start, values, forced in rules:
        if name.startswith(start):
            found = _merged(found, values, forced)
    return found


def _merged(own: Node, defaults: Node, forced: bool) -> Node:
    """Two maps as one: maps in them are merged too, lists and other values are not."""
    values, keys = dict(own.value), dict(own.keys)
    for name, value in defaults.value.items():
        mine = values.get(name)
        if mine is not None and mine.kind == "map" and value.kind == "map":
            values[name] = _merged(mine, value, forced)
        elif mine is None or mine.value is None or forced:
            values[name], keys[name] = value, keys.get(name, defaults.keys[name])
    found = made(values, own.span)
    found.keys = keys
    return found
