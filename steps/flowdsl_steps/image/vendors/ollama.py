"""Ollama: a server of one's own, which drew from 0.14.3 to 0.32.5 and has drawn nothing since.

Source: ollama/ollama, server/routes.go and docs/api.md before its commit 4713800b0 (0.32.6, 2026-08-04), which removed
it; ollama 0.6 (its Python client), which still has the fields and reads OLLAMA_HOST.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlunsplit

from flowdsl.step.service import Service
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.endpoint import split_endpoint
from flowdsl_steps.image.failure import Failure
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint, Head
from flowdsl_steps.image.vendors.openai import bearer_endpoint

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

_PORT = 11434
_OPERATION = "/api/generate"
_GONE = "image generation models are not currently supported"
"""What a server says that draws no more."""
_SINCE = "Ollama draws from 0.14.3 to 0.32.5 only: ask a server of these, or another vendor, such as `localai`"


class Ollama(Offering):
    """`POST …/api/generate` with a model that draws."""

    name = "ollama"
    title = "Ollama"
    is_gateway = True
    environment: Mapping[str, tuple[str, ...]] = {"endpoint": ("OLLAMA_HOST",)}

    def model_name(self, label: str) -> str:
        """The name without its tag."""
        return label.partition(":")[0]

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The operation at the entry's endpoint, or on this machine. A host alone is one with Ollama's port, as its own
        client reads OLLAMA_HOST.

        Raises:
            ConfigError: a bad endpoint, or no model.
        """
        text = str(service.endpoint or "localhost").strip()
        is_whole = "://" in text
        parts = split_endpoint(service, text if is_whole else f"http://{text}")
        if not is_whole and parts.port is None:
            parts = parts._replace(netloc=f"{parts.netloc}:{_PORT}")
        root = parts.path.rstrip("/").removesuffix(_OPERATION).removesuffix("/v1")
        url = urlunsplit(parts._replace(path=root + _OPERATION, fragment=""))
        endpoint = bearer_endpoint(service, url, self.named(request, service), None)
        hint = f"run `ollama pull {endpoint.label}` on the server, or check its address: {endpoint.shown_url}"
        return endpoint._replace(not_found_hint=hint)

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body; what it calls options is only the seed."""
        from flowdsl_steps.http.request import HttpRequest

        body: dict[str, Any] = {"model": endpoint.label, "prompt": request.prompt, "stream": False}
        if (pair := parse_size(request.size or "")) is not None:
            body["width"], body["height"] = pair
        if request.seed is not None:
            body["options"] = {"seed": request.seed}
        content = json.dumps(body, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """JSON with the picture under `image`."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, _received, keys=("image",))

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """An error in words, or a response of a model that writes."""
        if isinstance(body, Mapping) and not body.get("error"):
            return Failure("the model writes text, and draws nothing", retry_class="never")
        found = super().failure(head, body)
        if found is not None and _GONE in found.message:
            return found._replace(message=f"{found.message}; {_SINCE}", kind="invalid", is_own=True)
        return found


def _received(payload: dict[str, Any]) -> Received:
    """What a response holds whose picture is still an open writer.

    Raises:
        BrokenResponse: it holds none.
    """
    from flowdsl_steps.image.received import BrokenResponse, Received
    from flowdsl_steps.image.response import stored

    picture = payload.pop("image", None)
    if not picture or payload.get("error"):
        raise BrokenResponse("vendor-error", "the response holds no picture", payload=payload)
    counted, reason = payload.get("prompt_eval_count"), payload.get("done_reason")
    return Received(
        (stored(picture),),
        {key: payload[key] for key in ("model", "created_at", "total_duration") if key in payload},
        usage={"input_tokens": counted} if isinstance(counted, int) and counted else None,
        finish_reason=reason if reason in ("stop", "length") else "stop",
    )


VENDOR = Ollama()
