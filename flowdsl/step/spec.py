"""What a step is, as data: the form of a step class that checking, docs and schemas read.

A `StepSpec` is derived from the step class (`flowdsl.step.step`), or read from an index that a steps package ships, so
that checking a flow needs neither pydantic nor the code of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from flowdsl.errors import FlowError, PluginError, in_words
from flowdsl.record import Record
from flowdsl.step.flow_shapes import Assign, FlowShape, Leaf, from_plain, to_plain
from flowdsl.step.key import BLOCK_TYPES, IDENTIFIER, TEMPLATE_MARKS, Key, is_templated, type_name
from flowdsl.step.problem import Problem
from flowdsl.step.rules import KINDS, UNKNOWN, Check, Limit, Options, Rule

__all__ = [
    "BLOCK_TYPES",
    "IDENTIFIER",
    "TEMPLATE_MARKS",
    "Key",
    "Port",
    "StepSpec",
    "is_templated",
    "type_name",
]


class Port(Record):
    """An input or output of a step: its type is also the FlowContext key it reads or writes unless the author renames
    it. `instead` names the keys that stand in for an input: when one is given, the input is not read. `counted_by`
    names the key that says how many items an output has, `needed` says that the step fails without this input."""

    type: str
    summary: str = ""
    optional: bool = False
    instead: tuple[str, ...] = ()
    counted_by: str = ""
    needed: bool = False


LEAF = Leaf()
Entry = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Gives the settings of a service that a step's options hold; what only the run knows of them is UNKNOWN."""


