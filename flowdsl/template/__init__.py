"""Templates: `{{ expression }}` and `{% tag %}` with the semantics of Nunjucks 3.2.4.

A text comes in; `parse` gives its tree and never raises for a mistake in it, `compile` gives a function of context and
names. To find your way: `parser` reads, `tags` and `lalr` build the tree of `nodes`, `references` lists what it reads,
`compiler` says how it is rendered, `filters` and `tests` are what their names say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.template.cache import Cache
from flowdsl.template.json_text import stringify
from flowdsl.template.limits import DEFAULT_LIMITS, TemplateLimits
from flowdsl.template.members import exposed
from flowdsl.template.parser import parse, parse_expression
from flowdsl.template.problems import TemplateProblem
from flowdsl.template.syntax import Reference, Template
from flowdsl.template.taint import SecretText, holds_secret, mark
from flowdsl.template.values import UNDEFINED, output_text, to_text, truthy

if TYPE_CHECKING:
    from flowdsl.template.filters import Filters

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

_Compiled = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
_NO_NAMES: Mapping[str, Any] = {}


def compile(
    template: Template,
    *,
    strict: bool,
    native: bool = False,
    taint: bool = False,
    placeholders: frozenset[str] = frozenset(),
    autoescape: bool = False,
    limits: TemplateLimits = DEFAULT_LIMITS,
    filters: Filters = (),
) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    """The function `compiled(context, names)` of a template.

    `names` holds everything but the FlowContext and comes first; the name `flowContext` is the context itself.
    With `native`, a template that is one `{{ expression }}` gives the expression's value, any other gives text.
    `strict` makes printing undefined an error. `taint` keeps text that came from `SecretText` recognisable. With
    `autoescape`, what is printed is escaped for HTML, but for text that is marked as safe.
    `placeholders` are the names of `{name}` in literal text; their values are `names["{name}"]`. `filters` are those of
    a host.
    Raises: TemplateError when the template has problems.
    """
    from flowdsl.template import compiler

    return compiler.compile(template, compiler.Kind(strict, native, taint, placeholders, autoescape, limits, filters))


def render(text: str, context: Mapping[str, Any], names: Mapping[str, Any] = _NO_NAMES) -> str:
    """The text of a template; what is undefined prints nothing. `context` is the FlowContext itself, `names` holds
    other roots, such as `inputs`.

    Raises: TemplateError; UsageError for a `context` that holds a `flowContext`.
    """
    if "flowContext" in context:
        _refuse(text)
    found: str = _renders[text](context, names)
    return found


def evaluate(text: str, context: Mapping[str, Any], names: Mapping[str, Any] = _NO_NAMES) -> Any:
    """The value of a template that is exactly one `{{ expression }}`, the text of any other; see `render`.

    Raises: TemplateError; UsageError for a `context` that holds a `flowContext`.
    """
    if "flowContext" in context:
        _refuse(text)
    return _evaluates[text](context, names)


def _refuse(text: str) -> None:
    """Refuses a map of roots in place of the FlowContext: there, `flowContext.x` would look for an `x` beside
    `flowContext`, and find nothing."""
    if "flowContext" in text:
        from flowdsl.errors import UsageError

        raise UsageError("render takes the FlowContext itself, {'city': …}, and other roots as names={'inputs': …}")


def _rendered(text: str) -> _Compiled:
    return compile(parse(text), strict=False)


def _evaluated(text: str) -> _Compiled:
    return compile(parse(text), strict=False, native=True)


_renders, _evaluates = Cache(2048, _rendered), Cache(2048, _evaluated)
