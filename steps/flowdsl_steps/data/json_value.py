"""Reads JSON as strictly as JSON is, with messages for people."""

from __future__ import annotations

import json
import re
from typing import Any

from flowdsl import StepError

MAX_DEPTH = 200
"""How deep lists and maps may be nested inside each other."""
_OPENING = re.compile(r"\s*```[\w-]*[ \t]*\r?\n")
_CLOSING = re.compile(r"\n?[ \t]*```\Z")


def unfenced(text: str) -> str:
    """The text inside a Markdown fence when one stands around all of it, else the text."""
    opened = _OPENING.match(text)
    stripped = text.rstrip()
    closed = _CLOSING.search(stripped, max(0, len(stripped) - 64))
    if opened is None or closed is None or closed.start() < opened.end() - 1:
        return text
    return stripped[opened.end() : max(opened.end(), closed.start())]


def read_json(text: str, what: str = "this") -> Any:
    """The value of a JSON text.

    Raises:
        StepError: it is not JSON, or nested too deep.
    """
    problem = None
    try:
        value = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        problem = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except ValueError as error:
        problem = str(error)
    except RecursionError:
        problem = f"it is nested more than {MAX_DEPTH} deep"
    if problem is None and too_deep(value):
        problem = f"it is nested more than {MAX_DEPTH} deep"
    if problem is not None:
        found = f"it starts with {text[:40]!r}" if text.strip() else "it is empty"
        raise StepError(f"{what} is not JSON: {problem}", code="not-json", hint=found)
    return value


def too_deep(value: Any) -> bool:
    """Whether lists and maps stand more than `MAX_DEPTH` deep inside each other."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
