"""Filters and functions of Pebble in the words of templates of this language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from flowdsl.errors import TemplateError
from flowdsl_steps.expressions import pebble_dates, pebble_lists  # noqa: F401  they bring filters
from flowdsl_steps.expressions import pebble_kinds as kinds
from flowdsl_steps.expressions.pebble_expression import (
    CHOICE,
    EITHER,
    FILTERED,
    JOINED,
    MEMBER,
    Expression,
    quoted,
)
from flowdsl_steps.expressions.pebble_filters import FILTERS
from flowdsl_steps.expressions.pebble_kinds import TEXT, TRUTH, WHOLE, Kind

Said = tuple[str, Kind | None, int]
"""Code, the kind of its value, and how tightly it holds together."""
_PRINTED = ("text", "whole", "truth")


def filtered(value: Expression, name: str, arguments: list[Expression]) -> Said | None:
    """What a filter does to a value; None where no template does the same.

    Raises:
        Mistake: none does, for a reason of its own.
    """
    say = _FILTERS.get(name)
    return (say(value, *arguments) if say is not None else None) or _same(value, name, arguments)


def refusal(value: Expression, name: str) -> tuple[str, str]:
    """What is said of a filter that no template stands for: a message and a hint."""
    if name in _NAMES:
        message = f"the filter `{name}` does another thing to `{value.shown}` here"
    else:
        message = f"the filter `{name}` has no counterpart in a template of this language"
    return message, _INSTEAD.get(name, "write what it gives, or take it out")


_NAMES = frozenset((
    "upper", "lower", "capitalize", "title", "trim", "join", "length", "first", "last", "replace", "split", "reverse",
    "sort", "keys", "values", "string", "abs", "slice", "urlencode",
))  # fmt: skip
"""Filters of Pebble of which this language has one of the same name."""
_INSTEAD = {
    "first": "write `[0]`, where there is always one",
    "last": "write the number of the item, where there is always one: `[1]`",
    "date": "declare an input that is a text, and read that",
}
"""What the document can say in place of a filter."""


def _same(value: Expression, name: str, arguments: list[Expression]) -> Said | None:
    """The filter of the same name, where both do the same to all that the value can be."""
    from flowdsl.template import evaluate

    known = [each.kind.values for each in arguments if each.kind is not None]
    if name not in _NAMES or value.kind is None or not value.kind.values or value.within("null"):
        return None
    if len(known) < len(arguments) or any(each is None or len(each) != 1 for each in known):
        return None
    shown = f"({', '.join(each.code for each in arguments)})" if arguments else ""
    given = []
    for each in value.kind.values:
        try:
            theirs = FILTERS[name].function(each, *(one[0] for one in known if one is not None))
            ours = evaluate(f"{{{{ it | {name}{shown} }}}}", {"it": each})
        except TemplateError:
            return None
        if json.dumps(theirs) != json.dumps(ours):
            return None
        given.append(theirs)
    return f"{value.tight(FILTERED)} | {name}{shown}", kinds.united(map(kinds.constant, given)), FILTERED


def _text(name: str) -> Callable[..., Said | None]:
    """A filter that is the same for every text."""

    def say(value: Expression) -> Said | None:
        return (f"{value.tight(FILTERED)} | {name}", TEXT, FILTERED) if value.within("text") else None

    return say


def _capitalized(value: Expression) -> Said | None:
    if not value.within("text") or (value.kind is not None and value.kind.values is not None):
        return None  # the filter of the same name, where it does the same to all of them
    of = value.tight(MEMBER)
    return f"{of}.slice(0, 1) | upper ~ {of}.slice(1)", TEXT, JOINED


def _joined(value: Expression, separator: Expression | None = None) -> Said | None:
    item = value.kind.item if value.kind is not None else None
    if not value.within("list") or (item is not None and not item.within(*_PRINTED)):
        return None
    if item is None and not (value.kind is not None and value.kind.values == ([],)):
        return None
    shown = f"({separator.code})" if separator is not None else ""
    return f"{value.tight(FILTERED)} | join{shown}", TEXT, FILTERED


def _length(value: Expression) -> Said | None:
    if not value.within("text", "list", "map"):
        return None
    return f"{value.sure().tight(FILTERED)} | length", WHOLE, FILTERED


def _end(name: str) -> Callable[..., Said | None]:
    def say(value: Expression) -> Said | None:
        if value.kind is None or not value.within("list") or not value.kind.values or [] in value.kind.values:
            return None  # of an empty list Pebble gives null
        return f"{value.tight(FILTERED)} | {name}", value.kind.item, FILTERED

    return say


def _split(value: Expression, separator: Expression | None = None) -> Said | None:
    """Only between plain words, of what ends in none of them: empty parts at the end are left out by Pebble alone."""
    words = separator.constant if separator is not None else None
    known = value.kind.values if value.kind is not None else None
    if not words or re.escape(words) != words.replace(" ", r"\ ") or not known or not value.within("text"):
        return None
    if any(each.endswith(words) for each in known):
        return None
    parts = [each.split(words) for each in known]
    kind = kinds.list_of(TEXT)._replace(values=tuple(parts))
    return f"{value.tight(FILTERED)} | split({quoted(words)})", kind, FILTERED


def _replaced(value: Expression, pairs: Expression | None = None) -> Said | None:
    known = pairs.kind.values if pairs is not None and pairs.kind is not None else None
    if not value.within("text") or not known or not isinstance(known[0], Mapping) or not known[0]:
        return None
    if any(not old or not isinstance(new, str) for old, new in known[0].items()):
        return None
    chain = "".join(f" | replace({quoted(old)}, {quoted(new)})" for old, new in known[0].items())
    return f"{value.tight(FILTERED)}{chain}", TEXT, FILTERED


def _part(head: bool, last: bool) -> Callable[..., Said | None]:
    """What stands before or behind a separator."""

    def say(value: Expression, separator: Expression | None = None) -> Said | None:
        words = separator.constant if separator is not None else None
        if not words or not value.within("text"):
            return None
        of, at, whole = value.tight(MEMBER), quoted(words), value.tight(EITHER)
        if head and not last:
            return f"{of}.split({at}) | first", TEXT, FILTERED
        if head:
            return f"{of}.slice(0, {of}.lastIndexOf({at})) if {at} in {whole} else {whole}", TEXT, CHOICE
        if last:
            return f"{of}.split({at}) | last if {at} in {whole} else ''", TEXT, CHOICE
        return f"{of}.slice({of}.indexOf({at}) + {len(words)}) if {at} in {whole} else ''", TEXT, CHOICE

    return say


def _asked(name: str) -> Callable[..., Said | None]:
    def say(value: Expression, part: Expression | None = None) -> Said | None:
        if part is None or not part.within("text") or not value.within("text"):
            return None
        return f"{value.sure().tight(FILTERED)} | {name}({part.sure().code})", TRUTH, FILTERED

    return say


def _keys(value: Expression) -> Said | None:
    """Of a map whose keys are known and no numbers: those stand first here."""
    known = value.kind.members if value.kind is not None else None
    if not value.within("map") or known is None:
        return None
    number = next((key for key in known if re.fullmatch(r"0|[1-9]\d*", key)), None)
    if number is not None:
        raise value.refused(f"`keys` puts whole numbers first here, such as `{number}`", "write the keys as a list")
    return f"{value.tight(FILTERED)} | keys", kinds.list_of(TEXT), FILTERED


def _string(value: Expression) -> Said | None:
    return (f"{value.tight(FILTERED)} | string", TEXT, FILTERED) if value.within(*_PRINTED) else None


def _json(value: Expression) -> Said | None:
    kind = value.kind
    if kind is None or not value.within(*_PRINTED, "list", "map", "null"):
        return None
    return f"{value.tight(FILTERED)} | json", TEXT, FILTERED


_FILTERS: Mapping[str, Callable[..., Said | None]] = {
    **{name: _text(name) for name in ("upper", "lower", "trim")},
    **{name: _end(name) for name in ("first", "last")},
    **{name: _asked(name) for name in ("startsWith", "endsWith")},
    "capitalize": _capitalized,
    "join": _joined,
    "length": _length,
    "split": _split,
    "replace": _replaced,
    "substringBefore": _part(head=True, last=False),
    "substringBeforeLast": _part(head=True, last=True),
    "substringAfter": _part(head=False, last=False),
    "substringAfterLast": _part(head=False, last=True),
    "keys": _keys,
    "string": _string,
    "raw": lambda value: (value.code, value.kind, value.level),
    "toJson": _json,
    "json": _json,
}


def called(name: str, arguments: list[Expression]) -> Said | None:
    """What a function gives; None where no template gives the same."""
    say = _FUNCTIONS.get(name)
    return say(*arguments) if say is not None else None


def _from_json(value: Expression | None = None) -> Said | None:
    known = value.kind.values if value is not None and value.kind is not None else None
    if value is None or not value.within("text"):
        return None
    try:
        kind = kinds.united(kinds.constant(json.loads(each)) for each in known) if known else None
    except (TypeError, ValueError):
        return None
    return f"JSON.parse({value.code})", kind, MEMBER


def _of_iteration(value: Expression | None = None) -> Said | None:
    if value is None:
        return None
    kind = value.kind.member(None) if value.kind is not None else None
    return f"{value.tight(MEMBER)}[flowContext.taskrun.value]", kind, MEMBER


def _range(first: Expression | None = None, last: Expression | None = None, *_: Expression) -> Said | None:
    ends = [each.kind.values[0] for each in (first, last) if each is not None and each.kind and each.kind.values]
    if len(ends) != 2 or _ or not all(isinstance(each, int) for each in ends) or ends[0] > ends[1]:
        return None
    return f"range({ends[0]}, {ends[1] + 1})", kinds.list_of(WHOLE), MEMBER


def _extreme(name: str) -> Callable[..., Said | None]:
    def say(*values: Expression) -> Said | None:
        if len(values) < 2 or not all(value.within("whole") for value in values):
            return None
        return f"Math.{name}({', '.join(value.code for value in values)})", WHOLE, MEMBER

    return say


_FUNCTIONS: Mapping[str, Callable[..., Said | None]] = {
    "fromJson": _from_json,
    "json": _from_json,
    "range": _range,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "currentEachOutput": _of_iteration,
}
