"""A plan for people and for programs: as text, as JSON values, and as Markdown beside the plan of another revision."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flowdsl.display.visible import visible_line
from flowdsl.plan.amount import Amount
from flowdsl.plan.plan import Plan
from flowdsl.plan.spending import NONE, Bounds, Row

_NO_BOUND = "no bound"
_MARKS = re.compile(r"[<>\[\]|\\@&]")
_HEAD = ("where", "requests", "model", "size", "quality", "a picture", "sum")


def text(plan: Plan, name: str) -> str:
    """A plan as text: the totals in the first line, then each kind of request, where secrets go, and what is open."""
    lines = [f"{_named(plan, name)}: {headline(plan.bounds, plan.assumed)}"]
    if plan.rows:
        lines += ["", *_columns([_HEAD, *(_cells(plan, row, bounds) for row, bounds in plan.rows.items())])]
        lines += ["", *(f"{asked[0]} at {asked[1]}: {', '.join(asked[2])}" for asked in _asked(plan))]
    if batch := batch_line(plan.bounds):
        lines += ["", batch]
    if plan.secrets:
        lines += ["", *dict.fromkeys(f"secret {secret} → {host}" for secret, host, _ in plan.secrets)]
    if plan.reasons:
        lines += ["", *(f"{', '.join(_places(places))}: {why}" for why, places in plan.reasons.items())]
    return "\n".join(map(visible_line, lines))


def headline(bounds: Bounds, assumed: Sequence[str] = ()) -> str:
    """How many requests and how much money, in a line, with what the most takes for granted."""
    if bounds.most.is_nothing:
        return "nothing is paid"
    if bounds.most.unbounded:
        least = f"{bounds.least.text(_count)} or more" if bounds.least.terms else "any number of"
        requests = f"{least} paid requests: nothing bounds them"
    else:
        requests = _range(bounds.least, bounds.most, _count)
        requests += " paid request" if requests in ("1", "up to 1") else " paid requests"
    money = _range(bounds.least_usd, bounds.most_usd, usd)
    if bounds.most_usd.unbounded:
        money = f"{bounds.least_usd.text(usd)} or more" if bounds.least_usd.terms else "cost not known"
    return f"{requests}, {money}{' for ' if assumed else ''}{' and '.join(assumed)}"


def batch_line(bounds: Bounds) -> str:
    """What the same costs through the vendor's batch; empty where that is no less."""
    least, most = bounds.least_batch_usd, bounds.most_batch_usd
    if most.unbounded or (least, most) == (bounds.least_usd, bounds.most_usd):
        return ""
    return f"through the vendor's batch: {_range(least, most, usd)}, within 24 hours"


def cost_lines(plan: Plan) -> dict[tuple[str, str], tuple[str, ...]]:
    """What each step that buys spends in a run, in short lines, by its place and its name."""
    steps: dict[tuple[str, str], Bounds] = {}
    for row, bounds in plan.rows.items():
        key = row.place, row.step
        steps[key] = steps[key].plus(bounds) if key in steps else bounds
    return {key: tuple(_cost(bounds)) for key, bounds in steps.items()}


def _cost(bounds: Bounds) -> Iterator[str]:
    least, most = bounds.least_usd, bounds.most_usd
    if most.unbounded:
        yield f"costs {least.text(usd)} or more" if least.terms else "cost not known"
    elif not (least.is_number and most.is_number):
        yield f"costs at least {least.text(usd)}"
        yield f"costs at most {most.text(usd)}"
    else:
        yield f"costs {_range(least, most, usd)}"


def to_json(plan: Plan, name: str) -> dict[str, Any]:
    """A plan as JSON values. A bound that is not known is null, and its `expression` says on what it depends."""
    return {
        "file": name,
        "title": plan.title,
        **({} if plan.records is None else {"records": plan.records}),
        **_json_bounds(plan.bounds),
        "batch_usd": _json_range(plan.bounds.least_batch_usd, plan.bounds.most_batch_usd, usd),
        "assumed": list(plan.assumed),
        "steps": [
            {
                "place": row.place,
                "step": row.step,
                "service": row.service,
                "vendor": row.vendor,
                "host": row.host,
                "model": row.model,
                "size": row.size,
                "quality": row.quality,
                "picture_usd": None if (each := plan.each.get(row)) is None else {"least": each[0], "most": each[1]},
                **_json_bounds(bounds),
            }
            for row, bounds in plan.rows.items()
        ],
        "secrets": [{"secret": secret, "host": host, "place": place} for secret, host, place in plan.secrets],
        "open": [{"why": why, "places": list(places)} for why, places in plan.reasons.items()],
    }


def markdown(plans: Iterable[tuple[str, Plan | None, Plan | None]], base: str | None) -> str:
    """Plans as Markdown for a pull request: each with its name, now and before; None where there is no such flow."""
    return "\n\n".join("\n".join(_section(*each, base)) for each in plans)


