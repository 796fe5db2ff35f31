"""Where an image request goes: what the vendors share when they work it out from a service entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest

_SHORTEST_SECRET = 6


def split_endpoint(service: Service, endpoint: object) -> SplitResult:
    """The parts of an endpoint.

    Raises:
        ConfigError: it is not an http or https address, or carries a user name.
    """
    parts = urlsplit(str(endpoint).strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"the endpoint of the service {service.name} is `{endpoint}`, which is not a web address",
            code="invalid-endpoint",
            hint="write it in full: `endpoint: https://…`",
        )
    if parts.username is not None:
        raise ConfigError(
            f"the endpoint of the service {service.name} holds a user name or a password",
            code="invalid-endpoint",
            hint="put the key in `apiKey`",
        )
    return parts


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
        hint=f"add `{key}:` to the service {service.name}{where}",
    )


def key_source(service: Service, key: str, variable: str | None) -> str:
    """Where the key of a service comes from, or would come from, in words: never the key."""
    if service.get(key):
        return f"it is `{key}` from {service.origins.get(key) or f'the service {service.name}'}"
    return f"none was sent; add `{key}` to the service {service.name}{f' or set {variable}' if variable else ''}"


def extra_headers(service: Service) -> dict[str, str]:
    """The headers that the service entry adds itself."""
    headers: Any = service.get("headers")
    return {str(name): str(value) for name, value in headers.items()} if isinstance(headers, Mapping) else {}


def secrets_in(key: object, headers: Mapping[str, str]) -> tuple[str, ...]:
    """What no message may show: the key, and values of extra headers long enough to be one."""
    return tuple(text for text in (str(key or ""), *headers.values()) if len(text) >= _SHORTEST_SECRET)
