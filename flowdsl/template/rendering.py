"""Templates rendered: a text, a context and names in, a text or a value out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.template import compiler
from flowdsl.template.cache import Cache
from flowdsl.template.limits import DEFAULT_LIMITS, TemplateLimits
from flowdsl.template.parser import parse
from flowdsl.template.syntax import Template

if TYPE_CHECKING:
    from flowdsl.template.filters import Filters

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
