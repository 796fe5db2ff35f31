"""From template to the function `compiled(context, names)`: when it is a closure, when it walks the tree, and when it
becomes a function of Python.

Most templates of a flow are rendered a few times, some a million times. So there are three ways to render one, and it
begins with that of the first two which can do it and is ready at once:

- **A closure**, when it is plain: literal text and names with members, which is what most templates are. Nothing is to
  be marked, escaped or filled in. (`closures`)
- **A walk over its tree**, when it is anything else. Nothing is made ahead. (`interpreter`)
- **A function of Python**, written by us and compiled by Python, when it was rendered so often that making the
  function has paid: after `HOT_PLAIN` renderings by closure, after `HOT` by walking; or when the loops of one rendering
  go on for long, which then begins anew as the function. (`functions`)

What the caller holds is one function object from the beginning. It begins with the code of `_begin`, which calls the
closure or the walk; when the template has become hot, its `__code__` is replaced. From then on nothing is looked up or
counted, and a caller never has to ask again. Renderings that are under way in other threads end with the old code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flowdsl.errors import TemplateError
from flowdsl.template.cache import Cache
from flowdsl.template.closures import is_plain, plain_text, plain_value
from flowdsl.template.foreign import ForeignText
from flowdsl.template.limits import DEFAULT_LIMITS, TemplateLimits
from flowdsl.template.nodes import Output
from flowdsl.template.parser import body_of, parse, parse_expression
from flowdsl.template.runtime import runtime
from flowdsl.template.syntax import Template

if TYPE_CHECKING:
    from flowdsl.template.filters import Filters

Compiled = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]

# Making a function costs as much as so many renderings lose without it. Measured with `python -m benchmarks templates`.
HOT: Final = 20
HOT_PLAIN: Final = 500


class Kind(NamedTuple):
    """How a template is compiled: see `compile`."""

    strict: bool
    native: bool = False
    taint: bool = False
    placeholders: frozenset[str] = frozenset()
    autoescape: bool = False
    limits: TemplateLimits = DEFAULT_LIMITS
    filters: Filters = ()


def compile(template: Template, kind: Kind) -> Compiled:
    """The function `compiled(context, names)` of a template; what comes in and goes out stands in `flowdsl.template`.

    Raises: TemplateError when the template has problems.
    """
    return _compiled[template.text, template.is_expression, kind]


def _made(key: tuple[str, bool, Kind]) -> Compiled:
    text, is_expression, kind = key
    template = parse_expression(text) if is_expression else parse(text)
    if template.problems and kind.filters:
        from flowdsl.template.references import settled

        template = settled(template, kind.filters)
    if template.problems:
        problem = template.problems[0]
        raise TemplateError(problem.message, code=problem.code, hint=problem.hint, start=problem.start, end=problem.end)
    return _Young(template, kind).function


def _begin(context: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """The code that the function of a template begins with; `render` is a global of that function."""
    return render(context, names)  # type: ignore[name-defined]  # noqa: F821


class _Young:
    """A template whose function still has the code of `_begin`."""

    def __init__(self, template: Template, kind: Kind) -> None:
        self.text = template.text
        self.body = body_of(template)
        self.native = kind.native and template.is_native
        self.runtime = runtime(kind.strict, kind.taint, kind.autoescape, kind.limits, kind.filters)
        names = frozenset() if isinstance(self.text, ForeignText) else kind.placeholders
        self.placeholder = placeholder(names) if names else None
        self.plain = not (kind.taint or kind.autoescape or kind.placeholders) and is_plain(self.body)
        if kind.limits.max_depth < DEFAULT_LIMITS.max_depth:
            self.code()  # it refuses what is nested deeper; the parser has refused what is deeper than the default
        rendering = self.closure() if self.plain else self.walk()
        left = HOT_PLAIN if self.plain else HOT
        self.function = FunctionType(_begin.__code__, {"render": self.counting(rendering, left)}, "render")

    def counting(self, rendering: Compiled, left: int) -> Compiled:
        """What the function calls: the rendering, so many times."""

        def render(context: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                self.grow()
                return self.function(context, names)
            return rendering(context, names)

        return render

    def closure(self) -> Compiled:
        """What renders a plain template until then."""
        if not self.native:
            return plain_text(self.text, self.body, self.runtime)
        output = next(statement for statement in self.body if isinstance(statement, Output))
        return plain_value(self.text, output.expression, self.runtime)

    def walk(self) -> Compiled:
        """What renders any other until then, as long as no loop goes on for long."""
        from flowdsl.template.interpreter import Program, Worthwhile

        program = Program(self.text, self.body, self.native, self.placeholder, self.runtime)

        def render(context: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
            try:
                return program.render(context, names)
            except Worthwhile:
                self.grow()
            return self.function(context, names)

        return render

    def code(self) -> tuple[CodeType, dict[str, Any]]:
        """The code of a function, and its globals."""
        from flowdsl.template.functions import function_code

        return function_code(self.text, self.body, self.runtime, self.placeholder, native=self.native, plain=self.plain)

    def grow(self) -> None:
        """Give the function code of its own; the globals come first, for other threads may run it at once."""
        code, names = self.code()
        self.function.__globals__.update(names)
        self.function.__code__ = code


@lru_cache(maxsize=64)
def placeholder(names: frozenset[str]) -> re.Pattern[str]:
    """What finds the `{name}` of these names in literal text."""
    return re.compile("|".join(re.escape("{" + name + "}") for name in sorted(names)))


_compiled: Final = Cache(4096, _made)


def forget(*, shapes: bool = True) -> None:
    """Empty the caches of compiled templates; with `shapes` also that of Python's code."""
    _compiled.clear()
    if shapes:
        from flowdsl.template.functions import CODES

        CODES.clear()
