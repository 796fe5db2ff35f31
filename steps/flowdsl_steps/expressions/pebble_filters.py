"""The filters of Pebble and those of Kestra that documents use; null mostly stays null."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_plus, unquote_plus

from flowdsl.errors import TemplateError
from flowdsl.template import UNDEFINED
from flowdsl.template.json_text import stringify
from flowdsl.template.limits import check_size, join_checked
from flowdsl.template.regex import find, matches
from flowdsl.template.regex import replace as replaced
from flowdsl.template.values import Pattern
from flowdsl_steps.expressions.pebble_values import kind_of, text_of


class Filter(NamedTuple):
    """A filter or function: its parameters by name, and how many of them it needs."""

    function: Callable[..., Any]
    parameters: tuple[str, ...] = ()
    required: int = 0


FILTERS: dict[str, Filter] = {}
"""Every filter but `default`, which needs no value."""


def filter_named(name: str, *parameters: str, required: int = 0, takes_null: bool = False) -> Callable[[Any], Any]:
    """Makes a function the filter `name`, with its `parameters` behind the value, of which so many are `required`.
    Without `takes_null`, null stays null."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        def filtered(value: Any, *arguments: Any) -> Any:
            if value is UNDEFINED or any(each is UNDEFINED for each in arguments):
                return UNDEFINED
            return None if value is None and not takes_null else function(value, *arguments)

        FILTERS[name] = Filter(filtered, parameters, required)
        return function

    return keep


def _texts(*names: str) -> None:
    """The filters that change a text and nothing else."""
    for name in names:
        filter_named(name)(_OF_TEXT[name])


def list_in(value: Any, name: str) -> list[Any]:
    """The items that the filter `name` works on.

    Raises:
        TemplateError: the value is no list and no map.
    """
    if isinstance(value, Mapping):
        return [*value.values()]
    if not isinstance(value, list):
        raise TemplateError(f"`{name}` needs a list, not {kind_of(value)}")
    return value


