"""CSV and TSV files as lists of maps, and where in them a line or a cell stands, counted as people count."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from flowdsl.diagnostics import Diagnostic
from flowdsl.errors import FlowSyntaxError
from flowdsl.source import Source, Span

ENDINGS: Final = (".csv", ".tsv")
_MOST_LINES = 20
"""So many lines of a table are named that are wrong; of the others only how many they are."""
TYPED = frozenset({"integer", "number", "boolean"})


_SAID: Final = re.compile(r'"?sep=([^\w\s"]|\t)"?\s*$')
"""A first line for a spreadsheet, that says what separates the cells."""


_QUOTES: Final = 'a cell that has a " in it stands in double quotes, and each " in it is written twice: "a 7"" plate"'
"""The hint for quotes that do not fit."""


class Place(NamedTuple):
    """A line of a table, or a cell in it: its characters, and what people call it, `line 3, column 2 (price)`."""

    span: Span
    words: str


def is_table(source: Source) -> bool:
    """Whether a file is one, by the ending of its name."""
    return _ending(source) in ENDINGS


def table(source: Source, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of a table, each as a map from the names of its first line to texts; where the schema of the items says
    number or boolean, to those, and an empty cell is left out.

    Raises:
        FlowSyntaxError: it is none, or lines have more or less cells than the first.
    """
    wrong: list[Diagnostic] = []
    rows = [row for _, _, row in _rows(source, schema, wrong)]
    if len(wrong) > _MOST_LINES:
        more = f"{len(wrong) - _MOST_LINES} more lines are of another length"
        wrong[_MOST_LINES - 1 :] = [wrong[_MOST_LINES - 1]._replace(hint=more)]
    if wrong:
        raise FlowSyntaxError(wrong)
    return rows


def place_of(source: Source, path: Sequence[str | int], missing: Sequence[str] = ()) -> Place | None:
    """Where in a table a value stands: a line, and in it the cell of a column; None of what is in none.

    `missing` are names that the line lacks: of a column that is there, its cell is empty.
    """
    row = path[0] if path else None
    found = next((each for index, each in enumerate(_rows(source, {}, [])) if index == row), None)
    if found is None:
        return None
    line, end, cells = found
    names = list(cells)
    name = next((each for each in (*path[1:2], *missing) if each in names), None)
    if name is None:
        return Place(Span(source, *_line(source, line)), f"line {line}")
    column = names.index(name)
    start, stop = _cell(source, line, end, column)
    span = Span(source, start, stop)
    return Place(span, f"line {span.first.line}, column {column + 1} (`{name}`)")


def _ending(source: Source) -> str:
    return os.path.splitext(source.path)[1].lower()  # noqa: PTH122


def _delimiter(source: Source) -> str:
    first = source.text.partition("\n")[0]
    said = _SAID.match(first)
    if said is not None:
        return said[1]
    if _ending(source) == ".tsv":
        return "\t"
    return max(",;\t", key=first.count) if any(sign in first for sign in ",;\t") else ","


def _rows(
    source: Source, schema: Mapping[str, Any], wrong: list[Diagnostic]
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Each line with its number and that of the line behind it: a text in quotes may have several. `wrong` takes those
    of another length."""
    import csv
    from io import StringIO

    delimiter = _delimiter(source)
    reader = csv.reader(StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
    types = _types(schema)
    names: list[str] = []
    line = 1
    try:
        for cells in reader:
            if names and any(cell.strip() for cell in cells):
                if len(cells) != len(names):
                    wrong.append(_other_length(source, line, reader.line_num + 1, names, cells))
                else:
                    yield line, reader.line_num + 1, dict(typed(names, cells, types))
            elif not names and not (line == 1 and _SAID.match(source.text.partition("\n")[0])):
                names = [cell.strip() for cell in cells]
                twice = next((name for name in names if names.count(name) > 1), None)
                if twice is not None or not all(names):
                    column = names.index("") + 1 if twice is None else len(names) - names[::-1].index(twice)
                    said = f"the name `{twice}` stands twice" if twice else "a column has no name"
                    span = Span(source, *_cell(source, line, reader.line_num + 1, column - 1))
                    raise FlowSyntaxError([_wrong(span, f"{said} in the first line: column {column}")])
            line = reader.line_num + 1
    except csv.Error as error:
        said = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
        place = Span(source, *_line(source, line))
        found = _wrong(place, f"line {line} is not CSV: {said}")
        raise FlowSyntaxError([found._replace(hint=_QUOTES if '"' in said or "quote" in said else None)]) from None
    if not names:
        raise FlowSyntaxError([_wrong(Span(source, 0, 0), "the file is empty; its first line names the columns")])


def _other_length(source: Source, line: int, end: int, names: list[str], cells: list[str]) -> Diagnostic:
    """What to say of a line that has more or less cells than the first one."""
    said = f"line {line} has {len(cells)} cell{'' if len(cells) == 1 else 's'}, and the first line names {len(names)}"
    if len(cells) < len(names):
        lacking = ", ".join(f"`{name}`" for name in names[len(cells) :])
        return _wrong(Span(source, *_line(source, line)), f"{said}: there is none for {lacking}")
    spare = Span(source, *_cell(source, line, end, len(names)))
    found = _wrong(spare, f"{said}: no column is named for cell {len(names) + 1}")
    sign = _delimiter(source)
    return found._replace(hint=None if sign == "\t" else f"a text that has a {sign} in it stands in double quotes")


def _types(schema: Mapping[str, Any]) -> dict[str, str]:
    """The columns that are numbers or booleans, by the schema of the items."""
    items = schema.get("items")
    properties = items.get("properties") if isinstance(items, Mapping) else None
    if not isinstance(properties, Mapping):
        return {}
    return {
        name: part["type"]
        for name, part in properties.items()
        if isinstance(part, Mapping) and isinstance(part.get("type"), str) and part["type"] in TYPED
    }


def typed(names: list[str], cells: list[str], types: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The cells of a line by their names: texts, or what the types say; an empty one of these is left out."""
    from flowdsl.syntax.core_schema import plain_value

    for name, cell in zip(names, cells, strict=True):
        if name not in types:
            yield name, cell
        elif cell.strip():
            yield name, plain_value(cell.strip())


def _line(source: Source, number: int) -> tuple[int, int]:
    """Start and end of a line."""
    start = _start(source, number)
    end = source.text.find("\n", start)
    stop = len(source.text) if end < 0 else end
    return start, max(start, len(source.text[start:stop].rstrip("\r")) + start)


def _start(source: Source, number: int) -> int:
    start = 0
    for _ in range(number - 1):
        start = source.text.find("\n", start) + 1 or len(source.text)
    return start


def _cell(source: Source, line: int, end: int, column: int) -> tuple[int, int]:
    """Start and end of a cell of a line, which ends before the line `end`; of an empty one the sign before it."""
    text, delimiter = source.text, _delimiter(source)
    at, stop = _start(source, line), _start(source, end)
    start, quoted = at, False
    while at < stop and (column > 0 or quoted or text[at] not in (delimiter, "\r", "\n")):
        if text[at] == '"':
            quoted = not quoted
        elif text[at] == delimiter and not quoted:
            column, start = column - 1, at + 1
            if column == 0 and text[start : start + 1] in (delimiter, "\r", "\n", ""):
                return at, at + 1
        at += 1
    return start, at


def _wrong(span: Span, message: str) -> Diagnostic:
    """What is wrong with a table, at its place."""
    return Diagnostic("csv-syntax", message, span)
