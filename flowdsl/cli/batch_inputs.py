"""The inputs of a run, of the fields of a record."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.kept_arguments import secret_names
from flowdsl.cli.record_files import LINES, read_records
from flowdsl.cli.tables import TYPED
from flowdsl.display.visible import visible_line
from flowdsl.document.dialects import message_of
from flowdsl.errors import UsageError
from flowdsl.secrets.plain import HIDDEN

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow

_LONG_ENOUGH = 4
"""Of shorter names, one that is near is often another word."""


class RecordInputs:
    """Makes the inputs of a run of the fields of a record."""

    def __init__(self, flow: Flow, given: Mapping[str, Any], mapped: Mapping[str, str]) -> None:
        self._flow = flow
        self._declared = flow.document.inputs
        self._given = given
        self._mapped = mapped
        self._fields = {field: name for name, field in mapped.items()}
        self._message = message_of(flow.document.source)

    def of(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs: those that all share, then fields by their names, then those that are mapped. Fields that are no
        input of the flow are left out."""
        return {**self._given, **self.own(fields)}

    def of_run(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What the run of a record begins with: its inputs, or itself as the message of a document that works on
        messages."""
        return self.of(fields) if self._message is None else {self._message: self.of(fields)}

    def own_names(self, fields: Mapping[str, Any]) -> Collection[str]:
        """What the run of a record begins with that is its own."""
        return self.own(fields) if self._message is None else (self._message,)

    def names(self, path: str) -> frozenset[str]:
        """What the runs of the records of a file begin with, each with its own."""
        found: set[str] = set()
        for read in read_records(path, {}):
            found.update(self.own_names(read.fields))
            if self._message is not None or not path.lower().endswith(
                LINES
            ):  # a table has the same columns in every line
                break
        return frozenset(found)

    def own(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs that a record says itself."""
        used = set(self._mapped.values())
        found = {name: value for name, value in fields.items() if name not in used or name in (self._declared or {})}
        if self._declared is not None:
            found = {name: value for name, value in found.items() if name in self._declared}
        mapped = {name: fields[field] for name, field in self._mapped.items() if field in fields}
        return {**found, **mapped}

    def shown(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The fields of a record without those that are secret, and the names of these."""
        secret = secret_names(self._flow, {self._fields.get(name, name): value for name, value in fields.items()})
        secret |= secret_names(self._flow, fields)
        hidden = [name for name in fields if name in secret or self._fields.get(name) in secret]
        return {name: HIDDEN if name in hidden else value for name, value in fields.items()}, hidden

    def check_fields(self, fields: Mapping[str, Any], path: str, *, warn: bool, begins: bool = True) -> None:
        """Looks whether the first record has what the flow needs, and any record something that the flow takes; warns
        of fields that are not used and most likely are inputs. What goes on had begun already.

        Raises:
            UsageError: it lacks a field, the flow has no such input, or no record says an input.
        """
        self._check_mapped(fields, path)
        own = self.own(fields)
        unsaid = [name for name in self._declared or () if name not in own]
        spare = [each for each in fields if each not in own and each not in self._fields]
        meant = _meant_fields(unsaid, spare)
        lacking = [name for name in unsaid if not (self._declared or {})[name].has_default and name not in self._given]
        if lacking and fields:
            near = _near_alone(lacking, spare, meant)
            pairs = {**dict.fromkeys(lacking, "FIELD"), **meant, **near}
            raise UsageError(
                f"the first record of {path} has no field for the input{'s' * (len(lacking) > 1)} {_named(lacking)}: "
                f"`{_maps(pairs)}` names {'one' if len(pairs) == 1 else 'them'}, "
                f"`-i {lacking[0]}=VALUE` gives all records the same; it has {', '.join(map(visible_line, fields))}"
            )
        if begins and (alike := self._alike(fields, path)):
            self._told_alike(alike, path, warn=warn)
        if warn and (meant := {name: field for name, field in meant.items() if name not in self._given}):
            are, them = ("s", "them") if len(meant) > 1 else ("", "it")
            what = f"field{are} {_named(meant.values())} of {path} {'are' if are else 'is'} no input of the flow"
            sys.stderr.write(f"flowdsl: warning: the {what}, and not used: `{_maps(meant)}` takes {them}\n")

    def _check_mapped(self, fields: Mapping[str, Any], path: str) -> None:
        from flowdsl.nearest import nearest

        for name, field in self._mapped.items():
            if self._declared is not None and name not in self._declared:
                near = nearest(name, self._declared)
                has = f"did you mean `{near}`?" if near else f"it has {', '.join(self._declared) or 'none'}"
                raise UsageError(f"--map {name}={field}: the flow has no input `{name}`; {has}")
            if field not in fields:
                near = nearest(field, fields)
                has = f"did you mean `{near}`?" if near else f"it has {', '.join(map(visible_line, fields)) or 'none'}"
                raise UsageError(f"--map {name}={field}: the first record of {path} has no field `{field}`; {has}")

    def _alike(self, first: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        """The fields of the first record that has some, where nothing of any record comes into a run. A record without
        fields asks on purpose for what all ask for; lines of JSON may have other fields than the first one."""
        if first and self._reads_any(first):
            return {}
        found: Mapping[str, Any] = {}
        for read in read_records(path, {}):
            if read.problem is not None:
                continue
            if not read.fields or self._reads_any(read.fields):
                return {}
            found = found or read.fields
            if not self._declared or not path.lower().endswith(LINES):
                break
        return found

    def _told_alike(self, fields: Mapping[str, Any], path: str, *, warn: bool) -> None:
        said = f"no field of {path} is an input of the flow, and all records ask for the same"
        has = f"the records have {', '.join(map(visible_line, fields))}"
        if self._declared:
            names = [*self._declared]
            meant = _meant_fields(names, [*fields])
            pairs = {**meant, **_near_alone(names, [*fields], meant)}
            takes = f"`{_maps(pairs or {names[0]: 'FIELD'})}` takes {'them' if len(pairs) > 1 else 'one'}"
            raise UsageError(f"{said}: its inputs are {', '.join(names)}; {takes}; {has}")
        how = "it declares no inputs" if self._declared is not None else "it reads none"
        if warn:
            sys.stderr.write(f"flowdsl: warning: {said}: {how}; {has}\n")

    def _reads_any(self, fields: Mapping[str, Any]) -> bool:
        own = self.own(fields)
        if self._declared is not None:
            return bool(own)
        from flowdsl.cli.unread_inputs import unread_inputs

        return self._message is not None or len([*unread_inputs(self._flow.document, own)]) < len(own)


def _meant_fields(names: Sequence[str], spare: Sequence[str]) -> dict[str, str]:
    """The fields that inputs most likely come from, by their names alone: in other letters, or misspelt."""
    from flowdsl.nearest import nearest

    found: dict[str, str] = {}
    for name in names:
        same = next((each for each in spare if _folded(each) == _folded(name)), None)
        if same is not None:
            found[name] = same
    for name in names:
        left = [each for each in spare if each not in found.values() and len(_folded(each)) >= _LONG_ENOUGH]
        if name not in found and len(_folded(name)) >= _LONG_ENOUGH and (near := nearest(name, left)):
            found[name] = near
    return found


def _near_alone(names: Sequence[str], fields: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """For each further input that needs one, the field that it most likely comes from."""
    found: dict[str, str] = {}
    lacking = [name for name in names if name not in known]
    for name in lacking:
        spare = [each for each in fields if each not in known.values() and each not in found.values()]
        if near := _meant(name, spare, lacking):
            found[name] = near
    return found


def _meant(name: str, spare: Sequence[str], lacking: Sequence[str]) -> str | None:
    """The field that an input most likely comes from: the nearest, one whose name has that of the input in it or stands
    in it, or the only one that is left for the only input."""
    from flowdsl.nearest import nearest

    folded = _folded(name)
    parts = [each for each in spare if (other := _folded(each)) and (folded in other or other in folded)]
    only = spare[0] if len(spare) == len(lacking) == 1 else None
    return nearest(name, spare) or (parts[0] if parts else only)


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


def _maps(pairs: Mapping[str, str]) -> str:
    from shlex import quote

    return " ".join(f"--map {quote(visible_line(f'{name}={field}'))}" for name, field in pairs.items())


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{visible_line(name)}`" for name in names)


def declared_types(flow: Flow, inputs: Mapping[str, str]) -> dict[str, str]:
    """The fields that are numbers or booleans, as the inputs say that they are for."""
    fields = {name: field for field, name in inputs.items()}
    declared = flow.document.inputs or {}
    return {
        fields.get(name, name): each.schema["type"]
        for name, each in declared.items()
        if each.schema.get("type") in TYPED
    }
