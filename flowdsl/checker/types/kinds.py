"""Abstract values: what the checker knows of a value before the run.

A type is a set of kinds, with what the items of its lists and the keys of its maps are. The kinds of a union are
simply more bits, so joining two types is cheap and has one result.
"""

from __future__ import annotations

from typing import Any, Final

UNDEFINED: Final = 1
NULL: Final = 2
BOOLEAN: Final = 4
INTEGER: Final = 8
NUMBER: Final = 16
TEXT: Final = 32
LIST: Final = 64
MAP: Final = 128
IMAGE: Final = 256
ERROR: Final = 512
FUNCTION: Final = 1024
OTHER: Final = 2048
ALL: Final = 4095
SECRET: Final = 4096
"""Not a kind: the value may hold a secret."""

NUMERIC: Final = INTEGER | NUMBER
SCALAR: Final = BOOLEAN | INTEGER | NUMBER | TEXT
MAX_DEPTH: Final = 5
"""Types are followed so deep; below everything is any."""
MAX_FIXED: Final = 16

_WORDS: Final = {
    UNDEFINED: "undefined",
    NULL: "null",
    BOOLEAN: "a boolean",
    INTEGER: "a whole number",
    NUMBER: "a number",
    TEXT: "a text",
    LIST: "a list",
    MAP: "a map",
    IMAGE: "an image",
    ERROR: "an error",
    FUNCTION: "a function",
    OTHER: "a blob",
}


class Type:
    """A set of kinds; `item` is what lists hold, `fixed` the items one by one where they are known, `keys` what maps
    have, and `open` whether maps may have more."""

    __slots__ = ("depth", "fixed", "item", "keys", "kinds", "open")

    def __init__(
        self,
        kinds: int,
        item: Type | None = None,
        keys: dict[str, Type] | None = None,
        open: bool = False,
        fixed: tuple[Type, ...] | None = None,
    ) -> None:
        self.kinds = kinds
        self.item = item
        self.keys = keys
        self.open = open
        self.fixed = fixed
        below: int = item.depth if item is not None else 0
        if keys:
            below = max(below, *[value.depth for value in keys.values()])
        self.depth: int = below + 1 if item is not None or keys else 0

    @property
    def is_any(self) -> bool:
        """Whether nothing is known of it."""
        return self.kinds & ALL == ALL

    def __repr__(self) -> str:
        return f"Type({describe(self)})"


ANY: Final = Type(ALL, open=True)
ANY_SECRET: Final = Type(ALL | SECRET, open=True)
_PLAIN: Final = {kind: Type(kind) for kind in (1, 2, 4, 8, 16, 32, 512, 1024, 2048, INTEGER | NUMBER, TEXT | SECRET)}
OF_UNDEFINED: Final = _PLAIN[UNDEFINED]
OF_NULL: Final = _PLAIN[NULL]
OF_BOOLEAN: Final = _PLAIN[BOOLEAN]
OF_INTEGER: Final = _PLAIN[INTEGER]
OF_NUMBER: Final = _PLAIN[INTEGER | NUMBER]
OF_TEXT: Final = _PLAIN[TEXT]
OF_FUNCTION: Final = _PLAIN[FUNCTION]
OF_ERROR: Final = _PLAIN[ERROR]
OF_IMAGE: Final = Type(IMAGE)
OPEN_MAP: Final = Type(MAP, keys={}, open=True)
ANY_LIST: Final = Type(LIST, item=ANY)
TEXT_LIST: Final = Type(LIST, item=OF_TEXT)
IMAGE_LIST: Final = Type(LIST, item=OF_IMAGE)

IMAGE_KEYS: Final = frozenset(
    ("url", "b64_json", "path", "mime", "width", "height", "bytes", "sha256", "revised_prompt", "url_expires_at")
)
ERROR_KEYS: Final = frozenset(("message", "name", "step", "code", "status", "retryable", "charge_possible", "images"))
PORT_TYPES: Final = {"text": OF_TEXT, "list": ANY_LIST, "imageList": IMAGE_LIST, "image": OF_IMAGE, "error": OF_ERROR}
"""What outputs of these types are; an `object` is whatever JSON can be, a `blob` whatever bytes came as."""


def plain(kinds: int) -> Type:
    """The type of `kinds` (bits) of whose items and keys nothing is known; the same object for the same bits."""
    found = _PLAIN.get(kinds)
    if found is None:
        if kinds & ALL == ALL:
            return ANY_SECRET if kinds & SECRET else ANY
        item = ANY if kinds & LIST else None
        found = Type(kinds, item, {} if kinds & MAP else None, open=True)
        if len(_PLAIN) < 256:
            _PLAIN[kinds] = found
    return found


def list_of(item: Type, fixed: tuple[Type, ...] | None = None) -> Type:
    """The type of lists of items; `fixed` are the types one by one, where the list is known and not long."""
    if item.depth >= MAX_DEPTH:
        item, fixed = ANY, None
    if fixed is not None and len(fixed) > MAX_FIXED:
        fixed = None
    return Type(LIST | (item.kinds & SECRET), item, fixed=fixed)


