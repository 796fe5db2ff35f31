"""Hugging Face: its own inference, which sends the picture itself, and partners behind the same router.

Source: huggingface_hub 2.4.0, `inference/_providers/*.py`; huggingface/hub-docs, Inference Providers, Text to image and
Image to image. What the partners call a model stands at
https://huggingface.co/api/models/NAME?expand=inferenceProviderMapping; it is said in the entry, as nothing is fetched
for a check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from flowdsl.errors import ConfigError
from flowdsl.step.problem import Problem
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.endpoint import missing, named_model, split_endpoint
from flowdsl_steps.image.failure import Failure, json_object, read_error
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.pictures_in_json import data_address
from flowdsl_steps.image.request import ImageRequest, is_edit
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Head, Poll
from flowdsl_steps.image.vendors.openai import bearer_endpoint

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

_OWN = "hf-inference"
_PARTNERS = ("fal-ai", "together", "nscale", "replicate", "wavespeed", "zai-org")
_OWN_MACHINES = ".endpoints.huggingface.cloud"
"""An inference endpoint of somebody's own, which runs one model at its root."""
_EDITING = (_OWN, "fal-ai", "together", "replicate", "wavespeed")
"""Who edits pictures. Source: huggingface_hub 2.4.0, the classes of the task `image-to-image`."""
_SEEDLESS = ("zai-org",)
_QUEUE = "_subdomain=queue"
"""What sends a request to the queue of fal-ai, where pictures are edited."""
_DONE = "COMPLETED"
"""A picture in that queue is there: it is asked for."""
_WAITING = frozenset({"created", "processing", "starting", "PROCESSING", "IN_QUEUE", "IN_PROGRESS", _DONE})
_PAUSE_S = 1.0


