"""The inputs of a run: `--inputs FILE`, then each `-i name=value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.cli.flow_files import flow_source
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.errors import FlowSyntaxError
from flowdsl.source import Source, Span
from flowdsl.step.problem import show
from flowdsl.syntax.core_schema import plain_value
from flowdsl.syntax.yaml_reader import read

if TYPE_CHECKING:
    from flowdsl.document.document import InputDeclaration


def from_file(path: str) -> dict[str, Any]:
    """The inputs that a YAML or JSON file holds; `-` is standard input.

    Raises:
        FlowSyntaxError: it is neither, or not a map.
        OSError: it cannot be read.
    """
    source = flow_source(path)
    if path.endswith(".json"):
        value = _json(source)
    else:
        root, diagnostics = read(source)
        if root is None or has_errors(diagnostics):
            raise FlowSyntaxError(diagnostics)
        value = root.plain()
    if not isinstance(value, dict):
        message = f"inputs are a map from name to value, not {show(value)}"
        raise FlowSyntaxError([Diagnostic("wrong-type", message, Span(source, 0, len(source.text.rstrip())))])
    return value


def from_options(pairs: Iterable[tuple[str, str]], declared: Mapping[str, InputDeclaration] | None) -> dict[str, Any]:
    """The inputs of the command line: a text where the flow declares one, else read like a value in YAML."""
    return {name: text if _is_text((declared or {}).get(name)) else plain_value(text) for name, text in pairs}


def _is_text(declaration: InputDeclaration | None) -> bool:
    return declaration is not None and declaration.schema.get("type") == "string"


def _json(source: Source) -> Any:
    import json
    import re

    def refused(message: str, pattern: str, which: int) -> FlowSyntaxError:
        places = list(re.finditer(pattern, source.text))
        span = Span(source, *places[min(which, len(places) - 1)].span()) if places else Span(source, 0, 1)
        return FlowSyntaxError([Diagnostic("json-syntax", message, span)])

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
        span = Span(source, error.pos, error.pos + 1)
        raise FlowSyntaxError([Diagnostic("json-syntax", f"this is not JSON: {error.msg}", span)]) from None
