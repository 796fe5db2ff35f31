"""The inputs of a run, of the fields of a record."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
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

    def check_fields(self, fields: Mapping[str, Any], path: str, *, warn: bool) -> None:
        """Looks whether the first record has what the flow needs, and warns where it has nothing that the flow takes.

        Raises:
            UsageError: it lacks a field, or the flow has no such input.
        """
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
        have = self.of(fields)
        lacking = [name for name, each in (self._declared or {}).items() if not each.has_default and name not in have]
        if lacking and fields:
            name, near = lacking[0], _meant(lacking[0], [each for each in fields if each not in have], lacking)
            how = f"--map {name}={near or 'FIELD'}"
            raise UsageError(
                f"the first record of {path} has no field for the input `{name}`: `{how}` names one, "
                f"`-i {name}=VALUE` gives all records the same; it has {', '.join(map(visible_line, fields))}"
            )
        if warn and fields and not self._reads_any(fields):
            sys.stderr.write(f"flowdsl: warning: {self._all_alike(fields, path)}\n")

    def _reads_any(self, fields: Mapping[str, Any]) -> bool:
        """Whether anything of a record may come into a run."""
        own = self.own(fields)
        if self._declared is not None:
            return bool(own)
        from flowdsl.cli.unread_inputs import unread_inputs

        return self._message is not None or len([*unread_inputs(self._flow.document, own)]) < len(own)

    def _all_alike(self, fields: Mapping[str, Any], path: str) -> str:
        declared = list(self._declared or ())
        near = _meant(declared[0], list(fields), declared) if declared else None
        how = "it declares no inputs" if self._declared is not None else "it reads none"
        if declared:
            how = f"`--map {declared[0]}={near or 'FIELD'}` takes one for the input"
        return (
            f"no field of {path} is an input of the flow, and all records ask for the same: {how}; "
            f"the records have {', '.join(map(visible_line, fields))}"
        )


def _meant(name: str, spare: Sequence[str], lacking: Sequence[str]) -> str | None:
    """The field that an input most likely comes from: the nearest, one whose name has that of the input in it or stands
    in it, or the only one that is left for the only input."""
    from flowdsl.nearest import nearest

    folded = name.lower().replace("_", "")
    parts = [
        each for each in spare if (other := each.lower().replace("_", "")) and (folded in other or other in folded)
    ]
    only = spare[0] if len(spare) == len(lacking) == 1 else None
    return nearest(name, spare) or (parts[0] if parts else only)


def declared_types(flow: Flow, inputs: Mapping[str, str]) -> dict[str, str]:
    """The fields that are numbers or booleans, as the inputs say that they are for."""
    fields = {name: field for field, name in inputs.items()}
    declared = flow.document.inputs or {}
    return {
        fields.get(name, name): each.schema["type"]
        for name, each in declared.items()
        if each.schema.get("type") in TYPED
    }
