"""DashScope, the API of Alibaba Cloud's Model Studio: Wan takes an order and is asked for it, Qwen-Image draws at once.

Source: Model Studio, Wan text-to-image V2 API reference (2026-10-27), Wan2.7 image generation and editing (2026-11-20),
Qwen image editing, and Manage asynchronous tasks; dashscope 2.0.2, `aigc/image_synthesis.py` and
`aigc/image_generation.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.step.problem import Problem, show
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.endpoint import missing, split_endpoint
from flowdsl_steps.image.failure import Failure, json_object
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.pictures_in_json import data_address
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Head, Poll
from flowdsl_steps.image.vendors.openai import bearer_endpoint

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import LinkedImage, Received
    from flowdsl_steps.image.response import ResponseReader

_ROOT = "/api/v1"
_ABROAD = "https://dashscope-intl.aliyuncs.com"
_SERVICES = "/services/aigc"
_OLD_ORDER = "/text2image/image-synthesis"
_EDIT_ORDER = "/image2image/image-synthesis"
_NEW_ORDER = "/image-generation/generation"
_AT_ONCE = "/multimodal-generation/generation"
_WAN = re.compile(r"wan(\d+)\.(\d+)-(i2i-)?")
_MOST_SEED = 2**31 - 1
_WAITING = frozenset({"PENDING", "RUNNING", "SUSPENDED"})
_PAUSE_S = 2.0
_UNSAFE = ("DataInspectionFailed", "IPInfringementSuspect")
"""Codes of what was refused for what it shows. Source: Model Studio, error codes; the second one is third parties'."""
_UNPAID = ("Arrearage", "AllocationQuota.FreeTierOnly")
_BUSY = "Throttling"
_LIFETIME_S = 24 * 60 * 60
"""How long the address of a picture lives. Source: Wan text-to-image V2 API reference."""


