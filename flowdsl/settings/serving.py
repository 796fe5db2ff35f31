"""`[serve]`, `[routes]` and `[tokens]` of a settings file: where a gateway listens, who makes the pictures of which
model, and what tokens may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.nearest import nearest
from flowdsl.record import Record
from flowdsl.settings.files import Settings
from flowdsl.settings.mistakes import mistake
from flowdsl.settings.routes import SaidRoute, said_routes
from flowdsl.settings.said_tokens import SaidToken, said_tokens
from flowdsl.settings.served_flows import served_flows
from flowdsl.settings.serving_keys import NO_TLS, names_certificate

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


def serving(settings: Settings | None) -> Serving:
    """What a settings file says of a gateway.

    Raises:
        UsageError: it says what cannot be.
    """
    if settings is None:
        return Serving()
    path, content = settings
    table = content.get("serve")
    if table is not None and not isinstance(table, Mapping):
        raise mistake(path, ("serve",), "serve must be a table", "write `[serve]`, and below it what a gateway is told")
    said: Mapping[str, Any] = table or {}
    unknown = next((key for key in said if key not in _KEYS), None)
    if unknown is not None:
        near = nearest(unknown, _KEYS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(_KEYS)}"
        hint = NO_TLS if names_certificate(unknown) else hint
        raise mistake(path, ("serve", unknown), f"serve: unknown key `{unknown}`", hint, of_key=True)
    host, port, public = said.get("host"), said.get("port"), said.get("public_url")
    if host is not None and (not isinstance(host, str) or not host):
        raise mistake(path, ("serve", "host"), "serve.host must be an address", 'write `host = "127.0.0.1"`')
    if port is not None and (not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 65536):
        raise mistake(path, ("serve", "port"), "serve.port must be a port, a number up to 65535", "write `port = 8080`")
    if public is not None and not (isinstance(public, str) and public.startswith(("http://", "https://"))):
        hint = 'write `public_url = "https://pictures.example.com"`'
        raise mistake(path, ("serve", "public_url"), "serve.public_url must be a web address", hint)
    return Serving(
        host=host,
        port=port,
        public_url=public,
        is_configured="serve" in content or "routes" in content,
        flows=served_flows(path, said.get("flows")),
        routes=said_routes(path, content.get("routes")),
        tokens=said_tokens(path, content.get("tokens")),
        path=path,
    )
