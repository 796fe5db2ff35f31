"""Rendering by walking the tree of a template: nothing is made ahead, so the first rendering comes soon.

`compiler` says when a template is rendered like this. The tags are here, expressions in `evaluation`; the same stands
once more, as text of Python, in `functions`. The tests render every template both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from flowdsl.template import operators
from flowdsl.template.evaluation import Evaluation, Level
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
from flowdsl.template.runtime import FAILURES, Runtime, failure
from flowdsl.template.values import UNDEFINED, strict_eq

# After so many iterations of its loops a rendering is worth a function.
LONG: Final = 64


class Worthwhile(Exception):
    """Ends a rendering whose loops go on for long, before anything outside could notice that it began."""


class Program:
    """What the renderings of one template share; `placeholder` finds the `{name}` in literal text."""

    __slots__ = ("body", "native", "placeholder", "runtime", "text")

    def __init__(
        self, text: str, body: Body, native: bool, placeholder: re.Pattern[str] | None, runtime: Runtime
    ) -> None:
        self.text = text
        self.body = body
        self.native = native
        self.placeholder = placeholder
        self.runtime = runtime

    def render(self, context: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
        """The text of the template, or its value when it is native.

        Raises: TemplateError; Worthwhile when its loops go on for long.
        """
        rendering = _Rendering(self, context, names)
        try:
            return rendering.native() if self.native else rendering.whole()
        except FAILURES as error:
            raise failure(error, rendering.at) from error.__cause__


class _Rendering(Evaluation):
    """One rendering; `loops` counts the iterations of all loops, `counted` the texts whose length was checked."""

    __slots__ = ("counted", "loops", "program")

    def __init__(self, program: Program, context: Mapping[str, Any], names: Mapping[str, Any]) -> None:
        super().__init__(program.text, program.runtime, context, names)
        self.program = program
        self.loops = 0
        self.counted: int | None = 0

    def whole(self) -> str:
        """The text."""
        out: list[str] = []
        self.body(self.program.body, out)
        return self.runtime.finish(out)

    def native(self) -> Any:
        """The value of the one output."""
        node = next(s.expression for s in self.program.body if type(s) is Output)
        self.at = (node.start, node.end)
        value = self.value(node)
        if value is UNDEFINED and self.strict:
            self.undefined(node)
        return value if type(value) is str else self.runtime.native(value)

    def body(self, body: Body, out: list[str]) -> None:
        """Append the texts of statements."""
        for statement in body:
            kind = type(statement)
            if kind is Output:
                out.append(self.printed(statement.expression))  # type: ignore[attr-defined]  # mypy does not follow `kind`
            elif kind is Text:
                self.literal_text(statement.text, out)  # type: ignore[attr-defined]  # mypy does not follow `kind`
            else:
                _STATEMENTS[kind](self, statement, out)

    def literal_text(self, text: str, out: list[str]) -> None:
        """Append literal text with its placeholders."""
        at, placeholder = 0, self.program.placeholder
        if placeholder is not None:
            for found in placeholder.finditer(text):
                out += (text[at : found.start()], self.runtime.placeholder(self.names, found[0]))
                at = found.end()
        out.append(text[at:])

    def printed(self, node: Node) -> str:
        """The text of an output."""
        self.at = (node.start, node.end)
        value = self.value(node)
        if type(value) is str and not self.runtime.escaping:
            return value
        if value is UNDEFINED and self.strict:
            self.undefined(node)
        return self.runtime.text(value)

    def branches(self, statement: If, out: list[str]) -> None:
        """The first branch whose condition is true."""
        for condition, inner in statement.branches:
            if condition is not None:
                self.at = (condition.start, condition.end)
            if condition is None or self.condition(condition):
                self.body(inner, out)
                return

    def loop(self, statement: For, out: list[str]) -> None:
        """The body for each item."""
        place = self.at = (statement.items.start, statement.items.end)
        source = self.value(statement.items)
        names = statement.names
        items = self.runtime.items(source) if len(names) == 1 else operators.entries(source, len(names))
        level = Level((0, len(items)))
        self.level()
        self.levels.append(level)
        outermost = self.counted is None
        if outermost:
            self.counted = len(out)
        for index, item in enumerate(items):
            level.loop = (index, len(items))
            if len(names) == 1:
                level.own[names[0]] = item
            else:
                level.own.update(zip(names, item, strict=True))
            self.loops += 1
            if not self.loops & 15:
                self.tick(place, out)
            self.body(statement.body, out)
        if outermost:
            self.counted = None
        if not items:
            level.loop = None
            level.own.update(dict.fromkeys(names, UNDEFINED))
            self.body(statement.otherwise, out)
        self.levels.pop()

    def tick(self, place: tuple[int, int], out: list[str]) -> None:
        """Check the iterations of loops so far; once a function of the host was called, it is too late to restart."""
        if self.loops >= LONG and not self.called:
            raise Worthwhile
        self.at = place
        self.counted = self.meter.tick(self.runtime.limits, self.loops, out, self.counted or 0)

    def assignment(self, statement: Set, out: list[str]) -> None:
        """`set`."""
        if statement.value is None:
            value: Any = self.captured(statement.body)
        else:
            self.at = (statement.value.start, statement.value.end)
            value = self.value(statement.value)
        for name in statement.names:
            self.write(name, value)

    def captured(self, body: Body) -> str:
        """The text of a body."""
        kept, self.counted = self.counted, None
        out: list[str] = []
        self.body(body, out)
        self.counted = kept
        return self.runtime.finish(out)

    def filter_block(self, statement: FilterBlock, out: list[str]) -> None:
        """`filter`."""
        own = self.level().own
        text = self.captured(statement.body)
        own[""] = text
        out.append(self.printed(statement.filtered))
        del own[""]

    def switch(self, statement: Switch, out: list[str]) -> None:
        """`switch`: a case without body shares the next one's, at the end the default's."""
        self.at = (statement.subject.start, statement.subject.end)
        subject, shared = self.value(statement.subject), list[Node]()
        for case, inner in statement.cases:
            shared.append(case)
            if inner:
                if any(self.is_case(subject, one) for one in shared):
                    self.body(inner, out)
                    return
                shared = []
        self.body(statement.otherwise, out)

    def is_case(self, subject: Any, case: Node) -> bool:
        """Whether a case is that of the subject."""
        self.at = (case.start, case.end)
        return strict_eq(subject, self.value(case))


_STATEMENTS: Final[Mapping[type[Statement], Callable[[_Rendering, Any, list[str]], None]]] = {
    FilterBlock: _Rendering.filter_block,
    For: _Rendering.loop,
    If: _Rendering.branches,
    Set: _Rendering.assignment,
    Switch: _Rendering.switch,
}
