"""The filters of templates, by name: `FILTERS` holds the record of each.

A new filter is a function with `@filter_named(…)` in one of the modules here, a test, and its row of docs/templates.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flowdsl.template.filters import lists, markup, order, scalars, text
from flowdsl.template.filters.record import RECORDS, Filter, Filters, with_own

__all__ = [
    "FILTERS",
    "Filter",
    "Filters",
    "from_elsewhere",
    "lists",
    "marks_safe",
    "markup",
    "order",
    "scalars",
    "text",
    "with_own",
]

FILTERS: Final[Mapping[str, Filter]] = RECORDS


_MARKING: Final = re.compile(r"\|\s*(?:e\b|escape|forceescape|safe)|filter\s+(?:e\b|escape|forceescape|safe)")


def marks_safe(text: str) -> bool:
    """Whether the text of a template names a filter that marks text as safe; in others no filter has to keep marks."""
    return _MARKING.search(text) is not None


def from_elsewhere(name: str) -> str | None:
    """The filter that has this name in other languages, or None."""
    return next((record.name for record in FILTERS.values() if name in record.elsewhere), None)
