"""A HUB: a gateway that speaks the OpenAI images API and picks the vendor by the `x-target` header.

Source: the HUB's public documentation, AI-Link endpoints.
"""

from __future__ import annotations

import re

from flowdsl.step.service import Service
from flowdsl_steps.image.destination import Destination, extra_headers, key_source, missing, secrets_in, split_endpoint
from flowdsl_steps.image.providers.openai import OPERATION, operation_url

ENVIRONMENT: dict[str, str] = {}
"""A HUB has no variables of its own."""

_HAS_VERSION = re.compile(r"/v\d+\w*(/|$)")


def destination(service: Service, model: str | None, target: str | None = None) -> Destination:
    """The HUB's endpoint; `target` is the step's, else the entry's.

    Raises:
        ConfigError: no endpoint, or a bad one.
    """
    if not service.endpoint:
        raise missing(service, "endpoint", None)
    parts = split_endpoint(service, service.endpoint)
    path = parts.path.rstrip("/")
    if not _HAS_VERSION.search(path) and not path.endswith(OPERATION):
        parts = parts._replace(path=f"{path}/v1")
    url, notes = operation_url(parts, bare="/v1")
    setting = "apiKey" if service.get("apiKey") or not service.get("authKey") else "authKey"
    key = service.get(setting)
    chosen = target or service.get("target")
    extra = extra_headers(service)
    headers = {
        **({"Authorization": f"Bearer {key}"} if key else {}),
        **({"x-target": str(chosen)} if chosen else {}),
        **extra,
    }
    return Destination(
        service.name,
        "hub",
        url,
        headers,
        model,
        key_source(service, setting, None),
        secrets=secrets_in(key, extra),
        notes=notes,
    )
