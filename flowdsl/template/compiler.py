"""From template to one Python function.

The function takes `(context, names)`. Its source is written once, compiled once, and kept by the template's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final

from flowdsl.errors import TemplateError
from flowdsl.template.cache import Cache
from flowdsl.template.expressions import Expressions
from flowdsl.template.limits import DEFAULT_LIMITS, TemplateLimits
from flowdsl.template.nodes import (
    Body,
    Chain,
    FilterBlock,
    For,
    If,
    Literal,
    Node,
    Output,
    Set,
    Statement,
    Switch,
    Text,
)
from flowdsl.template.parser import body_of
from flowdsl.template.runtime import Places, namespace
from flowdsl.template.scope import Loop, Scope
from flowdsl.template.syntax import Template
from flowdsl.template.writer import Line, Writer

Compiled = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]

# Python's compiler nests `elif`s.
MAX_ELIFS: Final = 20

# More texts than these are collected in a list: Python's compiler nests arguments.
FEW: Final = 32

_compiled: Final[Cache[Any, Compiled]] = Cache(4096)
_codes: Final[Cache[str, CodeType]] = Cache(1024)


def compile(
    template: Template,
    *,
    strict: bool,
    native: bool = False,
    taint: bool = False,
    placeholders: frozenset[str] = frozenset(),
    autoescape: bool = False,
    limits: TemplateLimits = DEFAULT_LIMITS,
) -> Compiled:
    """The function `compiled(context, names)` of a template.

    `names` holds everything but the FlowContext and comes first; the name `flowContext` is the context itself.
    With `native`, a template that is one `{{ expression }}` gives the expression's value, any other gives text.
    `strict` makes printing undefined an error. `taint` keeps text that came from `SecretText` recognisable.
    `placeholders` are the names of `{name}` in literal text; their values are `names["{name}"]`.
    Raises: TemplateError when the template has problems.
    """
    key = (template.text, template.is_expression, strict, native, taint, placeholders, autoescape, limits)
    known = _compiled.get(key)
    if known is None:
        if template.problems:
            problem = template.problems[0]
            raise TemplateError(
                problem.message, code=problem.code, hint=problem.hint, start=problem.start, end=problem.end
            )
        known = _Compiler(template, strict, taint, placeholders, autoescape, limits).function(native)
        _compiled.put(key, known)
    return known


class _Compiler:
    """Writes the function of one template."""

    def __init__(
        self,
        template: Template,
        strict: bool,
        taint: bool,
        placeholders: frozenset[str],
        escaping: bool,
        limits: TemplateLimits,
    ) -> None:
        self.template = template
        self.escaping = escaping
        self.places = Places(template.text)
        names, wrap = namespace(self.places, strict=strict, taint=taint, escaping=escaping, limits=limits)
        self.writer = Writer(self.places, names)
        self.scope = Scope(self.writer)
        self.expressions = Expressions(self.writer, self.scope, strict=strict, wrap=wrap, max_depth=limits.max_depth)
        self.out = "out"
        self.loops = 0
        self.captures = 0
        self.placeholder = (
            re.compile("|".join(re.escape("{" + name + "}") for name in sorted(placeholders))) if placeholders else None
        )
        self.limits = limits

    def function(self, native: bool) -> Compiled:
        """The compiled function."""
        body = body_of(self.template)
        stated = [s for s in body if isinstance(s, Output)]
        self.scope.enter(body, {}, None)
        if native and self.template.is_native:
            self.native(stated[0].expression)
        elif all(isinstance(s, (Text, Output, If)) for s in body) and not self.whole(body):
            self.start()
            self.body(body)
            self.finish("out")
        return self.built()

    def built(self) -> Compiled:
        """The function of the lines written."""
        text = "\n".join(code for _indent, code, _origin in self.writer.lines)
        loads = self.scope.loads()
        if "meter" in text:
            loads.append("meter = Meter(LIMITS)")
        if "loops" in text:
            loads.append("loops = 0")
        head, tail = ["def render(context, names):"], [""]
        if self.expressions.fails:
            head.append("    try:")
            tail = ["    except Failures as error:", "        raise locate(error) from None", ""]
        else:
            self.writer.outdent()
        indent = "        " if self.expressions.fails else "    "
        source = self.writer.source(head + [indent + line for line in loads], tail)
        exec(_code(source), self.writer.names)  # noqa: S102  the source is ours, texts are constants
        found: Compiled = self.writer.names["render"]
        return found

    def native(self, expression: Node) -> None:
        """Write the function that gives a value."""
        self.origin(expression)
        value = self.writer.hoist(self.expressions.code(expression))
        site = self.places.site(expression)
        self.writer.line(f"return {value} if type({value}) is str else native({value}, {site})")

    def origin(self, node: Node) -> None:
        """The lines that follow come from a node."""
        self.writer.origin = (node.start, node.end)

    def pieces(self, statement: Statement) -> list[str]:
        """The codes of the texts that literal text or an output gives."""
        if isinstance(statement, Text):
            return self.text(statement.text)
        assert isinstance(statement, Output)  # noqa: S101  the caller passes nothing else
        return [self.printed(statement.expression)]

    def text(self, text: str) -> list[str]:
        """The codes of literal text with its placeholders."""
        if self.placeholder is None or not text:
            return [self.writer.constant(text)] if text else []
        pieces, at = [], 0
        for found in self.placeholder.finditer(text):
            if found.start() > at:
                pieces.append(self.writer.constant(text[at : found.start()]))
            pieces.append(f"placeholder(names, {self.writer.constant(found[0])})")
            at = found.end()
        return pieces if at == len(text) else [*pieces, self.writer.constant(text[at:])]

    def printed(self, node: Node) -> str:
        """The code of an output's text."""
        self.origin(node)
        if isinstance(node, Literal) and isinstance(node.value, str) and not self.escaping:
            return self.writer.constant(node.value)
        code = self.expressions.code(node)
        if isinstance(node, Chain) and set(node.operators) == {"~"} and not self.escaping:
            return code
        if self.expressions.kind(node) == "int" and not self.escaping:
            return f"str({code})"
        site = self.places.site(node)
        if self.escaping or not self.loops:
            return f"show({code}, {site})"
        if code.isidentifier():
            return f"({code} if type({code}) is str else show({code}, {site}))"
        temp = self.writer.temp()
        return f"({temp} if type({temp} := {code}) is str else show({temp}, {site}))"

    def give(self, pieces: list[str]) -> None:
        """Write the return of a text without statements."""
        if len(pieces) == 1 and re.fullmatch(r"k\d+", pieces[0]):
            self.writer.line(f"return {pieces[0]}")
        elif len(pieces) <= FEW:
            self.finish(f"({''.join(piece + ', ' for piece in pieces)})")
        else:
            self.start()
            self.emit(pieces)
            self.finish("out")

    def start(self) -> None:
        """Write the beginning of an output."""
        self.writer.line(f"{self.out} = []")
        self.writer.line(f"counted_{self.out} = 0")

    def finish(self, parts: str) -> None:
        """Write the return of joined parts."""
        self.writer.line(f"return finish({parts})")

    def body(self, body: Body) -> None:
        """Write statements."""
        start = len(self.writer.lines)
        pieces: list[str] = []
        for statement in body:
            if isinstance(statement, (Text, Output)):
                # what an output needs is computed after the texts before it are written
                before = len(self.writer.lines)
                found = self.pieces(statement)
                if len(self.writer.lines) > before and pieces:
                    needed = self.writer.lines[before:]
                    del self.writer.lines[before:]
                    self.emit(pieces)
                    self.writer.lines += needed
                    pieces = []
                pieces += found
                continue
            self.emit(pieces)
            pieces = []
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
        self.emit(pieces)
        if len(self.writer.lines) == start:
            self.writer.line("pass")

    def emit(self, pieces: list[str]) -> None:
        """Write the output of texts."""
        for at in range(0, len(pieces), FEW):
            some = ", ".join(pieces[at : at + FEW])
            if len(pieces) == 1:
                self.writer.line(f"{self.out}.append({some})")
            else:
                self.writer.line(f"{self.out} += ({some})")

    def indented(self, body: Body) -> None:
        """Write a body one level deeper."""
        self.writer.indent += 1
        self.body(body)
        self.writer.indent -= 1

    def apart(self, node: Node, write: Callable[[Node], str]) -> tuple[str, list[Line]]:
        """The code of a node that may not run, with the lines it needs, which are not written yet."""
        self.origin(node)
        return self.expressions.apart(lambda: write(node))

    def branches(self, statement: If) -> None:
        """Write `if`."""
        condition = self.expressions.condition
        branches = [
            (("True", []) if node is None else self.apart(node, condition), inner) for node, inner in statement.branches
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
        self.origin(statement.items)
        self.loops += 1
        self.expressions.often = True
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
        place = len(self.writer.lines)
        self.writer.indent += 1
        self.writer.line("loops += 1")
        counted = f"counted_{self.out}"
        self.writer.line(f"if not loops & 15: {counted} = meter.tick(loops, {self.out}, {counted})")
        self.body(statement.body)
        self.writer.indent -= 1
        targets = ", ".join(own.values()) + ("," if several else "")
        target = f"({targets})" if several else targets
        head = f"for {index}, {target} in enumerate({items}):" if loop.used else f"for {target} in {items}:"
        lines = [f"{length} = len({items})", head] if loop.used else [head]
        self.writer.lines[place:place] = [(self.writer.indent, line, self.writer.origin) for line in lines]
        self.loops -= 1
        self.expressions.often = self.loops > 0
        if statement.otherwise:
            frame.loop = None
            self.writer.line(f"if not {items}:")
            self.indented(statement.otherwise)
        self.scope.leave()

    def assignment(self, statement: Set) -> None:
        """Write `set`."""
        if statement.value is not None:
            self.origin(statement.value)
            local = self.writer.hoist(self.expressions.code(statement.value))
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
        self.emit([self.printed(statement.filtered)])
        del frame.own[""]

    def switch(self, statement: Switch) -> None:
        """Write `switch`: a case without body shares the next one's, at the end the default's."""
        self.origin(statement.subject)
        subject = self.writer.hoist(self.expressions.code(statement.subject))
        branches: list[tuple[tuple[str, list[Line]], Body]] = []
        tests: list[str] = []
        needed: list[Line] = []
        for case, inner in statement.cases:
            code, lines = self.apart(case, self.expressions.code)
            tests.append(f"strict_eq({subject}, {code})")
            needed += lines
            if inner:
                branches.append(((" or ".join(tests), needed), inner))
                tests, needed = [], []
        branches.append((("True", []), statement.otherwise))
        self.first_of(branches)


def _code(source: str) -> CodeType:
    """Python's code of a source; templates of the same shape share it, for their texts are constants beside it."""
    known = _codes.get(source)
    if known is None:
        import builtins

        known = builtins.compile(source, "<template>", "exec", dont_inherit=True)
        _codes.put(source, known)
    return known


def forget(*, shapes: bool = True) -> None:
    """Empty the caches of compiled templates; with `shapes` also that of Python's code."""
    _compiled.clear()
    if shapes:
        _codes.clear()
