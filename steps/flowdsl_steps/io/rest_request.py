"""The request that the options of REST ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from flowdsl import Blob, ConfigError, Image
from flowdsl.step.sendable import address_problem
from flowdsl.template import stringify, to_text
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.io.rest_headers import header_lines

_EXTENSIONS = {"image/jpeg": "jpg", "image/svg+xml": "svg"}


def request_of(
    method: str,
    url: str,
    *,
    headers: Mapping[str, Any] | None,
    parameters: Mapping[str, Any] | None,
    body: Any,
    form: Mapping[str, Any] | None,
) -> HttpRequest:
    """The request.

    Raises:
        ConfigError: an address that cannot be.
    """
    content, content_type = _content(body, form)
    sent = {"accept": b"*/*", "accept-encoding": b"identity", "user-agent": b"flowdsl"}
    if content_type is not None:
        sent["content-type"] = content_type.encode("ascii", "replace")
    return HttpRequest(method, _address(url, parameters), {**sent, **header_lines(headers)}, content)


def _address(url: str, parameters: Mapping[str, Any] | None) -> str:
    """The address with the parameters behind the ones it has already, without a fragment."""
    address = url.strip().partition("#")[0]
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and bool(httpx.URL(address).host)
        named = parts.username is not None or parts.password is not None
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(f"`url` is not a web address: {error}", code="invalid-url") from None
    if not known:
        raise ConfigError("`url` is not a web address", code="invalid-url", hint="write it in full: `url: https://…`")
    problem = address_problem(address)
    if problem is not None:
        raise ConfigError(f"nothing can be reached at `url`: {problem.message}", code="invalid-url", hint=problem.hint)
    if named:
        raise ConfigError(
            "`url` holds a user name or a password",
            code="invalid-url",
            hint="send them in `headers`, as `Authorization`",
        )
    pairs = [(name, to_text(item)) for name, item in _pairs(parameters)]
    if not pairs:
        return address
    return f"{address}{'&' if parts.query else '' if address.endswith('?') else '?'}{urlencode(pairs)}"


def _pairs(values: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """Names and values; a list repeats its name, null is left out."""
    for name, value in (values or {}).items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if item is not None:
                yield str(name), item


def _content(body: Any, form: Mapping[str, Any] | None) -> tuple[bytes, str | None]:
    """The body of the request and its media type."""
    if form is not None:
        return _form(form)
    if body is None:
        return b"", None
    if isinstance(body, Image):
        return body.read(), body.mime
    if isinstance(body, Blob):
        return body.content, str(body["contentType"])
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), "application/json" if _is_json(body) else "text/plain; charset=utf-8"
    return str(stringify(body)).encode("utf-8", "replace"), "application/json"


def _is_json(text: str) -> bool:
    """Whether a text is a JSON list or map; a number or a word may just be text."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _form(form: Mapping[str, Any]) -> tuple[bytes, str | None]:
    """The fields as multipart/form-data; images and blobs are files."""
    fields = [(name, _field(name, item)) for name, item in _pairs(form)]
    if not fields:
        return b"", None
    request = httpx.Request("POST", "http://form.invalid", files=fields)
    return request.read(), request.headers["content-type"]


def _field(name: str, value: Any) -> tuple[str | None, bytes] | tuple[str | None, bytes, str]:
    if isinstance(value, Image):
        return f"{name}.{_EXTENSIONS.get(value.mime, value.mime.rpartition('/')[2])}", value.read(), value.mime
    if isinstance(value, Blob):
        return name, value.content, str(value["contentType"])
    text = str(stringify(value)) if isinstance(value, Mapping) else to_text(value)
    return None, text.encode("utf-8", "replace")
