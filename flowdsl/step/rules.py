"""Rules between keys of one step, as small frozen values with three faces.

`problems(options)` checks, `schema()` says the same in JSON Schema, `describe()` says it to people. A rule speaks about
keys that are present: a key with null is absent, and a default is not present.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.step.problem import Problem, drop, join_keys, show, use

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.step.service import Service


class _Unknown:
    """The value of a key that holds a template: present, but not known before the run."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = _Unknown()
FindFile = Callable[[str], str]
"""Finds the path of a file by the name that a step gives it; raises ConfigError where there is none."""


class Options:
    """The options of one step: what rules and capability checks validate.

    `given` maps each present key, in document order, to its value, or to `UNKNOWN` when a template decides it.
    `defaults` holds the defaults of the step's keys. `service` is the service entry the step would use.
    `reads_text` says whether the FlowContext can hold a `text` here (None: cannot be known). `as_of` is the day that
    life dates are checked against. `project_file` finds a file of the project by the name that the step gives it, and
    raises ConfigError where there is none; it is None where no option names files.
    """

    __slots__ = ("_in_force", "as_of", "defaults", "given", "project_file", "reads_text", "service", "step")

    def __init__(
        self,
        step: str,
        given: Mapping[str, Any],
        defaults: Mapping[str, Any],
        service: Service | None = None,
        as_of: date | None = None,
        reads_text: bool | None = None,
        project_file: FindFile | None = None,
    ) -> None:
        self.step = step
        self.given = given
        self.defaults = defaults
        self.service = service
        self.as_of = as_of
        self.reads_text = reads_text
        self.project_file = project_file
        self._in_force = defaults if service is None else None

    def replaced(self, given: Mapping[str, Any]) -> Options:
        """The same options with other given values."""
        return Options(self.step, given, self.defaults, self.service, self.as_of, self.reads_text, self.project_file)

    def has(self, key: str) -> bool:
        """Whether the key is present and not null."""
        return self.given.get(key) is not None

    def value(self, key: str) -> Any:
        """The value in force: the given one (maybe `UNKNOWN`), else the service's option, else the default."""
        value = self.given.get(key)
        if value is not None:
            return value
        if self._in_force is None:
            self._in_force = self.defaults if self.service is None else self.service.over(self.defaults)
        return self._in_force.get(key)


Check = Callable[[Options], Iterable[Problem]]
"""A capability check of the options of one step, beyond what rules can say, for example against a model catalogue.

It looks at nothing but the options: equal options are checked once. In a step with a service the value of the key that
`writes_to` names is UNKNOWN, so that steps which differ in the name of their output alone are checked once too."""


