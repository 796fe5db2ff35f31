"""A HUB: a gateway that speaks the OpenAI images API and picks the vendor by the `x-target` header.

Source: the HUB's public documentation, AI-Link endpoints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.errors import ConfigError
from flowdsl.step.sendable import header_problem
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.endpoint import missing, named_model, split_endpoint
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Comparison, Endpoint
from flowdsl_steps.image.vendors.openai import (
    EDITS,
    OPERATION,
    OpenAI,
    bearer_endpoint,
    default_model,
    operation_of,
    operation_url,
)

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.known_model import KnownModel

_HAS_VERSION = re.compile(r"/v\d+\w*(/|$)")


class Hub(OpenAI):
    """OpenAI's images API at an address of one's own, with a target that the gateway hands the request to."""

    name = "hub"
    title = "OpenAI"  # whose models it reaches
    hosts = ()
    environment: Mapping[str, tuple[str, ...]] = {}
    settings = (Key("target", "text", "The HUB's target, sent as `x-target`."),)
    own_options = frozenset({"target"})
    is_gateway = True

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The HUB's endpoint; `target` is the request's, else the entry's.

        Raises:
            ConfigError: no endpoint, a bad one, or a target that no header can hold.
        """
        if not service.endpoint:
            raise missing(service, "endpoint", None)
        parts = split_endpoint(service, service.endpoint)
        path = parts.path.rstrip("/")
        if not _HAS_VERSION.search(path) and not path.endswith((OPERATION, EDITS)):
            parts = parts._replace(path=f"{path}/v1")
        url, notes = operation_url(parts, bare="/v1", operation=operation_of(request))
        endpoint = bearer_endpoint(service, url, named_model(request, service) or default_model(request), None, notes)
        target = request.extra.get("target") or service.get("target")
        if (problem := header_problem("x-target", target or None, "flowdsl")) is not None:
            raise ConfigError(
                f"the `target` of the service {service.name} cannot be sent: {problem.message}", code="invalid-header"
            )
        return endpoint._replace(headers={"x-target": str(target), **endpoint.headers}) if target else endpoint

    def models(self, as_of: date | None = None) -> Sequence[KnownModel]:
        """None of its own: it reaches those of others."""
        return ()

    def compared(self) -> Comparison | None:
        """Not with a client: what it has is OpenAI's."""
        return None

    def simulate(self, url: str, key: str) -> Mapping[str, Any]:
        """The simulator speaks the API that a HUB speaks."""
        return {"endpoint": url, "apiKey": key}


VENDOR = Hub()
