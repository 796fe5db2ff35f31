"""Values of a settings file that have a type of their own: read, or refused at their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.services import SETTINGS as OF_SERVICES
from flowdsl.settings.mistakes import Mistakes, mistake

if TYPE_CHECKING:
    from flowdsl.settings.files import Settings

_MOST_AT_ONCE = int(OF_SERVICES["concurrency"].maximum or 0)
_IN_QUOTES = re.compile(r"\s*\$?((?:0|[1-9]\d{0,8})(\.\d{1,9})?)\s*")
_YES = frozenset(("true", "yes", "y", "on", "1"))


def flag(settings: Settings | None, name: str) -> bool | None:
    """A setting that is true or false; None when the file does not say.

    Raises:
        UsageError: it is neither.
    """
    value = None if settings is None else settings[1].get(name)
    if settings is None or value is None or isinstance(value, bool):
        return value
    meant = "true" if str(value).lower() in _YES else "false"
    raise mistake(settings[0], (name,), f"{name} must be true or false", f"write `{name} = {meant}`, without quotes")


def count(
    settings: Settings | None, name: str, *, least: int = 0, most: int | None = None, such_as: int = 200
) -> int | None:
    """A setting that is a number from `least` on, up to `most`; None when the file does not say.

    Raises:
        UsageError: it is no such number.
    """
    value = None if settings is None else settings[1].get(name)
    if settings is None or value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and least <= value and (most is None or value <= most):
        return value
    numbers = f"from {least} on" if most is None else f"from {least} to {most}"
    hint = number_hint(name, value, str(such_as), lambda number: least <= number and (most is None or number <= most))
    raise mistake(settings[0], (name,), f"{name} must be a whole number {numbers}", hint)


def concurrency(settings: Settings | None) -> int | None:
    """How many requests a file lets go at the same time; None when it does not say.

    Raises:
        UsageError: it is no such number.
    """
    return count(settings, "concurrency", least=1, most=_MOST_AT_ONCE, such_as=8)


def usd(settings: Settings | None, name: str) -> float | None:
    """A setting that is a sum in USD; None when the file does not say.

    Raises:
        UsageError: it is no such sum.
    """
    value = None if settings is None else settings[1].get(name)
    return None if value is None or settings is None else _usd(settings[0], (name,), value)


def usd_by_name(settings: Settings | None, name: str) -> dict[str, float]:
    """A table of sums in USD; an empty one when the file does not say.

    Raises:
        UsageError: it is no such table; it says everything.
    """
    value = None if settings is None else settings[1].get(name)
    if value is None or settings is None:
        return {}
    if not isinstance(value, Mapping):
        hint = f"write `SERVICE = 5.00` below `[{name}]`"
        raise mistake(settings[0], (name,), f"{name} must be a table of services and sums in USD", hint)
    found, mistakes = {}, Mistakes()
    for key, each in value.items():
        with mistakes.gathered():
            found[key] = _usd(settings[0], (name, key), each)
    mistakes.check()
    return found


def _usd(path: str, keys: tuple[str, ...], value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
        name, hint = ".".join(keys), number_hint(keys[-1], value, "5.00")
        raise mistake(path, keys, f"{name} must be a sum in USD, such as 5.00", hint)
    return float(value)


def number_hint(name: str, value: Any, example: str, fits: Callable[[float], bool] = lambda number: True) -> str:
    """What to write where a number belongs: the one that stands there in quotes, as far as it fits, or an example,
    which has a point where numbers may have one."""
    number = _IN_QUOTES.fullmatch(value) if isinstance(value, str) else None
    if number is not None and ("." in example or not number[2]) and fits(float(number[1])):
        return f"write `{name} = {number[1]}`, without quotes"
    return f"write `{name} = {example}`"


def choice(settings: Settings | None, name: str, choices: Iterable[str]) -> str | None:
    """A setting that is one of some words; None when the file does not say.

    Raises:
        UsageError: it is another.
    """
    value: Any = None if settings is None else settings[1].get(name)
    if settings is None or value is None:
        return None
    if isinstance(value, str) and value in choices:
        return value
    from flowdsl.nearest import nearest

    near = nearest(value, choices) if isinstance(value, str) else None
    hint = f"did you mean `{near}`?" if near else f'write `{name} = "{next(iter(choices))}"`'
    raise mistake(settings[0], (name,), f"{name} is one of {', '.join(choices)}", hint)


def texts(settings: Settings | None, name: str) -> list[str]:
    """A setting that is a list of texts; none when the file does not say.

    Raises:
        UsageError: it is no such list.
    """
    value = [] if settings is None else settings[1].get(name, [])
    if settings is None or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return value
    raise mistake(settings[0], (name,), f"{name} must be a list of texts", f'write `{name} = ["…"]`')