class Rule:
    """What all rules share: equality by value, and the keys they name."""

    __slots__ = ("keys",)
    keys: tuple[str, ...]

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def arguments(self) -> tuple[Any, ...]:
        """The positional arguments that make this rule again."""
        return self.keys

    def problems(self, options: Options) -> Iterator[Problem]:
        """Each way in which the options break this rule."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """The rule as a JSON Schema (draft 2020-12) for the step's mapping."""
        raise NotImplementedError

    def describe(self) -> str:
        """The rule in the words of the docs."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.arguments()))})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and repr(other) == repr(self)  # 1 is not true here

    def __hash__(self) -> int:
        return hash(repr(self))


class Conflicts(Rule):
    """`Conflicts("style", "output_format")`: the first key goes with none of the others."""

    __slots__ = ()

    def problems(self, options: Options) -> Iterator[Problem]:
        """One problem for each other key that is present, at whichever of the two stands later."""
        key, *others = self.keys
        if not options.has(key):
            return
        order = list(options.given)
        for other in others:
            if options.has(other):
                first, second = sorted((key, other), key=order.index)
                yield Problem(
                    "conflicting-keys",
                    f"`{second}` conflicts with `{first}`",
                    key=second,
                    hint=f"keep one of the two: `{first}` or `{second}`",
                    related=((first, "conflicts with this"),),
                    covers=(first,),
                    on_key=True,
                    fixes=drop(second, first),
                )

    def schema(self) -> dict[str, Any]:
        """`not required` for each pair."""
        key, *others = self.keys
        return {"allOf": [{"not": {"allOf": [_present(key), _present(other)]}} for other in others]}

    def describe(self) -> str:
        """`style` Conflicts: output_format."""
        return f"`{self.keys[0]}` Conflicts: {', '.join(self.keys[1:])}"


class ExclusivePair(Conflicts):
    """`ExclusivePair("items", "start")`: at most one of the two."""

    __slots__ = ()

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first, second)

    def describe(self) -> str:
        """Mutually exclusive: items, start."""
        return f"Mutually exclusive: {', '.join(self.keys)}"


class RequiredWhen(Rule):
    """`RequiredWhen("file", "mode", "upload")`: the first key is required when the second has that value."""

    __slots__ = ("equals",)
    equals: Any

    def __init__(self, key: str, when: str, equals: Any) -> None:
        super().__init__(key, when)
        self.equals = equals

    def arguments(self) -> tuple[Any, ...]:
        """Key, other key, value."""
        return (*self.keys, self.equals)

    def problems(self, options: Options) -> Iterator[Problem]:
        """One problem when the other key has the value and the key is absent."""
        key, when = self.keys
        value = options.given.get(when)
        equal = value == self.equals and isinstance(value, bool) == isinstance(self.equals, bool)
        if equal and value is not None and not options.has(key):
            yield Problem(
                "missing-key",
                f"`{key}` is required when `{when}` is {show(self.equals)}",
                key=when,
                hint=f"add `{key}:`",
                related=(),
                on_key=True,
            )

    def schema(self) -> dict[str, Any]:
        """An if/then over the other key."""
        key, when = self.keys
        return {"if": {"properties": {when: {"const": self.equals}}, "required": [when]}, "then": _present(key)}

    def describe(self) -> str:
        """`file` Required when mode = upload."""
        return f"`{self.keys[0]}` Required when {self.keys[1]} = {self.equals}"


class _Counted(Rule):
    """What rules over a group of keys share."""

    __slots__ = ()

    def _present(self, options: Options) -> list[str]:
        return [key for key, value in options.given.items() if value is not None and key in self.keys]

    def _too_many(self, present: Sequence[str], wanted: str) -> Problem:
        return Problem(
            "conflicting-keys",
            f"{join_keys(present, 'and')} cannot stand together: {wanted}",
            key=present[1],
            hint=f"keep one of {join_keys(self.keys, 'or')}",
            related=tuple((key, "and this") for key in present if key != present[1]),
            covers=tuple(present),
            on_key=True,
            fixes=drop(*present[1:], present[0]) if len(present) == 2 else (),
        )

    def _missing(self, wanted: str) -> Problem:
        return Problem("missing-key", f"{wanted}, and none is here", hint=f"add {join_keys(self.keys, 'or')}")


class ExactlyOne(_Counted):
    """`ExactlyOne("condition", "test")`: one of them, and only one."""

    __slots__ = ()

    def problems(self, options: Options) -> Iterator[Problem]:
        """One problem when none or more than one is present."""
        present = self._present(options)
        wanted = f"exactly one of {join_keys(self.keys, 'or')} is needed"
        if not present:
            yield self._missing(wanted)
        elif len(present) > 1:
            yield self._too_many(present, wanted)

    def schema(self) -> dict[str, Any]:
        """A oneOf over the keys."""
        return {"oneOf": [_present(key) for key in self.keys]}

    def describe(self) -> str:
        """Require Exactly One: condition, test."""
        return f"Require Exactly One: {', '.join(self.keys)}"


class AtLeastOne(_Counted):
    """`AtLeastOne("name", "ref")`: one of them or more."""

    __slots__ = ()

    def problems(self, options: Options) -> Iterator[Problem]:
        """One problem when none is present."""
        if not self._present(options):
            yield self._missing(f"at least one of {join_keys(self.keys, 'or')} is needed")

    def schema(self) -> dict[str, Any]:
        """An anyOf over the keys."""
        return {"anyOf": [_present(key) for key in self.keys]}

    def describe(self) -> str:
        """Require At Least One: name, ref."""
        return f"Require At Least One: {', '.join(self.keys)}"


class AtMostOne(_Counted):
    """`AtMostOne("text", "raw_text", "expression")`: none or one of them."""

    __slots__ = ()

    def problems(self, options: Options) -> Iterator[Problem]:
        """One problem when more than one is present."""
        present = self._present(options)
        if len(present) > 1:
            yield self._too_many(present, f"at most one of {join_keys(self.keys, 'or')} may be given")

    def schema(self) -> dict[str, Any]:
        """No two of them."""
        pairs = [(a, b) for i, a in enumerate(self.keys) for b in self.keys[i + 1 :]]
        return {"allOf": [{"not": {"allOf": [_present(a), _present(b)]}} for a, b in pairs]}

    def describe(self) -> str:
        """At Most One: text, raw_text, expression."""
        return f"At Most One: {', '.join(self.keys)}"


class Together(_Counted):
    """`Together("start", "end")`: all of them or none."""

    __slots__ = ()

    def problems(self, options: Options) -> Iterator[Problem]:
        """One problem when some but not all are present."""
        present = self._present(options)
        missing = [key for key in self.keys if key not in present]
        if present and missing:
            yield Problem(
                "missing-key",
                f"{join_keys(self.keys, 'and')} belong together: {join_keys(missing, 'and')} "
                f"{'is' if len(missing) == 1 else 'are'} missing",
                key=present[0],
                hint=f"add {join_keys(missing, 'and')}, or remove {join_keys(present, 'and')}",
                covers=tuple(present),
                on_key=True,
                fixes=drop(*present) if len(present) == 1 else (),
            )

    def schema(self) -> dict[str, Any]:
        """All of them or none of them."""
        return {
            "anyOf": [
                {"allOf": [_present(key) for key in self.keys]},
                {"not": {"anyOf": [_present(key) for key in self.keys]}},
            ]
        }

    def describe(self) -> str:
        """Require Together: start, end."""
        return f"Require Together: {', '.join(self.keys)}"


class Limit(Rule):
    """`Limit("n", 4, "api")`: the number is at most 4, unless the service entry says `limits: api`."""

    __slots__ = ("maximum", "unless")
    maximum: float
    unless: str

    def __init__(self, key: str, maximum: float, unless: str) -> None:
        super().__init__(key)
        self.maximum = maximum
        self.unless = unless

    def arguments(self) -> tuple[Any, ...]:
        """Key, maximum, the word of the service entry that lifts it."""
        return (*self.keys, self.maximum, self.unless)

    def problems(self, options: Options) -> Iterator[Problem]:
        """One problem when the number is larger and the service does not lift the limit."""
        (key,) = self.keys
        value = options.given.get(key)
        lifted = options.service is not None and options.service.get("limits") == self.unless
        if isinstance(value, (int, float)) and value is not True and value > self.maximum and not lifted:
            yield Problem(
                "out-of-range",
                f"`{key}` is {value}, and the step accepts at most {self.maximum:g}",
                key=key,
                hint=f"use {self.maximum:g} or less; `limits: {self.unless}` on the service entry lifts this",
                fixes=use(key, int(self.maximum) if float(self.maximum).is_integer() else self.maximum),
            )

    def schema(self) -> dict[str, Any]:
        """A maximum on the number."""
        return {"properties": {self.keys[0]: {"anyOf": [{"type": ["string", "null"]}, {"maximum": self.maximum}]}}}

    def describe(self) -> str:
        """`n` Maximum: 4, unless the service says `limits: api`."""
        return f"`{self.keys[0]}` Maximum: {self.maximum:g}, unless the service entry says `limits: {self.unless}`"


def _present(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


KINDS: dict[str, type[Rule]] = {
    kind.__name__: kind
    for kind in (Conflicts, ExclusivePair, RequiredWhen, ExactlyOne, AtLeastOne, AtMostOne, Together, Limit)
}
"""The whole vocabulary, by name."""
