"""Templates: `{{ expression }}` and `{% tag %}` with the semantics of Nunjucks 3.2.4.

A text comes in; `parse` gives its tree and never raises for a mistake in it, `compile` gives a function of context and
names. To find your way: `parser` reads, `tags` and `lalr` build the tree of `nodes`, `references` lists what it reads,
`compiler` says how it is rendered, `filters` and `tests` are what their names say.

What renders is imported on first use: a check reads templates, and renders none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.template.parser import parse, parse_expression
from flowdsl.template.problems import TemplateProblem
from flowdsl.template.syntax import Reference, Template

if TYPE_CHECKING:
    from flowdsl.template.json_text import stringify
    from flowdsl.template.limits import DEFAULT_LIMITS, TemplateLimits
    from flowdsl.template.members import exposed
    from flowdsl.template.rendering import compile, evaluate, render
    from flowdsl.template.taint import SecretText, holds_secret, mark
    from flowdsl.template.values import UNDEFINED, output_text, to_text, truthy

__all__ = [
    "DEFAULT_LIMITS",
    "UNDEFINED",
    "Reference",
    "SecretText",
    "Template",
    "TemplateLimits",
    "TemplateProblem",
    "compile",
    "evaluate",
    "exposed",
    "holds_secret",
    "mark",
    "output_text",
    "parse",
    "parse_expression",
    "render",
    "stringify",
    "to_text",
    "truthy",
]

_HOMES = {
    "json_text": ("stringify",),
    "limits": ("DEFAULT_LIMITS", "TemplateLimits"),
    "members": ("exposed",),
    "rendering": ("compile", "evaluate", "render"),
    "taint": ("SecretText", "holds_secret", "mark"),
    "values": ("UNDEFINED", "output_text", "to_text", "truthy"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # with it, type checkers would believe in any name

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'flowdsl.template' has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"flowdsl.template.{_HOME[name]}"), name)
        return value


def __dir__() -> list[str]:
    return list(__all__)
