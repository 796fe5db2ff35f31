"""What filters, functions and methods of templates give, and what members values have: tables of result types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flowdsl.checker.types.kinds import (
    ALL,
    ANY,
    ANY_LIST,
    BOOLEAN,
    ERROR,
    ERROR_KEYS,
    FUNCTION,
    IMAGE,
    IMAGE_KEYS,
    INTEGER,
    LIST,
    MAP,
    NULL,
    NUMBER,
    OF_BOOLEAN,
    OF_FUNCTION,
    OF_INTEGER,
    OF_NUMBER,
    OF_TEXT,
    OF_UNDEFINED,
    OPEN_MAP,
    OTHER,
    SECRET,
    TEXT,
    TEXT_LIST,
    UNDEFINED,
    Type,
    join,
    list_of,
    plain,
    with_secret,
    without,
)

Result = Type | Callable[[Type], Type]


def item_of(type: Type) -> Type:
    """What an item of a list, or a character of a text, is."""
    if type.is_any:
        return ANY
    found = type.item if type.kinds & LIST else None
    if found is None or not found.kinds & ALL:
        return OF_TEXT if type.kinds & TEXT else ANY
    return join(found, OF_TEXT) if type.kinds & TEXT else found


def _items(type: Type) -> Type:
    return list_of(item_of(type))


def _rows(type: Type) -> Type:
    return list_of(list_of(item_of(type)))


def _replaced(type: Type) -> Type:
    return join(without(type, INTEGER | NUMBER), OF_TEXT) if type.kinds & (INTEGER | NUMBER) else type


def _split(type: Type) -> Type:
    return _items(type) if type.kinds & LIST else TEXT_LIST


def _reversed(type: Type) -> Type:
    return OF_TEXT if type.kinds & ALL == TEXT else plain(TEXT | LIST) if type.kinds & TEXT else _items(type)


def _sum(type: Type) -> Type:
    adds = BOOLEAN | INTEGER | NUMBER | NULL | UNDEFINED
    return plain(TEXT | INTEGER | NUMBER) if item_of(type).kinds & ALL & ~adds else OF_NUMBER


GIVES: Final[dict[str, Result]] = {
    "any": ANY,
    "boolean": OF_BOOLEAN,
    "integer": OF_INTEGER,
    "item": item_of,
    "items": _items,
    "json": OF_TEXT,
    "list": ANY_LIST,
    "map": OPEN_MAP,
    "number": OF_NUMBER,
    "replaced": _replaced,
    "reversed": _reversed,
    "rows": _rows,
    "split": _split,
    "sum": _sum,
    "text": OF_TEXT,
    "texts": TEXT_LIST,
    "words": plain(INTEGER | NULL),
}
"""What the record of a filter says it gives, as a type, or as a function of the type of its value."""

TAKES: Final = {
    "a list, text or map": LIST | TEXT | MAP | IMAGE | ERROR | NULL | UNDEFINED | OTHER,
    "a map": MAP | IMAGE | ERROR | OTHER,
}
"""What the record of a filter says it takes, as kinds."""

ANNOTATED: Final = {
    "a text": TEXT,
    "a boolean": BOOLEAN,
    "a whole number": INTEGER | NUMBER,
    "a number": INTEGER | NUMBER,
    "a list": LIST,
    "a map": MAP | IMAGE | ERROR | OTHER,
    "null": NULL | UNDEFINED,
}
"""What the annotation of a host's filter says it takes, as kinds."""

_TEXT_METHODS: Final[dict[str, Type]] = {
    **dict.fromkeys(
        (
            "charAt",
            "concat",
            "padEnd",
            "padStart",
            "repeat",
            "replace",
            "replaceAll",
            "slice",
            "substr",
            "substring",
            "toLowerCase",
            "toString",
            "toUpperCase",
            "trim",
            "trimEnd",
            "trimStart",
        ),
        OF_TEXT,
    ),
    **dict.fromkeys(("endsWith", "includes", "startsWith"), OF_BOOLEAN),
    **dict.fromkeys(("indexOf", "lastIndexOf"), OF_INTEGER),
    "at": OF_TEXT,
    "match": ANY,
    "split": TEXT_LIST,
}
_LIST_METHODS: Final[dict[str, Result]] = {
    **dict.fromkeys(("concat", "flat"), ANY_LIST),
    **dict.fromkeys(("indexOf", "lastIndexOf"), OF_INTEGER),
    **dict.fromkeys(("join", "toString"), OF_TEXT),
    "at": item_of,
    "includes": OF_BOOLEAN,
    "slice": _items,
}
_NUMBER_METHODS: Final[dict[str, Type]] = {"toFixed": OF_TEXT, "toString": OF_TEXT}

