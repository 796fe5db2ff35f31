"""LocalAI: a server of one's own with the operation of OpenAI's images API, and few of its options.

Source: mudler/LocalAI, core/http/endpoints/openai/image.go; docs, Image generation and API errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.step.service import Service
from flowdsl_steps.image.endpoint import split_endpoint
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint, Head
from flowdsl_steps.image.vendors.openai import bearer_endpoint, operation_url

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

DEFAULT_ENDPOINT = "http://localhost:8080"
_BYTES = "b64_json"


class LocalAI(Offering):
    """`POST …/v1/images/generations`; a key only where the server has one."""

    name = "localai"
    title = "LocalAI"
    is_gateway = True

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The images operation of the entry's endpoint, or of this machine.

        Raises:
            ConfigError: a bad endpoint, or no model.
        """
        url, notes = operation_url(split_endpoint(service, service.endpoint or DEFAULT_ENDPOINT), bare="/v1")
        endpoint = bearer_endpoint(service, url, self.named(request, service), None, notes)
        hint = f"install the model `{endpoint.label}` on the server, or check its address: {endpoint.shown_url}"
        return endpoint._replace(not_found_hint=hint)

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body. The picture comes within the response unless somebody asks for its address."""
        from flowdsl_steps.http.request import HttpRequest

        body: dict[str, Any] = {"model": endpoint.label, "prompt": request.prompt, "response_format": _BYTES}
        if request.size is not None:
            body["size"] = request.size
        body |= self.sent(request, self.model(endpoint.label))
        if request.n > 1:
            body["n"] = request.n
        content = json.dumps(body, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """The document of OpenAI's images API."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, _received)


def _received(payload: dict[str, Any]) -> Received:
    """What a response holds. Its usage is there and always zero, which says nothing."""
    from flowdsl_steps.image.images_api import received_of

    received = received_of(payload)
    usage: Mapping[str, Any] = received.usage or {}
    return received if usage.get("total_tokens") else received._replace(usage=None)


VENDOR = LocalAI()
