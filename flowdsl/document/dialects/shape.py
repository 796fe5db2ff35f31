"""What a plugin's dialect gives, looked at where it comes in: behind it everybody trusts nodes, places and findings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from flowdsl.diagnostics import Diagnostic, Fix
from flowdsl.source import Source, Span
from flowdsl.syntax.composer import MAX_DEPTH
from flowdsl.syntax.node import Node

_DEEPEST = 2 * MAX_DEPTH
"""What is made of a file may stand deeper than what an author writes."""
_SCALARS = (str, int, float, bool, type(None))


def read_pair(found: Any) -> tuple[Node | None, list[Diagnostic]]:
    """What `read` gave, as the pair that it should be.

    Raises:
        TypeError: it is another thing.
    """
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], list):
        raise TypeError(f"it gave {_a(found)}, and not a node, or None, and a list of diagnostics")
    check_findings(found[1])
    if found[0] is not None:
        check_nodes(found[0])
    elif not found[1]:
        raise ValueError("it gave None, and says not why: add a finding")
    return found


def check_nodes(root: Any) -> None:
    """Looks over a tree of nodes.

    Raises:
        TypeError: something in it is no node, or has no place.
        ValueError: it is too deep, for example as it holds itself.
    """
    waiting: list[tuple[Any, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, Node):
            raise TypeError(f"it gave {_a(node)} in place of a Node")
        if depth > _DEEPEST:
            raise ValueError(f"its nodes stand more than {_DEEPEST} deep, or hold themselves")
        _check_place(node.source, node.start, node.end)
        if node.kind == "list" and isinstance(node.value, list):
            waiting += [(child, depth + 1) for child in node.value]
        elif node.kind == "map" and isinstance(node.value, dict):
            for key, child in node.value.items():
                if not isinstance(key, str):
                    raise TypeError(f"a map has the key {key!r:.40}, which is no text")
                if key not in node.keys:
                    raise TypeError(f"the `keys` of a map lack the node of `{key}`: make it with `made`")
                waiting += [(child, depth + 1), (node.keys[key], depth + 1)]
        elif node.kind != "scalar" or not isinstance(node.value, _SCALARS):
            raise TypeError(f"a node of the kind {node.kind!r:.20} has {_a(node.value)} for its value")


def check_findings(found: Sequence[Any]) -> None:
    """Looks over what a dialect found.

    Raises:
        TypeError: something is no finding, or has no place.
        ValueError: the edits of a fix overlap.
    """
    for each in found:
        if not isinstance(each, Diagnostic):
            raise TypeError(f"it gave {_a(each)} in place of a Diagnostic")
        if not isinstance(each.code, str) or not isinstance(each.message, str):
            raise TypeError("a finding has a code or a message that is no text")
        _check_span(each.span)
        for fix in each.fixes:
            _check_fix(fix)


def _check_fix(fix: Any) -> None:
    if not isinstance(fix, Fix):
        raise TypeError(f"it gave {_a(fix)} in place of a Fix")
    for edit in fix.edits:
        _check_span(edit.span)
    spans = sorted((edit.span.start, edit.span.end) for edit in fix.edits)
    if any(after[0] < before[1] for before, after in pairwise(spans)):
        raise ValueError(f"the edits of the fix `{fix.title}` overlap")


def _check_span(span: Any) -> None:
    if not isinstance(span, Span):
        raise TypeError(f"it gave {_a(span)} in place of a Span")
    _check_place(*span)


def _check_place(source: Any, start: Any, end: Any) -> None:
    if not isinstance(source, Source) or not isinstance(start, int) or not isinstance(end, int):
        raise TypeError("a place is no source with a start and an end")
    if not 0 <= start <= end <= len(source.text):
        raise ValueError(f"the place {start}-{end} is not in {source.path}, which has {len(source.text)} characters")


def _a(value: Any) -> str:
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"
