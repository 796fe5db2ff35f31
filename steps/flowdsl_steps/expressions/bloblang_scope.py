"""What a query of Bloblang sees: a message, and what it may use of time."""

from __future__ import annotations

from time import thread_time
from typing import Any, Protocol

from flowdsl.template import DEFAULT_LIMITS
from flowdsl_steps.expressions.bloblang_values import NOTHING, OverLimit


class Message(Protocol):
    """A message, as far as queries read it."""

    @property
    def content(self) -> bytes:
        """Its payload."""
        ...

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata."""
        ...

    @property
    def error(self) -> str | None:
        """Why it is marked as failed."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """The counters of the run."""
        ...

    def structured(self) -> Any:
        """Its payload as the value that it is as JSON.

        Raises:
            Failed: it is none.
        """
        ...


class Scope:
    """One evaluation. `root` is what a mapping has made so far, `metadata` what becomes of the metadata."""

    __slots__ = ("_deadline", "_this", "message", "metadata", "root")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.root: Any = NOTHING
        self.metadata = message.metadata
        self._this: Any = NOTHING
        self._deadline = thread_time() + DEFAULT_LIMITS.max_seconds

    def this(self) -> Any:
        """The value that `this` is: the message's, or the text of the error in `.catch()`."""
        return self.message.structured() if self._this is NOTHING else self._this

    def of_error(self, text: str) -> Scope:
        """The same scope in which `this` is the text of an error."""
        inner = Scope(self.message)
        inner.root, inner.metadata, inner._this, inner._deadline = self.root, self.metadata, text, self._deadline
        return inner

    def count(self, name: str) -> int:
        """The next number of a counter."""
        counts = self.message.counts
        counts[name] = number = counts.get(name, 0) + 1
        return number

    def tick(self) -> None:
        """Holds the evaluation to its time.

        Raises:
            OverLimit: it is up.
        """
        if thread_time() > self._deadline:
            raise OverLimit(f"it takes longer than {DEFAULT_LIMITS.max_seconds:g} s")
