"""`-i NAME=@FILE`: an input from a file, read by the ending of its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.flow_files import STANDARD_INPUT, read_source
from flowdsl.cli.tables import is_table, place_of, table
from flowdsl.diagnostics import Diagnostic, Edit, Fix, has_errors
from flowdsl.errors import FlowSyntaxError, UsageError
from flowdsl.nearest import nearest
from flowdsl.source import Source, Span

if TYPE_CHECKING:
    from flowdsl.document.document import InputDeclaration

MARK = "@"


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
    if os.path.isdir(path):  # noqa: PTH112
        raise UsageError(f"-i {name}: `{path}` is a folder, and an input is read from one file")
    if path == STANDARD_INPUT and sys.stdin.isatty():
        sys.stderr.write(f"flowdsl: reading the input `{name}` from the terminal; Ctrl-D ends it\n")
    source, mistakes = read_source(path)
    if mistakes or source.text.startswith(_ARCHIVE):
        _refuse_binary(name, source)
    if mistakes:
        raise FlowSyntaxError(mistakes)
    sources[name] = source
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    text = schema.get("type") == "string"
    if ending == ".json" and not text:
        return json_value(source)
    if is_table(source):
        return table(source, schema)
    if ending in (".yaml", ".yml") or (path == STANDARD_INPUT and not text):
        return source.text if text else _yaml_value(source)
    return source.text.removesuffix("\n").removesuffix("\r")


_ARCHIVE = "PK\x03\x04"
"""How a zip file begins, as spreadsheets of today are."""
_OLD_OFFICE = "\ufffd\ufffd\x11\u0871"
"""How a spreadsheet of before 2007 begins."""


def _refuse_binary(name: str, source: Source) -> None:
    """Refuses what is no text.

    Raises:
        UsageError: it is a spreadsheet, or another binary file.
    """
    text = source.text
    if text.startswith((_ARCHIVE, _OLD_OFFICE)):
        kind = "an Excel file or another archive" if _ending(source) not in (".xlsx", ".xls") else "an Excel file"
        raise UsageError(f"-i {name}: `{source.path}` is {kind}, not a text; save the table as CSV")
    if "\0" in text and not text.startswith("\ufffd\ufffd"):  # which is UTF-16
        raise UsageError(f"-i {name}: `{source.path}` is a binary file, not a text")


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
    if is_table(source):
        place = place_of(source, path)
        return place.span if place is not None else Span(source, 0, end)
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
