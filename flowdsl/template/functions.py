"""From the tree of a template to the code of a Python function `render(context, names)`.

`expressions` writes what is computed, `texts` what is printed, `scope` the names, `writer` the lines; tags are here.
What the code calls is in `runtime`. Texts and other constants are globals beside the code, so that templates of one
shape have the same code.
"""

from __future__ import annotations

import re
from types import CodeType
from typing import Any, Final

from flowdsl.template.cache import Cache
from flowdsl.template.expressions import Expressions
from flowdsl.template.nodes import Body, FilterBlock, For, If, Node, Output, Set, Statement, Switch, Text
from flowdsl.template.runtime import Places, Runtime, namespace
from flowdsl.template.scope import Loop, Scope
from flowdsl.template.texts import FEW, Texts
from flowdsl.template.writer import Line, Piece, Writer

# Python's compiler nests `elif`s.
MAX_ELIFS: Final = 20

NOWHERE: Final = (0, 0)
_CONSTANT: Final = re.compile(r"k\d+")


def function_code(
    text: str, body: Body, runtime: Runtime, placeholder: re.Pattern[str] | None, *, native: bool, plain: bool
) -> tuple[CodeType, dict[str, Any]]:
    """The code of the function of a template, and the globals it needs.

    `native`: the body is one output, and its value is given. `plain`: it is literal text and names with members, with
    nothing to mark, to escape or to fill in.
    Raises: TemplateError when an expression is nested deeper than the runtime's limit.
    """
    return _Function(text, body, runtime, placeholder, plain).written(native)


class _Function:
    """Writes the function of one template."""

    def __init__(
        self, text: str, body: Body, runtime: Runtime, placeholder: re.Pattern[str] | None, plain: bool
    ) -> None:
        self.whole = body
        self.plain = plain
        self.places = Places(text)
        self.marking = runtime.marking
        self.writer = Writer(self.places, namespace(self.places, runtime))
        self.scope = Scope(self.writer)
        self.expressions = Expressions(
            self.writer,
            self.scope,
            runtime.filters,
            strict=runtime.strict,
            wrap=runtime.wrap,
            max_depth=runtime.limits.max_depth,
        )
        self.texts = Texts(self.writer, self.expressions, placeholder, escaping=runtime.escaping)
        self.out = "out"
        self.loops = 0
        self.captures = 0
        self.counting: set[str] = set()

    def written(self, native: bool) -> tuple[CodeType, dict[str, Any]]:
        """The code and its globals."""
        self.scope.enter(self.whole, {}, None)
        if native:
            self.native(next(s.expression for s in self.whole if isinstance(s, Output)))
        elif self.plain and len(self.whole) <= FEW:
            self.mixed(self.whole)
        elif not all(isinstance(s, (Text, Output, If)) for s in self.whole) or not self.at_once(self.whole):
            self.start()
            self.body(self.whole)
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
        return CODES[source], self.writer.names

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
        """Write the return of a body that needs no statements; whether it is one. If not, nothing is left written.

        Raises:
            TemplateError: it is nested more deeply than the limit.
        """
        pieces: list[Piece] = []
        before = len(self.writer.lines)
        for statement in body:
            found = self.texts.pieces(statement)
            if found is None or len(pieces) + len(found) > FEW:
                del self.writer.lines[before:]
                return False
            pieces += found
        if self.marking:
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


CODES: Final = Cache(1024, _code_of)
"""Python's code by its source."""
