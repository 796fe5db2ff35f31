"""Numbers whose text in the file is not the one they print: `1.10`, `01234`, `5319e7`.

They are followed from where they stand to where they are printed: in a variable, an item of a list or a map, a constant
of the document or an imported module, the default of an input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.syntax.node import content_start

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.flow.state import State
    from flowdsl.checker.names.template_use import Use
    from flowdsl.document.document import BlockSet, Document
    from flowdsl.source import Span
    from flowdsl.syntax.node import Node

_SAYS_MORE = (
    r"[-+]?0[0-9]+(\.[0-9]*)?|\+[0-9.]+|0[xo][0-9a-fA-F]+|[-+]?[0-9]*\.[0-9]*0|[-+]?[0-9.]+[eE][-+]?[0-9]+|[0-9]{16,}"
)
"""Spellings that a number does not keep and that somebody may mean: of versions, postal codes, hashes, identifiers."""
_CHAIN = r"[A-Za-z_]\w*(?:\.\w+|\[\d+\])*"


class Spellings:
    """The numbers of one document that lose their spelling where they are printed.

    `printed` are those that are, each with a place that does; `some` says whether there can be any.
    """

    __slots__ = ("_declared", "_held", "printed", "some")

    def __init__(self, document: Document) -> None:
        self._held: dict[int, list[Node]] = {}
        """Values that hold such numbers, by the node that says which FlowContext key they are in."""
        self._declared = dict(_declared(document))
        """The same, by how templates read them: `inputs.version`, `local.constants.version`."""
        self.printed: dict[int, tuple[Node, Span]] = {}
        self.some = bool(self._declared)

    def keep(self, holds: Node, value: Node, state: State) -> None:
        """Takes note of what a FlowContext key gets; `holds` says which key it is in."""
        if value.value.__class__ is str:
            found = self._read(value.value, state) if self.some and "{" in value.value else []
        else:
            found = [value] if _holds(value) else []
        if found:
            self._held[id(holds)], self.some = found, True

    def keep_items(self, holds: Node, items: Node, state: State) -> None:
        """Takes note of the items of a list that a loop goes over; `holds` names the key of an item."""
        lists = [items] if items.kind == "list" else self._read(items.value, state) if self.some else []
        found = [item for each in lists if each.kind == "list" for item in each.value if _holds(item)]
        if found:
            self._held[id(holds)], self.some = found, True

    def print(self, use: Use, start: int, end: int) -> None:
        """Takes note that the names from `start` to `end` of a template are printed."""
        for node in self._named(use.text[start:end].strip(), use.state):
            if node.kind == "scalar" and has_lost_spelling(node):
                self.printed.setdefault(id(node), (node, use.span(start, end)))

    def report(self, findings: Findings) -> None:
        """Reports the numbers that are printed."""
        for number, printed_at in self.printed.values():
            _report(number, printed_at, findings)

    def _read(self, text: object, state: State) -> list[Node]:
        """What a template gives that only reads names."""
        chain = re.fullmatch(rf"\{{\{{-?\s*({_CHAIN})\s*-?\}}\}}", text.strip()) if isinstance(text, str) else None
        return self._named(chain[1], state) if chain is not None else []

    def _named(self, chain: str, state: State) -> list[Node]:
        """The values that a chain of names may read, of those that hold such numbers."""
        if re.fullmatch(_CHAIN, chain) is None:
            return []
        names = re.findall(r"\w+", chain)
        for length in (2, 3, 4) if self._declared else ():
            found = self._declared.get(".".join(names[:length]))
            if found is not None:
                return _inside(found, names[length:])
        if names[0] == "flowContext":
            del names[0]
        entry = state.get(names[0]) if names else None
        return _inside(self._held.get(id(entry.where), ()), names[1:]) if entry is not None else []


def _inside(nodes: Iterable[Node], names: Iterable[str]) -> list[Node]:
    """The values inside others that a chain of names leads to."""
    found = list(nodes)
    for name in names:
        inner = []
        for node in found:
            if node.kind == "map" and name in node.value:
                inner.append(node.value[name])
            elif node.kind == "list" and name.isdigit() and int(name) < len(node.value):
                inner.append(node.value[int(name)])
        found = inner
    return found


def _declared(document: Document) -> Iterator[tuple[str, list[Node]]]:
    """What the document declares that holds such numbers: defaults of inputs, and constants."""
    for name, declaration in (document.inputs or {}).items():
        default = declaration.node.value.get("default") if declaration.has_default else None
        if default is not None and _holds(default) and _may_be_text(declaration.schema, default):
            yield f"inputs.{name}", [default]
    for scope, blocks in document.scopes.items():
        yield from _constants(scope, blocks)
    for alias, module in document.imports.items():
        yield from _constants(f"imports.{alias}", module.blocks)


def _constants(shown: str, blocks: BlockSet) -> Iterator[tuple[str, list[Node]]]:
    for name, value in blocks.values.items():
        if _holds(value):
            yield f"{shown}.constants.{name}", [value]


def _may_be_text(schema: Any, value: Node) -> bool:
    """Whether texts in place of the numbers of a value fit its schema, as far as types say."""
    if not isinstance(schema, Mapping):
        return True
    if value.kind == "list":
        return all(_may_be_text(schema.get("items"), item) for item in value.value if _holds(item))
    if value.kind == "map":
        properties = schema.get("properties")
        inner = properties if isinstance(properties, Mapping) else {}
        return all(_may_be_text(inner.get(name), item) for name, item in value.value.items() if _holds(item))
    types = schema.get("type", "string")
    return "string" in (types if isinstance(types, list) else [types]) and "enum" not in schema


def _holds(value: Node) -> bool:
    """Whether a value is, or holds, a number that loses its spelling."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        inner = node.value
        kind = inner.__class__
        if kind is str:
            continue
        if kind is int:
            if str(inner) != node.source.text[node.start : node.end] and has_lost_spelling(node):
                return True
        elif kind is list:
            waiting += inner
        elif kind is dict:
            waiting += inner.values()
        elif kind is float and has_lost_spelling(node):
            return True
    return False


def has_lost_spelling(node: Node) -> bool:
    """Whether the number of a scalar prints otherwise than it is written."""
    if node.value.__class__ not in (int, float):
        return False
    text = _written(node)
    return node.style is None and _printed(node) != text and re.fullmatch(_SAYS_MORE, text) is not None


def _report(node: Node, printed_at: Span, findings: Findings) -> None:
    """Reports a number that is printed, at `printed_at`, and loses its spelling by that."""
    from flowdsl.diagnostics import Related
    from flowdsl.source import Span
    from flowdsl.syntax.quoting import quoted

    text = _written(node)
    span = Span(node.source, content_start(node), node.end)
    message = f"`{text}` is a number, and prints as {_printed(node)}"
    related = (Related(printed_at, "printed here"),)
    hint = f'quote it if it is a text: `"{text}"`'
    findings.add("lost-spelling", message, span, hint=hint, related=related, fixes=[quoted(span)])


def _written(node: Node) -> str:
    return node.source.text[content_start(node) : node.end]


def _printed(node: Node) -> str:
    from flowdsl.template.values import to_text

    return to_text(node.value)
