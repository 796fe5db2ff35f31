"""One key of a step, and the constraints on its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowdsl.record import Record
from flowdsl.step.problem import Change, Problem, show, use

if TYPE_CHECKING:
    import re

TEMPLATE_MARKS = ("{{", "{%", "{#")


class Key(Record):
    """One key of a step and the constraints on its value.

    `type` is one of text, integer, number, boolean, list, map, any, or one of `BLOCK_TYPES`. Bounds are inclusive.
    `names` are what a deferred template can read beside the names of every template. `reads` are the types of what the
    step can work on, when a text of this key can be the FlowContext path that holds it. `secret` marks a setting of a
    service entry whose value is never shown; in a step, a map that may hold keys of a service. `file` says what of a
    file the value becomes, `differs` which of `names` differ from file to file, and `numbers` which two of them count
    the files, see `InFile`. `project_file`: its texts name files of the project that the step reads.
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
    prompt: bool = False
    deprecated: str | None = None
    names: tuple[str, ...] = ()
    secret: bool = False
    reads: tuple[str, ...] = ()
    file: str = ""
    differs: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    project_file: bool = False

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
        """The constraints in the words of the docs, empty without any: `Range:1-4`, `Pattern: …`, `One of: …`."""
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
            fixes=use(self.name, next(choice for choice in self.choices if str(choice) == near)) if near else (),
        )

    @property
    def names_file(self) -> bool:
        """Whether the value is the name of a file that the step writes."""
        return self.file == "name"

    def _wrong_type(self, value: Any) -> Problem:
        hint: str | None = None
        fixes: tuple[Change, ...] = ()
        if isinstance(value, str) and self.type in ("integer", "number", "boolean"):
            if _unquoted_fits(value, self.type):
                hint, fixes = "write it without quotes", use(self.name, _unquoted(value, self.type), safe=True)
            elif self.type != "boolean" and "_" in value and _unquoted_fits(plain := value.replace("_", ""), self.type):
                hint, fixes = f"write {plain}", use(self.name, _unquoted(plain, self.type), safe=True)
            if self.type == "boolean" and value.lower() in ("yes", "no", "on", "off"):
                meant = value.lower() in ("yes", "on")
                hint, fixes = f"write `{show(meant)}`", use(self.name, meant, safe=True)
        elif self.type == "text" and isinstance(value, (bool, int, float)):
            text = show(value).strip("`")
            if self.name == "size" and type(value) is int:
                text = f"{value}x{value}"  # one edge: of a square, as nearly always
                hint, fixes = f'write `{self.name}: "{text}"`', use(self.name, text)
                return self._not_of_type(value, hint, fixes)
            hint, fixes = f'quote it: `{self.name}: "{text}"`', use(self.name, text)
        elif self.type == "cases" and isinstance(value, list):
            hint = f"write each value as a key with its steps: `{self.name}: {{VALUE: [{{step: …}}]}}`"
        elif self.type == "integer" and isinstance(value, float):
            hint = "write a whole number"
        elif self.type == "text" and isinstance(value, Mapping) and set(value) == {"width", "height"}:
            text = f"{value['width']}x{value['height']}"
            if text.replace("x", "", 1).isdigit():
                hint, fixes = f'write `{self.name}: "{text}"`', use(self.name, text)
        if isinstance(value, str) and self.type in ("integer", "number") and value.lower() in _NUMBERS:
            number = _NUMBERS.index(value.lower())
            hint, fixes = f"write `{self.name}: {number}`", use(self.name, number)
        elif isinstance(value, str) and self.type in ("integer", "number") and (time := self._time(value)) is not None:
            hint, fixes = time
        elif self.type == "list" and isinstance(value, str) and value.startswith(_ROOTS) and " " not in value:
            template = f"{{{{ {value} }}}}"
            hint, fixes = f'write `{self.name}: "{template}"`', use(self.name, template)
        elif self.type == "list" and not isinstance(value, (list, dict)):
            from flowdsl.syntax.quoting import written  # only a step with a mistake needs it

            items = [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]
            shown = f"{self.name}: [{', '.join(map(written, items))}]"
            hint, fixes = f"write a list: `{shown}`", (Change(f"write `{shown}`", ((self.name, items),)),)
            if isinstance(value, str) and value.isidentifier():
                hint = f'{hint}, or the variable: `{self.name}: "{{{{ flowContext.{value} }}}}"`'
                fixes = use(self.name, f"{{{{ flowContext.{value} }}}}")
        return self._not_of_type(value, hint, fixes)

    def _time(self, value: str) -> tuple[str, tuple[Change, ...]] | None:
        """What is said of a time that is written with its unit: the number of it, or the nearest that is allowed."""
        from flowdsl.step.durations import counted  # only a step with a mistake needs it

        if (found := counted(value, self.name, self.summary)) is None:
            return None
        number, unit = found
        near = max(number, number if self.minimum is None else self.minimum)
        near = min(near, near if self.maximum is None else self.maximum)
        near = round(near) if self.type == "integer" else near
        nearest = "" if near == number else ", and takes no " + ("less" if near > number else "more")
        return f"write `{self.name}: {near:.15g}`: it counts {unit}{nearest}", use(self.name, near)

    def _not_of_type(self, value: Any, hint: str | None, fixes: tuple[Change, ...]) -> Problem:
        found, shown = type_name(value), show(value)
        what = shown if isinstance(value, (Mapping, list)) or value is None else f"the {found} {shown}"
        message = f"`{self.name}` takes {ARTICLES[self.type]}, not {what}"
        return Problem("wrong-type", message, key=self.name, hint=hint, fixes=fixes)

    def _range_problem(self, value: float) -> Problem | None:
        low, high = self.minimum, self.maximum
        if (low is None or value >= low) and (high is None or value <= high):
            return None
        if low is not None and high is not None:
            wanted = f"from {low:.15g} to {high:.15g}"
        else:
            wanted = f"at least {low:.15g}" if low is not None else f"at most {high:.15g}"
        near = high if high is not None and (low is None or value > high) else low  # NaN is neither below nor above
        hint = f"the nearest allowed value is {near:.15g}"
        thousand = value * 1000
        if self.name.endswith("Ms") and low is not None and value < low <= thousand and (high or thousand) >= thousand:
            near, hint = thousand, f"it counts milliseconds: did you mean {thousand:.15g}?"
        return Problem(
            "out-of-range",
            f"`{self.name}` is {value}, and must be {wanted}",
            key=self.name,
            hint=hint,
            fixes=use(self.name, near),
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
                "wrong-length", f"`{self.name}` has {_count(length, unit)}, and accepts at most {high}", key=self.name
            )
        if self.pattern is not None and not _compiled(self.pattern).search(value):
            hint: str | None = None
            fixes: tuple[Change, ...] = ()
            if self.pattern == IDENTIFIER:
                hint, name = "use letters, digits and _, and start with a letter or _", identifier(value)
                if name:
                    hint, fixes = f"{hint}, for example `{name}`", use(self.name, name)
            elif example := self.summary.partition(", such as ")[2].rstrip("."):
                hint = f"write it as `{self.name}: {example}`"
            return Problem(
                "wrong-pattern",
                f"`{self.name}` is {show(value)}, which does not match {self.pattern}",
                key=self.name,
                hint=hint,
                fixes=fixes,
            )
        return None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern whose `$` is the very end, as in JSON Schema; Python's would let a line break through."""
    import re  # few steps have a key with a pattern

    ended = pattern.endswith("$") and not pattern.endswith("\\$")
    return re.compile(f"{pattern[:-1]}\\Z" if ended else pattern)


