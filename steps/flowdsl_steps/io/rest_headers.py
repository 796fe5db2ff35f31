"""Headers of a request: which names and values can be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl import Options, Problem
from flowdsl.step.sendable import header_problem
from flowdsl.template import to_text


def check_headers(options: Options) -> Iterator[Problem]:
    """What is wrong with the `headers`, as far as they are known."""
    headers = options.given.get("headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if (problem := header_problem(name, value, "REST")) is not None:
            yield Problem("invalid-header", problem.message, key="headers", hint=problem.hint, inside=(name,))


def header_lines(headers: Mapping[str, Any] | None) -> dict[str, bytes]:
    """Checked headers as they are sent: names in lower case; null is left out."""
    given = (headers or {}).items()
    return {name.lower(): to_text(value).strip().encode("latin-1") for name, value in given if value is not None}
