"""Where an image request goes: what the vendors share when they work it out from a service entry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from flowdsl.errors import ConfigError
from flowdsl.secrets.plain import REVEALING
from flowdsl.step.problem import show
from flowdsl.step.sendable import NO_SUCH_NAME, Unsendable, address_problem, header_problem
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest


def split_endpoint(service: Service, endpoint: object) -> SplitResult:
    """The parts of an endpoint.

    Raises:
        ConfigError: it is not an http or https address, or carries a user name.
    """
    text = str(endpoint).strip()
    problem = address_problem(text) or _unreadable(text)
    if problem is not None and text.startswith(("http://", "https://")):
        raise ConfigError(
            f"the endpoint of the service {service.name} is {show(_shown(text))}, which is not a web address: "
            f"{problem.message}",
            code="invalid-endpoint",
            hint=problem.hint,
        ).about("endpoint")
    parts = urlsplit("" if problem is not None else text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"the endpoint of the service {service.name} is {show(_shown(text))}, which is not a web address",
            code="invalid-endpoint",
            hint="write it in full, such as `https://gateway.example/v1`",
        ).about("endpoint")
    if parts.username is not None:
        raise ConfigError(
            f"the endpoint of the service {service.name} holds a user name or a password",
            code="invalid-endpoint",
            hint="put the key in `apiKey`",
        ).about("endpoint")
    return parts


def refuse_other_operation(service: Service, url: str) -> None:
    """Looks whether the endpoint of an entry ends in an operation which the vendor's own would come behind.

    Raises:
        ConfigError: it does.
    """
    given = _shown(str(service.endpoint or "")).strip().rstrip("/")
    found = _OPERATION.search(given)
    if found is None or f"{urlsplit(given).path}/" not in urlsplit(url).path:
        return
    raise ConfigError(
        f"the endpoint of the service {service.name} names an operation, {show(found[0])}: that of its provider is "
        "added to it",
        code="invalid-endpoint",
        hint=f"write the address before it, `{given[: found.start()]}`",
    ).about("endpoint")


_OPERATION = re.compile(
    r"/images/(generations|edits)$|/chat/completions$|/conversations$|/responses$|/model/[^/]+/invoke$|/api/generate$"
    r"|/models/[^/]+:(generateContent|predict)$"
)


def _shown(address: str) -> str:
    """An address, or what stands in its place, without a query or a login, which may hold a key."""
    scheme, slashes, rest = address.partition("?")[0].rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"


def _unreadable(address: str) -> Unsendable | None:
    """What only the client says of a name in another script, by rules that a check would have to load."""
    if address.isascii() and "xn--" not in address.lower():
        return None
    import httpx

    try:
        known = bool(httpx.URL(address).host)  # decodes a name that is encoded already, as each request does
    except (httpx.InvalidURL, UnicodeError):
        known = False
    return None if known else NO_SUCH_NAME


def named_model(request: ImageRequest, service: Service) -> str | None:
    """The model that the request names, else the service entry."""
    found = request.model or service.option("model")
    return str(found) if found else None


def missing(service: Service, key: str, variable: str | None) -> ConfigError:
    """The error for a service entry that lacks a setting which the environment could give too."""
    where = f", or set {variable} in the environment" if variable else ""
    return ConfigError(
        f"Service not configured: {service.name} has no `{key}`",
        code="service-not-configured",
        hint=f"add `{key}` to the service {service.name}{where}",
    ).about(key)


def need_extra(service: Service, package: str, extra: str, for_what: str) -> None:
    """Looks whether a package is installed that only some vendors need; nothing of it is imported.

    Raises:
        ConfigError: it is not.
    """
    from importlib.util import find_spec

    try:
        is_there = find_spec(package) is not None
    except ModuleNotFoundError:  # of the package it is in
        is_there = False
    if not is_there:
        raise ConfigError(
            f"the service {service.name} needs {package}, which is not installed, {for_what}",
            code="missing-extra",
            hint=f"pip install 'flowdsl[{extra}]'",
        )


def key_source(service: Service, key: str, variable: str | None) -> str:
    """Where the key of a service comes from, or would come from, in words: never the key."""
    if service.get(key):
        return f"it is `{key}` from {service.origins.get(key) or f'the service {service.name}'}"
    return f"none was sent; add `{key}` to the service {service.name}{f' or set {variable}' if variable else ''}"


def extra_headers(service: Service) -> dict[str, str]:
    """The headers that the service entry adds itself; null is left out.

    Raises:
        ConfigError: one of them cannot be sent.
    """
    from flowdsl.template import to_text

    headers: Any = service.get("headers")
    given = headers.items() if isinstance(headers, Mapping) else ()
    for name, value in given:
        if (problem := header_problem(name, value, "flowdsl")) is not None:
            raise ConfigError(
                f"the service {service.name}: {problem.message}", code="invalid-header", hint=problem.hint
            ).about("headers")
    return {str(name): to_text(value).strip() for name, value in given if value is not None}


def secrets_in(key: object, headers: Mapping[str, str]) -> tuple[str, ...]:
    """What no message may show: the key, and values of extra headers long enough to be one."""
    return tuple(text for text in (str(key or ""), *headers.values()) if len(text) >= REVEALING)
