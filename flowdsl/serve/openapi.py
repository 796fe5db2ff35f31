"""The gateway's own description, as OpenAPI, made of the fields it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowdsl.serve.fields import FIELDS, FLAG, FORMATS, NEWER, NOT_IN_FORMS, NUMBER, OF_EDITS, OF_GENERATIONS, TEXT
from flowdsl.serve.openapi_schemas import ANY_EVENT, JSON, SCHEMAS, content, refusals, said

_TYPES = {TEXT: "string", NUMBER: "integer", FLAG: "boolean"}
_BOUNDS: Mapping[str, dict[str, Any]] = {
    "n": {"minimum": 1, "maximum": 10, "default": 1},
    "output_compression": {"minimum": 0, "maximum": 100},
    "partial_images": {"minimum": 0, "maximum": 3, "default": 0},
    "response_format": {"enum": [*FORMATS, None]},
    "model": {"minLength": 1},
    "prompt": {"minLength": 1},
}
"""What holds for every model; the rest is the model's business."""
_NEVER_NULL = ("model", "prompt")
_MOST_PICTURES = 16
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same request with the same key is bought once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_ANYWHERE = (403, 431, 500, 503)
"""The statuses of refusals that any request can get: of a stranger, of one whose head is too large, by an error of the
gateway, and while that cannot read its tokens."""
_OF_TOKENS = (400, 401, *_ANYWHERE)
"""Those of requests that show a token."""
_OF_PICTURES = (404, 408, 409, 413, 422, 429, 502, 504, *_OF_TOKENS)
"""Those where pictures are bought, or a flow is run, which may buy some."""
_OF_RUNS = (404, 409, *_OF_TOKENS)
"""Those where somebody asks for a run, which another process may have."""
_OF_RANGES = {
    "304": said("Whoever asks has the picture, by `If-None-Match`.", {}),
    "416": said("The picture has no such part.", {}),
}


def with_models(paths: Iterable[str]) -> list[str]:
    """The beginnings of the images APIs below which clients look for models too: all but those that name one."""
    return [path for path in paths if "{" not in path]


def openapi(
    paths: Iterable[str],
    flows: Mapping[str, dict[str, Any]],
    version: str,
    models: Iterable[str] = (),
    *,
    guarded: bool = False,
) -> dict[str, Any]:
    """The OpenAPI document. `paths` are the beginnings of the images APIs, `flows` the schemas of the inputs of flows
    by id, `models` those that are served, as far as everybody may know them; `guarded`: requests need a token."""
    paths, names = [*paths], sorted(models)
    found: dict[str, Any] = {}
    for path in paths:
        own = [_KEY, *_deployment(path, names)]
        for operation, summary, body in (
            ("generations", "Make pictures.", _generation(path, names)),
            ("edits", "Edit pictures.", _edit(path, names)),
        ):
            made = said("The pictures, or with `stream` their events.", {**content("Images"), **ANY_EVENT})
            found[f"{path}/images/{operation}"] = {"post": _operation(summary, made, _OF_PICTURES, own, body)}
    listed = _operation("The models that are served.", _list("Model"), _OF_TOKENS)
    named = [{"name": "model", "in": "path", "required": True, "schema": _model(names)}]
    model = _operation("A model.", said("The model.", content("Model")), (404, *_OF_TOKENS), named)
    for path in with_models(paths):
        found |= {f"{path}/models": {"get": listed}, f"{path}/models/{{model}}": {"get": model}}
    found["/flows"] = {"get": _operation("The flows that are served.", _list("Flow"), _OF_TOKENS)}
    for id, schema in flows.items():
        found[f"/flows/{id}/runs"] = {"post": _run_of(id, schema)}
    run = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}]
    known = said("The run.", content("Run"))
    events = said("The events, and at last the result.", ANY_EVENT)
    found["/runs/{id}"] = {"get": _operation("How a run stands, and its result.", known, _OF_RUNS, run)}
    found["/runs/{id}/events"] = {"get": _operation("The events of a run.", events, _OF_RUNS, run)}
    found["/runs/{id}/cancel"] = {"post": _operation("End a run.", known, _OF_RUNS, run)}
    pictures = said("The picture.", {"image/*": {"schema": {"type": "string", "format": "binary"}}})
    parts = [{**run[0], "name": name} for name in ("signature", "expires", "name")]
    shown = {**_operation("A picture that a response named.", pictures, (404, *_ANYWHERE), parts), "security": []}
    shown["responses"] |= {"206": said("The part that `Range` names.", pictures["content"]), **_OF_RANGES}
    found["/pictures/{signature}/{expires}/{name}"] = {"get": shown}
    counts = said("Counts for Prometheus.", {"text/plain": {"schema": {"type": "string"}}})
    found["/metrics"] = {"get": _operation("Counts of all processes, for Prometheus.", counts, _OF_TOKENS)}
    for address, summary in (
        ("/healthz", "Whether the process lives."),
        ("/readyz", "Whether it takes requests."),
    ):
        lives = _operation(summary, said("It does.", content("Health")), _ANYWHERE)
        found[address] = {"get": {**lives, "security": []}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "flowdsl gateway", "version": version},
        "paths": found,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
        },
        "security": [{"bearer": []}, {"key": []}] if guarded else [],
    }


