"""The functions and methods of Bloblang that are supported: each one function, and one row of a table."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl_steps.expressions.bloblang_values import (
    DELETED,
    TEXTS,
    Failed,
    as_bytes,
    kind,
    member,
    mismatch,
    path_of,
    sized,
    to_text,
)

if TYPE_CHECKING:
    from flowdsl_steps.expressions.bloblang_scope import Scope


class Argument(NamedTuple):
    """An argument of a call: its name, and the types that it may have; every type where none is named."""

    name: str
    kinds: frozenset[str] = frozenset()
    optional: bool = False


class Call(NamedTuple):
    """A function, or a method: its arguments, what it gives, and what makes it.

    Of a method `target` are the types that it works on, and `gives` is None where it gives the type of its target.
    """

    arguments: tuple[Argument, ...]
    run: Callable[..., Any]
    gives: str | None = "unknown"
    target: frozenset[str] = frozenset()
    many: bool = False


_TEXT = frozenset({"string"})
_NAME = Argument("name", _TEXT)


def _content(scope: Scope) -> bytes:
    return scope.message.content


def _json(scope: Scope, path: str = "") -> Any:
    return member(scope.message.structured(), path_of(path))


def _meta(scope: Scope, key: str | None = None) -> Any:
    if key is None:
        return {name: to_text(value) for name, value in scope.message.metadata.items()}
    value = scope.message.metadata.get(key)
    return None if value is None or value == "" else to_text(value)


def _error(scope: Scope) -> str | None:
    return scope.message.error


def _count(scope: Scope, name: str) -> int:
    return scope.count(name)


FUNCTIONS: Mapping[str, Call] = {
    "content": Call((), _content, "bytes"),
    "json": Call((Argument("path", _TEXT, optional=True),), _json),
    "meta": Call((Argument("key", _TEXT, optional=True),), _meta),
    "error": Call((), _error),
    "errored": Call((), lambda scope: scope.message.error is not None, "bool"),
    "count": Call((_NAME,), _count, "number"),
    "uuid_v4": Call((), lambda scope: str(uuid.uuid4()), "string"),
    "deleted": Call((), lambda scope: DELETED, "delete"),
}


def text_of(value: Any, origin: str) -> str | bytes:
    """A text or bytes.

    Raises:
        Failed: it is another thing.
    """
    if not isinstance(value, (str, bytes)):
        raise mismatch("string", value, origin)
    return value


def _changed(change: Callable[..., str]) -> Callable[..., Any]:
    """A method on texts that keeps bytes as bytes."""

    def run(value: Any, origin: str, *arguments: str) -> Any:
        found = text_of(value, origin)
        text = found if isinstance(found, str) else found.decode("utf-8", "surrogateescape")
        made = sized(change(text, *arguments))
        return made if isinstance(found, str) else made.encode("utf-8", "surrogateescape")

    return run


def _each(change: Callable[[str], str]) -> Callable[[str], str]:
    """Letter by letter, as Go does it: one letter stays one."""
    return lambda text: "".join(made if len(made := change(char)) == 1 else char for char in text)


def _trim(text: str, cutset: str | None = None) -> str:
    return text.strip() if cutset is None else text.strip(cutset)


def _replace_all(text: str, old: str, new: str) -> str:
    if old == "" or len(new) > len(old):
        times = len(text) + 1 if old == "" else text.count(old)
        sized(range(len(text) + times * (len(new) - len(old))))
    return text.replace(old, new)


def _encode(value: Any, origin: str, scheme: str) -> str:
    content = as_bytes(text_of(value, origin))
    schemes = {"base64": base64.standard_b64encode, "base64url": base64.urlsafe_b64encode}
    if scheme not in schemes:
        raise Failed(f"unrecognized encoding type: {scheme}")
    return sized(schemes[scheme](content).decode())


_VERB = re.compile(r"%(?P<flags>[-+ 0#]*)(?P<width>\d{0,4})(?:\.(?P<digits>\d{0,3}))?(?P<verb>.)", re.DOTALL)


def _format(value: Any, origin: str, *arguments: Any) -> str:
    """Go's printf, as far as texts and numbers need it."""
    text = text_of(value, origin)
    left = list(arguments)

    def verb(found: re.Match[str]) -> str:
        letter = found["verb"]
        if letter == "%":
            return "%"
        if not left:
            raise Failed(f"the format has more verbs than arguments: {found[0]}")
        return _written(found, letter, left.pop(0))

    made = _VERB.sub(verb, to_text(text))
    if left:
        raise Failed(f"the format has {len(arguments)} arguments, and verbs for {len(arguments) - len(left)}")
    return str(sized(made))


def _written(found: re.Match[str], letter: str, value: Any) -> str:
    digits = None if found["digits"] is None else int(found["digits"] or 0)
    if letter in "vs":
        made = to_text(value) if digits is None else to_text(value)[:digits]
    elif letter == "q" and kind(value) in TEXTS:
        import json

        made = json.dumps(to_text(value), ensure_ascii=False)
    elif letter in "dxX" and isinstance(value, int) and not isinstance(value, bool):
        made = format(value, letter)
    elif letter in "feEg" and kind(value) == "number":
        made = (
            to_text(float(value))
            if letter == "g"
            else format(float(value), f".{6 if digits is None else digits}{letter}")
        )
    elif letter == "t" and isinstance(value, bool):
        made = to_text(value)
    else:
        raise Failed(f"the format has %{letter} for a value of type {kind(value)}")
    flags, width = found["flags"], int(found["width"] or 0)
    if "+" in flags and kind(value) == "number" and not made.startswith("-"):
        made = f"+{made}"
    if "-" in flags:
        return made.ljust(width)
    return made.zfill(width) if "0" in flags and kind(value) == "number" else made.rjust(width)


_OLD, _NEW = Argument("old", _TEXT), Argument("new", _TEXT)
METHODS: Mapping[str, Call] = {
    "uppercase": Call((), _changed(_each(str.upper)), None, TEXTS),
    "lowercase": Call((), _changed(_each(str.lower)), None, TEXTS),
    "trim": Call((Argument("cutset", _TEXT, optional=True),), _changed(_trim), None, TEXTS),
    "replace_all": Call((_OLD, _NEW), _changed(_replace_all), None, TEXTS),
    "encode": Call((Argument("scheme", _TEXT),), _encode, "string", TEXTS),
    "format": Call((), _format, "string", TEXTS, many=True),
    "string": Call((), lambda value, origin: to_text(value), "string"),
}
"""The methods that a failing target passes through; `.or()` and `.catch()` stand beside them."""
RESCUES: Sequence[str] = ("or", "catch")
SUBSET = (
    'supported here: content(), json("a.b"), this.a.b, meta("k"), @k, error(), errored(), count("n"), uuid_v4(), '
    "deleted(), texts, numbers, lists and maps, + == != < <= > >= && || | !, if … { … } else { … }, and the methods "
    '.uppercase() .lowercase() .string() .trim() .or(x) .catch(x) .replace_all(old, new) .format(…) .encode("base64")'
)
"""What is said of anything else."""
