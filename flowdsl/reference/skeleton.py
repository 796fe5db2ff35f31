"""A flow that shows some steps: the example of each, in order, under a comment that lists its keys."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.document.dialects.dialect import made
from flowdsl.source import Source, Span
from flowdsl.syntax.block_style import block_style
from flowdsl.syntax.yaml_reader import read

if TYPE_CHECKING:
    from flowdsl.step.key import Key
    from flowdsl.step.spec import StepSpec

_WIDTH = 100
_HEAD = "# `flowdsl validate FILE` checks it, `flowdsl run FILE --simulate` tries it without a key.\n"
_KEY_ORDER = ("inputs", "services", "blocks")


def skeleton(specs: Sequence[StepSpec]) -> str:
    """The text of a flow with these steps, which have examples and summaries. What its examples declare, such as
    inputs and services, is put together."""
    declared: dict[str, Any] = {}
    parts = []
    for spec in specs:
        steps, around = _example(spec)
        _merge(declared, around)
        parts.append(f"{_about(spec)}{textwrap.indent(_written(steps), '  ')}")
    ordered = {key: declared[key] for key in (*_KEY_ORDER, *declared) if key in declared}
    return f"{_HEAD}{_written(ordered) if ordered else ''}flow:\n{''.join(parts)}"


def _example(spec: StepSpec) -> tuple[list[Any], dict[str, Any]]:
    """The steps of the first example of a step, and what it declares beside them."""
    text = spec.examples[0] if spec.examples else f"- step: {spec.name}\n"
    root, _ = read(Source(text))
    plain = root.plain() if root is not None else []
    if isinstance(plain, list):
        return plain, {}
    return plain["flow"], {key: value for key, value in plain.items() if key != "flow"}


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Adds entries; of two with one name the first stays."""
    for name, value in more.items():
        known = into.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            into.setdefault(name, value)


def _written(value: Any) -> str:
    source = Source("")
    return block_style(made(value, Span(source, 0, 0)), source, None)


def _about(spec: StepSpec) -> str:
    """What a step does and which keys it has, as comments."""
    lines = [f"{spec.name}: {spec.summary}"]
    lines += [f"  {_described(key)}" for key in spec.keys.values() if not key.deprecated]
    return "".join(_comment(line) for line in lines)


def _described(key: Key) -> str:
    facts = [key.type, *(["required"] if key.required else [])]
    if key.default is not None:
        facts.append(f"default {str(key.default).lower() if isinstance(key.default, bool) else key.default}")
    return f"{key.name} ({', '.join(facts)}): {key.summary}"


def _comment(line: str) -> str:
    indent = len(line) - len(line.lstrip())
    wrapped = textwrap.wrap(
        line.strip(), _WIDTH - indent - 4, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"  # {' ' * indent}{part}\n" for part in wrapped)


def names(texts: Iterable[str]) -> list[str]:
    """The names of steps in arguments, `SET,REST` or `SET REST`, each once."""
    return list(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))
