"""Steps that are written otherwise than `- step: NAME`: by a key with their name, or without the dash of a list.

What is meant is plain, so it is reported once, with the fix that writes all of it as it must be, and what is in the
steps is checked as if it stood there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from flowdsl.diagnostics import Edit, Fix
from flowdsl.document.builder import Builder
from flowdsl.source import Span
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.step.flow_shapes import Assign
from flowdsl.step.spec import StepSpec
from flowdsl.syntax.edits import line_break
from flowdsl.syntax.node import Node

if TYPE_CHECKING:
    from flowdsl.step.registry import Registry


class Meant(NamedTuple):
    """One step that a map holds: its keys in order, and the one that names it, `step` or the name itself."""

    name: str
    key: str
    keys: list[str]


def meant_steps(node: Node, builder: Builder) -> list[Meant] | None:
    """The steps that a map holds whose keys are names of steps, or that has one step without a dash; None of others."""
    found: list[Meant] = []
    for key, value in node.value.items():
        name = str(value.value) if key == "step" else step_named(key, value, builder.registry)
        if name is not None and not (key != "step" and found and found[0].key == "step"):
            found.append(Meant(name, key, [key]))
        elif found:
            found[-1].keys.append(key)
        else:
            return (
                None if "step" not in node.value else [Meant(str(node.value["step"].value), "step", list(node.value))]
            )
    return found or None


_NOTHING = frozenset(
    {"ignore", "ignored", "skip", "pass", "none", "nothing", "noop", "drop", "swallow", "continue", ""}
)
"""Words with which other tools say that nothing is to be done."""


def in_a_word(node: Node, path: str, registry: Registry) -> tuple[str, Fix | None] | None:
    """What to write in place of one word where steps belong, and the fix; `path` is where they stand. None for a word
    that says nothing here."""
    from flowdsl.step.flow_shapes import Exit, Loop
    from flowdsl.step.signals import Signal
    from flowdsl.syntax.edits import replaced
    from flowdsl.syntax.fixes import stands

    word = node.value
    if isinstance(word, bool):
        text = "[]"
    elif not isinstance(word, str):
        return None
    elif word.lower() in _NOTHING:
        bodies = {flow.body for _, flow in registry.shapes() if isinstance(flow, Loop)}
        in_loop = any(f".{body}[" in path for body in bodies)
        ends = registry.with_shape(lambda flow: isinstance(flow, Exit) and flow.signal is Signal.CONTINUE)
        text = f"[{{step: {ends}}}]" if ends is not None and in_loop and word.lower() in ("continue", "skip") else "[]"
    elif (spec := registry.spec(word.upper().replace("-", "_"))) is not None:
        text = f"[{{step: {spec.name}}}]"
    else:
        return None
    hint = f"write `{text}`" if text != "[]" else "write `[]`, for nothing to do"
    return hint, replaced(node.span, text, title=f"write `{text}`") if stands(node) else None


def step_named(key: str, keys: Node, registry: Registry) -> str | None:
    """The step whose name, perhaps misspelt or in small letters, stands in place of a key."""
    from flowdsl.step.foreign import step_word

    found = next((name for name in (key, key.upper()) if registry.spec(name)), None)
    if found is not None or not key.isupper():
        return found
    word = step_word(key)
    meant = word.name if word is not None else None
    return meant if meant is not None and registry.spec(meant) is not None else nearest_step(key, keys, registry)


def nearest_step(name: str, keys: Node, registry: Registry) -> str | None:
    """The step that a name means: of those that have all its words, and more, the one whose keys are written."""
    near = registry.nearest(name)
    words = {*name.upper().split("_")}
    if near is None or not words < {*near.split("_")}:
        return near
    written = [key for key in keys.value if key not in COMMON_KEYS] if keys.kind == "map" else []
    others = {each: {*each.split("_")} for each in registry if words < {*each.split("_")}}

    def rank(step: str) -> tuple[int, bool, int, int]:
        spec = registry.spec(step)
        fitting = 0 if spec is None else sum(key in spec.keys or spec.sets_other_keys for key in written)
        alike = len(others[step] & {*near.split("_")})
        return fitting, step == near, alike, sum(others[step] < other for other in others.values())

    return max(others, key=rank, default=near)


def as_steps(node: Node, meant: list[Meant], builder: Builder) -> list[Node]:
    """The steps of a map as nodes with `step` and their keys."""
    return [_as_step(node, each, builder) for each in meant]


def _as_step(node: Node, meant: Meant, builder: Builder) -> Node:
    step = Node("map", {}, node.source, node.start, node.end)
    inner = node.value[meant.key]
    if meant.key != "step":
        key = node.keys[meant.key]
        step.value["step"] = Node("scalar", meant.name, key.source, key.start, key.end)
        step.keys["step"] = Node("scalar", "step", key.source, key.start, key.end)
        if inner.kind == "map":
            step.value.update(inner.value)
            step.keys.update(inner.keys)
        elif inner.value is not None and (main := _main_key(builder.registry.spec(meant.name))) is not None:
            step.value[main], step.keys[main] = inner, key
    for other in meant.keys:
        if other != meant.key or meant.key == "step":
            step.value[other], step.keys[other] = node.value[other], node.keys[other]
    return step


def with_key(node: Node, old: str, new: str) -> Node:
    """A map with one of its keys under another name."""
    made = Node("map", {}, node.source, node.start, node.end)
    for name, value in node.value.items():
        made.value[new if name == old else name] = value
        made.keys[new if name == old else name] = node.keys[name]
    return made


def _main_key(spec: StepSpec | None) -> str | None:
    """The key that a value beside a step's name is meant for: its only required one, or that of a text to set."""
    if spec is None:
        return None
    if isinstance(spec.flow, Assign):
        return next(iter(spec.flow.sources), None)
    required = [key.name for key in spec.keys.values() if key.required]
    return required[0] if len(required) == 1 else None


