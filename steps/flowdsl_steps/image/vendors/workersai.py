"""Cloudflare Workers AI: one address for all models, which take JSON or a form and send JSON or the picture itself.

Source: cloudflare/cloudflare-docs, `workers-ai-models/*.json`, `platform/errors.mdx`, `platform/pricing.mdx`, changelog
2026-01-28 (FLUX.2 takes a form).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.step.problem import Problem, show
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.endpoint import missing, split_endpoint
from flowdsl_steps.image.failure import Failure, json_object
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Head
from flowdsl_steps.image.vendors.openai import bearer_endpoint

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

_ROOT = "/client/v4"
_RUNS = ("/ai/run", "/workers-ai")
"""How an address ends behind which a model is named: Cloudflare's own, and that of one of its gateways."""
_FORM = "flux-2"
"""What the names of models have that take a form."""
_EXAMPLE = "@cf/black-forest-labs/flux-2-klein-4b"
_UNSAFE = ("3030", "8007")
"""Codes of a prompt that is refused for what it shows. Not documented: third parties quote "Input prompt contains NSFW
content" with both."""
_SPENT = "3036"
"""The allocation of the day is used up. Source: errors.mdx."""
_BUSY = "3040"
"""No capacity, and nothing was done. Source: errors.mdx."""


class WorkersAI(Offering):
    """A model runs at an address of its own under an account."""

    name = "workersai"
    title = "Workers AI"
    hosts = ("api.cloudflare.com", "gateway.ai.cloudflare.com")
    settings = (
        Key(
            "accountId",
            "text",
            "The id of the Cloudflare account that runs the model, such as 0a1b2c3d4e5f.",
            pattern=r"^[\w-]+$",
        ),
    )
    environment: Mapping[str, tuple[str, ...]] = {
        "apiKey": ("CLOUDFLARE_API_TOKEN",),
        "accountId": ("CLOUDFLARE_ACCOUNT_ID",),
    }

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the file says of the model, and how models are called here."""
        yield from super().supports(request, model)
        label = model.label
        if label is not None and model.origin in ("step", "service") and not label.startswith("@"):
            key = "model" if model.origin == "step" else None
            message = f"{show(label)} is no model of {self.title}, whose names begin with `@cf/`"
            yield Problem("unsupported-value", message, key, f'write it in full, such as `"{_EXAMPLE}"`')

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The address of the model under the account, at Cloudflare's API or behind the entry's own address.

        Raises:
            ConfigError: a bad endpoint, no account, no key or no model.
        """
        parts = split_endpoint(service, service.endpoint or f"https://{self.hosts[0]}{_ROOT}")
        model = self.named(request, service)
        path = parts.path.rstrip("/")
        if not path.endswith(_RUNS):
            account = service.get("accountId")
            if "/accounts/" not in path:
                if not account:
                    raise missing(service, "accountId", self.environment["accountId"][0])
                path = f"{path or _ROOT}/accounts/{quote(str(account), safe='')}"
            path += _RUNS[0]
        if not (service.get("apiKey") or service.get("authKey")) and parts.hostname in self.hosts:
            raise missing(service, "apiKey", self.environment["apiKey"][0])
        url = urlunsplit(parts._replace(path=f"{path}/{quote(model, safe='@/')}", fragment=""))
        return bearer_endpoint(service, url, model, self.environment["apiKey"])._replace(model=None)

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body, or a form for the models that take nothing else, even with a prompt alone."""
        from flowdsl_steps.http.multipart import Multipart, Part
        from flowdsl_steps.http.request import HttpRequest

        body: dict[str, Any] = {"prompt": request.prompt}
        model = self.model(endpoint.label)
        if model.takes("size") and (pair := parse_size(request.size or "")) is not None:
            body["width"], body["height"] = pair
        if model.takes("seed") and request.seed is not None:
            body["seed"] = request.seed
        if _FORM in endpoint.label:
            from flowdsl_steps.image.edit_form import picture_part

            parts = [Part(key, str(body[key])) for key in body]
            parts += [
                picture_part(f"input_image_{number}", f"image-{number}", image)
                for number, image in enumerate(request.images)
            ]
            return HttpRequest("POST", endpoint.url, {}, Multipart(parts))
        content = json.dumps(body, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """The picture itself, or JSON with it in base64."""
        from flowdsl_steps.image.response import JsonResponse, RawResponse

        if head.headers.get("content-type", "").lower().startswith("image/"):
            return RawResponse(store, limit)
        return JsonResponse(store, limit, _received, keys=("image",))

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """The first of its errors, whose number says what it means."""
        found = json_object(body)
        errors = found.get("errors") if found is not None else None
        first = errors[0] if isinstance(errors, list) and errors else None
        if not isinstance(first, Mapping):
            return super().failure(head, body)
        message, code = str(first.get("message", "")), str(first.get("code", ""))
        if code in _UNSAFE or "nsfw" in message.lower():
            return Failure(message, code, kind="moderation", details={"stage": "input"}, retry_class="never")
        if code == _SPENT:
            return Failure(message, code, kind="quota")
        return Failure(message, code, retry_class="retry" if code == _BUSY else None)


def _received(payload: dict[str, Any]) -> Received:
    """The picture under `image`, in Cloudflare's envelope or without it."""
    from flowdsl.image.store import ImageWriter
    from flowdsl_steps.image.received import BrokenResponse, Received
    from flowdsl_steps.image.response import stored

    if payload.get("success") is False or payload.get("errors"):
        raise BrokenResponse("vendor-error", "the response holds an error", payload=payload)
    result = payload.get("result", payload)
    picture = result.pop("image", None) if isinstance(result, dict) else None
    if picture is None:
        raise BrokenResponse("empty", "the response holds no picture")
    if not isinstance(picture, (ImageWriter, BrokenResponse)):
        raise BrokenResponse("malformed", "`image` in the response is no picture")
    return Received((stored(picture),), payload)


VENDOR = WorkersAI()
