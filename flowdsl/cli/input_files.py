"""`-i NAME=@FILE`: an input from a file, read by the ending of its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.flow_files import STANDARD_INPUT, read_source
from flowdsl.diagnostics import Diagnostic, Edit, Fix, has_errors
from flowdsl.errors import FlowSyntaxError, UsageError
from flowdsl.nearest import nearest
from flowdsl.source import Source, Span

if TYPE_CHECKING:
    from flowdsl.document.document import InputDeclaration

MARK = "@"
_MOST_LINES = 20
"""So many lines of a table are named that are wrong; of the others only how many they are."""
_TYPED = frozenset({"integer", "number", "boolean"})


def input_value(name: str, text: str, declaration: InputDeclaration | None, sources: dict[str, Source]) -> Any:
    """The value of an input as it stands behind `-i NAME=`: a text where the flow declares one, else read like a value
    in YAML; `@FILE` is what a file holds, `@-` standard input, and `@@` a text that begins with @. `sources` takes the
    text of a file.

    Raises:
        FlowSyntaxError: the file does not hold what its ending promises.
        UsageError: there is no such file.
        OSError: it cannot be read.
    """
    schema = declaration.schema if declaration is not None else {}
    if text.startswith(MARK * 2):
        text = text[1:]
    elif text.startswith(MARK):
        return _from_file(name, text[1:], schema, sources)
    if schema.get("type") == "string":
        return text
    from flowdsl.syntax.core_schema import plain_value

    return plain_value(text)


def _meant(name: str, path: str, schema: Mapping[str, Any]) -> str:
    """What may be meant by the path of a file that is not there."""
    folder, file = os.path.split(path)
    try:
        near = nearest(file, os.listdir(folder or "."))  # noqa: PTH208
    except OSError:
        near = None
    if near is not None:
        return f"; did you mean `-i {name}=@{os.path.join(folder, near)}`?"  # noqa: PTH118
    if schema.get("type", "string") == "string":
        return f"; a text that begins with @ is written with two, `-i {name}=@@{path}`"
    return ""


def _from_file(name: str, path: str, schema: Mapping[str, Any], sources: dict[str, Source]) -> Any:
    if path != STANDARD_INPUT and not os.path.exists(path):  # noqa: PTH110  pathlib is slow to import
        raise UsageError(f"-i {name}: there is no file `{path}`{_meant(name, path, schema)}")
    if path == STANDARD_INPUT and sys.stdin.isatty():
        sys.stderr.write(f"flowdsl: reading the input `{name}` from the terminal; Ctrl-D ends it\n")
    source, mistakes = read_source(path)
    if mistakes:
        raise FlowSyntaxError(mistakes)
    sources[name] = source
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    text = schema.get("type") == "string"
    if ending == ".json" and not text:
        return json_value(source)
    if ending in (".csv", ".tsv"):
        wrong: list[Diagnostic] = []
        rows = [row for _, row in _rows(source, schema, wrong)]
        if len(wrong) > _MOST_LINES:
            more = f"{len(wrong) - _MOST_LINES} more lines are of another length"
            wrong[_MOST_LINES - 1 :] = [wrong[_MOST_LINES - 1]._replace(hint=more)]
        if wrong:
            raise FlowSyntaxError(wrong)
        return rows
    if ending in (".yaml", ".yml") or (path == STANDARD_INPUT and not text):
        return source.text if text else _yaml_value(source)
    return source.text.removesuffix("\n").removesuffix("\r")


def json_value(source: Source) -> Any:
    """The value of a JSON text.

    Raises:
        FlowSyntaxError: it is none.
    """
    import json
    import re

    def refused(message: str, pattern: str, which: int) -> FlowSyntaxError:
        places = list(re.finditer(pattern, source.text))
        start, end = places[min(which, len(places) - 1)].span() if places else (0, 1)
        return FlowSyntaxError([Diagnostic("json-syntax", message, Span(source, start, end))])

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Each key once: which of two values is meant, nobody can say."""
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            written = json.dumps(twice, ensure_ascii=False)
            raise refused(f"`{twice}` is given twice", rf"{re.escape(written)}(?=\s*:)", 1)
        return found

    def no_number(name: str) -> Any:
        raise refused(f"this is not JSON: {name} is no number of JSON", rf"(?<![\w\"]){name}\b", 0)

    try:
        return json.loads(source.text, object_pairs_hook=once, parse_constant=no_number)
    except json.JSONDecodeError as error:
        span, text = Span(source, error.pos, error.pos + 1), source.text
        before = text[: error.pos].rstrip()
        if text[error.pos :].lstrip()[:1] == ",":  # a newer Python names the comma itself
            before = text[: error.pos + 1 + len(text[error.pos :]) - len(text[error.pos :].lstrip())]
        if before.endswith(",") and text[len(before) :].lstrip()[:1] in ("}", "]"):
            comma = Span(source, len(before) - 1, len(before))
            message, fix = "this is not JSON: a trailing comma", Fix("remove the comma", (Edit(comma, ""),), safe=True)
            raise FlowSyntaxError(
                [Diagnostic("json-syntax", message, comma, hint="remove the comma", fixes=(fix,))]
            ) from None
        raise FlowSyntaxError([Diagnostic("json-syntax", f"this is not JSON: {error.msg}", span)]) from None
    except RecursionError:
        raise refused("lists and maps stand too deep in one another", r"[\[{]", 0) from None
    except FlowSyntaxError:
        raise
    except ValueError:  # which `json` lets through from Python's own limit
        raise refused("this number has more digits than are read", r"\d{1000,}", 0) from None


