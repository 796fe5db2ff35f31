"""Texts in the expressions of another language: what a dialect gives in place of a template.

A language has a parser of its own, which builds the tree that templates have (`nodes`), so that all behind it is the
same for both: what is read and what secrets become of, the limits, and the mistakes with their places. What such a
language does otherwise than templates do are calls of its functions, `called`.

A dialect puts a `ForeignText` into the node of an option. It is a text wherever one is asked for, and `parse` gives
what its language makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from flowdsl.record import Record
from flowdsl.template.nodes import Arguments, Body, Call, Literal, Node, Output, Text
from flowdsl.template.problems import Mistake, TemplateProblem
from flowdsl.template.syntax import Reference, Template


class Place(Record):
    """Where a text stands that is to be said in this language: in this flow, at this key of a step or what is in it.

    `steps` are the steps that stand before it, and those around it, in their order; they and the flow are as `plain` of
    their nodes gives them.
    """

    flow: Mapping[str, Any]
    key: str
    steps: Sequence[Mapping[str, Any]]


class Native(Record):
    """The template of this language that means the same; `note` says where it does not do all that the text did."""

    text: str
    note: str | None = None


class Language(Protocol):
    """A language of expressions."""

    name: str

    def parse(self, text: ForeignText) -> Template:
        """The template of a text, made by `parsed`, or by `wrong` where it cannot be read."""
        ...

    def native(self, text: ForeignText, place: Place) -> Native:
        """The template of ours with the same meaning.

        Raises:
            Mistake: there is none. Its place in the text is that of what cannot be said, and it hints at what to do.
        """
        ...


class ForeignText(str):
    """A text whose expressions are those of `language`; two are the same when their languages are too."""

    __slots__ = ("language",)
    language: Language

    def __new__(cls, text: str, language: Language) -> ForeignText:
        made = super().__new__(cls, text)
        made.language = language
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ForeignText) and other.language == self.language and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.language, str.__hash__(self)))

    def __contains__(self, part: object) -> bool:
        """It counts as one with a brace, as every text that is more than its words."""
        return part == "{" or (isinstance(part, str) and str.__contains__(self, part))

    def __reduce__(self) -> tuple[Any, ...]:
        return ForeignText, (str(self), self.language)

    def parsed(self) -> Template:
        """Its template."""
        return self.language.parse(self)


def parsed(
    text: ForeignText,
    body: Body,
    references: Iterable[Reference] = (),
    *,
    calls_secret: bool = False,
    problems: Iterable[TemplateProblem] = (),
) -> Template:
    """The template of a text that could be read: a body of one Output gives a value, any other gives text.

    `references` are the names that it reads, of the roots that templates have (`inputs`, `flowContext`), each with its
    place in the text; `calls_secret` is whether it reads a secret.
    """
    is_native = len(body) == 1 and isinstance(body[0], Output)
    is_literal = not body or (len(body) == 1 and isinstance(body[0], Text) and body[0].text == str(text))
    return Template(text, is_literal, is_native, tuple(problems), tuple(references), calls_secret, body)


def wrong(text: ForeignText, mistake: Mistake) -> Template:
    """The template of a text that cannot be read."""
    return Template(text, False, False, (mistake.problem,), (), False, None)


def called(name: str, function: Callable[..., Any], arguments: Sequence[Node | Any], start: int, end: int) -> Call:
    """The call of a function of the language, whose `arguments` are nodes, or values as they are. What it raises, as
    TemplateError, stands at the whole expression unless it has a `start` and `end` of its own."""
    from flowdsl.template.members import Method

    nodes = [each if isinstance(each, Node) else Literal(each, start, end) for each in arguments]
    call = Call(Literal(Method(name, function), start, end), Arguments(nodes, []), end)
    call.start = start
    return call
