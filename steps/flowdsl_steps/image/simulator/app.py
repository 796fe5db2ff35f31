"""The simulated images API as an ASGI application."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date

from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator.auth import check_key, secrets_of
from flowdsl_steps.image.simulator.control import control
from flowdsl_steps.image.simulator.exchange import Exchange, Receive, Scope, Send
from flowdsl_steps.image.simulator.faults import Fault, FaultQueue
from flowdsl_steps.image.simulator.files import PublishedFiles
from flowdsl_steps.image.simulator.gallery import Gallery, request_digest
from flowdsl_steps.image.simulator.generation import Call, generate, spoil_early
from flowdsl_steps.image.simulator.judge import ImageRequest, judge
from flowdsl_steps.image.simulator.models import ModelRules, Vendor, find_model, model_names
from flowdsl_steps.image.simulator.record import Ledger, RecordedRequest, body_as_json
from flowdsl_steps.image.simulator.refusal import (
    Refusal,
    deployment_not_found,
    model_not_found,
    refused,
    resource_not_found,
)

DEFAULT_KEY = "sk-simulated"
_GENERATIONS = re.compile(r"/v1/images/generations|/openai/(?:v1|deployments/([^/]+))/images/generations")
_FILE = re.compile(r"/v1/images/(files|moved)/([^/]+)\.png")
_API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(-preview)?")
# Source: Azure OpenAI API lifecycle: 2025-04-01-preview is the first version with GPT image models.
_FIRST_GPT_VERSION = "2025-04-01"


class ImagesApi:
    """The application. `key` None accepts any key; `as_of` refuses models that are not served on that day.

    `deployments` adds Azure deployment names; every model name, and `images` for gpt-image-2, is one already.
    `payload_bytes` gives every file that size, `latency_s` is the time an image takes at least.
    """

    def __init__(
        self,
        *,
        key: str | None = DEFAULT_KEY,
        deployments: Mapping[str, str] | None = None,
        as_of: date | None = None,
        payload_bytes: int | None = None,
        latency_s: float = 0.0,
        faults: Iterable[Fault | str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = key
        self.as_of = as_of
        self.latency_s = latency_s
        self.clock = clock
        self.faults = FaultQueue(faults)
        self.gallery = Gallery(payload_bytes)
        self.files = PublishedFiles(clock)
        self.ledger = Ledger()
        self._takes: Counter[str] = Counter()
        self.deployments = {"images": "gpt-image-2", **{name: name for name in model_names()}, **(deployments or {})}
        for deployment, model in (deployments or {}).items():
            if find_model(model) is None:
                known = ", ".join(model_names())
                raise UsageError(f"Deployment '{deployment}': unknown model '{model}'. Known: {known}.")

    def numbered(self, request: ImageRequest) -> ImageRequest:
        """The request with its take: how often the same one was answered before."""
        key = request_digest(request)
        take = self._takes[key]
        self._takes[key] += 1
        return replace(request, take=take) if take and self.gallery.draws else request

    def reset(self) -> None:
        """Forgets recorded requests, faults, published files and which pictures were drawn already."""
        self.faults.clear()
        self._takes.clear()
        self.ledger.clear()
        self.files.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        if exchange.path.startswith("/_simulator/"):
            await control(self, exchange)
            return
        secrets = secrets_of(exchange.headers, self.key)
        record = self.ledger.enter(
            exchange.method, exchange.path, exchange.query, exchange.headers, secrets, self.clock()
        )
        exchange.record = record
        try:
            await self._route(exchange, record)
        finally:
            self.ledger.leave(record)

    async def _route(self, exchange: Exchange, record: RecordedRequest) -> None:
        generations, file = _GENERATIONS.fullmatch(exchange.path), _FILE.fullmatch(exchange.path)
        if generations:
            vendor: Vendor = "openai" if exchange.path.startswith("/v1/") else "azure"
            await self._generation(exchange, record, vendor, generations[1])
        elif file and exchange.method == "GET":
            serve = self.files.serve if file[1] == "files" else self.files.serve_redirect
            await serve(exchange, file[2])
        elif exchange.path == "/v1/models" and exchange.method == "GET":
            await self._list_models(exchange)
        else:
            await _send_refusal(
                exchange, refused(f"Invalid URL ({exchange.method} {record.path})", code=None, status=404)
            )

    async def _list_models(self, exchange: Exchange) -> None:
        try:
            check_key(exchange.headers, "openai", self.key)
        except Refusal as refusal:
            await _send_refusal(exchange, refusal)
            return
        names = [name for name in model_names() if (found := find_model(name)) and found.served("openai", self.as_of)]
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "simulator"} for name in names]
        await exchange.answer_json(200, {"object": "list", "data": models})

    async def _generation(
        self, exchange: Exchange, record: RecordedRequest, vendor: Vendor, deployment: str | None
    ) -> None:
        number, began = len(self.ledger.requests), record.time
        raw = await exchange.body()
        record.json = body_as_json(raw, secrets_of(exchange.headers, self.key))
        call = Call(self, exchange, vendor, number, began, None)
        try:
            if exchange.method != "POST":
                raise refused(f"Not allowed to {exchange.method} on {record.path}.", code=None, status=405)
            check_key(exchange.headers, vendor, self.key)
            body = _parse(exchange, raw)
            fault = self.faults.take(str(body.get("prompt", "")))
            if fault is not None:
                record.fault = fault.kind
                call = Call(self, exchange, vendor, number, began, fault)
                if await spoil_early(call):
                    return
            rules, asked = self._model(exchange, vendor, deployment, body)
            request = judge(body, rules, vendor=vendor, asked_model=asked)
        except Refusal as refusal:
            await _send_refusal(exchange, refusal, call.headers())
            return
        await generate(call, request)

    def _model(
        self, exchange: Exchange, vendor: Vendor, deployment: str | None, body: Mapping[str, object]
    ) -> tuple[ModelRules, str]:
        asked = deployment if deployment is not None else body.get("model")
        if asked is None:
            message = "You must provide a model parameter."
            raise refused(message, param="model", code="missing_required_parameter")
        if not isinstance(asked, str):
            raise refused("Invalid type for 'model': expected a string.", param="model", code="invalid_type")
        rules = find_model(self.deployments.get(asked, "") if vendor == "azure" else asked)
        if rules is None or not rules.served(vendor, self.as_of):
            raise deployment_not_found() if vendor == "azure" else model_not_found(asked)
        if deployment is not None:
            _check_api_version(exchange.query, rules)
        return rules, asked


def _check_api_version(query: str, rules: ModelRules) -> None:
    found = re.search(r"(?:^|&)api-version=([^&]*)", query)
    version = _API_VERSION.fullmatch(found[1]) if found else None
    if version is None or (not rules.is_dall_e and version[1] < _FIRST_GPT_VERSION):
        raise resource_not_found()


def _parse(exchange: Exchange, raw: bytes) -> dict[str, object]:
    content_type = exchange.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        message = (
            f"Unsupported content type: '{content_type}'. This API method only accepts 'application/json' requests. "
            "Please try again with a supported content type."
        )
        raise refused(message, code="unsupported_content_type")
    try:
        body: object = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        message = "We could not parse the JSON body of your request. The API expects a JSON object."
        raise refused(message, code=None)
    return body


async def _send_refusal(exchange: Exchange, refusal: Refusal, headers: Mapping[str, str] | None = None) -> None:
    answer = refusal.answer
    await exchange.answer_json(answer.status, answer.body, {**(headers or {}), **answer.headers})
