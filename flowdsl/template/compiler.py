"""From template to one Python function.

The function takes `(context, names)`. Its source is written once, compiled once, and kept by the template's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

from flowdsl.errors import TemplateError
from flowdsl.template.cache import Cache
from flowdsl.template.closures import is_plain, plain_text, plain_value
from flowdsl.template.expressions import Expressions
from flowdsl.template.limits import DEFAULT_LIMITS, TemplateLimits
from flowdsl.template.nodes import (
    Body,
    FilterBlock,
    For,
    If,
    Node,
    Output,
    Set,
    Statement,
    Switch,
    Text,
)
from flowdsl.template.parser import body_of, parse, parse_expression
from flowdsl.template.runtime import Places, namespace, runtime
from flowdsl.template.scope import Loop, Scope
from flowdsl.template.syntax import Template
from flowdsl.template.texts import FEW, Texts, placeholder
from flowdsl.template.writer import Line, Piece, Writer

Compiled = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]

# Python's compiler nests `elif`s.
MAX_ELIFS: Final = 20

# A function saves a few microseconds each time, and costs some hundred to make.
HOT: Final = 100

NOWHERE: Final = (0, 0)
_CONSTANT: Final = re.compile(r"k\d+")


class Kind(NamedTuple):
    """How a template is compiled: see `compile`."""

    strict: bool
    native: bool = False
    taint: bool = False
    placeholders: frozenset[str] = frozenset()
    autoescape: bool = False
    limits: TemplateLimits = DEFAULT_LIMITS


def compile(template: Template, kind: Kind) -> Compiled:
    """The function `compiled(context, names)` of a template; what comes in and goes out stands in `flowdsl.template`.

    Raises: TemplateError when the template has problems.
    """
    return _compiled[template.text, template.is_expression, kind]


def _made(key: tuple[str, bool, Kind]) -> Compiled:
    text, is_expression, kind = key
    template = parse_expression(text) if is_expression else parse(text)
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
        self.template = template
        self.kind = kind
        self.left = HOT
        self.body = body_of(template)
        self.runtime = runtime(kind.strict, kind.taint, kind.autoescape, kind.limits)
        self.plain = not (kind.taint or kind.autoescape or kind.placeholders) and is_plain(self.body)
        if not self.plain and kind.limits.max_depth < DEFAULT_LIMITS.max_depth:
            _Writing(self).written()  # it looks how deep the template is
        self.function = FunctionType(_begin.__code__, {"render": self.counting()}, "render")

    def counting(self) -> Compiled:
        """What the function calls: it renders, and ends its own days when it has rendered often."""
        rendering, left = self.rendering(), HOT

        def render(context: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                self.grow()
                return self.function(context, names)
            return rendering(context, names)

        return render

    def rendering(self) -> Compiled:
        """What renders until then."""
        native = self.kind.native and self.template.is_native
        if self.plain and native:
            output = next(statement for statement in self.body if isinstance(statement, Output))
            return plain_value(self.template.text, output.expression, self.runtime)
        if self.plain:
            return plain_text(self.template.text, self.body, self.runtime)
        return self.walking(native)

    def walking(self, native: bool) -> Compiled:
        """What walks the tree, as long as no loop goes on for long."""
        from flowdsl.template.interpreter import Program, Worthwhile

        program = Program(self.template.text, self.body, native, placeholder(self.kind.placeholders), self.runtime)

        def render(context: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
            try:
                return program.render(context, names)
            except Worthwhile:
                self.grow()
            return self.function(context, names)

        return render

    def grow(self) -> None:
        """Give the function code of its own."""
        code, names = _Writing(self).written()
        self.function.__globals__.update(names)
        self.function.__code__ = code


class _Writing:
    """Writes the code of one template."""

    def __init__(self, young: _Young) -> None:
        kind = young.kind
        self.body_ = young.body
        self.native_ = kind.native and young.template.is_native
        self.plain = young.plain
        self.tainting = kind.taint
        self.places = Places(young.template.text)
        self.writer = Writer(self.places, namespace(self.places, young.runtime))
        self.scope = Scope(self.writer)
        self.expressions = Expressions(
            self.writer, self.scope, strict=kind.strict, wrap=young.runtime.wrap, max_depth=kind.limits.max_depth
        )
        self.texts = Texts(
            self.writer, self.expressions, placeholder(kind.placeholders), escaping=young.runtime.escaping
        )
        self.out = "out"
        self.loops = 0
        self.captures = 0
        self.counting: set[str] = set()

    def written(self) -> tuple[CodeType, dict[str, Any]]:
        """The code and its globals."""
        self.scope.enter(self.body_, {}, None)
        if self.native_:
            self.native(next(s.expression for s in self.body_ if isinstance(s, Output)))
        elif self.plain and len(self.body_) <= FEW:
            self.mixed(self.body_)
        elif not all(isinstance(s, (Text, Output, If)) for s in self.body_) or not self.at_once(self.body_):
            self.start()
            self.body(self.body_)
            self.finish()
        return self.built()

    def built(self) -> tuple[CodeType, dict[str, Any]]:
        """The code of the lines written."""
        text = "\n".join(code for _indent, code, _origin in self.writer.lines)
        loads = self.scope.loads(text)
        if "meter" in text:
            loads.append("meter = Meter()")
        if "loops" in text:
            loads.append("loops = counted_out = 0")
        head, tail = ["def render(context, names):"], [""]
        if self.plain:
            self.writer.outdent()
        else:
            head.append("    try:")
            tail = ["    except Failures: fail()", ""]
        indent = "    " if self.plain else "        "
        source = self.writer.source(head + [indent + line for line in loads], tail)
        return _codes[source], self.writer.names

    def native(self, expression: Node) -> None:
        """Write the function that gives a value."""
        self.texts.origin(expression)
        value = self.writer.hoist(self.expressions.code(expression))
        site = self.places.site(expression)
        self.writer.line(f"return {value} if type({value}) is str else native({value}, {site})")

    def mixed(self, body: Body) -> None:
        """Write the return of literal text and plain references; the site of each is its index."""
        codes: list[str] = []
        for statement in body:
            if isinstance(statement, Output):
                node = statement.expression
                self.places.spans[len(codes) :] = [(node.start, node.end)]
                codes.append(self.expressions.code(node))
            elif isinstance(statement, Text):
                for code in self.texts.text(statement.text):
                    self.places.spans[len(codes) :] = [NOWHERE]
                    codes.append(code)
        if len(codes) == 1 and _CONSTANT.fullmatch(codes[0]):
            self.writer.line(f"return {codes[0]}")
        else:
            self.writer.line(f"parts = ({''.join(code + ', ' for code in codes)})")
            self.writer.line("try: text = join(parts)")
            self.writer.line("except TypeError: text = join([show(part, site) for site, part in enumerate(parts)])")
            self.writer.line("return text if len(text) <= LONGEST else finish((text,))")

    def at_once(self, body: Body) -> bool:
        """Write the return of a body that needs no statements; whether it is one."""
        pieces: list[Piece] = []
        before = len(self.writer.lines)
        for statement in body:
            found = self.texts.pieces(statement)
            if found is None or len(pieces) + len(found) > FEW:
                del self.writer.lines[before:]
                return False
            pieces += found
        if self.tainting:
            self.writer.wrapped("return finish((", pieces, "))")
        else:
            self.writer.wrapped("text = join((", pieces, "))")
            self.writer.line("return text if len(text) <= LONGEST else finish((text,))")
        return True

    def start(self) -> None:
        """Write the beginning of an output."""
        self.writer.line(f"{self.out} = []")

    def finish(self) -> None:
        """Write the return of the output."""
        self.writer.line("return finish(out)")

    def body(self, body: Body) -> None:
        """Write statements."""
        start = len(self.writer.lines)
        pieces: list[Piece] = []
        for statement in body:
            # what an output needs is computed after the texts before it are written
            before = len(self.writer.lines)
            found = self.texts.pieces(statement)
            needed = self.writer.lines[before:]
            if found is None or needed:
                del self.writer.lines[before:]
                self.emit(pieces)
                pieces = []
            if found is None:
                self.statement(statement)
            else:
                self.writer.lines += needed
                pieces += found
        self.emit(pieces)
        if len(self.writer.lines) == start:
            self.writer.line("pass")

    def statement(self, statement: Statement) -> None:
        """Write a tag."""
        if isinstance(statement, If):
            self.branches(statement)
        elif isinstance(statement, For):
            self.loop(statement)
        elif isinstance(statement, Set):
            self.assignment(statement)
        elif isinstance(statement, Switch):
            self.switch(statement)
        elif isinstance(statement, FilterBlock):
            self.filter_block(statement)

    def emit(self, pieces: list[Piece]) -> None:
        """Write the output of texts."""
        if pieces and self.writer.lines and self.writer.lines[-1][1] == f"{self.out} = []":
            self.writer.lines.pop()
            self.writer.wrapped(f"{self.out} = [", pieces[:FEW], "]")
            pieces = pieces[FEW:]
        for at in range(0, len(pieces), FEW):
            self.writer.wrapped(f"{self.out} += (", pieces[at : at + FEW], ")")

    def indented(self, body: Body) -> None:
        """Write a body one level deeper."""
        self.writer.indent += 1
        self.body(body)
        self.writer.indent -= 1

    def branches(self, statement: If) -> None:
        """Write `if`."""
        condition = self.expressions.condition
        branches = [
            (("True", []) if node is None else self.texts.apart(node, condition), inner)
            for node, inner in statement.branches
        ]
        if len(branches) > MAX_ELIFS or any(lines for (_code, lines), _inner in branches):
            self.first_of(branches)
            return
        for index, ((code, _lines), inner) in enumerate(branches):
            word = "elif" if index else "if"
            self.writer.line("else:" if statement.branches[index][0] is None else f"{word} {code}:")
            self.indented(inner)

    def first_of(self, branches: list[tuple[tuple[str, list[Line]], Body]]) -> None:
        """Write alternatives side by side: Python nests `elif`, and nesting has an end."""
        undecided = self.writer.hoist("True")
        for (code, lines), inner in branches:
            self.writer.line(f"if {undecided}:")
            self.writer.lines += lines
            self.writer.indent += 1
            self.writer.line(f"if {code}:")
            self.writer.indent += 1
            self.writer.line(f"{undecided} = False")
            self.body(inner)
            self.writer.indent -= 2

    def loop(self, statement: For) -> None:
        """Write `for`."""
        self.texts.origin(statement.items)
        self.loops += 1
        number = self.writer.temp()
        index, items, length = f"i{number}", f"l{number}", f"n{number}"
        loop = Loop(index, length)
        source = self.expressions.code(statement.items)
        several = len(statement.names) > 1
        walked = f"entries({source}, {len(statement.names)})" if several else f"items({source})"
        self.writer.line(f"{items} = {walked}")
        own = {name: f"e{number}_{place}" for place, name in enumerate(statement.names)}
        frame = self.scope.enter([*statement.body, *statement.otherwise], own, loop)
        if statement.otherwise:
            self.writer.line(f"{' = '.join(own.values())} = U")
        counted = f"counted_{self.out}"
        outermost = self.out != "out" and counted not in self.counting
        if outermost:
            self.counting.add(counted)
            self.writer.line(f"{counted} = len({self.out})")
        place = len(self.writer.lines)
        self.one_pass(statement.body, list(own.values()), counted)
        if outermost:
            self.counting.remove(counted)
        targets = ", ".join(own.values()) + ("," if several else "")
        target = f"({targets})" if several else targets
        head = f"for {index}, {target} in enumerate({items}):" if loop.used else f"for {target} in {items}:"
        lines = [f"{length} = len({items})", head] if loop.used else [head]
        self.writer.lines[place:place] = [(self.writer.indent, line, self.writer.origin) for line in lines]
        self.loops -= 1
        if statement.otherwise:
            frame.loop = None
            frame.fixed = set()
            self.writer.line(f"if not {items}:")
            self.indented(statement.otherwise)
        self.scope.leave()

    def one_pass(self, body: Body, own: list[str], counted: str) -> None:
        """Write the inside of a loop."""
        self.writer.indent += 1
        tick = f"{counted} = meter.tick(LIMITS, loops, {self.out}, {counted})"
        self.writer.line(f"if not (loops := loops + 1) & 15: {tick}")
        first = len(self.writer.lines)
        self.body(body)
        for local in own:
            getter = self.scope.getters.pop(local, None)
            if getter is not None:
                code = f"{getter} = {local}.get if type({local}) is dict else getter({local})"
                self.writer.lines.insert(first, (self.writer.indent, code, self.writer.origin))
        self.writer.indent -= 1

    def assignment(self, statement: Set) -> None:
        """Write `set`."""
        if statement.value is not None:
            self.texts.origin(statement.value)
            local = self.expressions.code(statement.value)
            if len(statement.names) > 1 or not self.scope.is_own(statement.names[0]):
                local = self.writer.hoist(local)
        else:
            local = self.captured(statement.body)
        for name in statement.names:
            self.scope.write(name, local)

    def captured(self, body: Body) -> str:
        """Write a body whose text goes to a local; gives the local's name."""
        kept, self.captures = self.out, self.captures + 1
        self.out = f"out{self.captures}"
        self.start()
        self.body(body)
        local = self.writer.hoist(f"finish({self.out})")
        self.out = kept
        return local

    def filter_block(self, statement: FilterBlock) -> None:
        """Write `filter`."""
        local = self.captured(statement.body)
        frame = self.scope.frames[-1]
        frame.own[""] = local
        self.emit([[(self.texts.printed(statement.filtered), self.writer.origin)]])
        del frame.own[""]

    def switch(self, statement: Switch) -> None:
        """Write `switch`: a case without body shares the next one's, at the end the default's."""
        self.texts.origin(statement.subject)
        subject = self.writer.hoist(self.expressions.code(statement.subject))
        branches: list[tuple[tuple[str, list[Line]], Body]] = []
        tests: list[str] = []
        needed: list[Line] = []
        for case, inner in statement.cases:
            code, lines = self.texts.apart(case, self.expressions.code)
            tests.append(f"strict_eq({subject}, {code})")
            needed += lines
            if inner:
                branches.append(((" or ".join(tests), needed), inner))
                tests, needed = [], []
        branches.append((("True", []), statement.otherwise))
        self.first_of(branches)


def _code_of(source: str) -> CodeType:
    import builtins

    module = builtins.compile(source, "<template>", "exec", dont_inherit=True)
    return next(part for part in module.co_consts if isinstance(part, CodeType))


_compiled: Final = Cache(4096, _made)
_codes: Final = Cache(1024, _code_of)
"""Python's code by its source; templates of the same shape share it, for their texts are constants beside it."""


def forget(*, shapes: bool = True) -> None:
    """Empty the caches of compiled templates; with `shapes` also that of Python's code."""
    _compiled.clear()
    if shapes:
        _codes.clear()
