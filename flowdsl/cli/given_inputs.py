"""The inputs of a run: `--inputs FILE`, then each `-i name=value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.input_files import input_value, json_value
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.errors import FlowSyntaxError
from flowdsl.source import Span
from flowdsl.step.problem import show
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
        value = json_value(source)
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
    """The inputs of the command line, see `input_value`; of a name given twice the last one counts."""
    return {name: input_value(name, text, (declared or {}).get(name)) for name, text in dict(pairs).items()}