def _yaml_value(source: Source) -> Any:
    from flowdsl.syntax.yaml_reader import read

    root, diagnostics = read(source)
    if root is None or has_errors(diagnostics):
        raise FlowSyntaxError(of_a_value(diagnostics))
    return root.plain()


def of_a_value(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """What is wrong with a file of inputs, without what a flow would have in its place."""
    return [found._replace(hint=None) if found.code == "empty-file" else found for found in diagnostics]


def place_in(source: Source, path: Sequence[str | int]) -> Span:
    """Where in the text of a file the value stands that a path leads to; what is nearest, when it is not written."""
    from flowdsl.syntax.yaml_reader import read

    end = len(source.text.partition("\n")[0])
    if _ending(source) in (".csv", ".tsv"):
        lines = [line for line, _ in _rows(source, {}, [])]
        if path and isinstance(path[0], int) and path[0] < len(lines):
            return Span(source, *_line(source, lines[path[0]]))
        return Span(source, 0, end)
    root = None if _ending(source) not in (".json", ".yaml", ".yml", "") else read(source)[0]
    if root is None:
        return Span(source, 0, end)
    node, key = root, root
    for part in path:
        if node.kind == "map" and isinstance(part, str) and part in node.value:
            key, node = node.keys[part], node.value[part]
        elif node.kind == "list" and isinstance(part, int) and part < len(node.value):
            key = node = node.value[part]
        else:
            break
    return (
        node.span
        if node.kind == "scalar"
        else key.span
        if key.kind == "scalar"
        else Span(source, node.start, node.start + 1)
    )


def _ending(source: Source) -> str:
    return os.path.splitext(source.path)[1].lower()  # noqa: PTH122


def _rows(source: Source, schema: Mapping[str, Any], wrong: list[Diagnostic]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line of a CSV text, by its number, as a map from the names of its first line to texts; where the schema of
    the items says number or boolean, to those, and an empty cell is left out. `wrong` takes the lines that have more or
    less cells than the first."""
    import csv
    from io import StringIO

    first = source.text.partition("\n")[0]
    delimiter = "\t"
    if _ending(source) != ".tsv":
        delimiter = max(",;\t", key=first.count) if any(sign in first for sign in ",;\t") else ","
    reader = csv.reader(StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
    types = _types(schema)
    names: list[str] = []
    line = 1
    try:
        for cells in reader:
            if names and any(cell.strip() for cell in cells):
                if len(cells) != len(names):
                    said = f"this line has {_cells(len(cells))}, and the first one names {len(names)}"
                    wrong += _wrong(source, *_line(source, line), said).diagnostics
                else:
                    yield line, dict(_typed(names, cells, types))
            elif not names:
                names = [cell.strip() for cell in cells]
                twice = next((name for name in names if names.count(name) > 1), None)
                if twice is not None or not all(names):
                    said = f"the name `{twice}` stands twice" if twice else "a column has no name"
                    raise _wrong(source, *_line(source, line), f"{said} in the first line")
            line = reader.line_num + 1
    except csv.Error as error:
        raise _wrong(source, *_line(source, line), f"this is not CSV: {error}") from None
    if not names:
        raise _wrong(source, 0, 0, "the file is empty; its first line names the columns")


def _types(schema: Mapping[str, Any]) -> dict[str, str]:
    """The columns that are numbers or booleans, by the schema of the items."""
    items = schema.get("items")
    properties = items.get("properties") if isinstance(items, Mapping) else None
    if not isinstance(properties, Mapping):
        return {}
    return {
        name: part["type"]
        for name, part in properties.items()
        if isinstance(part, Mapping) and isinstance(part.get("type"), str) and part["type"] in _TYPED
    }


def _typed(names: list[str], cells: list[str], types: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    from flowdsl.syntax.core_schema import plain_value

    for name, cell in zip(names, cells, strict=True):
        if name not in types:
            yield name, cell
        elif cell.strip():
            yield name, plain_value(cell.strip())


def _cells(number: int) -> str:
    return f"{number} cell{'' if number == 1 else 's'}"


def _line(source: Source, number: int) -> tuple[int, int]:
    """Start and end of a line."""
    start = 0
    for _ in range(number - 1):
        start = source.text.find("\n", start) + 1
    end = source.text.find("\n", start)
    return start, max(start, (len(source.text) if end < 0 else end))


def _wrong(source: Source, start: int, end: int, message: str) -> FlowSyntaxError:
    """What is wrong with a CSV text, at its place."""
    return FlowSyntaxError([Diagnostic("csv-syntax", message, Span(source, start, end))])
