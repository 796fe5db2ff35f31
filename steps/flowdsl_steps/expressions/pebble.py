"""Pebble, the language of Kestra's expressions: a text with `{{ }}` and `{% %}` becomes the tree that templates have.

What differs from templates are calls of Pebble's own functions: operators, the text of a value, and `required` around
each name that has to be there. Names are those of Kestra (`inputs`, `vars`, `outputs`, `taskrun`, …): but for `inputs`,
they are keys of the FlowContext.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.template.foreign import ForeignText, Native, Place, called, parsed, wrong
from flowdsl.template.nodes import Choice, For, If, Node, Output, Set, Statement, Text
from flowdsl.template.problems import Mistake

if TYPE_CHECKING:
    from flowdsl.template.syntax import Reference, Template
    from flowdsl_steps.expressions.pebble_expression import Expression
    from flowdsl_steps.expressions.pebble_inputs import Moved
    from flowdsl_steps.expressions.pebble_kinds import Kind
    from flowdsl_steps.expressions.pebble_tree import Builder

TAGS = ("if", "for", "set", "raw", "verbatim")
_OPENING = re.compile(r"\{\{|\{%|\{#")
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_TAG = re.compile(r"\s*([A-Za-z]+)\s?")
_RAW_END = {name: re.compile(r"\{%-?\s*end" + name + r"\s*-?%\}") for name in ("raw", "verbatim")}


class Finish(NamedTuple):
    """What makes a value of the text of a property that is no text.

    `said` gives the same as an expression of this language, from the one that the text holds; None where there is none,
    and then `hint` says what to write.
    """

    make: Callable[[str], Any]
    said: Callable[[Expression], str | None]
    hint: str


class Pebble:
    """The language; `finish` makes a value of the text, for a property that is no text. `moved` are inputs that stand
    elsewhere than their names say."""

    def __init__(self, finish: Finish | None = None, moved: Moved = ()) -> None:
        self.name = "pebble"
        self._finish = finish
        self._moved = moved

    def parse(self, text: ForeignText) -> Template:
        """The template of a text."""
        from flowdsl_steps.expressions.pebble_values import joined

        try:
            body, references, calls_secret = _read(str(text), self._moved)
            if self._finish is not None:
                whole = called("join", joined, _expressions(body, len(text)), 0, len(text))
                body = [Output(called("convert", self._finish.make, [whole], 0, len(text)))]
        except Mistake as mistake:
            return wrong(text, mistake)
        told = [each._replace(guarded=True) for each in references]
        if self._moved:
            from flowdsl_steps.expressions.pebble_inputs import read_at

            told = [read_at(each, dict(self._moved)) for each in told]
        return parsed(text, body, told, calls_secret=calls_secret)

    def native(self, text: ForeignText, place: Place) -> Native:
        """The template with the same meaning.

        Raises:
            Mistake: there is none.
        """
        from flowdsl_steps.expressions.pebble_native import native, native_value, note

        read = partial(statements, moved=self._moved)
        if self._finish is None:
            return Native(native(str(text), place, read), note(str(text)))
        return Native(native_value(str(text), place, read, self._finish.said, self._finish.hint))

    def kind(self, text: ForeignText, of_key: Callable[[str], Any]) -> Kind | None:
        """What kind of value it has: a text, or one that nobody knows."""
        from flowdsl_steps.expressions.pebble_kinds import TEXT as SOME_TEXT

        return SOME_TEXT if self._finish is None else None


TEXT = Pebble()
"""The language of a property that is a text."""


@lru_cache(maxsize=1024)
def _read(text: str, moved: Moved = ()) -> tuple[list[Statement], tuple[Reference, ...], bool]:
    """The statements of a text, what it reads, and whether a secret is among that."""
    from flowdsl_steps.expressions.pebble_tree import Builder

    if moved:
        from flowdsl_steps.expressions.pebble_inputs import InputsBuilder

        builder: Builder = InputsBuilder(converted(None, moved), dict(moved))
    else:
        builder = Builder(TEXT)
    body = _Reader(text, builder).whole()
    return body, tuple(builder.references), builder.calls_secret


def statements(text: str, moved: Moved = ()) -> list[Statement]:
    """The statements of a text.

    Raises:
        Mistake: it cannot be read.
    """
    return _read(text, moved)[0]


def names_in(text: str, moved: Moved = ()) -> tuple[Reference, ...]:
    """The names that a text reads, `guarded` where they need not be there. (In its template all of them are: whoever
    reads the document has looked at them, and says it in the document's words.)

    Raises:
        Mistake: it cannot be read.
    """
    return _read(text, moved)[1]


@lru_cache
def converted(finish: Finish | None, moved: Moved = ()) -> Pebble:
    """The language of a property that is made of its text by `finish`, in a flow where these inputs are `moved`."""
    return Pebble(finish, moved)


def _expressions(body: list[Statement], end: int) -> list[Node | Any]:
    """The statements of a text as expressions.

    Raises:
        Mistake: a loop or an assignment is among them.
    """
    parts: list[Node | Any] = []
    for statement in body:
        if isinstance(statement, Text):
            parts.append(statement.text)
        elif isinstance(statement, Output):
            parts.append(statement.expression)
        elif isinstance(statement, If):
            parts.append(_choice(statement.branches, end))
        else:
            raise Mistake("`for` and `set` cannot stand here", 0, end, "write an expression: `{{ … }}`")
    return parts


def _choice(branches: list[tuple[Node | None, Any]], end: int) -> Node:
    from flowdsl_steps.expressions.pebble_values import joined

    if not branches:
        return called("join", joined, [], 0, end)
    condition, body = branches[0]
    text = called("join", joined, _expressions([*body], end), 0, end)
    return text if condition is None else Choice(text, condition, _choice(branches[1:], end))


class _Reader:
    """Reads the tags of a text."""

    def __init__(self, text: str, builder: Builder) -> None:
        self.text = text
        self.builder = builder
        self.at = 0
        self.trims = False
        self.skipped = 0
        self.last = ("", 0, 0)

    def whole(self) -> list[Statement]:
        """All statements.

        Raises:
            Mistake: one of them cannot be read.
        """
        body, _ = self.body(None, ())
        return body

    def body(self, opened: tuple[str, int, int] | None, ends: tuple[str, ...]) -> tuple[list[Statement], str]:
        """The statements up to one of the tags that end them, which is given too."""
        body: list[Statement] = []
        while True:
            found = _OPENING.search(self.text, self.at)
            self.words(body, len(self.text) if found is None else found.start())
            if found is None:
                if opened is not None:
                    name, start, end = opened
                    message = f"the tag `{name}` is never ended"
                    raise Mistake(message, start, end, f"end it with `{{% end{name} %}}`")
                return body, ""
            start = found.start()
            if found[0] == "{#":
                self.comment(start)
            elif found[0] == "{{":
                inside, end = self.inside(start, "}}")
                body.append(Output(self.builder.output(inside, start + 2 + self.skipped, (start, end))))
            else:
                inside, end = self.inside(start, "%}")
                name = self.tag(inside, start, end, ends)
                if name in ends:
                    self.last = (inside, start, end)
                    return body, name
                self.statement(name, inside, start, end, body)

    def words(self, body: list[Statement], end: int) -> None:
        """The literal text up to a place, without the blanks that `{{-` and `-}}` take away."""
        words = self.text[self.at : end]
        if self.trims:
            words = words.lstrip()
        if self.text[end + 2 : end + 3] == "-" and self.text[end : end + 1] == "{":
            words = words.rstrip()
        self.trims = False
        if words:
            body.append(Text(words))
        self.at = end

    def comment(self, start: int) -> None:
        end = self.text.find("#}", start)
        if end < 0:
            raise Mistake("the comment that begins here is not closed", start, start + 2, "end it with `#}`")
        self.at = end + 2

    def inside(self, start: int, closing: str) -> tuple[str, int]:
        """What stands in a tag, and where the tag ends."""
        text, at, depth = self.text, start + 2, 0
        while depth > 0 or not text.startswith(closing, at):
            char = text[at : at + 1]
            if not char:
                raise Mistake(
                    f"`{text[start : start + 2]}` is not closed", start, start + 2, f"end it with `{closing}`"
                )
            if char in "'\"":
                quoted = _QUOTED.match(text, at)
                if quoted is None:
                    raise Mistake(f"the text that begins here is not closed with {char}", at, len(text), f"add {char}")
                at = quoted.end()
                continue
            depth += {"{": 1, "}": -1}.get(char, 0)
            at += 1
        inside, self.skipped, self.at = text[start + 2 : at], 0, at + 2
        if inside.startswith("-"):
            inside, self.skipped = inside[1:], 1
        if inside.endswith("-"):
            inside, self.trims = inside[:-1], True
        return inside, self.at

    def tag(self, inside: str, start: int, end: int, ends: tuple[str, ...]) -> str:
        """The name of a tag."""
        found = _TAG.match(inside)
        name = found[1] if found is not None else ""
        if name not in TAGS and name not in ends:
            hint = {"elif": "write `elseif`"}.get(name) or f"there are {', '.join(f'`{each}`' for each in TAGS)}"
            if name.startswith("end") or name in ("else", "elseif"):
                hint = "nothing is open that it belongs to"
            raise Mistake(f"there is no tag `{name}` here", start, end, hint)
        return name

    def statement(self, name: str, inside: str, start: int, end: int, body: list[Statement]) -> None:
        """A tag with what it holds."""
        builder, match = self.builder, _TAG.match(inside)
        rest = inside[match.end() :] if match is not None else ""
        offset = start + 2 + self.skipped + len(inside) - len(rest)
        opened = (name, start, end)
        if name in ("raw", "verbatim"):
            found = _RAW_END[name].search(self.text, end)
            if found is None:
                raise Mistake(f"the tag `{name}` is never ended", start, end, f"end it with `{{% end{name} %}}`")
            body.append(Text(self.text[end : found.start()]))
            self.at = found.end()
        elif name == "set":
            body.append(Set(*builder.assignment(rest, offset), []))
        elif name == "for":
            with builder.loop(rest, offset) as (variable, items):
                inner, ended = self.body(opened, ("else", "endfor"))
            other: list[Statement] = []
            if ended == "else":
                other, _ = self.body(opened, ("endfor",))
            body.append(For([variable], items, inner, other))
        else:
            body.append(If(self.branches(rest, offset, opened)))

    def branches(self, rest: str, offset: int, opened: tuple[str, int, int]) -> list[tuple[Node | None, Any]]:
        """The branches of an `if`."""
        branches: list[tuple[Node | None, Any]] = []
        condition: Node | None = self.builder.condition(rest, offset)
        while True:
            inner, ended = self.body(opened, ("elseif", "else", "endif") if condition is not None else ("endif",))
            branches.append((condition, inner))
            if ended == "endif":
                return branches
            condition = None
            if ended == "elseif":
                inside, start, _ = self.last
                match = _TAG.match(inside)
                assert match is not None  # noqa: S101  `tag` has found its name
                condition = self.builder.condition(inside[match.end() :], start + 2 + match.end())
