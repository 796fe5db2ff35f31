"""Keys: which one a request presents, and whether it is the right one."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from flowdsl_steps.image.simulator.models import Vendor
from flowdsl_steps.image.simulator.refusal import Refusal, unauthorized


def presented_key(headers: Mapping[str, str], vendor: Vendor) -> str | None:
    """The key of a request: a bearer token, or for Azure also the header `api-key`."""
    if vendor == "azure" and headers.get("api-key"):
        return headers["api-key"]
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def check_key(headers: Mapping[str, str], vendor: Vendor, right: str | None) -> None:
    """Nothing, for the right key; with `right` None any key is right.

    Raises: Refusal with the vendor's 401.
    """
    key = presented_key(headers, vendor)
    if key is None or (right is not None and not hmac.compare_digest(key.encode(), right.encode())):
        raise Refusal(unauthorized(vendor, key))


def secrets_of(headers: Mapping[str, str], right: str | None) -> tuple[str, ...]:
    """Everything that must not be recorded: the right key and what the request presents as one."""
    found = {right, headers.get("api-key"), presented_key(headers, "openai")}
    return tuple(secret for secret in found if secret)
