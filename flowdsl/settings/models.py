"""`[models]` of a settings file: models, prices and days beside those of the catalogue, read into one form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from flowdsl.image.own_models import OwnModels
from flowdsl.nearest import nearest
from flowdsl.settings.mistakes import Mistakes, mistake
from flowdsl.step.problem import show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowdsl.settings.toml_places import Path

_DAYS = ("released", "shutdown")
_LIFE = (*_DAYS, "replacement")
_LISTS = ("sizes", "qualities", "snapshots")
_RATES = ("text_in", "cached_text_in", "image_in", "cached_image_in", "image_out", "text_out")
_KEYS = ("like", "prices", "rates", *_LISTS, *_LIFE)
_SIZE = re.compile(r"[1-9][0-9]*x[1-9][0-9]*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EXAMPLES = {"sizes": '["1024x1024"]', "qualities": '["low", "high"]', "snapshots": '["a-name-2026-11-20"]'}


def own_models(path: str, table: object) -> OwnModels | None:
    """The entries of a table in the file of this path; None when there are none.

    Raises:
        UsageError: one of them says what cannot be.
    """
    if table is None or table == {}:
        return None
    if not isinstance(table, Mapping):
        raise mistake(path, ("models",), "models must be a table of tables", 'write `[models."a-name"]`')
    entries, mistakes = {}, Mistakes()
    for name, entry in table.items():
        with mistakes.gathered():
            entries[name] = _entry(path, name, entry)
    mistakes.check()
    return OwnModels(path, entries, json.dumps([path, entries], sort_keys=True), mistake)


def _entry(path: str, name: str, entry: Any) -> dict[str, Any]:
    at: Path = ("models", name)
    if not isinstance(entry, Mapping):
        _wrong(path, at, "must be a table", f"write `[models.{json.dumps(name)}]`, and below it what is known of it")
    found: dict[str, Any] = {"file": path}
    life = {"*": _life(path, at, {key: entry[key] for key in _LIFE if key in entry})}
    for key, value in entry.items():
        if key not in _KEYS and isinstance(value, Mapping):  # a vendor, with the days that it has the model
            life[key] = _of_vendor(path, (*at, key), value)
        elif key not in _KEYS:
            _unknown(path, (*at, key), _KEYS, f"a model has {', '.join(_KEYS)}, and tables of vendors")
        elif key == "like":
            found[key] = _text(path, (*at, key), value)
        elif key == "prices":
            found[key] = _prices(path, (*at, key), value)
        elif key == "rates":
            found[key] = _rates(path, (*at, key), value)
        elif key in _LISTS:
            found[key] = _texts(path, (*at, key), value)
    found["life"] = {provider: days for provider, days in life.items() if days}
    return found


def _wrong(path: str, at: Path, said: str, hint: str | None = None, *, of_key: bool = False) -> NoReturn:
    """Raises the mistake of the value, or the key, at a place, which is named in front of what is said of it."""
    raise mistake(path, at, f"{'.'.join(map(str, at))} {said}", hint, of_key=of_key)


def _unknown(path: str, at: Path, known: Iterable[str], otherwise: str) -> NoReturn:
    key, known = str(at[-1]), tuple(known)
    near = nearest(key, known)
    said = f"{'.'.join(map(str, at[:-1]))}: unknown key `{key}`"
    raise mistake(path, at, said, f"did you mean `{near}`?" if near else otherwise, of_key=True)


def _of_vendor(path: str, at: Path, days: Mapping[str, Any]) -> dict[str, str]:
    from flowdsl.services import provider_names

    names = provider_names()
    near = None if at[-1] in names else nearest(str(at[-1]), (*names, *_KEYS))
    if near is not None:  # of others nobody knows whether they are installed elsewhere
        _wrong(path, at, "is no vendor", f"did you mean `{near}`?", of_key=True)
    for key in days:
        if key not in _LIFE:
            _unknown(path, (*at, key), _LIFE, f"a vendor has {', '.join(_LIFE)}")
    return _life(path, at, days)


def _life(path: str, at: Path, days: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key, value in days.items():
        if key in _DAYS:
            text = value.isoformat() if hasattr(value, "isoformat") else value
            if not isinstance(text, str) or not _is_day(text):
                said = f"must be a day, such as 2027-01-31, not {show(value)}"
                _wrong(path, (*at, key), said, f"write `{key} = 2027-01-31`")
            found[key] = text
        else:
            found[key] = _text(path, (*at, key), value)
    if "released" in found and found.get("shutdown", "9") <= found["released"]:
        said = f"is {found['shutdown']}, and the model is released on {found['released']}"
        _wrong(path, (*at, "shutdown"), said, "write the first day without it, which comes later")
    return found


def _is_day(text: str) -> bool:
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DAY.fullmatch(text) is not None


def _text(path: str, at: Path, value: object) -> str:
    if not isinstance(value, str) or not value:
        _wrong(path, at, "must be the name of a model", f'write it in quotes: `{at[-1]} = "gpt-image-2"`')
    return value


def _texts(path: str, at: Path, value: object) -> list[str]:
    key = str(at[-1])
    example = f"write `{key} = {_EXAMPLES[key]}`"
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        _wrong(path, at, "must be a list of texts", example)
    if not value or value == ["auto"]:
        _wrong(path, at, "names none", example)
    for number, item in enumerate(value):
        if key == "sizes" and item != "auto" and _SIZE.fullmatch(item) is None:
            pair = re.fullmatch(r"\s*(\d+)\s*[xX*×]\s*(\d+)\s*", item)
            hint = (
                f'write `"{pair[1]}x{pair[2]}"`' if pair else 'write WIDTHxHEIGHT in pixels, `"1024x1024"`, or `"auto"`'
            )
            _wrong(path, (*at, number), f"is {show(item)}, which is no size", hint)
    return value


def _prices(path: str, at: Path, value: object) -> dict[str, dict[str, float]]:
    """A number, or numbers by quality, by size, or by size and then by quality."""
    whole = isinstance(value, Mapping)
    table: Mapping[str, Any] = value if isinstance(value, Mapping) else {"*": value}
    if not table:
        _wrong(path, at, "names no price", "write `prices = 0.05`")
    if by_quality := all(_SIZE.fullmatch(key) is None and key != "*" for key in table):
        table = {"*": table}
    found: dict[str, dict[str, float]] = {}
    for size, inner in table.items():
        there = (*at, size) if whole and not by_quality else at
        if size != "*" and _SIZE.fullmatch(size) is None:
            said = f"{'.'.join(map(str, at))} has `{size}` beside sizes, which is none"
            hint = "write prices by size, or by quality, or by quality inside of a size"
            raise mistake(path, there, said, hint, of_key=True)
        words = inner if isinstance(inner, Mapping) else {"*": inner}
        found[size] = {
            quality: _usd(path, (*there, quality) if isinstance(inner, Mapping) else there, usd)
            for quality, usd in words.items()
        }
    return found


def _rates(path: str, at: Path, value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or not value:
        _wrong(
            path, at, "must be a table of USD for a million tokens", "write `rates = { text_in = 5, image_out = 30 }`"
        )
    for name in value:
        if name not in _RATES:
            _unknown(path, (*at, name), _RATES, f"rates has {', '.join(_RATES)}")
    return {name: _usd(path, (*at, name), usd) for name, usd in value.items()}


def _usd(path: str, at: Path, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
        _wrong(
            path, at, f"is {show(value)}, which is no sum in USD", "write a number that is not below 0, such as 0.05"
        )
    return float(value)