def map_of(keys: dict[str, Type], open: bool = False) -> Type:
    """The type of maps with these keys, and with `open` any others; nested too deep, that of any map."""
    secret = 0
    for value in keys.values():
        secret |= value.kinds & SECRET
    found = Type(MAP | secret, keys=keys, open=open)
    return found if found.depth <= MAX_DEPTH else Type(MAP | secret, keys={}, open=True)


def join(a: Type, b: Type) -> Type:
    """The type of what is one or the other."""
    if a is b:
        return a
    kinds = a.kinds | b.kinds
    if kinds & ALL == ALL:
        return ANY_SECRET if kinds & SECRET else ANY
    if not kinds & (LIST | MAP):
        return plain(kinds)
    if kinds == a.kinds and within(b, a):
        return a
    if kinds == b.kinds and within(a, b):
        return b
    item = a.item if b.item is None else b.item if a.item is None else join(a.item, b.item)
    keys, open_ = _joined_keys(a, b)
    return Type(kinds, item, keys, open_)


def _joined_keys(a: Type, b: Type) -> tuple[dict[str, Type] | None, bool]:
    if a.keys is None or b.keys is None:
        return (b.keys, b.open) if a.keys is None else (a.keys, a.open)
    keys = {}
    for name in (*a.keys, *(name for name in b.keys if name not in a.keys)):
        left = a.keys.get(name) or (ANY if a.open else OF_UNDEFINED)
        right = b.keys.get(name) or (ANY if b.open else OF_UNDEFINED)
        keys[name] = join(left, right)
    return keys, a.open or b.open


def within(a: Type, b: Type) -> bool:
    """Whether everything of type `a` is of type `b`; may say no when it is."""
    if a is b or b.is_any:
        return True
    if a.kinds & ~b.kinds:
        return False
    if a.item is not None and (b.item is None or not within(a.item, b.item)):
        return False
    if b.fixed is not None and a.kinds & LIST and not _same_fixed(a, b):
        return False
    if a.keys is None or b.keys is None:
        return a.keys is None
    if a.open and not b.open:
        return False
    for name, value in b.keys.items():
        own = a.keys.get(name)
        if own is None:
            own = ANY if a.open else OF_UNDEFINED
        if not within(own, value):
            return False
    return b.open or all(name in b.keys for name in a.keys)


def _same_fixed(a: Type, b: Type) -> bool:
    if a.fixed is None or b.fixed is None or len(a.fixed) != len(b.fixed):
        return False
    return all(within(x, y) for x, y in zip(a.fixed, b.fixed, strict=True))


def without(type: Type, kinds: int) -> Type:
    """The type less `kinds` (bits); any stays any."""
    if not type.kinds & kinds or type.is_any:
        return type
    left = type.kinds & ~kinds
    return Type(left, type.item, type.keys, type.open, type.fixed) if left & (LIST | MAP) else plain(left)


def only(type: Type, kinds: int) -> Type:
    """The type as far as it is of `kinds` (bits), secret or not; unchanged when it is of none of them."""
    left = type.kinds & (kinds | SECRET)
    if left == type.kinds or not left & ALL:
        return type
    if type.is_any:
        return plain(left)
    return Type(left, type.item, type.keys, type.open, type.fixed)


def with_secret(type: Type) -> Type:
    """The type of the value when a secret is in it."""
    if type.kinds & SECRET:
        return type
    if type.is_any:
        return ANY_SECRET
    kinds = type.kinds | SECRET
    return (
        plain(kinds)
        if type.item is None and type.keys is None
        else Type(kinds, type.item, type.keys, type.open, type.fixed)
    )


def of_value(value: Any) -> Type:
    """The type of a value of JSON; of any other, any value."""
    if isinstance(value, str):
        return OF_TEXT
    if value is None:
        return OF_NULL
    if isinstance(value, bool):
        return OF_BOOLEAN
    if isinstance(value, int):
        return OF_INTEGER
    if isinstance(value, float):
        return OF_NUMBER
    if isinstance(value, list):
        return joined_list([of_value(item) for item in value])
    if isinstance(value, dict):
        return map_of({str(key): of_value(item) for key, item in value.items()})
    return ANY


def joined_list(items: list[Type]) -> Type:
    """The type of a list with these items."""
    if not items:
        return list_of(plain(0), ())
    item = items[0]
    for other in items[1:]:
        item = join(item, other)
    return list_of(item, tuple(items))


def describe(type: Type) -> str:
    """A type in words: `a text`, `a list or null`."""
    if type.is_any:
        return "any value"
    kinds = type.kinds & ALL
    if kinds & NUMBER:
        kinds &= ~INTEGER
    words = [word for kind, word in _WORDS.items() if kinds & kind and kind not in (UNDEFINED, NULL)]
    words += [_WORDS[kind] for kind in (NULL, UNDEFINED) if kinds & kind]
    return " or ".join(words) or "nothing"
