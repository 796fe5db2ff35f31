"""Numbers whose text in the file is not the one they print: `1.10`, `01234`, `5319e7`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdsl.syntax.node import content_start

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.source import Span
    from flowdsl.syntax.node import Node

_SAYS_MORE = (
    r"[-+]?0[0-9]+(\.[0-9]*)?|\+[0-9.]+|0[xo][0-9a-fA-F]+|[-+]?[0-9]*\.[0-9]*0|[-+]?[0-9.]+[eE][-+]?[0-9]+|[0-9]{16,}"
)
"""Spellings that a number does not keep and that somebody may mean: of versions, postal codes, hashes, identifiers."""


def has_lost_spelling(node: Node) -> bool:
    """Whether the number of a scalar prints otherwise than it is written."""
    text = _written(node)
    return node.style is None and _printed(node) != text and re.fullmatch(_SAYS_MORE, text) is not None


def lost_spelling(node: Node, printed_at: Span, findings: Findings) -> None:
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
