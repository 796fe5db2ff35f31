"""The gateway's own description: OpenAPI, made of the fields it reads, and a page that shows it without any script."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flowdsl.serve.fields import FIELDS, FLAG, FORMATS, NEWER, NUMBER, OF_EDITS, TEXT

_TYPES = {TEXT: "string", NUMBER: "integer", FLAG: "boolean"}
_BOUNDS: Mapping[str, dict[str, Any]] = {
    "n": {"minimum": 1, "maximum": 10, "default": 1},
    "output_compression": {"minimum": 0, "maximum": 100},
    "partial_images": {"minimum": 0, "maximum": 3, "default": 0},
    "response_format": {"enum": [*FORMATS, None]},
    "prompt": {"minLength": 1},
}
"""What holds for every model; the rest is the model's business."""
_NEVER_NULL = ("model", "prompt")
_ERROR = {"$ref": "#/components/schemas/Error"}


def openapi(paths: Iterable[str], flows: Mapping[str, dict[str, Any]], version: str) -> dict[str, Any]:
    """The OpenAPI document. `paths` are the beginnings of the images APIs, `flows` the schemas of the inputs of flows
    by id."""
    found: dict[str, Any] = {}
    for path in paths:
        own = _parameters(path)
        found[f"{path}/images/generations"] = {
            "post": _operation("Make pictures.", _json(_fields((), path)), "#/components/schemas/Images", own)
        }
        found[f"{path}/images/edits"] = {
            "post": _operation("Edit pictures.", _form(path), "#/components/schemas/Images", own)
        }
    found["/v1/models"] = {"get": _operation("The models that are served.")}
    for address, said in (
        ("/flows", "The flows that are served."),
        ("/healthz", "Whether the process lives."),
        ("/readyz", "Whether it takes requests."),
    ):
        found[address] = {"get": _operation(said)}
    for id, schema in flows.items():
        inputs = {name: each for name, each in schema.items() if name != "$schema"}
        body = {"type": "object", "properties": {"inputs": inputs}, "additionalProperties": False}
        found[f"/flows/{id}/runs"] = {"post": _operation(f"Run the flow {id}.", _json(body))}
    run = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    found["/runs/{id}"] = {"get": _operation("How a run stands, and its result.", parameters=run)}
    found["/runs/{id}/events"] = {"get": _operation("The events of a run.", parameters=run)}
    found["/runs/{id}/cancel"] = {"post": _operation("End a run.", parameters=run)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "flowdsl gateway", "version": version},
        "paths": found,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
    }


def _fields(extra: Iterable[str], path: str) -> dict[str, Any]:
    fields = {**FIELDS, **NEWER, **{name: OF_EDITS[name] for name in extra}}
    if "{deployment}" in path:
        fields.pop("model")
    properties = {
        name: {"type": _TYPES[kind] if name in _NEVER_NULL else [_TYPES[kind], "null"], **_BOUNDS.get(name, {})}
        for name, kind in fields.items()
    }
    required = [name for name in _NEVER_NULL if name in fields]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _form(path: str) -> dict[str, Any]:
    schema = _fields(OF_EDITS, path)
    file = {"type": "string", "contentMediaType": "image/png"}
    properties = {name: {**each, "type": each["type"]} for name, each in schema["properties"].items()}
    files = {"image": {"type": "array", "items": file, "minItems": 1, "maxItems": 16}, "mask": file}
    whole = {**schema, "properties": {**properties, **files}, "required": [*schema["required"], "image"]}
    return {"required": True, "content": {"multipart/form-data": {"schema": whole}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _parameters(path: str) -> list[dict[str, Any]]:
    if "{deployment}" not in path:
        return []
    return [{"name": "deployment", "in": "path", "required": True, "schema": {"type": "string"}}]


def _operation(
    said: str,
    body: dict[str, Any] | None = None,
    gives: str | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    schema = {"$ref": gives} if gives else {"type": "object"}
    refused = {"description": "A refusal.", "content": {"application/json": {"schema": _ERROR}}}
    found: dict[str, Any] = {
        "summary": said,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": schema}}},
            "default": refused,
        },
    }
    if parameters:
        found["parameters"] = parameters
    return found if body is None else {**found, "requestBody": body}


_SCHEMAS: dict[str, Any] = {
    "Images": {
        "type": "object",
        "required": ["created", "data"],
        "properties": {
            "created": {"type": "integer"},
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("url", "b64_json", "revised_prompt")},
                },
            },
            "usage": {"type": "object"},
        },
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                    "charge_possible": {"type": "boolean"},
                },
            }
        },
    },
}


def page(described: Mapping[str, Any], models: Iterable[str]) -> str:
    """The description as a page, which loads nothing."""
    rows = "".join(_rows(described))
    names = "".join(f"<li><code>{html.escape(name)}</code></li>" for name in models)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>flowdsl gateway</title>"
        "<style>body{font:16px system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td{padding:.2rem .8rem .2rem 0;vertical-align:top}"
        "code{background:#8882;padding:0 .2em}summary{cursor:pointer}</style>"
        f"<h1>flowdsl gateway</h1><p>Version {html.escape(described['info']['version'])}. The same for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p><h2>Addresses</h2>{rows}<h2>Models</h2><ul>{names}</ul>'
    )


def _rows(described: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            head = f"<code>{method.upper()} {html.escape(path)}</code> {html.escape(operation['summary'])}"
            content = operation.get("requestBody", {}).get("content", {})
            fields = "".join(
                f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(_said(each))}"
                for kind in content.values()
                for name, each in kind["schema"]["properties"].items()
            )
            yield f"<details><summary>{head}</summary><table>{fields}</table></details>"


def _said(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "any")
    words = [" or ".join(kinds) if isinstance(kinds, list) else str(kinds)]
    if "minimum" in schema:
        words.append(f"from {schema['minimum']} to {schema.get('maximum', '…')}")
    if "enum" in schema:
        words.append("one of " + ", ".join(str(each) for each in schema["enum"] if each is not None))
    return ", ".join(words)
