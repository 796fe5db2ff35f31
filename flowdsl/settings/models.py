"""`[models]` of a settings file: models, prices and days beside those of the catalogue, read into one form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flowdsl.errors import UsageError
from flowdsl.image.own_models import OwnModels

_DAYS = ("released", "shutdown")
_LIFE = (*_DAYS, "replacement")
_LISTS = ("sizes", "qualities", "snapshots")
_RATES = ("text_in", "cached_text_in", "image_in", "cached_image_in", "image_out", "text_out")
_KEYS = ("like", "prices", "rates", *_LISTS, *_LIFE)
_SIZE = re.compile(r"[1-9][0-9]*x[1-9][0-9]*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def own_models(where: str, table: object) -> OwnModels | None:
    """The entries of a table; None when there are none.

    Raises:
        UsageError: one of them says what cannot be.
    """
    if table is None or table == {}:
        return None
    if not isinstance(table, Mapping) or not all(isinstance(entry, Mapping) for entry in table.values()):
        raise UsageError(f'{where}: models must be a table of tables: `[models."a-name"]`')
    entries = {name: _entry(f"{where}: models.{name}", entry) for name, entry in table.items()}
    return OwnModels(where, entries, json.dumps([where, entries], sort_keys=True))


def _entry(where: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    life = {"*": _life(where, {key: entry[key] for key in _LIFE if key in entry})}
    for key, value in entry.items():
        if key not in _KEYS and isinstance(value, Mapping):  # a vendor, with the days that it has the model
            unknown = next((name for name in value if name not in _LIFE), None)
            if unknown is not None:
                raise UsageError(f"{where}.{key}: unknown key `{unknown}`; a vendor has {', '.join(_LIFE)}")
            life[key] = _life(f"{where}.{key}", value)
        elif key not in _KEYS:
            from flowdsl.nearest import nearest

            near = nearest(key, _KEYS)
            hint = f"did you mean `{near}`?" if near else f"a model has {', '.join(_KEYS)}, and tables of vendors"
            raise UsageError(f"{where}: unknown key `{key}`; {hint}")
        elif key == "like":
            found[key] = _text(where, key, value)
        elif key == "prices":
            found[key] = _prices(where, value)
        elif key == "rates":
            found[key] = _rates(where, value)
        elif key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
                raise UsageError(f"{where}: {key} must be a list of texts")
            found[key] = value
    found["life"] = {provider: days for provider, days in life.items() if days}
    return found


def _life(where: str, days: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key, value in days.items():
        if key in _DAYS:
            text = value.isoformat() if hasattr(value, "isoformat") else value
            if not isinstance(text, str) or not _is_day(text):
                raise UsageError(f"{where}: {key} must be a day, such as 2027-01-31, not {value!r}")
            found[key] = text
        else:
            found[key] = _text(where, key, value)
    return found


def _is_day(text: str) -> bool:
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DAY.fullmatch(text) is not None


def _text(where: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where}: {key} must be the name of a model")
    return value


def _prices(where: str, value: object) -> dict[str, dict[str, float]]:
    """A number, or numbers by quality, by size, or by size and then by quality."""
    table = value if isinstance(value, Mapping) else {"*": value}
    if all(_SIZE.fullmatch(key) is None and key != "*" for key in table):
        table = {"*": table}
    found: dict[str, dict[str, float]] = {}
    for size, inner in table.items():
        by_quality = inner if isinstance(inner, Mapping) else {"*": inner}
        if size != "*" and _SIZE.fullmatch(size) is None:
            raise UsageError(f"{where}: prices has `{size}` beside sizes, which is none")
        found[size] = {quality: _usd(where, "prices", usd) for quality, usd in by_quality.items()}
    return found


def _rates(where: str, value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or not set(value) <= set(_RATES):
        raise UsageError(f"{where}: rates has {', '.join(_RATES)}, in USD for a million tokens")
    return {name: _usd(where, "rates", usd) for name, usd in value.items()}


def _usd(where: str, key: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise UsageError(f"{where}: {key} holds {value!r}, which is no sum in USD")
    return float(value)