class StepSpec:
    """One step: its keys, the rules between them, what it reads and writes.

    `flow` is what the step means for the flow around it, see `flowdsl.step.flow_shapes`.
    `check` is the capability check, or its address `module:function` that is imported when it is first needed, as is
    `entry`, which gives the settings of a service that stand in the step's own options.
    `service` names the default service entry, `provider` the protocol it speaks, `environment` the environment
    variables that fill settings of the entry (setting → names, the first that is set wins).
    `writes_to` names the key whose value is the FlowContext key of the first output (`outputKey`).
    """

    __slots__ = (
        "_between",
        "_check",
        "_entry",
        "_limits",
        "_required",
        "aliases",
        "always_written",
        "as_written",
        "category",
        "defaults",
        "deprecated_keys",
        "environment",
        "examples",
        "flow",
        "holds_settings",
        "inputs",
        "keys",
        "name",
        "names_files",
        "outputs",
        "provider",
        "qualname",
        "read_plain",
        "reads_files",
        "resolved_late",
        "rules",
        "secrets",
        "service",
        "sets_other_keys",
        "summary",
        "writes_to",
    )

    def __init__(
        self,
        name: str,
        *,
        qualname: str,
        keys: Mapping[str, Key],
        summary: str = "",
        aliases: tuple[str, ...] = (),
        rules: tuple[Rule, ...] = (),
        inputs: tuple[Port, ...] = (),
        outputs: tuple[Port, ...] = (),
        service: str | None = None,
        provider: str | None = None,
        environment: Mapping[str, tuple[str, ...]] | None = None,
        check: Check | str | None = None,
        entry: Entry | str | None = None,
        category: str = "Other",
        deprecated_keys: Mapping[str, str] | None = None,
        writes_to: str | None = None,
        examples: tuple[str, ...] = (),
        flow: FlowShape = LEAF,
    ) -> None:
        self.name = name
        self.qualname = qualname
        self.keys = dict(keys)
        self.summary = summary
        self.aliases = aliases
        self.rules = rules
        self.inputs = inputs
        self.outputs = outputs
        self.service = service
        self.provider = provider
        self.environment = {setting: tuple(names) for setting, names in (environment or {}).items()}
        self._check = check
        self._entry = entry
        self.holds_settings = entry is not None
        """Whether settings of the service stand in the step's options."""
        self.category = category
        self.deprecated_keys = dict(deprecated_keys or {})
        self.writes_to = writes_to
        self.examples = examples
        self.flow = flow
        self.sets_other_keys = isinstance(flow, Assign) and flow.keys == "others"
        """Whether a key that is not among `keys` is a FlowContext key that the step sets; else it is a mistake."""
        self.resolved_late = _resolved_late(self.keys, flow)
        """The options that a step with blocks resolves when it likes, before, between or after them: its shape does not
        say when."""
        self.defaults = {key.name: key.default for key in self.keys.values() if key.default is not None}
        """The defaults of the keys that have one."""
        self.as_written = frozenset(
            key.name for key in self.keys.values() if key.type in BLOCK_TYPES or key.expression or key.verbatim
        )
        """The options whose texts are no templates: steps, bare expressions, texts that stay as they are."""
        self.names_files = tuple((key.name, key) for key in self.keys.values() if key.names_file)
        """The options that name files, with their keys."""
        self.reads_files = any(key.project_file for key in self.keys.values())
        """Whether an option names files of the project that the step reads."""
        self.read_plain = frozenset(
            key.name for key in self.keys.values() if (key.expression or key.reads) and key.type not in BLOCK_TYPES
        )
        """The options that are read from the FlowContext without a template."""
        self.always_written = tuple(port for port in outputs if not port.optional)
        """The outputs that the step has without being asked for them."""
        self.secrets = tuple(key.name for key in self.keys.values() if key.secret)
        """The options that are marked `Secrets`."""
        self._required = tuple(key.name for key in self.keys.values() if key.required)
        self._limits = tuple(rule for rule in rules if type(rule) is Limit)
        self._between = tuple(rule for rule in rules if type(rule) is not Limit)

    def capability_check(self) -> Check | None:
        """The capability check, imported on first use."""
        if isinstance(self._check, str):
            self._check = cast("Check", _named(self._check))
        return self._check

    def own_settings(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings of the service that stand in the step's options, as far as they are known."""
        if isinstance(self._entry, str):
            self._entry = cast("Entry", _named(self._entry))
        return {} if self._entry is None else self._entry(given)

    def problems(self, options: Options) -> Iterator[Problem]:
        """Every problem of the options, keys first, then rules, then capabilities; at most one error for each key,
        and no warning or note behind another problem of its key."""
        reported: dict[str, bool] = {}
        for problem in self._all_problems(options):
            is_error = problem.severity == "error"
            place = problem.key
            if problem.inside and self._entry is not None:  # the settings of a service are keys of their own
                place = f"{place} {problem.inside}"
            before = reported.get(place) if place is not None else None
            if before or (before is not None and not is_error):
                continue
            for key in (place, *problem.covers):
                if key is not None:
                    reported[key] = reported.get(key, False) or is_error
            yield problem

    def _all_problems(self, options: Options) -> Iterator[Problem]:
        given, keys = options.given, self.keys
        wrong = []
        for limit in self._limits:
            yield from limit.problems(options)
        for name, value in given.items():
            if value is None or value is UNKNOWN:
                continue
            key = keys.get(name)
            if key is not None and (problem := key.problem(value)) is not None:
                wrong.append(name)
                yield problem
        for name in self._required:
            if given.get(name) is None:
                yield Problem("missing-key", f"{self.name} needs `{name}`", key=name, hint=f"add `{name}:`")
        if wrong:  # what is wrong in itself is not checked together with others
            options = options.replaced({**given, **dict.fromkeys(wrong, UNKNOWN)})
        for rule in self._between:
            yield from rule.problems(options)
        check = self.capability_check()
        if check is not None:
            yield from self._checked(check, options)

    def _checked(self, check: Check, options: Options) -> list[Problem]:
        """What a capability check finds: the edge to its code, which may be a plugin's.

        Raises:
            PluginError: it fails, or gives something else than problems.
        """
        try:
            found = list(check(options))
        except FlowError:
            raise
        except Exception as error:
            raise PluginError(f"the check of {self.name} ({self.qualname}) failed: {in_words(error)}") from error
        for each in found:
            if not isinstance(each, Problem):
                kind = type(each).__name__
                raise PluginError(f"the check of {self.name} ({self.qualname}) gave a {kind}, and not a Problem")
        return found

    def to_index(self) -> dict[str, Any]:
        """The spec as plain values, for an index that a steps package ships."""
        check, entry = self._check, self._entry
        if callable(check):
            check = f"{check.__module__}:{check.__qualname__}"
        if callable(entry):
            entry = f"{entry.__module__}:{entry.__qualname__}"
        return {
            "name": self.name,
            "qualname": self.qualname,
            "summary": self.summary,
            "aliases": self.aliases,
            "keys": [
                {k: v for k, v in key._asdict().items() if v != Key._defaults.get(k)} for key in self.keys.values()
            ],
            "rules": [(type(rule).__name__, *rule.arguments()) for rule in self.rules],
            "inputs": [tuple(port._asdict().values()) for port in self.inputs],
            "outputs": [tuple(port._asdict().values()) for port in self.outputs],
            "service": self.service,
            "provider": self.provider,
            "environment": self.environment,
            "check": check,
            **({} if entry is None else {"entry": entry}),
            "category": self.category,
            "deprecated_keys": self.deprecated_keys,
            "writes_to": self.writes_to,
            "examples": self.examples,
            "flow": to_plain(self.flow),
        }

    @classmethod
    def from_index(cls, entry: Mapping[str, Any]) -> StepSpec:
        """The spec that `to_index` wrote."""
        fields = dict(entry)
        fields["keys"] = {key["name"]: Key(**key) for key in fields["keys"]}
        fields["rules"] = tuple(KINDS[kind](*arguments) for kind, *arguments in fields["rules"])
        fields["inputs"] = tuple(Port(*port) for port in fields["inputs"])
        fields["outputs"] = tuple(Port(*port) for port in fields["outputs"])
        fields["flow"] = from_plain(fields["flow"])
        return cls(fields.pop("name"), **fields)


def _named(address: str) -> object:
    """What an address `module:name` names."""
    from importlib import import_module

    module, _, name = address.partition(":")
    return getattr(import_module(module), name)


def _resolved_late(keys: Mapping[str, Key], flow: FlowShape) -> tuple[str, ...]:
    named = {use.key for use in flow.uses()}
    if not any(keys[name].type in BLOCK_TYPES for name in named if name in keys):
        return ()
    return tuple(key.name for key in keys.values() if key.deferred and key.name not in named)
