"""The inputs of a run: `--inputs FILE`, then each `-i name=value`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.input_files import input_value, json_value, of_a_value, place_in
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.errors import FlowCheckError, FlowSyntaxError, UsageError
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
        self.warnings: list[str] = []
        """What the person who gives them should know."""

    def take_file(self, path: str) -> None:
        """Takes what a YAML or JSON file holds; `-` is standard input.

        Raises:
            FlowSyntaxError: it is neither, or not a map.
            UsageError: it is an input by name, and no file.
            OSError: it cannot be read.
        """
        if "=" in path and not os.path.exists(path):  # noqa: PTH110  pathlib is slow to import
            raise UsageError(f"--inputs takes a file, and there is no `{path}`; one input is given as `-i {path}`")
        self._file = source = flow_source(path)
        if path.endswith(".json"):
            value = json_value(source)
        else:
            root, diagnostics = read(source)
            if root is None or has_errors(diagnostics):
                raise FlowSyntaxError(of_a_value(diagnostics))
            value = root.plain()
        if not isinstance(value, dict):
            message = f"inputs are a map from name to value, not {show(value)}"
            hint = f"one input from a file is given as `-i NAME=@{path}`"
            span = Span(source, 0, len(source.text.rstrip()))
            raise FlowSyntaxError([Diagnostic("wrong-type", message, span, hint=hint)])
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
            if self._sources.setdefault(name, _OPTION) is not _OPTION and self.values[name] == []:
                self.warnings.append(f"-i {name}: {text[1:]} holds no items: a loop over them has 0 iterations")
        if declared is not None and (self._file is not None or set(self._sources.values()) - {_OPTION}):
            self._check(declared)
        return self.values

    def _check(self, declared: Mapping[str, InputDeclaration]) -> None:
        from flowdsl.checker.inputs import wrong_inputs
        from flowdsl.cli.failure import Nowhere

        found = []
        for name, path, error in wrong_inputs(declared, self.values, by_option):
            source = self._sources.get(name, self._file)
            if name not in self.values or source is None or source is _OPTION:
                span: Span = Nowhere(Source("", "flowdsl"), 0, 0)
            elif source is self._file:
                span = place_in(source, [name, *path])
            else:
                span = place_in(source, path)
            hint = error.hint
            of_a_table = len(path) == 1 and span.source.path.lower().endswith((".csv", ".tsv"))
            if of_a_table and hint is None and not _takes_maps(declared[name].schema):
                hint = _ROWS
            found.append(Diagnostic(error.code, error.message, span, hint=hint))
        if any(not isinstance(each.span, Nowhere) for each in found):
            raise FlowCheckError(found)


def by_option(name: str, schema: Mapping[str, Any], value: Any) -> str | None:
    """How the command line gives an input."""
    from flowdsl.checker.inputs import MISSING, SPELLED, TYPES

    wants = schema.get("type")
    endings = _IN_FILES.get(wants) if isinstance(wants, str) else None
    if value is MISSING:
        return f"give it, for example `-i {name}={'…' if endings is None else '@FILE'}`"
    if not isinstance(value, str):
        return None
    if endings is not None:
        file = value if re.fullmatch(r"\S+\.(json|ya?ml|csv|tsv)", value) else "FILE"
        return f"{TYPES[str(wants)]} cannot be written behind `-i`: `-i {name}=@{file}` reads it from a file, {endings}"
    return f"write `-i {name}={SPELLED[value.lower()]}`" if wants == "boolean" and value.lower() in SPELLED else None


_IN_FILES = {"object": ".json or .yaml", "array": ".json, .yaml or .csv"}
"""Types whose values the command line takes from a file only, and the endings of such files."""


def _takes_maps(schema: Mapping[str, Any]) -> bool:
    """Whether a list of this schema may hold maps, as far as the type of its items says."""
    items = schema.get("items")
    kind = items.get("type", "object") if isinstance(items, dict) else "object"
    return "object" in ([kind] if isinstance(kind, str) else kind)


_ROWS = (
    "each line of a CSV file is a map by the names in its first line: "
    "declare `items: {type: object}`, or take a list from a .json or .yaml file"
)
_OPTION = Source("", "-i")
"""Stands for the command line as the place of an input."""
