"""A record: one message on its way, with its content, its metadata, and the mark of a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from flowdsl import Image, StepContext, StepError
from flowdsl.template import holds_secret, mark

_SHOWN = 60
_MISSING: Any = object()


class Record:
    """One message.

    `number` counts from 0 in the order of the input, `name` says where it stands there (`line 5`). Its content is
    bytes, and since a picture was made of it those of `image`, which are read from its file when they are asked for.
    `error` marks it as failed: it goes on as it is, steps in a `try` skip it, `catch` clears it. What `is_dropped`
    goes to no output, nor does what `is_rejected`: it is no message, or its output does not take it. `counts` are the
    counters that all records of a run share, and `pictures` what was made of it, as JSON.
    """

    __slots__ = (
        "_content",
        "_structured",
        "counts",
        "error",
        "image",
        "is_dropped",
        "is_rejected",
        "is_trying",
        "metadata",
        "name",
        "number",
        "pictures",
        "text",
    )

    def __init__(
        self,
        number: int,
        name: str,
        content: bytes,
        metadata: dict[str, Any] | None = None,
        counts: dict[str, int] | None = None,
    ) -> None:
        self.number = number
        self.name = name
        self.counts = {} if counts is None else counts
        self.metadata = metadata or {}
        self.error: str | None = None
        self.is_dropped = False
        self.is_rejected = False
        self.is_trying = False
        self.image: Image | None = None
        self.pictures: list[dict[str, Any]] = []
        self._content = content
        self._structured: Any = _MISSING
        self.text = " ".join(content[: 4 * _SHOWN].decode("utf-8", "replace").split())[:_SHOWN]
        """The beginning of what came in, for people."""

    @property
    def content(self) -> bytes:
        """The payload.

        Raises:
            StepError: the file of its picture is gone.
        """
        return self._content if self.image is None else self.image.read()

    def structured(self) -> Any:
        """The payload as the value that it is as JSON.

        Raises:
            Failed: it is none.
        """
        if self._structured is _MISSING:
            from flowdsl_steps.expressions.bloblang_values import from_json

            self._structured = from_json(self.content)
        return self._structured

    def become(self, content: str | bytes) -> None:
        """Gives it another content."""
        if isinstance(content, str):
            plain = content.encode("utf-8", "surrogatepass")
            content = mark(plain) if holds_secret(content) else plain
        self._content, self._structured, self.image = content, _MISSING, None

    def become_image(self, image: Image) -> None:
        """Makes it the bytes of a picture, which stay in the picture's file."""
        self._content, self._structured, self.image = b"", _MISSING, image

    def fail(self, message: str, ctx: StepContext) -> None:
        """Marks it as failed, and says so."""
        self.error = ctx.hide(message)
        ctx.note("record-failed", f"{self.name}: {self.error}")

    def reject(self, message: str, ctx: StepContext) -> None:
        """Marks it as one that no output takes; what it failed of before stays said."""
        self.is_rejected = True
        self.fail(message if self.error is None else f"{self.error}; and {message}", ctx)

    @property
    def is_skipped(self) -> bool:
        """Whether steps leave it alone: it is dropped, or is marked inside a `try`."""
        return self.is_dropped or (self.is_trying and self.error is not None)


_CURRENT: ContextVar[Record] = ContextVar("record")


@contextmanager
def at_hand(record: Record) -> Iterator[None]:
    """Makes it the record that steps work on."""
    token = _CURRENT.set(record)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current(ctx: StepContext) -> Record:
    """The record that a step works on.

    Raises:
        StepError: the step stands outside FOR_RECORDS.
    """
    record = _CURRENT.get(None)
    if record is None:
        message = f"{ctx.step} works on a record, and stands in no FOR_RECORDS"
        raise StepError(message, code="no-record", hint="put it into the `do` of FOR_RECORDS")
    return record
