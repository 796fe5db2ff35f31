"""OpenRouter: one key for many vendors' models, asked at its own images operation.

Source: openrouter 1.3 (its Python client), images.py, components/imagegenerationrequest.py; OpenRouter docs, Errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlunsplit

from flowdsl.step.service import Service
from flowdsl_steps.image.endpoint import missing, split_endpoint
from flowdsl_steps.image.failure import Failure, read_error
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.pictures_in_json import data_address
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint, Head
from flowdsl_steps.image.vendors.openai import bearer_endpoint

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

API_HOST = "openrouter.ai"
_BARE = "/api/v1"
_OPERATION = "/images"
_OTHER_OPERATION = re.compile(r"/(images(/generations)?|chat/completions|completions|responses|models)$")
_NO_CREDIT = "402"


class OpenRouter(Offering):
    """`POST …/images`, in words near to those of OpenAI's images API."""

    name = "openrouter"
    title = "OpenRouter"
    hosts = (API_HOST,)
    environment: Mapping[str, tuple[str, ...]] = {"apiKey": ("OPENROUTER_API_KEY",)}

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The images operation of OpenRouter or of the entry's own endpoint, with a bearer key.

        Raises:
            ConfigError: a bad endpoint, no model, or no key for OpenRouter itself.
        """
        parts = split_endpoint(service, service.endpoint or f"https://{API_HOST}")
        if not (service.get("apiKey") or service.get("authKey")) and parts.hostname == API_HOST:
            raise missing(service, "apiKey", self.environment["apiKey"][0])
        path = (_OTHER_OPERATION.sub("", parts.path.rstrip("/")) or _BARE) + _OPERATION
        url = urlunsplit(parts._replace(path=path, fragment=""))
        return bearer_endpoint(service, url, self.named(request, service), self.environment["apiKey"])

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body of the options."""
        from flowdsl_steps.http.request import HttpRequest

        body: dict[str, Any] = {"model": endpoint.label, "prompt": request.prompt}
        if request.size is not None:
            body["size"] = request.size
        body |= self.sent(request, self.model(endpoint.label))
        if request.n > 1:
            body["n"] = request.n
        if request.images:
            body["input_references"] = [
                {"type": "image_url", "image_url": {"url": data_address(image)}} for image in request.images
            ]
        content = json.dumps(body, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """The document of OpenAI's images API, with what it cost."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, _received)

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """Its error object. What the vendor behind it says stands beside the message."""
        found = super().failure(head, body)
        if found is None:
            return None
        payload: Any = json.loads(body) if isinstance(body, bytes) and found.is_own else body
        error = payload.get("error") if isinstance(payload, Mapping) else None
        metadata = error.get("metadata") if isinstance(error, Mapping) else None
        if isinstance(metadata, Mapping) and isinstance(metadata.get("raw"), str):
            who = metadata.get("provider_name") or "the vendor behind it"
            found = found._replace(message=f"{found.message}; {who} says: {metadata['raw']}")
            behind = read_error(metadata["raw"].encode("utf-8", "replace"))
            if behind is not None and behind.kind == "moderation":
                found = found._replace(kind="moderation", code=behind.code, details=behind.details)
        return found._replace(kind="quota") if found.code == _NO_CREDIT else found


def _received(payload: dict[str, Any]) -> Received:
    """What a response holds, its usage in the words that all vendors share."""
    from flowdsl_steps.image.images_api import received_of

    received = received_of(payload)
    told = received.usage
    if told is None:
        return received
    details = told.get("completion_tokens_details")
    usage: dict[str, Any] = {
        name: told[own]
        for name, own in (
            ("input_tokens", "prompt_tokens"),
            ("output_tokens", "completion_tokens"),
            ("total_tokens", "total_tokens"),
        )
        if isinstance(told.get(own), int)
    }
    if isinstance(details, Mapping) and isinstance(details.get("image_tokens"), int):
        usage["output_tokens_details"] = {"image_tokens": details["image_tokens"]}
    cost = told.get("cost")
    is_sum = isinstance(cost, (int, float)) and not isinstance(cost, bool)
    return received._replace(usage=usage or None, cost_usd=cost if is_sum else None)


VENDOR = OpenRouter()