class HuggingFace(Offering):
    """One router; the wire format is the partner's."""

    name = "huggingface"
    title = "Hugging Face"
    hosts = ("router.huggingface.co", _OWN_MACHINES)
    settings = (
        Key("partner", "text", "Who runs the model; Hugging Face itself when absent.", choices=(_OWN, *_PARTNERS)),
        Key("partnerModel", "text", "What the partner calls the model, its `providerId`."),
    )
    environment: Mapping[str, tuple[str, ...]] = {"apiKey": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")}

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the file says of the model, and what the partner has."""
        yield from super().supports(request, model)
        service, label = model.service, model.label
        partner = service.get("partner") if service is not None else None
        if service is None or partner not in _PARTNERS:
            return
        if label is not None and not (service.get("partnerModel") or partner in self.model(label).partners):
            yield Problem("missing-key", _nameless(service, partner, label), hint=_where(partner, label))
        if partner not in _EDITING and is_edit(request):
            hint = f"name a `partner` that edits: {', '.join(_EDITING)}"
            yield Problem("unsupported-parameter", f"{partner} edits no pictures for {self.title}", "images", hint)
        if partner in _SEEDLESS and request.seed is not None:
            message = f"`seed` is not sent: {partner} has no such parameter, so results are not reproducible"
            yield Problem("seed-not-sent", message, "seed", "it still tells cached and simulated images apart")

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The partner's address behind the router, or behind the entry's own address.

        Raises:
            ConfigError: a bad endpoint, no key, no model, or no name of the model at the partner.
        """
        parts = split_endpoint(service, service.endpoint or f"https://{self.hosts[0]}")
        is_own_machine = (parts.hostname or "").endswith(_OWN_MACHINES)
        model = named_model(request, service) if is_own_machine else self.named(request, service)
        partner = str(service.get("partner") or _OWN)
        if not (service.get("apiKey") or service.get("authKey")) and parts.hostname == self.hosts[0]:
            raise missing(service, "apiKey", self.environment["apiKey"][0])
        path, notes = parts.path.rstrip("/"), tuple[str, ...]()
        if parts.hostname == self.hosts[0] and path == "/v1":
            path, notes = "", ("the endpoint is that of chat, /v1: the router without it is used instead",)
        named = _at_partner(service, partner, model, self.model(str(model)).partners)
        if not is_own_machine:
            path = f"{path}/{partner}{_route(partner, named or str(model))}"
        query = _QUEUE if partner == "fal-ai" and is_edit(request) else parts.query
        url = urlunsplit(parts._replace(path=path or "/", query=query, fragment=""))
        endpoint = bearer_endpoint(service, url, model or "endpoint", self.environment["apiKey"], notes)
        return endpoint._replace(model=named, headers={**_headers(partner), **endpoint.headers})

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body in the partner's words."""
        from flowdsl_steps.http.request import HttpRequest

        body = _edit(request, endpoint) if request.images else _body(request, endpoint)
        content = json.dumps(body, ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """The picture itself, or JSON in the partner's words."""
        from flowdsl_steps.image.response import JsonResponse, RawResponse

        if head.headers.get("content-type", "").lower().startswith("image/"):
            return RawResponse(store, limit)
        return JsonResponse(store, limit, _received)

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """Asks a partner that makes pictures later, through the router."""
        from flowdsl_steps.http.request import HttpRequest

        if received.images:
            return None
        root, name = _root(endpoint.url), quote(str(received.request_id), safe="", errors="replace")
        if isinstance(found := received.payload.get("response_url"), str):
            status = "" if received.payload.get("status") == _DONE else "/status"
            path = f"{quote(urlsplit(found).path, safe='/:%')}{status}?{_QUEUE}"
        elif "task_status" in received.payload:
            path = f"/api/paas/v4/async-result/{name}"
        elif isinstance(received.payload.get("data"), Mapping):
            path = _path(received.payload["data"]) or f"/api/v3/predictions/{name}/result"
        else:
            path = f"/v1/predictions/{name}"
        return Poll(HttpRequest("GET", root + path), _PAUSE_S)

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """An error of the router or of a partner; a picture that was made and is not shown; an order that failed."""
        found = json_object(body)
        if found is None:
            return super().failure(head, body)
        if _is_indecent(found):
            return _indecent("the picture was found indecent")
        data = found.get("data")
        order = data if isinstance(data, Mapping) else found
        status = order.get("status") or order.get("task_status")
        if status in ("failed", "canceled", "FAIL"):
            why = str(order.get("error") or f"the order ended as {status}")
            if "nsfw" in why.lower():
                return _indecent(why)
            return Failure(why, str(status))
        said = found.get("error")
        error = read_error({**found, "error": "; ".join(map(str, said))} if isinstance(said, list) else found)
        if error is None:
            return None
        if head.status == 402:
            return error._replace(kind="quota")
        loading = head.status == 503 and "estimated_time" in found  # the model is started: nothing was done
        return error._replace(retry_class="retry", is_own=True) if loading else error


def _at_partner(service: Service, partner: str, model: str | None, known: Mapping[str, str]) -> str | None:
    """What the partner calls the model; None where Hugging Face runs it.

    Raises:
        ConfigError: nobody says it.
    """
    if partner == _OWN:
        return None
    if partner not in _PARTNERS:
        raise ConfigError(
            f"the service {service.name} names the partner `{partner}`, which is not known",
            code="invalid-option",
            hint=f"there are {', '.join((_OWN, *_PARTNERS))}",
        )
    named = service.get("partnerModel") or known.get(partner)
    if not named:
        message = f"Service not configured: {_nameless(service, partner, model)}"
        raise ConfigError(message, code="service-not-configured", hint=_where(partner, model))
    return str(named)


def _nameless(service: Service, partner: str, model: str | None) -> str:
    return f"{service.name} has no `partnerModel`, and {partner} has a name of its own for {model}"


def _where(partner: str, model: str | None) -> str:
    """Where the partner's name of a model is to be read."""
    url = f"https://huggingface.co/api/models/{model}?expand=inferenceProviderMapping"
    return f"add `partnerModel` to the service, with the `providerId` of {partner} that stands at {url}"


def _route(partner: str, model: str) -> str:
    """Where a partner is asked behind the router. Source: huggingface_hub 2.4.0, `_prepare_route` of each."""
    name = quote(model, safe="/:")
    return {
        _OWN: f"/models/{name}",
        "fal-ai": f"/{name}",
        "replicate": "/v1/predictions" if ":" in model else f"/v1/models/{name}/predictions",
        "wavespeed": f"/api/v3/{name}",
        "zai-org": "/api/paas/v4/async/images/generations",
    }.get(partner, "/v1/images/generations")


def _headers(partner: str) -> dict[str, str]:
    """Source: huggingface_hub 2.4.0, `_prepare_headers` of each."""
    known = {
        _OWN: {"Accept": "image/png"},
        "replicate": {"Prefer": "wait"},
        "zai-org": {"Accept-Language": "en-US,en", "x-source-channel": "hugging_face"},
    }
    return known.get(partner, {})


def _partner(url: str) -> str:
    """Whose address it is: the first part of its path that names one."""
    parts = urlsplit(url).path.split("/")
    return next((part for part in parts if part in _PARTNERS), _OWN)


def _root(url: str) -> str:
    """The address of the partner behind the router."""
    partner = f"/{_partner(url)}/"
    return url[: url.index(partner) + len(partner) - 1]


def _path(order: Mapping[str, Any]) -> str | None:
    """The path that an order is asked for at, without the host, which is the partner's own."""
    urls = order.get("urls")
    found = urls.get("get") if isinstance(urls, Mapping) else None
    return urlsplit(found).path if isinstance(found, str) and "/api/" in found else None


def _body(request: ImageRequest, endpoint: Endpoint) -> dict[str, Any]:
    """Source: huggingface_hub 2.4.0, `_prepare_payload_as_dict` of each."""
    partner, model = _partner(endpoint.url) if endpoint.model else _OWN, endpoint.model
    pair = parse_size(request.size or "")
    edges = {} if pair is None else {"width": pair[0], "height": pair[1]}
    written = {} if pair is None else {"size": request.size}
    seed = {} if request.seed is None else {"seed": request.seed}
    prompt: dict[str, Any] = {"prompt": request.prompt}
    if partner == _OWN:
        parameters = {**edges, **seed}
        return {"inputs": request.prompt, **({"parameters": parameters} if parameters else {})}
    if partner == "fal-ai":
        return {**prompt, **({"image_size": edges} if edges else {}), **seed}
    if partner == "together":
        return {**prompt, "response_format": "base64", **edges, **seed, "model": model}
    if partner == "nscale":
        return {"response_format": "b64_json", **prompt, "model": model, **written, **seed}
    if partner == "replicate":
        version = {"version": str(model).partition(":")[2]} if ":" in str(model) else {}
        return {"input": {**prompt, **edges, **seed}, **version}
    return {"model": model, **prompt, **written} if partner == "zai-org" else {**prompt, **edges, **seed}


def _edit(request: ImageRequest, endpoint: Endpoint) -> dict[str, Any]:
    """The same with a picture to edit. Source: huggingface_hub 2.4.0, `image_to_image` and what each partner makes of
    it: the picture goes under every name by which a model of the partner may ask for it."""
    partner, model = _partner(endpoint.url) if endpoint.model else _OWN, str(endpoint.model)
    pair, [image] = parse_size(request.size or ""), request.images
    size = None if pair is None else {"width": pair[0], "height": pair[1]}
    seed = {} if request.seed is None else {"seed": request.seed}
    prompt, target = {"prompt": request.prompt}, {} if size is None else {"target_size": size}
    if partner == _OWN:
        return {"inputs": image.b64_json, "parameters": {**prompt, **target, **seed}}
    url = data_address(image)
    if partner == "fal-ai":
        return {"image_url": url, "image_urls": [url], **prompt, **({"image_size": size} if size else {}), **seed}
    if partner == "together":
        is_kontext = "kontext" in model.lower() and "flux.1" in model.lower()
        picture = {"image_url": url} if is_kontext else {"reference_images": [url]}
        return {**prompt, **picture, "response_format": "base64", **target, **seed, "model": model}
    if partner == "replicate":
        version = {"version": model.partition(":")[2]} if ":" in model else {}
        pictures = {"image": url, "images": [url], "input_image": url, "input_images": [url]}
        return {"input": {**pictures, **prompt, **target, **seed}, **version}
    return {"image": url, **prompt, **target, **seed}


def _indecent(why: str) -> Failure:
    """A picture that was made and is not shown."""
    return Failure(why, "nsfw", kind="moderation", details={"stage": "output"}, ends_order=True)


def _is_indecent(found: Mapping[str, Any]) -> bool:
    """Whether a partner made a picture and blackened it. Source: fal.ai, `has_nsfw_concepts`."""
    flags = found.get("has_nsfw_concepts")
    return isinstance(flags, list) and bool(flags) and all(flag is True for flag in flags)


def _received(payload: dict[str, Any]) -> Received:
    """Pictures, or an order and what became of it, in the words of whichever partner it is."""
    from flowdsl_steps.image.images_api import received_of
    from flowdsl_steps.image.received import BrokenResponse, Received

    data = payload.get("data")
    order = data if isinstance(data, dict) else payload
    status, name = order.get("status") or order.get("task_status"), order.get("id") or order.get("request_id")
    if _is_indecent(payload) or status in ("failed", "canceled", "FAIL"):
        raise BrokenResponse("vendor-error", "the picture is not shown, or the order failed", payload=payload)
    request_id = name if isinstance(name, str) else None
    if isinstance(status, str) and status in _WAITING and not _addresses(order) and request_id is not None:
        return Received((), payload, request_id=request_id)
    if not isinstance(data, list):
        payload = {**payload, "data": [{"url": url} for url in _addresses(order)]}
    return received_of(payload, url_lifetime_s=None)._replace(request_id=request_id)


def _addresses(found: Mapping[str, Any]) -> list[str]:
    """The addresses of pictures, wherever a partner puts them."""
    for key in ("images", "outputs", "output", "image_result"):
        value = found.get(key)
        listed = value if isinstance(value, list) else [value]
        urls = [each.get("url") if isinstance(each, Mapping) else each for each in listed]
        if any(isinstance(url, str) for url in urls):
            return [url for url in urls if isinstance(url, str)]
    return []


VENDOR = HuggingFace()