IDENTIFIER = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
"""What a name of a FlowContext key looks like."""
CONTEXT_PATH = r"^[A-Za-z_]\w*(\.\w+)*$"
"""What a path into the FlowContext looks like, `selected.title`."""
PLAIN_NAME = r"^[A-Za-z_][\w.-]*$"
"""What an id looks like."""


BLOCK_TYPES = frozenset({"steps", "cases", "branches"})
"""Types of keys that hold steps: a list of steps, a map from value to steps, a list of lists of steps."""


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
    """A whole number; `2.0` is one, as in JSON Schema."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


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
ARTICLES = {
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


_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ROOTS = ("flowContext.", "inputs.", "local.", "imports.")


def _unquoted_fits(text: str, kind: str) -> bool:
    return isinstance(_unquoted(text, kind), _PYTHON[kind])


_PYTHON: dict[str, Any] = {"boolean": bool, "integer": int, "number": (int, float)}


def _bound(value: float | None, none: str) -> str:
    return none if value is None else f"{value:.15g}"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def identifier(value: str) -> str | None:
    """The name that is most like a text, or None; of `{{ flowContext.city }}` it is the last part."""
    import re

    value = re.sub(r"^(\{\{\s*)?(flowContext|inputs)\.", "", value)
    name = re.sub(r"\W+", "_", value, flags=re.ASCII).strip("_")
    name = f"_{name}" if name[:1].isdigit() else name
    return name if name and re.match(IDENTIFIER, name) else None


def plain_name(value: str) -> str | None:
    """The plain name, as of an id, that is most like a text, or None."""
    import re

    name = re.sub(r"[^\w.-]+", "_", value).strip("_")
    name = name if re.match("[A-Za-z]", name) else f"_{name.lstrip('.-')}"
    return name if len(name) > 1 else None


def _unquoted(text: str, kind: str) -> Any:
    """The value of a text without its quotes, by the rules of YAML, where `60_000` is a text."""
    from flowdsl.syntax.core_schema import plain_value  # only a step with a mistake needs it

    value = plain_value(text.strip())
    return None if isinstance(value, bool) and kind != "boolean" else value
