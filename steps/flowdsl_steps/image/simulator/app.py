"""The simulated images API as an ASGI application."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flowdsl_steps.image.simulator.access import stranger
from flowdsl_steps.image.simulator.asgi import Asgi, Receive, Scope, Send
from flowdsl_steps.image.simulator.auth import check_key, secrets_of
from flowdsl_steps.image.simulator.batch_lines import edit_in_json
from flowdsl_steps.image.simulator.batches import Batches
from flowdsl_steps.image.simulator.control import control
from flowdsl_steps.image.simulator.edits import accepted_edit, body_of, validated_edit
from flowdsl_steps.image.simulator.faults import STEP_HEADER
from flowdsl_steps.image.simulator.form import File, parsed_form
from flowdsl_steps.image.simulator.generation import Call, generate, spoil_early
from flowdsl_steps.image.simulator.json_body import parsed_json
from flowdsl_steps.image.simulator.models import ModelRules, Vendor, find_model, model_names
from flowdsl_steps.image.simulator.record import RecordedRequest, body_as_json, form_as_json
from flowdsl_steps.image.simulator.refusal import (
    Refusal,
    deployment_not_found,
    model_not_found,
    refused,
    resource_not_found,
)
from flowdsl_steps.image.simulator.state import State
from flowdsl_steps.image.simulator.validation import accepted, validated

_IMAGES = re.compile(r"(?:(?:/any)?/v1|/openai/(?:v1|deployments/([^/]+)))/images/(?:generations|edits)")
_ANY = "/any/"
"""Behind this path every model is drawn, by whatever rules: for vendors that the simulator does not speak."""
_FILE = re.compile(r"/v1/images/(files|moved)/([^/]+)\.png")
_LONGEST_BODY = 16 * 1024 * 1024
_LONGEST_FORM = 256 * 1024 * 1024
"""The vendor takes 16 pictures of 50 MB; this is held in memory."""
_API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(-preview)?")
# Source: Azure OpenAI API lifecycle: 2025-04-01-preview is the first version with GPT image models.
_FIRST_GPT_VERSION = "2025-04-01"


class ImagesApi:
    """The application."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._batches = Batches(state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Responds to one request."""
        if scope["type"] != "http":
            return
        asgi = Asgi(scope, receive, send)
        problem = stranger(asgi.headers, self.state.hosts)
        if problem is not None:
            await asgi.respond_json(403, {"error": {"message": problem}}, {"connection": "close"})
            return
        if asgi.path.startswith("/_simulator/"):
            await control(self.state, asgi)
            return
        secrets = secrets_of(asgi.headers, self.state.key)
        record = self.state.ledger.enter(asgi.method, asgi.path, asgi.query, asgi.headers, secrets, self.state.clock())
        asgi.record = record
        try:
            await self._route(asgi, record)
        finally:
            self.state.ledger.leave(record)

    async def _route(self, asgi: Asgi, record: RecordedRequest) -> None:
        images, file = _IMAGES.fullmatch(asgi.path), _FILE.fullmatch(asgi.path)
        if images:
            vendor: Vendor = "azure" if asgi.path.startswith("/openai/") else "openai"
            is_edit = asgi.path.endswith("/edits")
            await self._generation(asgi, record, vendor, images[1], is_edit=is_edit)
        elif file and asgi.method == "GET":
            serve = self.state.files.serve if file[1] == "files" else self.state.files.serve_redirect
            await serve(asgi, file[2])
        elif asgi.path == "/v1/models" and asgi.method == "GET":
            await self._list_models(asgi)
        elif asgi.path.startswith(("/v1/files", "/v1/batches")):
            await self._later(asgi, record)
        else:
            await _send_refusal(asgi, refused(f"Invalid URL ({asgi.method} {record.path})", code=None, status=404))

    async def _later(self, asgi: Asgi, record: RecordedRequest) -> None:
        """Files, and batches of requests in them."""
        try:
            check_key(asgi.headers, "openai", self.state.key)
            serve = self.state.uploads.serve if asgi.path.startswith("/v1/files") else self._batches.serve
            await serve(asgi, record)
        except Refusal as refusal:
            await _send_refusal(asgi, refusal)

    async def _list_models(self, asgi: Asgi) -> None:
        try:
            check_key(asgi.headers, "openai", self.state.key)
        except Refusal as refusal:
            await _send_refusal(asgi, refusal)
            return
        names = [
            name for name in model_names() if (found := find_model(name)) and found.served("openai", self.state.as_of)
        ]
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "simulator"} for name in names]
        await asgi.respond_json(200, {"object": "list", "data": models})

    async def _generation(
        self, asgi: Asgi, record: RecordedRequest, vendor: Vendor, deployment: str | None, *, is_edit: bool
    ) -> None:
        number, began = len(self.state.ledger.requests), record.time
        longest = _LONGEST_FORM if is_edit else _LONGEST_BODY
        raw = await asgi.body(longest)
        if raw is None:
            message = f"The body is larger than {longest} bytes."
            await _send_refusal(asgi, refused(message, code="request_too_large", status=413), {"connection": "close"})
            return
        secrets = secrets_of(asgi.headers, self.state.key)
        files: list[File] = []
        if not is_edit:
            record.json = body_as_json(raw, secrets)
        call = Call(self.state, asgi, vendor, number, began, None)
        try:
            if asgi.method != "POST":
                raise refused(f"Not allowed to {asgi.method} on {record.path}.", code=None, status=405)
            check_key(asgi.headers, vendor, self.state.key)
            in_json = is_edit and vendor == "openai" and _is_json(asgi)
            if in_json:
                record.json = body_as_json(raw, secrets)
                body, files = edit_in_json(self.state, _parse(asgi, raw))
            elif is_edit:
                fields, files = parsed_form(asgi.headers.get("content-type", ""), raw)
                record.json = form_as_json(fields, files, secrets)
                body = body_of(fields)
            else:
                body = _parse(asgi, raw)
            prompt = body.get("prompt")
            step = asgi.headers.get(STEP_HEADER, "")
            fault = self.state.faults.take(prompt if isinstance(prompt, str) else "", step)
            if fault is not None:
                record.fault = fault.kind
                call = Call(self.state, asgi, vendor, number, began, fault)
                if await spoil_early(call):
                    return
            if asgi.path.startswith(_ANY):
                request = accepted_edit(body, files) if is_edit else accepted(body)
            else:
                rules, asked = self._model(asgi, vendor, deployment, body)
                if is_edit:
                    request = validated_edit(body, files, rules, vendor=vendor, asked_model=asked, in_json=in_json)
                else:
                    request = validated(body, rules, vendor=vendor, asked_model=asked)
        except Refusal as refusal:
            await _send_refusal(asgi, refusal, call.headers())
            return
        await generate(call, request)

    def _model(
        self, asgi: Asgi, vendor: Vendor, deployment: str | None, body: Mapping[str, object]
    ) -> tuple[ModelRules, str]:
        asked = deployment if deployment is not None else body.get("model")
        if asked is None:
            message = "You must provide a model parameter."
            raise refused(message, param="model", code="missing_required_parameter")
        if not isinstance(asked, str):
            raise refused("Invalid type for 'model': expected a string.", param="model", code="invalid_type")
        name = self.state.deployments.get(asked, "") if vendor == "azure" else self.state.models.get(asked, asked)
        rules = find_model(name) or find_model(name.rpartition("/")[2])  # gateways call a model ACCOUNT/MODEL
        if rules is None or not rules.served(vendor, self.state.as_of):
            raise deployment_not_found() if vendor == "azure" else model_not_found(asked)
        if deployment is not None:
            _check_api_version(asgi.query, rules)
        return rules, asked


def _check_api_version(query: str, rules: ModelRules) -> None:
    found = re.search(r"(?:^|&)api-version=([^&]*)", query)
    version = _API_VERSION.fullmatch(found[1]) if found else None
    if version is None or (not rules.is_dall_e and version[1] < _FIRST_GPT_VERSION):
        raise resource_not_found()


def _is_json(asgi: Asgi) -> bool:
    return asgi.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _parse(asgi: Asgi, raw: bytes) -> dict[str, object]:
    content_type = asgi.headers.get("content-type", "")
    if not _is_json(asgi):
        message = (
            f"Unsupported content type: '{content_type}'. This API method only accepts 'application/json' requests. "
            "Please try again with a supported content type."
        )
        raise refused(message, code="unsupported_content_type")
    body = parsed_json(raw)
    if not isinstance(body, dict):
        message = "We could not parse the JSON body of your request. The API expects a JSON object."
        raise refused(message, code=None)
    return body


async def _send_refusal(asgi: Asgi, refusal: Refusal, headers: Mapping[str, str] | None = None) -> None:
    response = refusal.response
    await asgi.respond_json(response.status, response.body, {**(headers or {}), **response.headers})
