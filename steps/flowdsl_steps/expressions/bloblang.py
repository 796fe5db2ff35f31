"""Bloblang, as far as it is supported: mappings, and texts with `${! … }` in them.

`Mapping` and `Interpolation` are made of a text once, and evaluated for each message. What is wrong with the text is a
`Mistake`, with its place in it; a query that fails for a message raises `QueryFailed`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from flowdsl.errors import StepError
from flowdsl.template import SecretText, holds_secret, mark
from flowdsl_steps.expressions.bloblang_grammar import is_prose, parsed
from flowdsl_steps.expressions.bloblang_nodes import Assignment, Mistake, Query
from flowdsl_steps.expressions.bloblang_scope import Message, Scope
from flowdsl_steps.expressions.bloblang_values import (
    DELETED,
    NOTHING,
    Failed,
    OverLimit,
    put,
    sized,
    to_json,
    to_text,
)

__all__ = ["Interpolation", "Mapped", "Mapping", "Message", "Mistake", "QueryFailed", "is_prose"]


class QueryFailed(StepError):
    """A query that fails for a message."""

    code = "query-failed"


class Mapped:
    """What a mapping makes of a message: its content (None: it stays), its metadata, or that it is dropped.
    `is_null` is whether the content is the text `null` because its value is."""

    __slots__ = ("content", "is_dropped", "is_null", "metadata")

    def __init__(
        self,
        content: str | bytes | None,
        metadata: dict[str, Any],
        *,
        is_dropped: bool = False,
        is_null: bool = False,
    ) -> None:
        self.content = content
        self.metadata = metadata
        self.is_dropped = is_dropped
        self.is_null = is_null


class Mapping:
    """A mapping: assignments, one a line, or one query.

    Raises:
        Mistake: the text is no mapping that is supported.
    """

    def __init__(self, text: str) -> None:
        if not text.strip():
            raise Mistake("the mapping is empty", 0, len(text), "write what the message becomes, such as `root = this`")
        self.text = text
        self.assignments: list[Assignment] = parsed(text, "mapping")

    @property
    def value(self) -> str | None:
        """The text that it gives whatever the message; None where it depends on that."""
        (first, *others) = self.assignments
        is_fixed = not others and not first.path and not first.is_meta and first.query.is_literal
        found = first.query.run(None) if is_fixed else None  # type: ignore[arg-type]  # a literal reads nothing
        return found if isinstance(found, str) else None

    @property
    def name(self) -> str | None:
        """The field that it is, where it is a bare name and nothing else."""
        (first, *others) = self.assignments
        is_name = not others and first.query.is_plain and first.query.path is not None and len(first.query.path) == 2
        return first.query.path[1] if is_name and first.query.path is not None and not first.path else None

    def apply(self, message: Message) -> Mapped:
        """What it makes of a message, which stays as it is.

        Raises:
            QueryFailed: a line fails.
        """
        scope = Scope(message)
        is_secret = _reads_secret(message)
        for assignment in self.assignments:
            try:
                _assign(scope, assignment)
            except (Failed, OverLimit) as error:
                line = self.text.count("\n", 0, assignment.query.start) + 1
                raise _failed(f"failed assignment (line {line}): {error}", is_secret) from None
        if scope.root is DELETED:
            return Mapped(None, scope.metadata, is_dropped=True)
        content = scope.root
        if content is not NOTHING and not isinstance(content, (str, bytes)):
            try:
                content = sized(to_json(content))
            except (Failed, OverLimit) as error:
                raise _failed(str(error), is_secret) from None
        metadata = scope.metadata
        if is_secret:
            content, metadata = content if content is NOTHING else mark(content), mark(metadata)
        return Mapped(None if content is NOTHING else content, metadata, is_null=scope.root is None)


class Interpolation:
    """A text with parts `${! query }`. `${{!query}}` stands for the text `${!query}`; a `$` alone is itself.

    Raises:
        Mistake: a query is not of the part of Bloblang that is supported.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[tuple[str, Query | None]] = list(_pieces(text))
        """The texts, and the queries with their own texts."""

    @property
    def value(self) -> str | None:
        """The text where it holds no query, else None."""
        return "".join(text for text, _ in self.pieces) if all(query is None for _, query in self.pieces) else None

    def text_for(self, message: Message) -> str:
        """The text for a message.

        Raises:
            QueryFailed: a query fails.
        """
        scope = Scope(message)
        is_secret = bool(self.value is None) and _reads_secret(message)
        try:
            made = sized("".join(text if query is None else to_text(query.run(scope)) for text, query in self.pieces))
        except (Failed, OverLimit) as error:
            raise _failed(str(error), is_secret) from None
        return SecretText(made) if is_secret else str(made)


def _pieces(text: str) -> Iterator[tuple[str, Query | None]]:
    at = 0
    while (found := _BEGIN.search(text, at)) is not None:
        if found.start() > at:
            yield text[at : found.start()], None
        if found[0].startswith("${{"):
            yield f"${{!{found['escaped']}}}", None
            at = found.end()
            continue
        end = _end_of_query(text, found.end())
        if end is None:
            raise Mistake("`${!` is not closed", found.start(), len(text), "end it with `}`")
        query = text[found.end() : end]
        if not query.strip():
            raise Mistake("`${! }` holds no query", found.start(), end + 1, 'write for example `${! json("size") }`')
        yield query, _query_in(query, found.end())
        at = end + 1
    if at < len(text):
        yield text[at:], None


_BEGIN = re.compile(r"\$\{\{!(?P<escaped>.*?)\}\}|\$\{!", re.DOTALL)
_SIGN = re.compile(r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|[{}]')


def _end_of_query(text: str, at: int) -> int | None:
    """Where the brace stands that closes a query."""
    depth = 0
    for sign in _SIGN.finditer(text, at):
        if sign[0] == "}" and depth == 0:
            return sign.start()
        depth += (sign[0] == "{") - (sign[0] == "}")
    return None


def _query_in(query: str, start: int) -> Query:
    try:
        found: Query = parsed(query, "query")
    except Mistake as mistake:
        raise Mistake(
            mistake.message, mistake.start + start, mistake.end + start, mistake.hint, mistake.instead
        ) from None
    return found


def _assign(scope: Scope, assignment: Assignment) -> None:
    value = assignment.query.run(scope)
    scope.tick()
    if value is NOTHING:
        return
    if assignment.is_meta:
        scope.metadata = _with_meta(dict(scope.metadata), assignment.key, value)
    elif scope.root is not DELETED or not assignment.path:
        if assignment.path:
            value = copy.deepcopy(value) if isinstance(value, (dict, list)) else value
        elif isinstance(value, (dict, list)):
            value = copy.deepcopy(value)  # later lines change it, and `this` stays the input
        scope.root = put(scope.root, assignment.path, value)


def _with_meta(metadata: dict[str, Any], key: str | None, value: Any) -> dict[str, Any]:
    if key is None:
        if value is DELETED:
            return {}
        if not isinstance(value, dict):
            raise Failed("setting all of the metadata takes an object")
        return dict(value)
    if value is DELETED:
        metadata.pop(key, None)
    else:
        metadata[key] = value
    return metadata


def _reads_secret(message: Message) -> bool:
    return holds_secret(message.content) or holds_secret(message.metadata)


def _failed(message: str, is_secret: bool) -> QueryFailed:
    return QueryFailed("this fails on a secret, which is not shown" if is_secret else message)
