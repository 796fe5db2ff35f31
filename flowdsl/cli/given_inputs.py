"""The inputs of a run: `--inputs FILE`, then each `-i name=value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.input_files import input_value, json_value, place_in
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.errors import FlowCheckError, FlowSyntaxError
from flowdsl.source import Source, Span
from flowdsl.step.problem import show
from flowdsl.syntax.yaml_reader import read

if TYPE_CHECKING:
    from flowdsl.document.document import InputDeclaration


class GivenInputs:
    """The values that are given to a run, and the files that they stand in."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._file: Source | None = None
        self._sources: dict[str, Source] = {}

    def take_file(self, path: str) -> None:
        """Takes what a YAML or JSON file holds; `-` is standard input.

        Raises:
            FlowSyntaxError: it is neither, or not a map.
            OSError: it cannot be read.
        """
        self._file = source = flow_source(path)
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
        self.values |= value

    def take_options(
        self, pairs: Iterable[tuple[str, str]], declared: Mapping[str, InputDeclaration] | None
    ) -> dict[str, Any]:
        """Takes the inputs of the command line, see `input_value`; of a name given twice the last one counts. Gives all
        values.

        Raises:
            FlowCheckError: some are wrong, and files hold some of these: each has its place.
        """
        for name, text in dict(pairs).items():
            self.values[name] = input_value(name, text, (declared or {}).get(name), self._sources)
            self._sources.setdefault(name, _OPTION)
        if declared is not None and (self._file is not None or set(self._sources.values()) - {_OPTION}):
            self._check(declared)
        return self.values

    def _check(self, declared: Mapping[str, InputDeclaration]) -> None:
        from flowdsl.checker.inputs import wrong_inputs
        from flowdsl.cli.failure import Nowhere

        found = []
        for name, path, error in wrong_inputs(declared, self.values):
            source = self._sources.get(name, self._file)
            if name not in self.values or source is None or source is _OPTION:
                span: Span = Nowhere(Source("", "flowdsl"), 0, 0)
            elif source is self._file:
                span = place_in(source, [name, *path])
            else:
                span = place_in(source, path)
            found.append(Diagnostic(error.code, error.message, span, hint=error.hint))
        if any(not isinstance(each.span, Nowhere) for each in found):
            raise FlowCheckError(found)


_OPTION = Source("", "-i")
"""Stands for the command line as the place of an input."""
