"""A vendor that does not exist, as somebody else's package would bring it: this file and an entry point.

An order is taken at `…:predict`, as JSON, or as multipart when there is a picture to work on; then it is asked for
until the picture is there, in base64 under a key of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flowdsl.step.problem import Problem
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.http.multipart import Multipart, Part
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.image.endpoint import extra_headers, key_source, missing, named_model, secrets_in, split_endpoint
from flowdsl_steps.image.failure import Failure
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Head, Poll, Vendor

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

SIZES = ("512x512", "1024x512")
FORMATS = ("png", "jpeg")
SENT = frozenset({"n", "size", "output_format", "seed"})
USD_PER_UNIT = 0.002


class Aurora(Vendor):
    """Submits and polls."""

    name = "aurora"
    title = "Aurora"
    hosts = ("api.aurora.example",)
    settings = (
        Key("project", "text", "The Aurora project that pays.", pattern=r"^[a-z][a-z0-9-]*$"),
        Key("projectKey", "text", "The key of the project.", secret=True),
    )
    environment: Mapping[str, tuple[str, ...]] = {"apiKey": ("AURORA_KEY",), "project": ("AURORA_PROJECT",)}

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What it takes of a request."""
        for name, value in request.options():
            if name not in SENT and value is not False:
                yield Problem("unsupported-parameter", f"Aurora has no `{name}`", name, "remove it")
        if request.size is not None and request.size not in SIZES:
            hint = f"write {' or '.join(SIZES)}"
            yield Problem("unsupported-value", f"Aurora does not draw {request.size}", "size", hint)
        if request.output_format is not None and request.output_format not in FORMATS:
            yield Problem("unsupported-value", f"Aurora does not write {request.output_format}", "output_format")
        if request.mask is not None:
            yield Problem("unsupported-parameter", "Aurora has no `mask`", "mask", "remove it")
        if model.origin == "default":
            yield Problem("missing-model", "Aurora has no default model", hint="add `model: borealis-1`")

    def images_per_request(self, request: ImageRequest, endpoint: Endpoint) -> int:
        """Two."""
        return 2

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The model is part of the address."""
        parts = split_endpoint(service, service.endpoint or f"https://{self.hosts[0]}/v1")
        key, project = service.get("apiKey"), service.get("project")
        if not key:
            raise missing(service, "apiKey", "AURORA_KEY")
        headers = {"X-Aurora-Key": str(key), **extra_headers(service)}
        if project:
            headers["X-Aurora-Project"] = f"{project}:{service.get('projectKey') or ''}"
        model = named_model(request, service) or ""
        url = f"{parts.geturl().rstrip('/')}/models/{model}:predict"
        source = key_source(service, "apiKey", "AURORA_KEY")
        return Endpoint(service.name, url, headers, model, None, source, secrets=secrets_in(key, headers))

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """`instances` and `parameters`, alone or as the first part of a form."""
        parameters: dict[str, Any] = {"sampleCount": request.n}
        if request.size is not None:
            width, _, height = request.size.partition("x")
            parameters["dimensions"] = {"width": int(width), "height": int(height)}
        if request.output_format is not None:
            parameters["mimeType"] = f"image/{request.output_format}"
        if request.seed is not None:
            parameters["seed"] = request.seed
        body = json.dumps({"instances": [{"prompt": request.prompt}], "parameters": parameters})
        if not request.images:
            return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, body.encode())
        pictures = [Part("picture", filename="picture", media_type=i.mime, path=i.original) for i in request.images]
        form = Multipart([Part("order", body, media_type="application/json"), *pictures])
        return HttpRequest("POST", endpoint.url, {}, form)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """The same shape for the order and for the questions after it."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, read, keys=("bytesBase64Encoded",))

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """Asks for the operation until it is done."""
        if received.payload.get("state") == "DONE":
            return None
        root = endpoint.url.partition("/models/")[0]
        name = quote(str(received.payload.get("operation")), safe="")  # whatever it holds, it is one part of the path
        return Poll(HttpRequest("GET", f"{root}/operations/{name}"), after_s=0.05)

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """A `reason` with a `signal`: `safety` is moderation."""
        try:
            found = json.loads(body) if isinstance(body, bytes) else body
        except ValueError:
            return None
        if not isinstance(found, Mapping) or "reason" not in found:
            return None
        safety = found.get("signal") == "safety"
        return Failure(
            str(found["reason"]),
            str(found.get("signal")),
            kind="moderation" if safety else None,
            details={"stage": "output"} if safety else {},
            retry_class=None if safety else "never",
            request_id=found.get("operation"),
            ends_order=found.get("state") == "FAILED",
        )

    def cost(self, request: ImageRequest, endpoint: Endpoint, received: Received) -> float | None:
        """By units."""
        return None if received.usage is None else received.usage["output_tokens"] * USD_PER_UNIT


def read(payload: dict[str, Any]) -> Received:
    """What a response holds: a state, and pictures and units once it is done."""
    from flowdsl_steps.image.received import BrokenResponse, Received
    from flowdsl_steps.image.response import stored

    if payload.get("state") == "FAILED":
        raise BrokenResponse("vendor-error", "the operation failed", payload=payload)
    pictures = [stored(item["bytesBase64Encoded"]) for item in payload.pop("predictions", ())]
    units = payload.get("units")
    usage = {"input_tokens": units["prompt"], "output_tokens": units["picture"]} if units else None
    return Received(tuple(pictures), payload, usage=usage, request_id=payload.get("operation"))


VENDOR = Aurora()