def _run_of(id: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What runs a flow."""
    inputs = {name: each for name, each in schema.items() if name != "$schema"}
    body = {"type": "object", "properties": {"inputs": inputs}, "additionalProperties": False}
    needed = bool(inputs.get("required"))
    if needed:
        body["required"] = ["inputs"]
    done = said("The result; with `Accept: text/event-stream` the events.", {**content("Run"), **ANY_EVENT})
    found = _operation(f"Run the flow {id}.", done, _OF_PICTURES, [_KEY], {JSON: {"schema": body}})
    found["requestBody"]["required"] = needed
    found["responses"]["202"] = said("With `Prefer: respond-async`: the run, which goes on.", content("Run"))
    return found


def _fields(path: str, names: list[str], *, is_edit: bool = False, is_form: bool = False) -> dict[str, Any]:
    """The schema of the fields of a request. A form has no null."""
    fields = {**FIELDS, **NEWER, **(OF_EDITS if is_edit else {})}
    lacking = (*(OF_GENERATIONS if is_edit else ()), *(NOT_IN_FORMS if is_form else ()))
    for name in (*(["model"] if "{deployment}" in path else []), *lacking):
        fields.pop(name)
    properties: dict[str, Any] = {}
    for name, kind in fields.items():
        bounds = _BOUNDS.get(name, {})
        if is_form and "enum" in bounds:
            bounds = {"enum": [each for each in bounds["enum"] if each is not None]}
        one = name in _NEVER_NULL or is_form
        properties[name] = {"type": _TYPES[kind] if one else [_TYPES[kind], "null"], **bounds}
    if "model" in properties:
        properties["model"] = _model(names)
    required = [name for name in _NEVER_NULL if name in fields]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _model(names: list[str]) -> dict[str, Any]:
    """The schema of a model: those that are listed, and what else the services have."""
    if not names:
        return {"type": "string", "minLength": 1}
    return {"anyOf": [{"type": "string", "enum": names}, {"type": "string", "minLength": 1}]}


def _generation(path: str, names: list[str]) -> dict[str, Any]:
    return {JSON: {"schema": _fields(path, names)}}


def _edit(path: str, names: list[str]) -> dict[str, Any]:
    """Pictures come as files of a form, or as addresses in JSON."""
    link = {
        "type": "object",
        "properties": {"image_url": {"type": "string", "pattern": "^(https?://|data:image/)"}},
        "required": ["image_url"],
        "additionalProperties": False,
    }
    file = {"type": "string", "format": "binary"}
    own = {"type": "array", "minItems": 1, "maxItems": _MOST_PICTURES}
    found = {}
    for kind, name, each in (("multipart/form-data", "image", file), (JSON, "images", link)):
        schema = _fields(path, names, is_edit=True, is_form=kind != JSON)
        schema["properties"] |= {name: {**own, "items": each}, "mask": each}
        schema["required"].append(name)
        found[kind] = {"schema": schema}
    return found


def _deployment(path: str, names: list[str]) -> list[dict[str, Any]]:
    if "{deployment}" not in path:
        return []
    return [{"name": "deployment", "in": "path", "required": True, "schema": _model(names)}]


def _list(name: str) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    properties = {"object": {"const": "list"}, "data": items}
    schema = {"type": "object", "required": ["object", "data"], "properties": properties}
    return said("The list.", {JSON: {"schema": schema}})


def _operation(
    summary: str,
    done: dict[str, Any],
    statuses: Iterable[int],
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": summary, "responses": {"200": done, **refusals(statuses)}}
    if parameters:
        found["parameters"] = parameters
    return found if body is None else {**found, "requestBody": {"required": True, "content": body}}
