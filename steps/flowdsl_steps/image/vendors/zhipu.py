"""Zhipu AI, in China and as Z.AI abroad: its images API, and its orders for GLM-Image, which are asked for until done.

Source: docs.z.ai, Generate Image, Generate Image (Async) and Error Codes; zai-sdk 0.2.3, `api_resource/images`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.step.problem import Problem
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.endpoint import missing, split_endpoint
from flowdsl_steps.image.failure import Failure, json_object, read_error
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Head, Poll
from flowdsl_steps.image.vendors.openai import bearer_endpoint

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

_ROOT = "/api/paas/v4"
_NOW = "/images/generations"
_LATER = f"/async{_NOW}"
_UNSAFE = ("1300", "1301")
"""Codes of what was refused for what it shows."""
_UNPAID = ("1113", "1304", "1308", "1309", "1310")
"""Codes of an account without money, and of limits that waiting a little does not lift."""
_PAUSE_S = 2.0


class Zhipu(Offering):
    """CogView at once; GLM-Image as an order, whose pictures are not lost with a connection."""

    name = "zhipu"
    title = "Zhipu AI"
    hosts = ("open.bigmodel.cn", "api.z.ai")
    settings = (Key("watermark", "boolean", "Whether the vendor marks its pictures as made by a model."),)
    environment: Mapping[str, tuple[str, ...]] = {
        "apiKey": ("ZHIPUAI_API_KEY", "ZAI_API_KEY"),
        "endpoint": ("ZAI_BASE_URL",),
    }

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the file says of the model, and how long a name for the user is."""
        yield from super().supports(request, model)
        if request.user is not None and not 6 <= len(request.user) <= 128:
            message = f"`user` has {len(request.user)} characters, and {self.title} takes 6 to 128"
            yield Problem("unsupported-value", message, "user", "send a longer hash or number of the user")

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The China platform, or the entry's own address: the host alone, with the path, or the whole operation.

        Raises:
            ConfigError: a bad endpoint, no key or no model.
        """
        abroad = service.origins.get("apiKey") == "environment ZAI_API_KEY"
        parts = split_endpoint(service, service.endpoint or f"https://{self.hosts[abroad]}")
        model = self.named(request, service)
        if not (service.get("apiKey") or service.get("authKey")) and parts.hostname in self.hosts:
            raise missing(service, "apiKey", " or ".join(self.environment["apiKey"]))
        path = parts.path.rstrip("/").removesuffix(_NOW).removesuffix("/async") or _ROOT
        path += _LATER if model.startswith("glm-image") else _NOW
        url = urlunsplit(parts._replace(path=path, fragment=""))
        endpoint = bearer_endpoint(service, url, model, self.environment["apiKey"])
        marked = service.get("watermark")
        return endpoint if marked is None else endpoint._replace(body={"watermark_enabled": marked})

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body."""
        from flowdsl_steps.http.request import HttpRequest

        options = {"size": request.size, "quality": request.quality, "user_id": request.user}
        body = {"model": endpoint.model, "prompt": request.prompt, **options, **endpoint.body}
        content = json.dumps({name: value for name, value in body.items() if value is not None}, ensure_ascii=False)
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content.encode())

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """Pictures, or an order and what became of it."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, _received)

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """Asks for an order until it has succeeded."""
        from flowdsl_steps.http.request import HttpRequest

        if received.images or "task_status" not in received.payload:
            return None
        root, name = endpoint.url.removesuffix(_LATER), quote(str(received.request_id), safe="", errors="replace")
        return Poll(HttpRequest("GET", f"{root}/async-result/{name}"), _PAUSE_S)

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """Its error, whose code says what it means; a failed order says nothing more."""
        found = json_object(body)
        if found is None or not isinstance(found.get("error"), Mapping):
            failed = found is not None and found.get("task_status") == "FAIL"
            return Failure("the order failed", "FAIL") if failed else super().failure(head, body)
        error = read_error(found)
        if error is None:
            return None
        if error.code in _UNSAFE:
            return error._replace(kind="moderation", details=_filtered(found))
        return error._replace(kind="quota") if error.code in _UNPAID else error


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _filtered(found: Mapping[str, Any]) -> dict[str, Any]:
    """Where the vendor found what it does not show. Source: docs.z.ai, Generate Image, `content_filter`."""
    filters = found.get("contentFilter") or found.get("content_filter")
    roles = (
        [str(each.get("role")) for each in filters if isinstance(each, Mapping)] if isinstance(filters, list) else []
    )
    return {"stage": "output" if roles and set(roles) == {"assistant"} else "input"}


def _received(payload: dict[str, Any]) -> Received:
    """Pictures under `data`, or under `image_result` of an order that has succeeded."""
    from flowdsl_steps.image.images_api import received_of
    from flowdsl_steps.image.received import BrokenResponse, Received

    status = payload.get("task_status")
    if status is None:
        return received_of(payload, url_lifetime_s=None)
    if status == "FAIL":
        raise BrokenResponse("vendor-error", "the order failed", payload=payload)
    if status != "SUCCESS":
        return Received((), payload, request_id=_text(payload.get("id")))
    found = received_of({**payload, "data": payload.get("image_result")}, url_lifetime_s=None)
    return found._replace(request_id=_text(payload.get("id")))


VENDOR = Zhipu()