class DashScope(Offering):
    """Three protocols at one host, by the model: orders of the old and of the new form, and responses at once."""

    name = "dashscope"
    title = "DashScope"
    hosts = (
        "dashscope-intl.aliyuncs.com",
        "dashscope-us.aliyuncs.com",
        "dashscope.aliyuncs.com",
        ".maas.aliyuncs.com",
    )
    settings = (
        Key("workspaceId", "text", "DashScope's workspace, sent as `X-DashScope-WorkSpace`."),
        Key("watermark", "boolean", "Whether the vendor marks its pictures as made by a model."),
        Key("promptExtend", "boolean", "Whether DashScope rewrites the prompt before it draws."),
    )
    other_names: Mapping[str, str] = {"workspace": "workspaceId"}
    environment: Mapping[str, tuple[str, ...]] = {
        "apiKey": ("DASHSCOPE_API_KEY",),
        "endpoint": ("DASHSCOPE_HTTP_BASE_URL",),
        "workspaceId": ("DASHSCOPE_WORKSPACE_ID",),
    }

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the file says of the model, and how large a seed is."""
        yield from super().supports(request, model)
        if request.seed is not None and request.seed > _MOST_SEED:
            message = f"{self.title} takes no `seed` above {_MOST_SEED:,}: it is {show(request.seed)}"
            yield Problem("unsupported-value", message, "seed", "write a smaller one")

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The international platform, or the entry's own address: a host, the root of the API, or an operation of it.

        Raises:
            ConfigError: a bad endpoint, no key or no model.
        """
        parts = split_endpoint(service, service.endpoint or _ABROAD)
        model = self.named(request, service)
        if not (service.get("apiKey") or service.get("authKey")) and (parts.hostname or "").endswith(".aliyuncs.com"):
            raise missing(service, "apiKey", self.environment["apiKey"][0])
        path, notes = parts.path.partition("/services/")[0].rstrip("/"), tuple[str, ...]()
        if path.endswith("/compatible-mode/v1"):  # what chat clients are given
            path, notes = _ROOT, (f"the endpoint is that of chat, {path}: {_ROOT} is used instead",)
        url = urlunsplit(parts._replace(path=f"{path or _ROOT}{_SERVICES}{_operation(model)}", fragment=""))
        endpoint = bearer_endpoint(service, url, model, self.environment["apiKey"], notes)
        if workspace := service.get("workspaceId"):
            endpoint = endpoint._replace(headers={"X-DashScope-WorkSpace": str(workspace), **endpoint.headers})
        said = {"watermark": service.get("watermark"), "prompt_extend": service.get("promptExtend")}
        return endpoint._replace(body={name: value for name, value in said.items() if value is not None})

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """`model`, `input` and `parameters`; what is an order says so in a header."""
        from flowdsl_steps.http.request import HttpRequest

        parameters: dict[str, Any] = {"n": request.n, **endpoint.body}
        if request.size is not None:
            parameters["size"] = request.size.replace("x", "*")
        if request.seed is not None:
            parameters["seed"] = request.seed
        asked: dict[str, Any] = {"prompt": request.prompt}
        pictures = [data_address(image) for image in request.images]
        if endpoint.url.endswith(_EDIT_ORDER):
            asked["images"] = pictures
        elif not endpoint.url.endswith(_OLD_ORDER):
            content = [*({"image": each} for each in pictures), {"text": request.prompt}]
            asked = {"messages": [{"role": "user", "content": content}]}
        body = {"model": endpoint.model, "input": asked, "parameters": parameters}
        headers = {"Content-Type": "application/json"}
        if not endpoint.url.endswith(_AT_ONCE):
            headers["X-DashScope-Async"] = "enable"
        return HttpRequest("POST", endpoint.url, headers, json.dumps(body, ensure_ascii=False).encode())

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """Addresses of pictures, or an order and what became of it."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, _received)

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """Asks for an order until it is done."""
        from flowdsl_steps.http.request import HttpRequest

        if received.images:
            return None
        name = quote(str(received.request_id), safe="", errors="replace")
        return Poll(HttpRequest("GET", f"{endpoint.url.partition(_SERVICES)[0]}/tasks/{name}"), _PAUSE_S)

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """A code and a message, beside the order or in it. What failed is not billed.

        Source: Model Studio, Wan text-to-image V2, billing: only pictures that were made are billed.
        """
        found = json_object(body)
        if found is None:
            return None
        output = found.get("output")
        said = {**found, **output} if isinstance(output, Mapping) else found
        code, status = said.get("code") or said.get("task_status"), said.get("task_status")
        if code is None:
            return super().failure(head, body)
        is_ended = status in ("FAILED", "CANCELED")
        failure = Failure(str(said.get("message") or f"the order ended as {code}"), str(code), ends_order=is_ended)
        if failure.code in _UNSAFE:
            stage = "output" if failure.message.lower().startswith("output") else "input"
            return failure._replace(kind="moderation", details={"stage": stage}, retry_class="never")
        if failure.code in _UNPAID:
            return failure._replace(kind="quota")
        if is_ended:
            return failure._replace(retry_class="never")
        if 200 <= head.status < 300 and status is None:  # an error with the status of a success: nothing was taken
            return failure._replace(retry_class="retry" if failure.code and failure.code.startswith(_BUSY) else "never")
        return failure


def _operation(model: str) -> str:
    """Where a model is asked. Source: Wan text-to-image V2, "only supports wan2.6" and later; dashscope 2.0.2."""
    if model.startswith("qwen-image"):
        return _AT_ONCE
    found = _WAN.match(model)
    if found is not None and (int(found[1]), int(found[2])) >= (2, 6):
        return _NEW_ORDER
    return _EDIT_ORDER if found is not None and found[3] else _OLD_ORDER


def _received(payload: dict[str, Any]) -> Received:
    """What a response holds: an order that waits, or addresses of pictures."""
    from flowdsl_steps.image.received import BrokenResponse, Received

    output = payload.get("output")
    status = output.get("task_status") if isinstance(output, dict) else None
    if not isinstance(output, dict) or (status is not None and status not in (*_WAITING, "SUCCEEDED")):
        said = "the order failed" if status is not None else "the response holds an error"
        known = status is not None or payload.get("code") is not None
        raise BrokenResponse("vendor-error" if known else "malformed", said, payload=payload if known else None)
    name = output.get("task_id") or payload.get("request_id")
    request_id = name if isinstance(name, str) else None
    if status in _WAITING:
        return Received((), payload, request_id=request_id)
    links, refused = list(_links(output)), _refused(output)
    if refused is not None:
        raise BrokenResponse("vendor-error", "a picture of the response failed", payload=refused, images=links)
    if not links:
        raise BrokenResponse("empty", "the response holds no picture")
    return Received(tuple(links), payload, request_id=request_id)


def _links(output: Mapping[str, Any]) -> Iterator[LinkedImage]:
    """The addresses in a result of either form."""
    import time

    from flowdsl_steps.image.received import LinkedImage

    until = int(time.time()) + _LIFETIME_S
    for each in _maps(output.get("results")):
        if isinstance(each.get("url"), str):
            revised = each.get("actual_prompt")
            yield LinkedImage(each["url"], revised if isinstance(revised, str) else None, until)
    for choice in _maps(output.get("choices")):
        message = choice.get("message")
        for part in _maps(message.get("content") if isinstance(message, Mapping) else None):
            if isinstance(part.get("image"), str):
                yield LinkedImage(part["image"], None, until)


def _refused(output: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first picture of an order that failed while others came."""
    return next((each for each in _maps(output.get("results")) if each.get("code") and not each.get("url")), None)


def _maps(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


VENDOR = DashScope()
