"""The one style of flows, modules, kits and flow tests: what `flowdsl fmt` writes. docs/formatting.md says what it is,
and why."""

from __future__ import annotations

from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.document.dialects import BUILT_IN, is_foreign
from flowdsl.document.flow_tests import is_flow_tests
from flowdsl.errors import FlowSyntaxError
from flowdsl.rewriting.layout import laid_out
from flowdsl.source import Source, Span
from flowdsl.syntax.node import Node
from flowdsl.syntax.yaml_reader import read


def formatted_flow(source: Source) -> str:
    """The text of a flow, module, kit or file of flow tests in the one style.

    Raises:
        FlowSyntaxError: it has mistakes of syntax, or is none of the four; the diagnostics say so.
    """
    root = _read(source)
    if not any(dialect.recognises(source, root) for dialect in BUILT_IN) and not (
        is_flow_tests(source, root) and not is_foreign(source)
    ):
        raise FlowSyntaxError([_not_ours(source, root)])
    return _formatted(source, root)


def formatted(source: Source) -> str:
    """The text of any YAML in the one style; it reads back as the same values.

    Raises:
        FlowSyntaxError: it has mistakes of syntax, which are its diagnostics.
    """
    return _formatted(source, _read(source))


def _formatted(source: Source, root: Node) -> str:
    text = laid_out(source)
    if text != source.text and not same_values(root, _read(Source(text, source.path))):
        raise AssertionError("the formatted text means something else: nothing is written")
    return text


def _read(source: Source) -> Node:
    root, found = read(source, _included)
    if root is None or has_errors(found):
        raise FlowSyntaxError([finding.hidden() for finding in found if finding.severity == "error"])
    return root


def _included(path: str, span: Span) -> tuple[Node, list[Diagnostic]]:
    """What stands for an included file, which is not read: its path."""
    return Node("scalar", path, span.source, span.start, span.end), []


def _not_ours(source: Source, root: Node) -> Diagnostic:
    if is_foreign(source):
        message = "this is a document of another system, and not formatted"
        hint = f"`flowdsl convert {source.path}` prints the flow that it becomes"
    else:
        message = "this is neither a flow nor a module nor a kit nor flow tests, and not formatted"
        hint = "a flow is a list of steps, or a map with `flow:`"
    first = next(iter(root.keys.values()), root)
    return Diagnostic("not-a-flow", message, first.span, hint=hint)


def same_values(one: Node, other: Node) -> bool:
    """Whether two trees hold the same values, in the same order and in the same quotes."""
    waiting, seen = [(one, other)], set[tuple[int, int]]()
    while waiting:
        a, b = waiting.pop()
        if (a.kind, a.style) != (b.kind, b.style):
            return False
        if a.kind == "scalar":
            if repr(a.value) != repr(b.value):  # 1 is not 1.0, and a NaN is itself
                return False
        elif (id(a), id(b)) not in seen:  # an alias may name the same node thousands of times
            seen.add((id(a), id(b)))
            if len(a.value) != len(b.value) or (a.kind == "map" and list(a.value) != list(b.value)):
                return False
            waiting += zip(_inside(a), _inside(b), strict=True)
    return True


def _inside(node: Node) -> list[Node]:
    return [*node.keys.values(), *node.value.values()] if node.kind == "map" else list(node.value)
