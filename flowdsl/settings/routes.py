"""`[routes]` of a settings file: which services make the pictures of a model, read into one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.nearest import nearest
from flowdsl.record import Record
from flowdsl.settings.mistakes import Mistakes, mistake

if TYPE_CHECKING:
    from flowdsl.settings.toml_places import Path

FAILURES = ("rate_limit", "unavailable", "refused", "moderation", "unknown")
"""Kinds of failures that another service can be asked after. `unknown`: the work may be done, and billed."""
USUAL = ("rate_limit", "unavailable")
"""Those of a list of services: nothing was bought, and another service may do."""
_SERVICE = "service"
_KEYS = (_SERVICE, *(f"on_{kind}" for kind in FAILURES))


class Named(Record):
    """A service as a route names it, `SERVICE/MODEL` or another route, and where."""

    text: str
    at: Path


class SaidRoute(Record):
    """A route: the service that is asked first, and by kind of failure those after it."""

    first: Named
    after: Mapping[str, tuple[Named, ...]]


def said_routes(path: str, table: object, mistakes: Mistakes) -> dict[str, SaidRoute]:
    """The routes of a table in the file of this path that can be; `mistakes` takes what is wrong with the others."""
    if table is None:
        return {}
    if not isinstance(table, Mapping):
        hint = 'write `[routes]`, and below it `"MODEL" = "SERVICE/MODEL"`'
        mistakes.add(mistake(path, ("routes",), "routes must be a table", hint))
        return {}
    found: dict[str, SaidRoute] = {}
    for name, said in table.items():
        with mistakes.gathered():
            found[name] = _route(path, name, said)
    return found


def _route(path: str, name: str, said: Any) -> SaidRoute:
    at: Path = ("routes", name)
    if not isinstance(said, Mapping):
        first, *more = _services(path, at, said)
        return SaidRoute(first, {kind: tuple(more) for kind in USUAL} if more else {})
    wrong = Mistakes()
    for unknown in (key for key in said if key not in _KEYS):
        near = nearest(unknown, _KEYS)
        hint = f"did you mean `{near}`?" if near else f"a route has {', '.join(_KEYS)}"
        wrong.add(mistake(path, (*at, unknown), f"routes.{name}: unknown key `{unknown}`", hint, of_key=True))
    if _SERVICE not in said:
        hint = f'write `{_SERVICE} = "SERVICE/MODEL"`'
        wrong.add(mistake(path, at, f"routes.{name} names no service to ask first", hint, of_key=True))
    found: dict[str, tuple[Named, ...]] = {}
    for key in (each for each in _KEYS if each in said):
        with wrong.gathered():
            found[key] = _services(path, (*at, key), said[key])
    wrong.check()
    first, *more = found.pop(_SERVICE)
    after = {kind: found[f"on_{kind}"] for kind in FAILURES if f"on_{kind}" in found}
    return SaidRoute(first, {**({kind: tuple(more) for kind in USUAL} if more else {}), **after})


def _services(path: str, at: Path, said: Any) -> tuple[Named, ...]:
    if isinstance(said, str) and said:
        return (Named(said, at),)
    if isinstance(said, list) and said and all(isinstance(each, str) and each for each in said):
        return tuple(Named(each, (*at, number)) for number, each in enumerate(said))
    where = ".".join(map(str, at))
    hint = f'write `{at[-1]} = "SERVICE/MODEL"`, or a list of such texts'
    raise mistake(path, at, f"{where} must be a service, or a list of services in their order", hint)
