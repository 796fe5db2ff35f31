"""A token by OAuth 2.0's client credentials: a program says who it is, and gets a token that lives for an hour or so.

Source: RFC 6749, 4.4; Microsoft identity platform, the client credentials flow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import httpx

from flowdsl.errors import ServiceRefused, ServiceUnavailable
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.excerpt import harmless
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.http.response_body import TooLarge, read_body
from flowdsl_steps.http.transport import exchanged, open_client

_EARLIER_S = 120.0
"""So long before its end a token is got anew."""
_MOST_BYTES = 64 * 1024
_MOST = 16


class Client(NamedTuple):
    """Who asks for a token, where, and for what."""

    url: str
    id: str
    secret: str
    scope: str

    def __repr__(self) -> str:
        return f"<Client {self.id} at {self.url}>"


_known: dict[Client, tuple[str, float]] = {}


async def token(client: Client, service: str, ca_pem: str | None = None) -> str:
    """A token for a service, the one that was got last as long as it lives.

    Raises:
        ServiceRefused: the address of tokens refuses.
        ServiceUnavailable: it cannot be reached, or responds with no token.
    """
    found, until = _known.get(client, ("", 0.0))
    if time.monotonic() < until:
        return found
    form = {"client_id": client.id, "client_secret": client.secret, "grant_type": "client_credentials"}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    request = HttpRequest("POST", client.url, headers, urlencode({**form, "scope": client.scope}).encode())
    said: object = None
    try:
        async with open_client(ca_pem=ca_pem) as http, exchanged(http, request, Delivery()) as response:
            said = json.loads(await read_body(response, _MOST_BYTES))
    except httpx.HTTPError as error:
        message = f"{service} cannot get a token at {client.url}: {error or type(error).__name__}"
        raise ServiceUnavailable(message, service=service, hint="check the network and the proxy") from None
    except (ValueError, TooLarge):
        pass
    text = said.get("access_token") if isinstance(said, Mapping) else None
    if isinstance(said, Mapping) and response.is_success and isinstance(text, str) and text:
        lives = said.get("expires_in")
        lives_s = float(lives) if isinstance(lives, (int, float)) and not isinstance(lives, bool) else 0.0
        if len(_known) >= _MOST:
            _known.clear()
        _known[client] = text, time.monotonic() + lives_s - _EARLIER_S
        return text
    error_said = said.get("error_description") or said.get("error") if isinstance(said, Mapping) else None
    why = harmless(str(error_said), (client.secret,)) if error_said else f"status {response.status_code}"
    message = f"{service} gets no token at {client.url}: {why}"
    if 400 <= response.status_code < 500 and error_said:
        raise ServiceRefused(message, service=service, status=response.status_code)
    raise ServiceUnavailable(message, service=service, status=response.status_code)
