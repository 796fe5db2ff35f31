"""The functions of Pebble and of Kestra that documents use."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import thread_time
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl.template import UNDEFINED, SecretText
from flowdsl.template.chance import choice
from flowdsl.template.limits import DEFAULT_LIMITS, limit_error
from flowdsl_steps.expressions.pebble_filters import Filter
from flowdsl_steps.expressions.pebble_values import counted, kind_of, text_of

_DEEPEST = 100
"""How often `render` renders what it rendered. Source: Kestra's VariableRenderer."""
_LONGEST = 65_536
"""So many characters a text has at most that `render` reads as a template."""
_MOST_SECONDS = DEFAULT_LIMITS.max_seconds
_ENDS_AT: ContextVar[float | None] = ContextVar("render ends at", default=None)
"""The CPU time at which the outermost `render` has taken too long: reading a template is work as well as filling it."""


def secret(read: Callable[[str], Any], name: Any) -> Any:
    """A secret: that of its name, else what `SECRET_NAME` holds in base64, as Kestra's open edition has it.

    `read` gives the secrets of the run.
    Raises:
        TemplateError: there is neither.
    """
    key = text_of(name)
    try:
        return read(key)
    except TemplateError as error:
        if error.code != "secret-not-set":
            raise
        first = error
    variable = f"SECRET_{key.upper()}"
    try:
        encoded = read(variable)
    except TemplateError as error:
        if error.code != "secret-not-set":
            raise
        hint = f"set the environment variable {key}, or {variable} to the secret in base64"
        raise TemplateError(f"cannot find secret for key '{key}'", code=first.code, hint=hint) from None
    try:
        return SecretText(base64.b64decode(str(encoded), validate=True).decode().strip())
    except (binascii.Error, ValueError):
        raise TemplateError(
            f"the environment variable {variable} is not in base64", hint=f"set {key} to the secret as it is"
        ) from None


def kv(stored: Callable[[str], Any], read: Callable[[str], Any], name: Any, namespace: Any, strict: Any) -> Any:
    """A stored value: what the run was given by `--kv` or flowdsl.toml, else the environment variable of that name.

    `stored` gives the values of the run, `read` its secrets: what stands in the environment may be one.
    Raises:
        TemplateError: there is neither, and `strict` is not false.
    """
    key = text_of(name)
    found = stored(key)
    if found is not UNDEFINED:
        return found
    try:
        return read(key)
    except TemplateError as error:
        if error.code != "secret-not-set":
            raise
    if strict is False:
        return None
    where = f" in the namespace '{namespace}'" if namespace else ""
    hint = f"give it with `--kv {key}=…`, or under `[kv]` in flowdsl.toml, or set the environment variable {key}"
    raise TemplateError(f"the key '{key}' does not exist{where}", code="secret-not-set", hint=hint)


def from_json(value: Any) -> Any:
    """The value that a JSON text says.

    Raises:
        TemplateError: it is no JSON.
    """
    import json

    if value is None or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"the text is no JSON: {error}") from None


def now(format: Any, zone: Any) -> str:
    """The moment, as a text."""
    from datetime import UTC, datetime

    from flowdsl_steps.expressions.pebble_dates import date

    return str(date(datetime.now(UTC).isoformat(), format, zone))


def _range(first: Any, last: Any, step: Any) -> list[Any]:
    from flowdsl_steps.expressions import pebble_values

    if step in (None, 1):
        found: list[Any] = counted(first, last)
        return found
    for value in (first, last, step):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TemplateError(f"`range` needs whole numbers, not {kind_of(value)}")
    return [*pebble_values._between(first, last, step)]


