"""The inputs of a run: `--inputs FILE`, then each `-i name=value`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.input_files import input_value, json_value, of_a_value, place_in
from flowdsl.cli.tables import is_table, place_of
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.errors import FlowCheckError, FlowSyntaxError, UsageError
from flowdsl.source import Source, Span
from flowdsl.step.problem import show
from flowdsl.syntax.yaml_reader import read

if TYPE_CHECKING:
    from flowdsl.document.document import Document, InputDeclaration


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
        if path.lstrip().startswith("{") and not os.path.exists(path):  # noqa: PTH110
            raise UsageError("--inputs takes a file, and no JSON; one input is given as `-i NAME=VALUE`")
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

    def warn_of_lacking_keys(self, document: Document) -> None:
        """Takes note of keys that the flow reads of the items of a list, and that no item of a given one has."""
        lists = {name: value for name, value in self.values.items() if isinstance(value, list) and value}
        if not any(isinstance(value[0], dict) for value in lists.values()):
            return
        from flowdsl.checker.input_keys import input_keys

        for name, keys in input_keys(document).items():
            items = [item for item in lists.get(name, ()) if isinstance(item, dict)]
            known = dict.fromkeys(key for item in items for key in item)
            lacking = [key for key, optional in keys.of_items.items() if not optional and key not in known]
            if items and lacking:
                source = self._sources.get(name, self._file)
                where = f"{source.path} has" if source is not None and source is not _OPTION else "its items have"
                shown = " and no ".join(f"`{key}`" for key in lacking)
                has = ", ".join(map(str, known))
                self.warnings.append(f"-i {name}: {where} no {shown}, which the flow reads of each item; it has {has}")

    def _check(self, declared: Mapping[str, InputDeclaration]) -> None:
        from flowdsl.checker.inputs import wrong_inputs
        from flowdsl.cli.failure import Nowhere

        found = []
        for name, path, error in wrong_inputs(declared, self.values, by_option):
            source = self._sources.get(name, self._file)
            misspelt = source is not self._file and name not in declared  # its name is wrong, not what the file holds
            if name not in self.values or source is None or source is _OPTION or misspelt:
                span: Span = Nowhere(Source("", "flowdsl"), 0, 0)
            elif source is self._file:
                span = place_in(source, [name, *path])
            else:
                span = place_in(source, path)
            message, hint = error.message, error.hint
            if is_table(span.source) and path and source is not self._file:
                if len(path) == 1 and hint is None and not _takes_maps(declared[name].schema):
                    hint = _ROWS
                _, _, said = message.partition(": ")
                place = place_of(span.source, path, _MISSING.findall(said) if said.endswith("missing") else ())
                if place is not None:
                    span = place.span
                    message = f"{place.words} does not fit the schema of the input `{name}`: {said}"
            found.append(Diagnostic(error.code, message, span, hint=hint))
        if any(not isinstance(each.span, Nowhere) for each in found):
            raise FlowCheckError(found)


def by_option(name: str, schema: Mapping[str, Any], value: Any) -> str | None:
    """How the command line gives an input."""
    from flowdsl.checker.inputs import MISSING, SPELLED, TYPES

    wants = schema.get("type")
    endings = _IN_FILES.get(wants) if isinstance(wants, str) else None
    if value is MISSING:
        return f"give it, for example `-i {name}={'…' if endings is None else '@FILE'}`"
    if wants == "string" and isinstance(value, list) and value and isinstance(value[0], dict):
        return "`flowdsl batch FLOW --over FILE` runs the flow once for each record of a file"
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


_MISSING = re.compile(r"`([^`]*)`")
_ROWS = (
    "each line of a CSV file is a map by the names in its first line: "
    "declare `items: {type: object}`, or take a list from a .json or .yaml file"
)
_OPTION = Source("", "-i")
"""Stands for the command line as the place of an input."""
