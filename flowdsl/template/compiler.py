"""From template to one Python function.

The function takes `(context, names)`. Its source is written once, compiled once, and kept by the template's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
from flowdsl.template.writer import Writer

Compiled = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]

_compiled: Final[Cache[Any, Compiled]] = Cache(4096)


def compile(  # noqa: A001  the package's word for it
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
        self.expressions = Expressions(self.writer, self.scope, strict=strict, wrap=wrap)
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
        elif all(isinstance(s, (Text, Output)) for s in body):
            pieces = [piece for statement in body for piece in self.pieces(statement)]
            self.give(pieces)
        else:
            self.writer.line("out = []")
            self.body(body)
            self.writer.line("return finish(out)")
        return self.built()

    def built(self) -> Compiled:
        """The function of the lines written."""
        text = "\n".join(code for _indent, code, _origin in self.writer.lines)
        head = ["def render(context, names):", "    try:"]
        loads = self.scope.loads()
        if "meter" in text:
            loads.append("meter = Meter(LIMITS)")
        if "loops" in text:
            loads.append("loops = 0")
        head += ["        " + line for line in loads]
        tail = ["    except Failures as error:", "        raise locate(error) from None", ""]
        source = self.writer.source(head, tail)
        filename = f"<template {self.template.text[:40]!r}>"
        exec(_python_compile(source, filename), self.writer.names)  # noqa: S102  the source is ours, texts are constants
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
        if self.placeholder is None:
            return [self.writer.constant(text)]
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
        site = self.places.site(node)
        if self.escaping:
            return f"show({code}, {site})"
        if code.isidentifier():
            return f"({code} if type({code}) is str else show({code}, {site}))"
        temp = self.writer.temp()
        return f"({temp} if type({temp} := {code}) is str else show({temp}, {site}))"

    def give(self, pieces: list[str]) -> None:
        """Write the return of a text without statements."""
        if not pieces:
            self.writer.line("return ''")
        elif len(pieces) == 1 and re.fullmatch(r"k\d+", pieces[0]):
            self.writer.line(f"return {pieces[0]}")
        elif len(pieces) <= 250:
            self.writer.line(f"return finish(({', '.join(pieces)},))")
        else:
            self.writer.line("out = []")
            for piece in pieces:
                self.writer.line(f"out.append({piece})")
            self.writer.line("return finish(out)")

    def body(self, body: Body) -> None:
        """Write statements."""
        start = len(self.writer.lines)
        for statement in body:
            if isinstance(statement, (Text, Output)):
                for piece in self.pieces(statement):
                    self.emit(piece)
            elif isinstance(statement, If):
                self.branches(statement)
            elif isinstance(statement, For):
                self.loop(statement)
            elif isinstance(statement, Set):
                self.assignment(statement)
            elif isinstance(statement, Switch):
                self.switch(statement)
            elif isinstance(statement, FilterBlock):
                self.filter_block(statement)
        if len(self.writer.lines) == start:
            self.writer.line("pass")

    def emit(self, piece: str) -> None:
        """Write the output of one text."""
        if self.loops:
            self.writer.line(f"meter.write({self.out}, {piece})")
        else:
            self.writer.line(f"{self.out}.append({piece})")

    def indented(self, body: Body) -> None:
        """Write a body one level deeper."""
        self.writer.indent += 1
        self.body(body)
        self.writer.indent -= 1

    def branches(self, statement: If) -> None:
        """Write `if`; an `elif` whose condition needs lines of its own nests."""
        opened = 0
        for index, (condition, inner) in enumerate(statement.branches):
            if condition is None:
                self.writer.line("else:")
            else:
                self.origin(condition)
                code, lines = self.expressions.apart(lambda node=condition: self.expressions.condition(node))  # type: ignore[misc]  # mypy cannot infer a lambda's default
                if index and not lines:
                    self.writer.line(f"elif {code}:")
                else:
                    if index:
                        self.writer.line("else:")
                        self.writer.indent += 1
                        opened += 1
                    self.writer.lines += [(indent - (not index), line, origin) for indent, line, origin in lines]
                    self.writer.line(f"if {code}:")
            self.indented(inner)
        self.writer.indent -= opened

    def loop(self, statement: For) -> None:
        """Write `for`."""
        self.origin(statement.items)
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
        place = len(self.writer.lines)
        self.writer.indent += 1
        self.writer.line("loops += 1")
        self.writer.line("if not loops & 63: meter.tick(loops)")
        self.body(statement.body)
        self.writer.indent -= 1
        targets = ", ".join(own.values()) + ("," if several else "")
        target = f"({targets})" if several else targets
        head = f"for {index}, {target} in enumerate({items}):" if loop.used else f"for {target} in {items}:"
        lines = [f"{length} = len({items})", head] if loop.used else [head]
        self.writer.lines[place:place] = [(self.writer.indent, line, self.writer.origin) for line in lines]
        self.loops -= 1
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
        self.writer.line(f"{self.out} = []")
        self.body(body)
        local = self.writer.hoist(f"finish({self.out})")
        self.out = kept
        return local

    def filter_block(self, statement: FilterBlock) -> None:
        """Write `filter`."""
        local = self.captured(statement.body)
        frame = self.scope.frames[-1]
        frame.own[""] = local
        self.emit(self.printed(statement.filtered))
        del frame.own[""]

    def switch(self, statement: Switch) -> None:
        """Write `switch`: a case without body shares the next one's."""
        self.origin(statement.subject)
        subject = self.writer.hoist(self.expressions.code(statement.subject))
        tests: list[str] = []
        opened, falls = 0, False
        for case, inner in statement.cases:
            self.origin(case)
            code, lines = self.expressions.apart(lambda node=case: self.expressions.code(node))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            self.writer.lines += [(indent - 1, line, origin) for indent, line, origin in lines]
            tests.append(f"strict_eq({subject}, {code})")
            falls = not inner
            if falls:
                continue
            self.writer.line(f"if {' or '.join(tests)}:")
            self.indented(inner)
            self.writer.line("else:")
            self.writer.indent += 1
            opened += 1
            tests = []
        self.body(statement.otherwise)  # cases that fall through to the end share it, whether they match or not
        self.writer.indent -= opened


def _python_compile(source: str, filename: str) -> Any:
    import builtins

    return builtins.compile(source, filename, "exec", dont_inherit=True)