def _section(name: str, plan: Plan | None, before: Plan | None, base: str | None) -> Iterator[str]:
    if plan is None:
        yield f"### {_code(name)} is gone"
        yield ""
        yield f"It was {headline(before.bounds, before.assumed)}." if before is not None else ""
        return
    yield f"### {_code(_named(plan, name))}: {headline(plan.bounds, plan.assumed)}"
    yield ""
    if base is not None:
        yield f"{_difference(plan, before, base)}"
        yield ""
    rows: dict[Row, tuple[Bounds | None, Bounds | None]] = {row: (bounds, None) for row, bounds in plan.rows.items()}
    for row, bounds in (before.rows if before is not None else {}).items():
        same = next((each for each, (_, its) in rows.items() if its is None and _key(each) == _key(row)), None)
        if same is None:
            rows[row] = (None, bounds)
        else:
            rows[same] = (rows[same][0], bounds)
    head = (*_HEAD, *(("before",) if base is not None else ()))
    if rows:
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
    for row, (now, its) in rows.items():
        texts = _cells(plan if now is not None or before is None else before, row, now or its or NONE)
        cells = list(map(_inline, texts))
        if now is None:
            cells = [f"~~{cell}~~" if cell else "" for cell in cells]
        if base is not None:
            was = "new" if its is None else _range(its.least_usd, its.most_usd, usd)
            cells.append("removed" if now is None else "the same" if now == its else was)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    if batch := batch_line(plan.bounds):
        yield ""
        yield f"{batch[0].upper()}{batch[1:]}."
    if plan.reasons:
        yield ""
        yield from (f"- {_inline(', '.join(_places(places)))}: {_inline(why)}" for why, places in plan.reasons.items())
    new = [each for each in plan.secrets if before is None or each[:2] not in {its[:2] for its in before.secrets}]
    if base is not None and new:
        yield ""
        yield from dict.fromkeys(f"- new: secret {_code(secret)} → {_inline(host)}" for secret, host, _ in new)


def _difference(plan: Plan, before: Plan | None, base: str) -> str:
    if before is None:
        return f"New since {_code(base)}."
    if plan.bounds == before.bounds:
        return f"As in {_code(base)}."
    change = ""
    now, was = plan.most_usd, before.most_usd
    if now is not None and was is not None:
        change = f" At most **{'+' if now >= was else '−'}{usd(abs(now - was))}** a run."
    return f"In {_code(base)} it was {headline(before.bounds, before.assumed)}.{change}"


def _code(text: str) -> str:
    """A text of a file as code of Markdown, in one line: nothing in it is a row, a link or a tag."""
    text = visible_line(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def _inline(text: str) -> str:
    """A text within a line of Markdown: as code where something in it would be read as more than a text."""
    is_plain = text == visible_line(text) and not _MARKS.search(text) and text.count("`") % 2 == 0
    return text if is_plain else _code(text)


def _key(row: Row) -> tuple[Any, ...]:
    """What a kind of request is known by when its line has moved."""
    return row[1:]


def _named(plan: Plan, name: str) -> str:
    records = "" if plan.records is None else f"{plan.records:,} record{'' if plan.records == 1 else 's'}"
    return ", ".join(each for each in (name, plan.title, records) if each)


def _cells(plan: Plan, row: Row, bounds: Bounds) -> tuple[str, ...]:
    each = plan.each.get(row)
    shown = (
        "?" if each is None else usd(each[0]) if usd(each[0]) == usd(each[1]) else f"{usd(each[0])}–{usd(each[1])[1:]}"
    )
    return (
        row.place,
        _range(bounds.least, bounds.most, _count),
        row.model or "?",
        row.size or "default",
        row.quality or "default",
        shown,
        _range(bounds.least_usd, bounds.most_usd, usd),
    )


def _asked(plan: Plan) -> list[tuple[str, str, list[str]]]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in plan.rows:
        found.setdefault((row.vendor, row.host), {})[row.model or "a model that only the run knows"] = None
    return [(vendor, host, list(models)) for (vendor, host), models in found.items()]


def _range(least: Amount, most: Amount, shown: Any) -> str:
    if most.unbounded:
        return f"{_NO_BOUND} (at least {least.text(shown)})" if least.terms else _NO_BOUND
    low, high = least.text(shown), most.text(shown)
    if low == high:
        return high
    if not least.terms:
        return f"up to {high}"
    return f"{low} to {high}"


def _count(number: float) -> str:
    return f"{number:,.0f}"


def usd(number: float) -> str:
    """A sum in USD."""
    return f"${number:,.4f}" if number < 100 else f"${number:,.2f}"


def _places(places: Sequence[str]) -> list[str]:
    """Places of which only the first names the file: `a.flow.yaml:3, :7`."""
    found: list[str] = []
    last = None
    for place in places:
        path, _, line = place.rpartition(":")
        found.append(f":{line}" if path == last else place)
        last = path
    return found


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _json_bounds(bounds: Bounds) -> dict[str, Any]:
    return {
        "requests": _json_range(bounds.least, bounds.most, _count),
        "usd": _json_range(bounds.least_usd, bounds.most_usd, usd),
    }


def _json_range(least: Amount, most: Amount, shown: Any) -> dict[str, Any]:
    known: Mapping[str, int] = {}
    low, high = least.number, most.value(known)
    found: dict[str, Any] = {
        "least": int(low) if shown is _count else round(low, 9),
        "most": high if high is None else int(high) if shown is _count else round(high, 9),
    }
    if not (least.is_number and most.is_number):
        found["expression"] = _range(least, most, shown)
    return found
