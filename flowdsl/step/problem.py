"""Problems: what is wrong with the options of a step, in words, before it has a place in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.diagnostics import usual_severity
from flowdsl.record import Record

if TYPE_CHECKING:
    from flowdsl.codes import Severity


class Change(Record):
    """Other options that correct a problem: `values` are keys with their new values, None for a key that goes.

    `names` are keys that get another name. See `Fix` for what `safe` is.
    """

    title: str
    values: tuple[tuple[str, Any], ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    safe: bool = False


def use(key: str, value: Any, *, safe: bool = False) -> tuple[Change, ...]:
    """The change that gives a key another value."""
    return (Change(f"write `{key}: {show(value, 200).strip('`')}`", ((key, value),), safe=safe),)


def spelt(name: str, near: str | None) -> tuple[Change, ...]:
    """The change that gives a key inside an option the name it most likely means; none when there is none."""
    return (Change(f"write `{near}`", names=((name, near),)),) if near else ()


def drop(*keys: str) -> tuple[Change, ...]:
    """Changes that remove one of some keys each."""
    return tuple(Change(f"remove `{key}`", ((key, None),)) for key in keys)


class Problem(Record):
    """One mistake in the options of a step.

    `key` is where it is (None: the step as a whole), `inside` leads deeper into its value, `on_key` puts the caret
    under the key and not under the value, `related` names other keys with a word on each, `covers` lists further keys
    that this problem speaks for: no second problem is reported on them. Each of `fixes` corrects it. `severity` is by
    default the one that `codes.py` has for the code, and `error` for a code of your own.
    """

    code: str
    message: str
    key: str | None
    hint: str | None
    severity: Severity
    related: tuple[tuple[str, str], ...]
    covers: tuple[str, ...]
    inside: tuple[str | int, ...]
    on_key: bool
    fixes: tuple[Change, ...]

    def __init__(
        self,
        code: str,
        message: str,
        key: str | None = None,
        hint: str | None = None,
        severity: Severity | None = None,
        related: tuple[tuple[str, str], ...] = (),
        covers: tuple[str, ...] = (),
        inside: tuple[str | int, ...] = (),
        on_key: bool = False,
        fixes: tuple[Change, ...] = (),
    ) -> None:
        found = severity or usual_severity(code)
        super().__init__(code, message, key, hint, found, related, covers, inside, on_key, fixes)


def join_keys(keys: Sequence[str], word: str) -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{key}`" for key in keys]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"


def show(value: object, limit: int = 40) -> str:
    """A value in the words of YAML, shortened: text unchanged, null, true, `a list of 3`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"a map of {len(value)} key{'' if len(value) == 1 else 's'}"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = str(value)
    if type(value) not in (str, int, float):
        from flowdsl.template.taint import Marked

        text = "***" if isinstance(value, Marked) else text
    return f"`{text if len(text) <= limit else text[: limit - 1] + '…'}`"