CALLS: Final[dict[tuple[str, ...], Type]] = {
    ("range",): list_of(OF_NUMBER),
    ("secret",): with_secret(OF_TEXT),
    ("JSON", "stringify"): ANY,
    ("Object", "keys"): TEXT_LIST,
    ("Object", "values"): ANY_LIST,
    ("Object", "entries"): ANY_LIST,
    **{("Math", name): OF_NUMBER for name in ("abs", "ceil", "floor", "max", "min", "round")},
}
"""What the functions every template has give."""


def _concatenated(target: Type, arguments: list[Type]) -> Type:
    item = target.item or ANY
    for argument in arguments:
        one = join(item, without(argument, LIST)) if argument.kinds & ALL & ~LIST else item
        item = join(one, argument.item) if argument.item is not None else one
    return list_of(item)


def method_result(target: Type, name: str, arguments: list[Type]) -> Type:
    """The type of what the method `name` of a value of type `target` gives for arguments of these types."""
    kinds = target.kinds & ALL
    found: Result = ANY
    if kinds == LIST and name == "concat":
        found = _concatenated(target, arguments)
    elif kinds == TEXT:
        found = _TEXT_METHODS.get(name, ANY)
    elif kinds == LIST:
        found = _LIST_METHODS.get(name, ANY)
    elif kinds and not kinds & ~(INTEGER | NUMBER):
        found = _NUMBER_METHODS.get(name, ANY)
    result = found if isinstance(found, Type) else found(target)
    return with_secret(result) if target.kinds & SECRET else result


def member(type: Type, key: str | None) -> Type:
    """The type of a member; None is a key that is not known. Its kinds hold UNDEFINED when a value may not have it.

    An index past the end of a list, or a key an image may lack, is not thought of.
    """
    if type.is_any:
        return type
    secret = type.kinds & SECRET
    found: Type | None = None
    kind = 1
    kinds = type.kinds & ALL
    while kind <= kinds:
        if kinds & kind:
            one = _member(type, kind, key)
            found = one if found is None else join(found, one)
        kind <<= 1
    result = found or ANY
    return with_secret(result) if secret and kinds & TEXT else result


def may_lack(type: Type, key: str | None) -> bool:
    """Whether a value of one of several kinds does not have a member, though of another it may be anything."""
    kinds = type.kinds & ALL
    return any(
        kinds & kind and kind != UNDEFINED and _member(type, kind, key).kinds & ALL == UNDEFINED
        for kind in (1 << bit for bit in range(12))
    )


def _member(type: Type, kind: int, key: str | None) -> Type:
    if kind in (UNDEFINED, NULL):
        return OF_UNDEFINED
    if kind == OTHER:
        return ANY
    if kind in (LIST, TEXT):
        return _indexed(type, kind, key)
    if kind == MAP:
        keys = type.keys or {}
        if key is None:
            return ANY
        return keys.get(key) or (ANY if type.open else OF_UNDEFINED)
    if key is None:
        return ANY
    if kind in (IMAGE, ERROR):
        return ANY if key in (IMAGE_KEYS if kind == IMAGE else ERROR_KEYS) else OF_UNDEFINED
    methods = () if kind == FUNCTION else ("toString",) if kind == BOOLEAN else _NUMBER_METHODS
    return OF_FUNCTION if key in methods else OF_UNDEFINED


def _indexed(type: Type, kind: int, key: str | None) -> Type:
    item = OF_TEXT if kind == TEXT else type.item or ANY
    if not item.kinds & ALL:
        item = OF_UNDEFINED if type.fixed is not None else ANY
    if key is None:
        return item if kind == LIST else ANY
    if key.isdigit() and key.isascii():
        if kind == LIST and type.fixed is not None:
            return type.fixed[int(key)] if int(key) < len(type.fixed) else OF_UNDEFINED
        return item
    if key == "length":
        return OF_INTEGER
    return OF_FUNCTION if key in (_LIST_METHODS if kind == LIST else _TEXT_METHODS) else OF_UNDEFINED


def member_names(type: Type) -> list[str]:
    """The members a value is known to have."""
    names: list[str] = []
    for kind, keys in (
        (MAP, type.keys or ()),
        (IMAGE, IMAGE_KEYS),
        (ERROR, ERROR_KEYS),
        (LIST, ("length", *_LIST_METHODS)),
        (TEXT, ("length", *_TEXT_METHODS)),
    ):
        if type.kinds & kind:
            names += sorted(keys) if kind != MAP else list(keys)
    return names
