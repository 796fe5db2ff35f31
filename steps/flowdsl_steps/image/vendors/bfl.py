"""Black Forest Labs: an order at the address of a model, and an address where it is asked for.

Source: docs.bfl.ai, Quick start and FLUX1.1 [pro]; the schemas that Comfy Router quotes for FLUX.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.step.service import Service
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.endpoint import extra_headers, key_source, missing, secrets_in, split_endpoint
from flowdsl_steps.image.failure import Failure, json_object, place_of
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint, Head, Poll

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

_API = "https://api.bfl.ai"
_ROOT = "/v1"
_PAUSE_S = 0.5
_USD_PER_CREDIT = 0.01
_MOST_CREDITS = 1_000_000
"""More is no price of a picture."""
_REFUSED = {"Request Moderated": "input", "Content Moderated": "output"}
"""How an order ends that was refused for what it shows → the stage."""
_FAILED = ("Error", "Task not found")
_LIFETIME_S = 10 * 60
"""How long the address of a picture lives. Source: docs.bfl.ai, Quick start."""


class BlackForestLabs(Offering):
    """Submits and polls, at whichever region the response names."""

    name = "bfl"
    title = "Black Forest Labs"
    hosts = (".bfl.ai",)
    environment: Mapping[str, tuple[str, ...]] = {"apiKey": ("BFL_API_KEY",)}

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The address of the model, at the vendor or behind the entry's own address.

        Raises:
            ConfigError: a bad endpoint, no key or no model.
        """
        parts = split_endpoint(service, service.endpoint or _API)
        model, key = self.named(request, service), service.get("apiKey")
        if not key:
            raise missing(service, "apiKey", self.environment["apiKey"][0])
        path = f"{parts.path.rstrip('/') or _ROOT}/{quote(model, safe='')}"
        extra = extra_headers(service)
        return Endpoint(
            service.name,
            urlunsplit(parts._replace(path=path, fragment="")),
            {"x-key": str(key), **extra},
            model,
            key_source=key_source(service, "apiKey", self.environment["apiKey"][0]),
            secrets=secrets_in(key, extra),
        )

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body."""
        from flowdsl_steps.http.request import HttpRequest

        model = self.model(endpoint.label)
        body = {"prompt": request.prompt, **self.sent(request, model)}
        body.pop("size", None)
        if model.takes("size") and (pair := parse_size(request.size or "")) is not None:
            body["width"], body["height"] = pair
        content = json.dumps(body, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """An order, and what became of it."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, _received)

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """Asks where the response to the order says, until the picture is there."""
        from flowdsl_steps.http.request import HttpRequest

        if received.images:
            return None
        url = received.payload.get("polling_url")
        if not isinstance(url, str):
            name = quote(str(received.request_id), safe="", errors="replace")
            url = f"{endpoint.url.rpartition('/')[0]}/get_result?id={name}"
        return Poll(HttpRequest("GET", url), _PAUSE_S, kept=received)

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """A `detail` in words or as a list, or the status that an order has ended with."""
        found = json_object(body)
        if found is None:
            return super().failure(head, body)
        status = _text(found.get("status"))
        if status in _REFUSED:
            stage = {"stage": _REFUSED[status], **_reasons(found.get("details"))}
            return Failure("the order ended as " + status, status, kind="moderation", details=stage, ends_order=True)
        if status in _FAILED:
            return Failure(f"the order ended as {status}", status)
        detail = found.get("detail")
        if isinstance(detail, list) and detail and isinstance(detail[0], Mapping):
            return Failure(str(detail[0].get("msg", "")), None, place_of(detail[0]), "invalid")
        if not isinstance(detail, str):
            return super().failure(head, body)
        return Failure(detail, kind="quota" if head.status == 402 else None)


def _reasons(details: object) -> dict[str, Any]:
    """What the moderation names, as categories."""
    reasons = details.get("Moderation Reasons") if isinstance(details, Mapping) else None
    return {"categories": [str(reason) for reason in reasons]} if isinstance(reasons, list) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _received(payload: dict[str, Any]) -> Received:
    """An order, or its picture as an address."""
    import time

    from flowdsl_steps.image.received import BrokenResponse, LinkedImage, Received

    status, name = str(payload.get("status")), payload.get("id")
    if status in _REFUSED or status in _FAILED or payload.get("detail"):
        raise BrokenResponse("vendor-error", "the order failed", payload=payload)
    if not isinstance(name, str):
        raise BrokenResponse("malformed", "the response has no `id`")
    credits = payload.get("cost")
    usd = credits * _USD_PER_CREDIT if isinstance(credits, (int, float)) and abs(credits) < _MOST_CREDITS else None
    result = payload.get("result")
    url = result.get("sample") if isinstance(result, dict) else None
    links = (LinkedImage(url, None, int(time.time()) + _LIFETIME_S),) if isinstance(url, str) else ()
    return Received(links, payload, cost_usd=usd, request_id=name)


VENDOR = BlackForestLabs()
