"""OpenAI, and every endpoint that speaks its images API.

What only a request needs is imported where one is made: a check makes none.
Source: OpenAI API reference, Create image; openai-python reads the same two variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.errors import ConfigError
from flowdsl.step.problem import Problem
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.catalogue import Model, catalogue
from flowdsl_steps.image.model_check import model_problems
from flowdsl_steps.image.option_check import INPUT_OPTIONS, option_problems, unsent_problems
from flowdsl_steps.image.request import DEFAULT_MODEL, EDIT_MODEL, ImageRequest, is_edit
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Comparison, Endpoint, Head, Vendor

if TYPE_CHECKING:
    from datetime import date
    from urllib.parse import SplitResult

    from flowdsl.image.known_model import KnownModel
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

API_HOST = "api.openai.com"
DEFAULT_ENDPOINT = f"https://{API_HOST}/v1"
OPERATION = "/images/generations"
EDITS = "/images/edits"
AZURE_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
"""Azure's hosts speak this API too, at another path and with another key header."""

_OTHER_OPERATION = r"/(chat/completions|completions|responses|images/edits|images/variations|models)$"
_ONLY_STREAMED = ("partial_images",)


class OpenAI(Vendor):
    """The images API in its first home; the vendors that speak it too are made of this one."""

    name = "openai"
    title = "OpenAI"
    hosts: tuple[str, ...] = (API_HOST, f".{API_HOST}")
    family = "openai"
    own_options: frozenset[str] = frozenset()
    """Options of its own, beyond those of every request."""
    settings: tuple[Key, ...] = (
        Key("organizationId", "text", "OpenAI's organization, sent as `OpenAI-Organization`."),
        Key("projectId", "text", "OpenAI's project, sent as `OpenAI-Project`."),
    )
    environment: Mapping[str, tuple[str, ...]] = {
        "apiKey": ("OPENAI_API_KEY",),
        "endpoint": ("OPENAI_BASE_URL",),
        "organizationId": ("OPENAI_ORG_ID",),
        "projectId": ("OPENAI_PROJECT_ID",),
    }

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the model does not accept, by the catalogue; what is unknown is sent."""
        yield from model_problems(request, model)
        if is_edit(request):
            from flowdsl_steps.image.input_check import edit_problems

            yield from edit_problems(request, model)
        yield from option_problems(request, model)
        yield from unsent_problems(request, self.title, self.own_options, edits=True)

    def images_per_request(self, request: ImageRequest, endpoint: Endpoint) -> int:
        """As many as the model accepts; of a model that is not known, all of them."""
        model = catalogue().find(endpoint.label)
        return max(1, request.n) if model is None else model.images_per_request(request.output_format)

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The images API of OpenAI or of the entry's own endpoint, with a bearer key.

        Raises:
            ConfigError: a bad endpoint, or no key for OpenAI itself.
        """
        from flowdsl_steps.image.endpoint import missing, named_model, split_endpoint

        parts = split_endpoint(service, service.endpoint or DEFAULT_ENDPOINT)
        if (parts.hostname or "").endswith(AZURE_HOSTS) and "/openai/v1" not in parts.path:
            raise ConfigError(
                f"the endpoint of the service {service.name} is an Azure OpenAI resource: {parts.hostname}",
                code="invalid-endpoint",
                hint="use AZURE_OPENAI_IMAGE_GENERATION, or `azure` as the `provider` of the service",
            )
        if not (service.get("apiKey") or service.get("authKey")) and parts.hostname == API_HOST:
            raise missing(service, "apiKey", self.environment["apiKey"][0])
        url, notes = operation_url(parts, bare="/v1", operation=operation_of(request))
        endpoint = bearer_endpoint(
            service, url, named_model(request, service) or default_model(request), self.environment.get("apiKey"), notes
        )
        return endpoint._replace(headers={**_account(service, parts.hostname), **endpoint.headers})

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body of the options, without those that the model is known not to have; of an edit the same fields as
        parts of a form, with its pictures. One with an option that the form lacks is JSON too."""
        import json

        from flowdsl_steps.http.request import HttpRequest
        from flowdsl_steps.image.edit_form import edit_json
        from flowdsl_steps.image.input_check import ONLY_IN_JSON

        if is_edit(request) and any(request.option(name) is not None for name in ONLY_IN_JSON):
            content = json.dumps(edit_json(self.fields(request, endpoint), request), ensure_ascii=False).encode()
            return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)
        if is_edit(request):
            from flowdsl_steps.image.edit_form import edit_form

            return HttpRequest("POST", endpoint.url, {}, edit_form(self.fields(request, endpoint), request))
        content = json.dumps(self.fields(request, endpoint), ensure_ascii=False).encode()
        return HttpRequest("POST", endpoint.url, {"Content-Type": "application/json"}, content)

    def fields(self, request: ImageRequest, endpoint: Endpoint) -> dict[str, Any]:
        """What the body says, in its order."""
        from flowdsl_steps.image.input_check import NOT_IN_EDITS

        model, unasked = catalogue().find(endpoint.label), NOT_IN_EDITS if is_edit(request) else INPUT_OPTIONS
        body: dict[str, Any] = {"prompt": request.prompt}
        if endpoint.model is not None:
            body["model"] = endpoint.model
        for name, value in request.options():
            is_asked = name != "n" and name not in (*request.extra, *unasked) and value is not False
            if is_asked and self._accepts(model, name):
                body[name] = value
        if not body.get("stream"):
            for name in _ONLY_STREAMED:
                body.pop(name, None)
        if request.n > 1:
            body["n"] = request.n
        return body

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """JSON, or a stream of events, or what begins as one although no header says so."""
        kind = head.headers.get("content-type", "").lower()
        if not kind.startswith(("application/json", "image/")):
            from flowdsl_steps.image.stream import StreamedResponse

            return StreamedResponse(store, limit, is_declared=kind.startswith("text/event-stream"))
        from flowdsl_steps.image.images_api import received_of
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, received_of)

    def most(self, request: ImageRequest, endpoint: Endpoint) -> float | None:
        """By the catalogue's prices: the dearest picture that fits the options, and the prompt."""
        model = catalogue().find(endpoint.label)
        if model is None:
            return None
        from flowdsl_steps.image import cost

        found = cost.most(
            model, self.name, request.prompt, request.size, request.quality, request.n, request.partial_images or 0
        )
        inputs = cost.of_inputs(model, [*request.images, *([request.mask] if request.mask else [])], request)
        return None if found is None or inputs is None else found + inputs

    def least(self, request: ImageRequest, endpoint: Endpoint) -> float:
        """By the catalogue's prices: the cheapest picture that fits the options, without the prompt."""
        from flowdsl_steps.image import cost

        model = catalogue().find(endpoint.label)
        found = None if model is None else cost.estimate(model, self.name, request.size, request.quality, request.n)
        return 0.0 if found is None else found[0]

    def cost(self, request: ImageRequest, endpoint: Endpoint, received: Received) -> float | None:
        """By the catalogue's prices, from the usage that the response reports."""
        model = catalogue().find(endpoint.label)
        if model is None:
            return received.cost_usd
        from flowdsl_steps.image import cost

        size, quality = received.size or request.size, received.quality or request.quality
        return cost.actual(model, received.usage, size, quality, request.n)

    def models(self, as_of: date | None = None) -> Sequence[KnownModel]:
        """Those of the catalogue that have been at this vendor."""
        from flowdsl_steps.image.known_models import known_models

        return known_models(self.name, as_of)

    def compared(self) -> Comparison | None:
        """With `openai`, the official client."""
        from flowdsl_steps.image.client_comparison import compared

        return compared()

    def simulate(self, url: str, key: str) -> Mapping[str, Any]:
        """The simulator speaks this API."""
        return {"endpoint": f"{url}/v1", "apiKey": key}

    def _accepts(self, model: Model | None, name: str) -> bool:
        if model is None:
            return name not in catalogue().never_sent
        return model.accepts(name, self.name) is not False


