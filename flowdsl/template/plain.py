"""Plain outputs: `{{ flowContext.title }}`, a name with members and nothing else.

They are most of the outputs in flows, and a regular expression reads them without lexer and parser.
"""

from __future__ import annotations

import re
from typing import Final

from flowdsl.template.nodes import Literal, Member, Name, Node

PLAIN: Final = r"\{\{[ \n\t\r]*([A-Za-z_$][\w$]*)((?:\.[A-Za-z_$][\w$]*)*)[ \n\t\r]*\}\}"
"""A plain output, as a pattern: its groups are the name and `.member.member`."""
_PLAIN: Final = re.compile(PLAIN, re.ASCII)
_RESERVED: Final = frozenset(("true", "false", "none", "null", "and", "or", "not", "in", "is", "if", "else", "r"))


def plain_output(text: str, at: int) -> re.Match[str] | None:
    """The match of a plain output at the offset `at`: its groups are the name and `.member.member`; None for others.

    One with a very long path is none: the parser of expressions knows the limits.
    """
    found = _PLAIN.match(text, at)
    return found if found is not None and is_plain_output(found) else None


def is_plain_output(found: re.Match[str]) -> bool:
    """Whether what `tags.OPENING` found is a plain output."""
    name = found[1]
    return name is not None and name not in _RESERVED and len(found[2]) <= 200


def reference(plain: re.Match[str]) -> Node:
    """The node of a plain output."""
    node: Node = Name(plain[1], *plain.span(1))
    at = plain.end(1)
    for name in plain[2].split(".")[1:]:
        end = at + 1 + len(name)
        node = Member(node, Literal(name, at + 1, end), end)
        at = end
    return node