def _number(value: Any, name: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TemplateError(f"`{name}` needs a number, not {kind_of(value)}")
    return value


def whole(value: Any, name: str) -> int:
    """The whole number that the filter `name` needs.

    Raises:
        TemplateError: the value is none.
    """
    found = _number(value, name)
    if int(found) != found:
        raise TemplateError(f"`{name}` needs a whole number, not {found}")
    return int(found)


def _slug(value: Any) -> str:
    text = unicodedata.normalize("NFD", re.sub(r"[\s_]", "-", text_of(value)))
    return re.sub(r"[^\w-]", "", text, flags=re.ASCII).lower()


def _escaped(value: Any) -> str:
    return text_of(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _digest(name: str) -> Callable[[Any], str]:
    return lambda value: hashlib.new(name, text_of(value).encode(), usedforsecurity=False).hexdigest()


def _decoded(value: Any) -> str:
    try:
        return base64.b64decode(text_of(value), validate=True).decode()
    except ValueError:
        raise TemplateError("`base64decode` needs a text in base64") from None


_OF_TEXT: Mapping[str, Callable[[Any], Any]] = {
    "upper": lambda value: text_of(value).upper(),
    "lower": lambda value: text_of(value).lower(),
    "trim": lambda value: text_of(value).strip(),
    "title": lambda value: re.sub(r"(^|\s)(\S)", lambda found: found[1] + found[2].upper(), text_of(value)),
    "capitalize": lambda value: text_of(value)[:1].upper() + text_of(value)[1:],
    "urlencode": lambda value: quote_plus(text_of(value), safe="*-._"),
    "urldecode": lambda value: unquote_plus(text_of(value)),
    "base64encode": lambda value: base64.b64encode(text_of(value).encode()).decode(),
    "base64decode": _decoded,
    "sha256": _digest("sha256"),
    "sha1": _digest("sha1"),
    "sha512": _digest("sha512"),
    "md5": _digest("md5"),
    "slugify": _slug,
    "escape": _escaped,
    "string": text_of,
    "raw": lambda value: value,
}
_texts(*_OF_TEXT)


@filter_named("abs")
def absolute(value: Any) -> Any:
    """A number without its sign."""
    return abs(_number(value, "abs"))


@filter_named("abbreviate", "length", required=1)
def abbreviate(value: Any, length: Any) -> str:
    """A text of at most so many characters, the last of them dots where it was longer."""
    text, most = text_of(value), whole(length, "abbreviate")
    return text if len(text) <= most else text[: max(0, most - 3)] + "..."


@filter_named("length", takes_null=True)
def length(value: Any) -> int:
    """How many characters, items or entries there are; none in null."""
    if value is None:
        return 0
    if isinstance(value, (str, list, Mapping)):
        return len(value)
    raise TemplateError(f"{kind_of(value)} has no length")


@filter_named("join", "separator")
def join(value: Any, separator: Any = "") -> str:
    """The texts of items, with the separator between them."""
    return join_checked(text_of(separator), [text_of(item) for item in list_in(value, "join")])


@filter_named("slice", "fromIndex", "toIndex")
def part(value: Any, start: Any = 0, end: Any = None) -> Any:
    """The items or characters from one place to another, the first place being 0."""
    found = value if isinstance(value, str) else list_in(value, "slice")
    stop = len(found) if end is None else whole(end, "slice")
    return found[max(0, whole(start, "slice")) : max(0, stop)]


@filter_named("split", "delimiter", "limit", required=1)
def split(value: Any, delimiter: Any, limit: Any = 0) -> list[Any]:
    """The parts of a text between what a regular expression finds; empty ones at the end are left out."""
    text, most = text_of(value), whole(limit, "split")
    parts: list[Any] = []
    at = 0
    for found in matches(text, Pattern(text_of(delimiter), "g")):
        if found.end() == 0 or (0 < most <= len(parts) + 1):
            continue
        parts.append(text[at : found.start()])
        at = found.end()
    parts.append(text[at:])
    while most == 0 and len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


@filter_named("replace", "replace_pairs", "regexp", required=1)
def replace(value: Any, pairs: Any, regexp: Any = False) -> str:
    """A text with others in place of some; with `regexp` they are regular expressions."""
    if not isinstance(pairs, Mapping):
        raise TemplateError(f"`replace` needs a map, not {kind_of(pairs)}", hint="write `replace({'old': 'new'})`")
    text = text_of(value)
    for old, new in pairs.items():
        if regexp is True:
            text = replaced(text, Pattern(text_of(old), "g"), text_of(new))
        elif old:
            check_size(len(text) + text.count(text_of(old)) * len(text_of(new)))
            text = text.replace(text_of(old), text_of(new))
    return text


@filter_named("regexMatch", "regex", required=1)
def regex_match(value: Any, regex: Any) -> bool:
    """Whether a regular expression is found in a text."""
    return find(text_of(value), Pattern(text_of(regex), "")) is not None


@filter_named("regexReplace", "regex", "replacement", required=2)
def regex_replace(value: Any, regex: Any, replacement: Any) -> str:
    """A text with another one in place of what a regular expression finds."""
    return replaced(text_of(value), Pattern(text_of(regex), "g"), text_of(replacement))


@filter_named("substringBefore", "separator", required=1)
def before(value: Any, separator: Any) -> str:
    """What stands before the first separator; all where there is none."""
    return text_of(value).partition(_separator(separator))[0]


@filter_named("substringBeforeLast", "separator", required=1)
def before_last(value: Any, separator: Any) -> str:
    """What stands before the last separator; all where there is none."""
    head, found, tail = text_of(value).rpartition(_separator(separator))
    return head if found else tail


@filter_named("substringAfter", "separator", required=1)
def after(value: Any, separator: Any) -> str:
    """What stands behind the first separator; nothing where there is none."""
    return text_of(value).partition(_separator(separator))[2]


@filter_named("substringAfterLast", "separator", required=1)
def after_last(value: Any, separator: Any) -> str:
    """What stands behind the last separator; nothing where there is none."""
    _, found, tail = text_of(value).rpartition(_separator(separator))
    return tail if found else ""


def _separator(value: Any) -> str:
    text = text_of(value)
    if not text:
        raise TemplateError("the separator is empty")
    return text


@filter_named("startsWith", "prefix", required=1)
def starts_with(value: Any, prefix: Any) -> bool:
    """Whether a text begins with another."""
    return text_of(value).startswith(text_of(prefix))


@filter_named("endsWith", "suffix", required=1)
def ends_with(value: Any, suffix: Any) -> bool:
    """Whether a text ends with another."""
    return text_of(value).endswith(text_of(suffix))


@filter_named("number", "type")
def number(value: Any, type: Any = None) -> Any:
    """The number that a text says.

    Raises:
        TemplateError: it says none.
    """
    text = text_of(value).strip()
    is_whole = re.fullmatch(r"[+-]?\d{1,19}", text) is not None
    if is_whole and text_of(type).upper() not in ("FLOAT", "DOUBLE", "BIGDECIMAL"):
        return int(text)
    if re.fullmatch(r"[+-]?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?", text) is None:
        raise TemplateError(f"`number` needs a text that says a number, not `{text[:40]}`")
    return int(float(text)) if text_of(type).upper() in ("INT", "INTEGER", "LONG") else float(text)


@filter_named("numberFormat", "format")
def number_format(value: Any, format: Any = None) -> str:
    """A number by a pattern such as `#,##0.00`."""
    pattern = "#,##0.###" if format is None else text_of(format)
    body = re.search(r"[#0,]*(?:\.([0#]*))?", pattern)
    decimals = (body[1] or "") if body is not None else ""
    shown = f"{_number(value, 'numberFormat'):,.{len(decimals)}f}"
    head, _, fraction = shown.partition(".")
    while fraction and fraction.endswith("0") and len(fraction) > decimals.count("0"):
        fraction = fraction[:-1]
    head = head if "," in pattern else head.replace(",", "")
    return f"{head}.{fraction}" if fraction else head


@filter_named("indent", "amount", "prefix", required=1)
def indent(value: Any, amount: Any, prefix: Any = " ") -> str:
    """A text with blanks before each line but the first."""
    return text_of(value).replace("\n", "\n" + _blanks(amount, prefix))


@filter_named("nindent", "amount", "prefix", required=1)
def nindent(value: Any, amount: Any, prefix: Any = " ") -> str:
    """A text behind a new line, with blanks before each of its lines."""
    return f"\n{_blanks(amount, prefix)}{indent(value, amount, prefix)}"


def _blanks(amount: Any, prefix: Any) -> str:
    count = whole(amount, "indent")
    check_size(count * len(text_of(prefix)))
    return text_of(prefix) * max(0, count)


@filter_named("escapeChar", "type", required=1)
def escape_char(value: Any, type: Any) -> str:
    """A text whose quotes are written with a backslash: `single` or `double`, or both with `shell`."""
    quotes = {"single": "'", "double": '"', "shell": "'\""}.get(text_of(type), "")
    return "".join(f"\\{char}" if char in quotes else char for char in text_of(value))


def _json(value: Any) -> str:
    written = stringify(value)
    return written if isinstance(written, str) else "null"


filter_named("toJson", takes_null=True)(_json)
filter_named("json", takes_null=True)(_json)

OF_OTHERS: Mapping[str, str] = {
    "tojson": "write `toJson`",
    "dump": "write `toJson`",
    "safe": "leave it out: nothing is escaped",
    "round": "write `numberFormat('0')`",
    "default_value": "write `default`",
    "truncate": "write `abbreviate`",
    "count": "write `length`",
    "int": "write `number('INT')`",
    "float": "write `number('FLOAT')`",
    "unique": "write `distinct`",
    "uppercase": "write `upper`",
    "lowercase": "write `lower`",
    "jq": "read a member with `.name` or `['name']`",
}
"""Filters of other systems, or of Kestra and not known here, and what says the same."""