def _account(service: Service, host: str | None) -> dict[str, str]:
    """The headers that say who pays, as the official clients send them. What the environment says is for OpenAI, or
    for the endpoint that the environment names beside it."""
    named = service.origins.get("endpoint", "").startswith("environment") or host == API_HOST
    return {
        header: str(service.get(setting))
        for setting, header in (("organizationId", "OpenAI-Organization"), ("projectId", "OpenAI-Project"))
        if service.get(setting) and (named or not service.origins.get(setting, "").startswith("environment"))
    }


def bearer_endpoint(
    service: Service, url: str, model: str, variables: tuple[str, ...] | None, notes: tuple[str, ...] = ()
) -> Endpoint:
    """An endpoint whose key, if there is one, goes out as a bearer token; `variables` could give it."""
    from flowdsl_steps.image.endpoint import extra_headers, key_source, secrets_in

    setting = "apiKey" if service.get("apiKey") or not service.get("authKey") else "authKey"
    key = service.get(setting)
    extra = extra_headers(service)
    return Endpoint(
        service.name,
        url,
        {**({"Authorization": f"Bearer {key}"} if key else {}), **extra},
        model,
        model,
        key_source(service, setting, variables[0] if variables else None),
        secrets=secrets_in(key, extra),
        notes=notes,
    )


def operation_of(request: ImageRequest) -> str:
    """The operation of the images API that a request asks for."""
    return EDITS if is_edit(request) else OPERATION


def default_model(request: ImageRequest) -> str:
    """The model when nobody names one."""
    return EDIT_MODEL if is_edit(request) else DEFAULT_MODEL


def operation_url(parts: SplitResult, bare: str, operation: str = OPERATION) -> tuple[str, tuple[str, ...]]:
    """The full address for an endpoint in any of the forms people paste, and a note when it had to be put right.

    `bare` is the path that an endpoint without one stands for. That of generation is right for edits too: one entry
    serves both.
    """
    from urllib.parse import urlunsplit

    path = parts.path.rstrip("/")
    if path.endswith(operation):
        return urlunsplit(parts._replace(path=path, fragment="")), ()
    wanted = path.removesuffix(OPERATION)
    notes: tuple[str, ...] = ()
    if re.compile(_OTHER_OPERATION).search(path):
        wanted = re.compile(_OTHER_OPERATION).sub("", path)
        notes = (f"the endpoint names another operation, {path[len(wanted) :]}: {operation} is used instead",)
    if not wanted:
        wanted = bare
    url = urlunsplit(parts._replace(path=wanted + operation, fragment=""))
    return url, notes


VENDOR = OpenAI()