def form_hint(meant: list[Meant]) -> str:
    """What to write in place of the map."""
    if len(meant) > 1:
        return "write each as `- step: NAME`, and its keys below `step`"
    name = meant[0].name
    return f"write `- step: {name}`, and its keys below `step`"


def form_fix(node: Node, meant: list[Meant], builder: Builder, *, dashes: bool) -> Fix | None:
    """All of the map as steps must be written; `dashes` where no list is around it. None where it has no place."""
    edits = [edit for each in meant for edit in _edits(node, each, builder, dashes)]
    if _in_brackets(node):
        edits = _bracketed(node, meant, dashes)
    if not edits or any(edit is None for edit in edits):
        return None
    title = form_hint(meant)
    return Fix(title, tuple(sorted((edit for edit in edits if edit is not None), key=lambda edit: edit.span[1:])))


def _edits(node: Node, meant: Meant, builder: Builder, dashes: bool) -> Iterator[Edit | None]:
    """The edits for one step of a map in block style."""
    source = node.source
    column = source.position(node.keys[meant.keys[0]].start).col - 1
    target = column + 2 * dashes
    for number, key in enumerate(meant.keys):
        at, value = node.keys[key], node.value[key]
        dash = "- " if dashes and not number else ""
        first = at.start if dash else source.offset(source.position(at.start).line, 1) + column
        if at.source is not source or value.source is not source:
            yield None
        elif key != meant.key or key == "step":
            if dash or (target != column and number):
                yield Edit(Span(source, first, first), dash or " " * (target - column))
            yield from _moved(at, value, target - column)
        else:
            yield from _named(at, value, meant, builder, dash, target)


def _named(key: Node, value: Node, meant: Meant, builder: Builder, dash: str, target: int) -> Iterator[Edit | None]:
    """The edits for `NAME:` and what stands behind it, whose keys go to a column."""
    source = key.source
    lead = f"{dash}step: {meant.name}"
    colon = source.text.find(":", key.end) + 1
    if value.kind == "map" and _in_brackets(value):
        alone = len(meant.keys) == 1
        yield Edit(Span(source, key.start, value.start + 1), f"{dash}{{step: {meant.name}, ") if alone else None
    elif value.kind == "map" and source.position(value.start).line > source.position(key.start).line:
        yield Edit(Span(source, key.start, colon), lead)
        yield from _moved(key, value, target - (source.position(value.start).col - 1))
    elif value.kind == "scalar" and value.value is None:
        yield Edit(Span(source, key.start, colon), lead)
    elif (main := _main_key(builder.registry.spec(meant.name))) is not None and value.kind == "scalar":
        yield Edit(Span(source, key.start, value.start), f"{lead}{line_break(source)}{' ' * target}{main}: ")
        yield from _moved(key, value, target - (source.position(key.start).col - 1))
    else:
        yield None


def _moved(key: Node, value: Node, columns: int) -> Iterator[Edit | None]:
    """The lines of a value below that of its key, moved by columns."""
    source = key.source
    end = len(source.text[: max(value.end, key.end)].rstrip())
    for number in range(source.position(key.start).line + 1, source.position(end).line + 1):
        start, text = source.offset(number, 1), source.line(number)
        if text.strip() and columns > 0:
            yield Edit(Span(source, start, start), " " * columns)
        elif text.strip() and columns < 0:
            fits = not text[:-columns].strip()
            yield Edit(Span(source, start, start - columns), "") if fits else None


def _bracketed(node: Node, meant: list[Meant], dashes: bool) -> list[Edit | None]:
    """The edits for a map in brackets."""
    source = node.source
    edits: list[Edit | None] = []
    if meant[0].key == "step":
        edits = [Edit(Span(source, node.start, node.start), "["), Edit(Span(source, node.end, node.end), "]")]
        return edits if dashes else []
    for each in meant:
        key, value = node.keys[each.key], node.value[each.key]
        if len(each.keys) > 1 or value.kind != "map" or not _in_brackets(value):
            return []
        start = Span(source, key.start, value.start + 1)
        edits.append(Edit(start, f"{'{' if dashes else ''}step: {each.name}, "))
        if not dashes:
            edits.append(Edit(Span(source, value.end - 1, value.end), ""))
    if dashes:
        ends = Span(source, node.start, node.start + 1), Span(source, node.end - 1, node.end)
        edits += [Edit(ends[0], "["), Edit(ends[1], "]")]
    return edits


def _in_brackets(node: Node) -> bool:
    return node.source.text.startswith("{", node.start)
