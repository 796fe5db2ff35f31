"""`[serve]`, `[routes]` and `[tokens]` of a settings file: where a gateway listens, who makes the pictures of which
model, and what tokens may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.nearest import nearest
from flowdsl.record import Record
from flowdsl.settings.files import KEYS, Settings
from flowdsl.settings.mistakes import Mistakes, mistake
from flowdsl.settings.routes import SaidRoute, said_routes
from flowdsl.settings.said_tokens import SaidToken, said_tokens
from flowdsl.settings.served_flows import served_flows
from flowdsl.settings.serving_keys import NO_TLS, names_certificate, parts_of
from flowdsl.settings.values import number_hint

_KEYS = ("host", "port", "public_url", "flows")


class Serving(Record):
    """What a settings file says of a gateway; None for what it does not say. `is_configured`: it says anything. `path`
    is the file."""

    host: str | None = None
    port: int | None = None
    public_url: str | None = None
    is_configured: bool = False
    routes: Mapping[str, SaidRoute] = {}
    flows: Mapping[str, str] = {}
    tokens: Mapping[str, SaidToken] = {}
    path: str = ""
    wrong: frozenset[str] = frozenset()
    """Routes that it names, and that cannot be."""
    lacks_flows: bool = False
    """Whether it names flows that cannot be served."""


def serving(settings: Settings | None, mistakes: Mistakes | None = None) -> Serving:
    """What a settings file says of a gateway; `mistakes` takes what is wrong, and what is right is given then.

    Raises:
        UsageError: it says what cannot be, and nobody takes that.
    """
    if settings is None:
        return Serving()
    path, content = settings
    wrong = Mistakes() if mistakes is None else mistakes
    said = _table(path, content.get("serve"), wrong)
    routes = said_routes(path, content.get("routes"), wrong)
    named, before = content.get("routes"), len(wrong)
    flows = served_flows(path, said.get("flows"), wrong)
    found = Serving(
        **{name: said.get(name) for name in ("host", "port", "public_url")},
        is_configured="serve" in content or "routes" in content,
        flows=flows,
        lacks_flows=len(wrong) > before,
        routes=routes,
        tokens=said_tokens(path, content.get("tokens"), wrong),
        path=path,
        wrong=frozenset(named if isinstance(named, Mapping) else ()) - routes.keys(),
    )
    if mistakes is None:
        wrong.check()
    return found


def _table(path: str, table: Any, mistakes: Mistakes) -> Mapping[str, Any]:
    """`[serve]`, without what cannot be."""
    if table is None:
        return {}
    if not isinstance(table, Mapping):
        hint = "write `[serve]`, and below it what a gateway is told"
        mistakes.add(mistake(path, ("serve",), "serve must be a table", hint))
        return {}
    for unknown in (key for key in table if key not in _KEYS):
        near = nearest(unknown, _KEYS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(_KEYS)}"
        if unknown in KEYS:
            hint = "it counts for the whole project: write it at the top of the file, above every `[table]`"
            hint = f"write `[{unknown}]`, a table of its own" if isinstance(table[unknown], Mapping) else hint
        hint = NO_TLS if names_certificate(unknown) else hint
        mistakes.add(mistake(path, ("serve", unknown), f"serve: unknown key `{unknown}`", hint, of_key=True))
    host, port, public = table.get("host"), table.get("port"), table.get("public_url")
    said = dict(table)
    if host is not None and (not isinstance(host, str) or not host):
        mistakes.add(mistake(path, ("serve", "host"), "serve.host must be an address", 'write `host = "127.0.0.1"`'))
        del said["host"]
    elif host is not None and (right := parts_of(host)) is not None:
        hint = f'write `host = "{right[0]}"`' + (f", and `port = {right[1]}`" if right[1] else "")
        mistakes.add(mistake(path, ("serve", "host"), "serve.host must be a host alone", hint))
        del said["host"]
    if port is not None and (not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 65536):
        message = "serve.port must be a port, a number up to 65535"
        hint = number_hint("port", port, "8080", lambda number: number < 65536)
        mistakes.add(mistake(path, ("serve", "port"), message, hint))
        del said["port"]
    if public is not None and not (isinstance(public, str) and public.startswith(("http://", "https://"))):
        hint = 'write `public_url = "https://pictures.example.com"`'
        mistakes.add(mistake(path, ("serve", "public_url"), "serve.public_url must be a web address", hint))
        del said["public_url"]
    return said