def _extreme(name: str, of: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(*values: Any) -> Any:
        found = [value for value in values if value is not None]
        if not found or not (
            all(isinstance(value, str) for value in found) or all(isinstance(value, (int, float)) for value in found)
        ):
            raise TemplateError(f"`{name}` needs numbers, or texts")
        return of(found)

    return extreme


def _uuid() -> str:
    import uuid

    return str(uuid.UUID(int=int("".join(choice("0123456789abcdef") for _ in range(32)), 16), version=4))


def _random(lower: Any, upper: Any) -> int:
    if not isinstance(lower, int) or not isinstance(upper, int) or lower >= upper:
        raise TemplateError("`randomInt` needs two whole numbers, the smaller one first")
    return int(choice(range(lower, upper)))


def rendered(language: Any, once: bool, value: Any, roots: Mapping[str, Any]) -> Any:
    """What a text is when it is rendered in its turn, which a variable with an expression in it needs: `once`, or until
    nothing is left to be rendered.

    `roots` are the names that it can read, `language` is the language.
    Raises:
        TemplateError: it cannot be read, never ends, or takes too long.
    """
    with _in_time():
        return _rendered(language, once, value, roots)


@contextmanager
def _in_time() -> Iterator[None]:
    ends_at = _ENDS_AT.get()
    if ends_at is not None and thread_time() > ends_at:
        raise limit_error("`render` takes too long", f"{_MOST_SECONDS:g} s")
    token = _ENDS_AT.set(thread_time() + _MOST_SECONDS) if ends_at is None else None
    try:
        yield
    finally:
        if token is not None:
            _ENDS_AT.reset(token)


def _rendered(language: Any, once: bool, value: Any, roots: Mapping[str, Any]) -> Any:
    from flowdsl.template import compile, parse
    from flowdsl.template.foreign import ForeignText

    if isinstance(value, Mapping):
        return {key: rendered(language, once, each, roots) for key, each in value.items()}
    if isinstance(value, list):
        return [rendered(language, once, each, roots) for each in value]
    for _ in range(1 if once else _DEEPEST):
        if not isinstance(value, str) or "{" not in value:
            return value
        if len(value) > _LONGEST and ("{{" in value or "{%" in value):
            raise limit_error("`render` is given a text that is too long", f"{_LONGEST:,} characters")
        run = compile(parse(ForeignText(str(value), language)), strict=True, native=True, taint=True)
        found = run(roots["flowContext"], {name: each for name, each in roots.items() if name != "flowContext"})
        if found == value:
            return found
        value = found
        with _in_time():
            pass
    if once:
        return value
    raise TemplateError(f"`render` has not ended after {_DEEPEST} times", hint="the text renders into itself")


FUNCTIONS: Mapping[str, Filter] = {
    "secret": Filter(secret, ("key",), 1),
    "kv": Filter(kv, ("key", "namespace", "errorOnMissing"), 1),
    "render": Filter(rendered, ("expression",), 1),
    "renderOnce": Filter(rendered, ("expression",), 1),
    "fromJson": Filter(from_json, ("json",), 1),
    "json": Filter(from_json, ("json",), 1),
    "now": Filter(now, ("format", "timeZone")),
    "range": Filter(_range, ("start", "end", "increment"), 2),
    "min": Filter(_extreme("min", min), tuple("abcdefgh"), 1),
    "max": Filter(_extreme("max", max), tuple("abcdefgh"), 1),
    "uuid": Filter(_uuid),
    "id": Filter(_uuid),
    "randomInt": Filter(_random, ("lower", "upper"), 2),
    "currentEachOutput": Filter(lambda value: value, ("outputs",), 1),
    "loopOutputs": Filter(lambda value, name: [each["outputs"][name] for each in value], ("outputs", "id"), 2),
}
VARYING = frozenset({"now", "uuid", "id", "randomInt", "render", "renderOnce"})
"""Functions that nobody knows the value of before the run."""
NOT_HERE: Mapping[str, str] = {
    "read": "a file of Kestra's storage cannot be read here: give the text as an input",
    "fileURI": "a namespace has no files here: give the address as an input",
    "env": "write `secret('NAME')`, which reads the environment variable",
    "errorLogs": "Kestra's logs are not here",
    "encrypt": "nothing is encrypted here",
    "decrypt": "nothing is encrypted here",
    "fetchContext": "Kestra's context is not here",
    "tasksWithState": "write `tasks` of one task: `tasks.ID.state`",
}
"""Functions of Kestra that cannot be had here, and what says the same."""
