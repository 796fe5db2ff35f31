"""How many bytes a text that only the run knows has at most, where its template and the inputs say so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from flowdsl.errors import FlowError
from flowdsl.syntax.node import Node
from flowdsl.template import compile, output_text, parse
from flowdsl.template.nodes import Chain, Choice, Filtered, Literal, Member, Name, Output, Text
from flowdsl.template.parser import body_of

if TYPE_CHECKING:
    from flowdsl.engine.known import Known
    from flowdsl.template.nodes import Node as Part

_CHARACTER: Final = 4
"""As many bytes a character has at most."""


def longest(node: Node, known: Known) -> int | None:
    """How many bytes the text of an option has at most; None where nothing says it."""
    text = node.value
    template = parse(text) if isinstance(text, str) else None
    if template is None or template.problems:
        return None
    measure = _Measure(node, known)
    return _sum(
        _bytes(part.text)
        if isinstance(part, Text)
        else measure.printed(part.expression)
        if isinstance(part, Output)
        else None
        for part in body_of(template)
    )


class _Measure:
    """Measures the expressions of a text by what is known at its place."""

    def __init__(self, node: Node, known: Known) -> None:
        self._node = node
        self._known = known

    def printed(self, part: Part) -> int | None:
        """How many bytes an expression prints at most."""
        value = self._value(part)
        if value is not None:
            return _bytes(value)
        if isinstance(part, Filtered):
            return self._filtered(part)
        if isinstance(part, Choice):
            return _most((self.printed(part.value), 0 if part.other is None else self.printed(part.other)))
        if isinstance(part, Chain) and part.operators[0] in ("or", "~"):
            found = [self.printed(each) for each in part.operands]
            return _most(found) if part.operators[0] == "or" else _sum(found)
        return self._input(part)

    def _filtered(self, part: Filtered) -> int | None:
        target, values = self.printed(part.target), part.arguments.values
        if part.name == "truncate" and values and not part.arguments.named:
            length = values[0].value if isinstance(values[0], Literal) else None
            end = 3 if len(values) < 3 else self.printed(values[2])
            if isinstance(length, int) and end is not None:
                cut = _CHARACTER * max(0, length) + end
                return cut if target is None else min(cut, target + end)
        if part.name == "default" and len(values) == 1:
            return _most((target, self.printed(values[0])))
        return None

    def _input(self, part: Part) -> int | None:
        """By what the flow declares of an input."""
        if not (isinstance(part, Member) and isinstance(part.target, Name) and isinstance(part.key, Literal)):
            return None
        declared = (self._known.run.program.document.inputs or {}).get(part.key.value)
        if part.target.name != "inputs" or declared is None:
            return None
        schema: dict[str, Any] = dict(declared.schema)
        allowed = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(allowed, list):
            return max((_bytes(output_text(each)) for each in allowed), default=0)
        most, kind = schema.get("maxLength"), schema.get("type")
        return _CHARACTER * most if kind == "string" and isinstance(most, int) else None

    def _value(self, part: Part) -> str | None:
        """What an expression prints, where that is known."""
        node = self._node
        text = Node("scalar", f"{{{{ {node.value[part.start : part.end]} }}}}", node.source, node.start, node.end)
        try:
            if not self._known.knows(text):
                return None
            compiled = compile(parse(text.value), strict=True, filters=self._known.run.program.filters)
            return output_text(compiled(self._known.context, self._known.frame.names))
        except FlowError:
            return None


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _sum(sizes: Iterable[int | None]) -> int | None:
    total = 0
    for size in sizes:
        if size is None:
            return None
        total += size
    return total


def _most(sizes: Iterable[int | None]) -> int | None:
    found = list(sizes)
    return None if None in found else max(size or 0 for size in found)
