"""What a step is, as data: the form of a step class that checking, docs and schemas read.

A `StepSpec` is derived from the step class (`flowdsl.step`), or read from an index that a steps package ships, so that
checking a flow needs neither pydantic nor the code of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from flowdsl.rules import KINDS, UNKNOWN, Check, Limit, Options, Problem, Rule, show

TEMPLATE_MARKS = ("{{", "{%", "{#")


class Verbatim:
    """Marks a field whose text is taken as it stands: no template is looked for in it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Verbatim()"


class Condition:
    """Marks a field that is a condition: an undefined value is false there, not an error."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Condition()"


class Expression:
    """Marks a field that holds a bare expression, without braces; its value is resolved before the step runs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Expression()"


class Deferred:
    """Marks a field that the step itself resolves, as often as it needs: `ctx.evaluate(key, names)`.

    `names` are what its template can read beside the names of every template.
    """

    __slots__ = ("names",)

    def __init__(self, *names: str) -> None:
        self.names = names

    def __repr__(self) -> str:
        return f"Deferred({', '.join(map(repr, self.names))})"


class Port(NamedTuple):
    """An input or output of a step: its type is also the FlowContext key it reads or writes unless the author renames
    it."""

    type: str
    summary: str = ""
    optional: bool = False


class Key(NamedTuple):
    """One key of a step and the constraints on its value.

    `type` is one of text, integer, number, boolean, list, map, any, or one of `BLOCK_TYPES`. Bounds are inclusive.
    `names` are what a deferred template can read beside the names of every template.
    """

    name: str
    type: str = "any"
    summary: str = ""
    field: str = ""
    required: bool = False
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    choices: tuple[Any, ...] = ()
    verbatim: bool = False
    condition: bool = False
    expression: bool = False
    deferred: bool = False
    deprecated: str | None = None
    names: tuple[str, ...] = ()

    def problem(self, value: Any) -> Problem | None:
        """What is wrong with a value (never None or UNKNOWN), or None. Constraint faces of this key live here only."""
        if self.choices:
            return (
                None if any(value == c and type(value) is type(c) for c in self.choices) else self._not_a_choice(value)
            )
        accepts = _TYPES.get(self.type)
        if accepts is not None and not accepts(value):
            return self._wrong_type(value)
        if self.minimum is not None or self.maximum is not None:
            return self._range_problem(value)
        if self.min_length is not None or self.max_length is not None or self.pattern is not None:
            return self._text_problem(value)
        return None

    def constraints(self) -> str:
        """The constraints in the words of the docs: `Range:1-4`, `Length:1-∞`, `Pattern: …`, `One of: …`; empty when
        there are none."""
        parts = []
        if self.choices:
            parts.append("One of: " + ", ".join(str(choice) for choice in self.choices))
        if self.minimum is not None or self.maximum is not None:
            parts.append(f"Range:{_bound(self.minimum, '-∞')}-{_bound(self.maximum, '∞')}")
        if self.pattern is not None:
            parts.append(f"Pattern: {self.pattern}")
        if self.min_length is not None or self.max_length is not None:
            word = _LENGTHS.get(self.type, "Length")
            parts.append(f"{word}:{_bound(self.min_length, '0')}-{_bound(self.max_length, '∞')}")
        return "; ".join(parts)

    def _not_a_choice(self, value: Any) -> Problem:
        from flowdsl.nearest import nearest

        choices = [str(choice) for choice in self.choices]
        near = nearest(str(value), choices)
        return Problem(
            "not-a-choice",
            f"`{self.name}` is {show(value)}, which is not one of {', '.join(choices)}",
            key=self.name,
            hint=f"did you mean `{near}`?" if near else None,
        )

    def _wrong_type(self, value: Any) -> Problem:
        found = type_name(value)
        hint = None
        if isinstance(value, str) and self.type in ("integer", "number", "boolean"):
            hint = "write it without quotes" if _unquoted_fits(value, self.type) else None
            if self.type == "boolean" and value.lower() in ("yes", "no", "on", "off"):
                hint = f"write `{'true' if value.lower() in ('yes', 'on') else 'false'}`"
        elif self.type == "text" and isinstance(value, (bool, int, float)):
            hint = f'quote it: `{self.name}: "{show(value).strip("`")}"`'
        elif self.type == "integer" and isinstance(value, float):
            hint = "write a whole number"
        elif self.type == "list" and not isinstance(value, (list, dict)):
            hint = f"write a list: `{self.name}: [{show(value).strip('`')}]`"
        shown = show(value)
        what = shown if isinstance(value, (Mapping, list)) or value is None else f"the {found} {shown}"
        return Problem(
            "wrong-type", f"`{self.name}` takes {_ARTICLES[self.type]}, not {what}", key=self.name, hint=hint
        )

    def _range_problem(self, value: float) -> Problem | None:
        low, high = self.minimum, self.maximum
        if (low is None or value >= low) and (high is None or value <= high):
            return None
        if low is not None and high is not None:
            wanted = f"from {low:g} to {high:g}"
        else:
            wanted = f"at least {low:g}" if low is not None else f"at most {high:g}"
        near = low if low is not None and value < low else high
        return Problem(
            "out-of-range",
            f"`{self.name}` is {value}, and must be {wanted}",
            key=self.name,
            hint=f"the nearest allowed value is {near:g}",
        )

    def _text_problem(self, value: Any) -> Problem | None:
        length, low, high = len(value), self.min_length, self.max_length
        unit = _UNITS.get(self.type, "character")
        if low is not None and length < low:
            found = "is empty" if not length else f"has {_count(length, unit)}"
            return Problem(
                "wrong-length", f"`{self.name}` {found}, and needs at least {_count(low, unit)}", key=self.name
            )
        if high is not None and length > high:
            return Problem(
                "wrong-length", f"`{self.name}` has {_count(length, unit)}, and takes at most {high}", key=self.name
            )
        if self.pattern is not None:
            import re

            # `$` is the very end, as in JSON Schema; Python's would let a line break through.
            ended = self.pattern.endswith("$") and not self.pattern.endswith("\\$")
            if not re.search(f"{self.pattern[:-1]}\\Z" if ended else self.pattern, value):
                hint = None
                if self.pattern == IDENTIFIER:
                    hint = "use letters, digits and _, and start with a letter or _" + _identifier_hint(value)
                return Problem(
                    "wrong-pattern",
                    f"`{self.name}` is {show(value)}, which does not match {self.pattern}",
                    key=self.name,
                    hint=hint,
                )
        return None


