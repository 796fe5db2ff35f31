"""What parsing a template gives."""

from __future__ import annotations

from typing import Final

from flowdsl.record import Row
from flowdsl.template.nodes import Body
from flowdsl.template.problems import TemplateProblem

BUILTIN_NAMES: Final = ("JSON", "Math", "Object", "cycler", "joiner", "range")
"""The names of `builtins.BUILTINS` in their order, for what reads templates without rendering them."""


class Reference(Row):
    """A free name that a template reads: `root` and the constant member names after it.

    `guarded`: undefined is harmless here (an operand of `default`, of `is defined`, a condition, the left of `or`).
    `called`: it is called as a function.
    """

    root: str
    path: tuple[str, ...]
    start: int
    end: int
    guarded: bool
    called: bool


class Template(Row):
    """A parsed template.

    `is_literal`: it holds no tag at all. `is_native`: stripped, it is exactly one `{{ expression }}`.
    `problems` holds the first syntax error, or all unknown filters and tests. `calls_secret`: it calls `secret(…)`.
    `body` is None until it is needed when only plain references stand in the text.
    """

    text: str
    is_literal: bool
    is_native: bool
    problems: tuple[TemplateProblem, ...]
    references: tuple[Reference, ...]
    calls_secret: bool
    body: Body | None
    is_expression: bool = False
    outputs: tuple[tuple[int, Template], ...] = ()
    """Where no tag but `{{ }}` stands: the outputs that are no plain references, each with its offset in the text."""
