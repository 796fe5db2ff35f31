"""Dates as Pebble's `date`, `dateAdd` and `timestamp` take them: ISO texts in, Java's patterns out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from flowdsl.errors import TemplateError
from flowdsl_steps.expressions.pebble_filters import filter_named
from flowdsl_steps.expressions.pebble_values import text_of

DEFAULT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"
_NAMED = {
    "iso": DEFAULT,
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "iso_date": "yyyy-MM-dd",
    "iso_local_date": "yyyy-MM-dd",
    "iso_date_time": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_seq": "yyyy-MM-dd HH:mm:ss",
}
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_UNITS = {
    "SECONDS": timedelta(seconds=1),
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "DAYS": timedelta(days=1),
    "WEEKS": timedelta(weeks=1),
}


def moment(value: Any) -> datetime:
    """The moment that a text or a number of seconds says.

    Raises:
        TemplateError: it says none.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
        except (OverflowError, ValueError, OSError):
            pass
    try:
        found = datetime.fromisoformat(text_of(value).strip())
    except ValueError:
        raise TemplateError(f"`{text_of(value)[:40]}` is no date", hint="write it like 2026-11-26T08:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _zone(name: Any) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(text_of(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TemplateError(f"there is no time zone `{text_of(name)[:40]}`") from None


def _piece(letter: str, count: int, at: datetime) -> str:
    numbers = {"y": at.year, "u": at.year, "M": at.month, "d": at.day, "H": at.hour, "m": at.minute, "s": at.second}
    if letter == "y" and count == 2:
        return f"{at.year % 100:02d}"
    if letter == "M" and count > 2:
        return at.strftime("%b" if count == 3 else "%B")
    if letter in numbers:
        return f"{numbers[letter]:0{count}d}"
    if letter == "S":
        return f"{at.microsecond:06d}".ljust(count, "0")[:count]
    if letter == "E":
        return at.strftime("%a" if count < 4 else "%A")
    if letter == "h":
        return f"{(at.hour % 12) or 12:0{count}d}"
    if letter == "a":
        return "AM" if at.hour < 12 else "PM"
    if letter == "D":
        return f"{at.timetuple().tm_yday:0{count}d}"
    if letter in "XxZ":
        return _offset(letter, count, at)
    raise TemplateError(f"the date pattern has `{letter * count}`, which is not known here")


def _offset(letter: str, count: int, at: datetime) -> str:
    shown = at.strftime("%z")[:5]
    if letter == "X" and shown in ("+0000", "-0000"):
        return "Z"
    if letter == "Z" or count == 2:
        return shown
    return shown[:3] if count == 1 and shown[3:] == "00" else f"{shown[:3]}:{shown[3:]}"


def written(at: datetime, pattern: str) -> str:
    """A moment by a pattern of Java's."""
    parts = []
    for found in _TOKEN.finditer(_NAMED.get(pattern, pattern)):
        if found[1] is not None:
            parts.append(found[1].replace("''", "'") or "'")
        else:
            parts.append(_piece(found[2], len(found[0]), at) if found[2] else found[0])
    return "".join(parts)


@filter_named("date", "format", "timeZone", "existingFormat")
def date(value: Any, format: Any = None, zone: Any = None, existing: Any = None) -> str:
    """A moment as a text."""
    if existing is not None:
        raise TemplateError("`existingFormat` of `date` is not known here", hint="give an ISO date")
    at = moment(value)
    return written(at if zone is None else at.astimezone(_zone(zone)), DEFAULT if format is None else text_of(format))


@filter_named("dateAdd", "amount", "unit", required=2)
def date_add(value: Any, amount: Any, unit: Any) -> str:
    """A moment so many units later."""
    name = text_of(unit).upper()
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise TemplateError("`dateAdd` needs a whole number")
    at = moment(value)
    try:
        if name in _UNITS:
            return written(at + amount * _UNITS[name], DEFAULT)
        if name in ("MONTHS", "YEARS"):
            months = at.year * 12 + at.month - 1 + amount * (12 if name == "YEARS" else 1)
            year, month = divmod(months, 12)
            for day in range(at.day, at.day - 4, -1):
                try:
                    return written(at.replace(year=year, month=month + 1, day=day), DEFAULT)
                except ValueError:
                    continue
    except OverflowError:
        pass
    else:
        if name not in ("MONTHS", "YEARS"):
            raise TemplateError(
                f"`dateAdd` knows no unit `{name[:20]}`", hint=f"there are {', '.join(_UNITS)}, MONTHS, YEARS"
            )
    raise TemplateError("`dateAdd` leaves the calendar")


@filter_named("timestamp")
def timestamp(value: Any) -> int:
    """The seconds since 1970."""
    return int(moment(value).timestamp())


@filter_named("timestampMilli")
def timestamp_milli(value: Any) -> int:
    """The milliseconds since 1970."""
    return int(moment(value).timestamp() * 1000)
