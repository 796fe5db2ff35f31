"""What a template may use: text, loops, time; and the checks that hold it to that."""

from __future__ import annotations

from time import thread_time
from typing import Final, TypeVar

from flowdsl.errors import TemplateError
from flowdsl.record import Record

T = TypeVar("T")


class TemplateLimits(Record):
    """The bounds of one rendering.

    `max_depth` counts levels of an expression, `max_output` characters, `max_loops` iterations of all loops.
    `max_seconds` is CPU time, so waiting for a host function costs nothing.
    """

    max_depth: int = 100
    max_output: int = 10_000_000
    max_loops: int = 1_000_000
    max_seconds: float = 1.0


DEFAULT_LIMITS: Final = TemplateLimits()
MAX_TEXT: Final = DEFAULT_LIMITS.max_output
MAX_ITEMS: Final = DEFAULT_LIMITS.max_loops
MAX_NESTING: Final = 200
MAX_TOKENS: Final = 100_000


def limit_error(what: str, allowed: str) -> TemplateError:
    """The error of a template that wants too much."""
    return TemplateError(f"the template makes too much: {what}; the limit is {allowed}", code="template-limit")


def check_size(characters: float) -> None:
    """Raises: TemplateError when `characters` are more than a text of a template may have."""
    if characters > MAX_TEXT:
        raise limit_error("a text that is too long", f"{MAX_TEXT:,} characters")


def check_items(count: float) -> None:
    """Raises: TemplateError when `count` is more items than a list of a template may have."""
    if count > MAX_ITEMS:
        raise limit_error("a list that is too long", f"{MAX_ITEMS:,} items")


class Visit:
    """The walk over one nested value, counted so that it ends."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items = 0

    def enter(self, items: int, depth: int) -> None:
        """Count a list or mapping of so many `items`, which stands in `depth` others.

        Raises: TemplateError when the value is nested too deep or too large to walk.
        """
        self.items += items + 1
        if self.items > MAX_ITEMS:
            check_items(self.items)
        if depth > MAX_NESTING:
            raise limit_error("a value nested too deep", f"{MAX_NESTING} levels")


def join_checked(separator: str, parts: list[str]) -> str:
    """The parts joined.

    Raises: TemplateError when the result is too long.
    """
    if len(parts) > 16 or len(separator) > 1000:
        check_size(sum(map(len, parts)) + len(separator) * len(parts))
    joined = separator.join(parts)
    if len(joined) > MAX_TEXT:
        check_size(len(joined))
    return joined


class Meter:
    """What one rendering has used so far; its clock starts with the first look at it.

    It is made without `__init__`, which most renderings would call for nothing.
    """

    output = 0
    deadline = 0.0

    def tick(self, limits: TemplateLimits, loops: int, out: list[str], counted: int) -> int:
        """Check the iterations of `loops` so far, and an output of which `counted` texts were checked before.

        Raises: TemplateError when there were too many, the time is up, or the output is too long.
        """
        if loops > limits.max_loops:
            raise limit_error("too many iterations of its loops", f"{limits.max_loops:,}")
        self.output += sum(map(len, out[counted:]))
        if self.output > limits.max_output:
            raise limit_error("too much text", f"{limits.max_output:,} characters")
        self.timed(limits, None)
        return len(out)

    def timed(self, limits: TemplateLimits, value: T) -> T:
        """The value, when there is time left.

        Raises: TemplateError when the time is up.
        """
        if not self.deadline:
            self.deadline = thread_time() + limits.max_seconds
        elif thread_time() > self.deadline:
            raise limit_error("it takes too long", f"{limits.max_seconds:g} s")
        return value