IDENTIFIER = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
"""What a name of a FlowContext key looks like."""


BLOCK_TYPES = frozenset({"steps", "cases", "branches"})
"""Types of keys that hold steps: a list of steps, a map from value to steps, a list of lists of steps."""

SHAPES = ("leaf", "choice", "loop", "try", "parallel", "call", "signal", "block")
"""How the blocks of a step run, for those who follow a flow without running it.

`choice`: one of its blocks, or none. `loop`: its block any number of times. `try`: its parts as TRY has them.
`parallel`: all of them, each on a copy of the FlowContext. `call`: a flow named elsewhere. `signal`: what comes after
it
may not run. `block`: its block once. `leaf`: it has none.
"""


class StepSpec:
    """One step: its keys, the rules between them, what it reads and writes.

    `other_keys` says what other keys are: `forbid` (a mistake) or `variables` (FlowContext keys the step writes).
    `check` is the capability check, or its address `module:function` that is imported when it is first needed.
    `service` names the default service entry, `provider` the protocol it speaks, `environment` the environment
    variables
    that fill settings of the entry (setting → names, the first that is set wins).
    `writes_to` names the key whose value is the FlowContext key of the first output (`outputKey`).
    """

    __slots__ = (
        "_between",
        "_check",
        "_limits",
        "_required",
        "aliases",
        "category",
        "defaults",
        "deprecated_keys",
        "environment",
        "examples",
        "inputs",
        "keys",
        "name",
        "other_keys",
        "outputs",
        "provider",
        "qualname",
        "rules",
        "service",
        "shape",
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
        other_keys: str = "forbid",
        category: str = "Other",
        deprecated_keys: Mapping[str, str] | None = None,
        writes_to: str | None = None,
        examples: tuple[str, ...] = (),
        shape: str = "leaf",
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
        self.other_keys = other_keys
        self.category = category
        self.deprecated_keys = dict(deprecated_keys or {})
        self.writes_to = writes_to
        self.examples = examples
        self.shape = shape
        self.defaults = {key.name: key.default for key in self.keys.values() if key.default is not None}
        """The defaults of the keys that have one."""
        self._required = tuple(key.name for key in self.keys.values() if key.required)
        self._limits = tuple(rule for rule in rules if type(rule) is Limit)
        self._between = tuple(rule for rule in rules if type(rule) is not Limit)

    def capability_check(self) -> Check | None:
        """The capability check, imported on first use."""
        if isinstance(self._check, str):
            from importlib import import_module

            module, _, function = self._check.partition(":")
            self._check = getattr(import_module(module), function)
        return self._check  # type: ignore[return-value]  # the text form was replaced above

    def problems(self, options: Options) -> Iterator[Problem]:
        """Every problem of the options, keys first, then rules, then capabilities; at most one error for each key,
        and no warning or note behind another problem of its key."""
        reported: dict[str, bool] = {}
        for problem in self._all_problems(options):
            is_error = problem.severity == "error"
            before = reported.get(problem.key) if problem.key is not None else None
            if before or (before is not None and not is_error):
                continue
            for key in (problem.key, *problem.covers):
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
        if wrong:  # what is wrong in itself is not judged together with others
            options = options.replaced({**given, **dict.fromkeys(wrong, UNKNOWN)})
        for rule in self._between:
            yield from rule.problems(options)
        check = self.capability_check()
        if check is not None:
            yield from check(options)

    def to_index(self) -> dict[str, Any]:
        """The spec as plain values, for an index that a steps package ships."""
        check = self._check
        if callable(check):
            check = f"{check.__module__}:{check.__qualname__}"
        return {
            "name": self.name,
            "qualname": self.qualname,
            "summary": self.summary,
            "aliases": self.aliases,
            "keys": [
                {k: v for k, v in key._asdict().items() if v != Key._field_defaults.get(k)}
                for key in self.keys.values()
            ],
            "rules": [(type(rule).__name__, *rule.arguments()) for rule in self.rules],
            "inputs": [tuple(port) for port in self.inputs],
            "outputs": [tuple(port) for port in self.outputs],
            "service": self.service,
            "provider": self.provider,
            "environment": self.environment,
            "check": check,
            "other_keys": self.other_keys,
            "category": self.category,
            "deprecated_keys": self.deprecated_keys,
            "writes_to": self.writes_to,
            "examples": self.examples,
            "shape": self.shape,
        }

    @classmethod
    def from_index(cls, entry: Mapping[str, Any]) -> StepSpec:
        """The spec that `to_index` wrote."""
        fields = dict(entry)
        fields["keys"] = {key["name"]: Key(**key) for key in fields["keys"]}
        fields["rules"] = tuple(KINDS[kind](*arguments) for kind, *arguments in fields["rules"])
        fields["inputs"] = tuple(Port(*port) for port in fields["inputs"])
        fields["outputs"] = tuple(Port(*port) for port in fields["outputs"])
        return cls(fields.pop("name"), **fields)


def type_name(value: object) -> str:
    """What a value is, in the words of YAML."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "map"
    return "list" if isinstance(value, (list, tuple)) else "null" if value is None else type(value).__name__


def is_templated(text: str) -> bool:
    """Whether a text holds a template tag."""
    return "{" in text and any(mark in text for mark in TEMPLATE_MARKS)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, (list, tuple)),
    "map": lambda value: isinstance(value, Mapping),
    "steps": lambda value: not isinstance(value, (str, int, float)),
    "cases": lambda value: isinstance(value, Mapping),
    "branches": lambda value: isinstance(value, (list, tuple)),
}
_UNITS = {"list": "item", "map": "key", "cases": "case", "branches": "list"}
_LENGTHS = {"list": "Items", "map": "Property Count", "cases": "Property Count", "branches": "Items"}
_ARTICLES = {
    "text": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "map": "a map",
    "steps": "a list of steps",
    "cases": "a map from value to a list of steps",
    "branches": "a list of lists of steps",
    "any": "a value",
}


def _unquoted_fits(text: str, kind: str) -> bool:
    text = text.strip()
    if kind == "boolean":
        return text in ("true", "false")
    try:
        float(text) if kind == "number" else int(text)
    except ValueError:
        return False
    return True


def _bound(value: float | None, none: str) -> str:
    return none if value is None else f"{value:g}"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _identifier_hint(value: str) -> str:
    import re

    name = re.sub(r"\W+", "_", value, flags=re.ASCII).strip("_")
    name = f"_{name}" if name[:1].isdigit() else name
    return f", for example `{name}`" if name and re.match(IDENTIFIER, name) else ""
