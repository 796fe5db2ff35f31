"""`[tokens]` of a settings file: what the tokens of these names may at most. No token itself stands there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.nearest import nearest
from flowdsl.record import Record
from flowdsl.settings.mistakes import Mistakes, mistake
from flowdsl.settings.values import number_hint

if TYPE_CHECKING:
    from flowdsl.settings.toml_places import Path

_KEYS = ("models", "per_minute", "usd_per_day")
_AT = "tokens"


class SaidToken(Record):
    """What a token may: the models and flows that it is for, how many requests a minute, how much a day. None: what it
    was made for."""

    models: tuple[str, ...] | None = None
    per_minute: int | None = None
    usd_per_day: float | None = None


def said_tokens(path: str, table: object, mistakes: Mistakes) -> dict[str, SaidToken]:
    """The tokens of a table in the file of this path that can be, by name; `mistakes` takes what is wrong with the
    others."""
    if table is None:
        return {}
    if not isinstance(table, Mapping):
        hint = "write `[tokens.NAME]`, and below it what the token of this name may"
        mistakes.add(mistake(path, (_AT,), "tokens must be a table", hint))
        return {}
    found: dict[str, SaidToken] = {}
    for name, said in table.items():
        with mistakes.gathered():
            found[name] = _token(path, name, said)
    return found


def _token(path: str, name: str, said: Any) -> SaidToken:
    at: Path = (_AT, name)
    if not isinstance(said, Mapping):
        hint = (
            f"write `[tokens.{name}]`, and below it {', '.join(_KEYS)}; `flowdsl tokens create {name}` makes the token"
        )
        raise mistake(path, at, f"tokens.{name} must be a table: a token itself stands in no settings file", hint)
    wrong = Mistakes()
    for unknown in (key for key in said if key not in _KEYS):
        near = nearest(unknown, _KEYS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(_KEYS)}"
        hint = f"`flowdsl tokens create {name} --days 90` says how long it is good for" if unknown == "days" else hint
        wrong.add(mistake(path, (*at, unknown), f"tokens.{name}: unknown key `{unknown}`", hint, of_key=True))
    models, rate, money = said.get("models"), said.get("per_minute"), said.get("usd_per_day")
    if models is not None and not (isinstance(models, list) and models and all(_is_name(each) for each in models)):
        hint = 'write `models = ["poster"]`, the names of routes, models and flows'
        wrong.add(mistake(path, (*at, "models"), f"tokens.{name}.models must be a list of names", hint))
    if rate is not None and not (isinstance(rate, int) and not isinstance(rate, bool) and rate > 0):
        hint = number_hint("per_minute", rate, "30", lambda number: number > 0)
        wrong.add(mistake(path, (*at, "per_minute"), f"tokens.{name}.per_minute must be a number from 1 on", hint))
    if money is not None and not (_is_number(money) and 0 < money < float("inf")):
        hint = number_hint("usd_per_day", money, "5.00", lambda number: number > 0)
        wrong.add(mistake(path, (*at, "usd_per_day"), f"tokens.{name}.usd_per_day must be a sum in USD above 0", hint))
    wrong.check()
    return SaidToken(
        models=None if models is None else tuple(models),
        per_minute=rate,
        usd_per_day=None if money is None else float(money),
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
