"""What the gateway responds, as the schemas of its description."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

JSON = "application/json"
EVENTS = "text/event-stream"
_WHY = {
    400: "A field does not fit, the body cannot be read, or moderation refused the prompt.",
    401: "There is no token, or one that does not count.",
    403: "The token is not for this model or flow, or the request names a host that is not served.",
    404: "There is no such model, flow or run.",
    408: "The body did not come in time.",
    409: "The request of this key is being worked on, or nobody knows what came of it; or another process has the run.",
    413: "The body, or a picture that an input leads to, is too large.",
    422: "The key was used for another request.",
    429: "The service or the token is asked too often, or a limit of money is reached.",
    431: "The address and the headers are too large, or there are too many headers.",
    500: "The run failed by what the flow does, the disk takes nothing, or the gateway had an error.",
    502: "The service failed; it may have done, and billed, the work.",
    503: "The service cannot be reached, or the gateway is busy, ends, or cannot read its tokens or its journal.",
    504: "The service did not answer in time, and may have done, and billed, the work; or the run took too long.",
}
_ID = {"X-Request-Id": {"required": True, "schema": {"type": "string", "pattern": "^req_[0-9a-f]{32}$"}}}


def content(name: str) -> dict[str, Any]:
    """The content of a response with one of the schemas."""
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def said(description: str, held: dict[str, Any]) -> dict[str, Any]:
    """A response with a content."""
    return {"description": description, "headers": _ID, "content": held}


def refusals(statuses: Iterable[int]) -> dict[str, Any]:
    """The refusals of these statuses."""
    return {str(status): said(_WHY[status], content("Error")) for status in sorted(statuses)}


def _object(required: Iterable[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*required], "properties": properties}


_TEXT: dict[str, Any] = {"type": "string"}
_TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
ANY_EVENT: dict[str, Any] = {EVENTS: {"schema": _object(("event", "data"), event=_TEXT, data=_TEXT, id=_TEXT)}}
"""What each event of a stream is."""
_TOKENS = _object((), image_tokens=_COUNT, text_tokens=_COUNT, cached_tokens=_COUNT)
_PROBLEM = _object(("message", "param", "code"), message=_TEXT, param=_TEXT_OR_NULL, code=_TEXT_OR_NULL)
SCHEMAS: dict[str, Any] = {
    "Images": _object(
        ("created", "data"),
        created=_COUNT,
        data={"type": "array", "items": {"$ref": "#/components/schemas/Image"}},
        background=_TEXT,
        output_format=_TEXT,
        quality=_TEXT,
        size=_TEXT,
        usage={"$ref": "#/components/schemas/Usage"},
    ),
    "Image": {
        **_object((), url=_TEXT, b64_json=_TEXT, revised_prompt=_TEXT),
        "oneOf": [{"required": ["url"]}, {"required": ["b64_json"]}],
    },
    "Usage": _object(
        ("input_tokens", "output_tokens", "total_tokens"),
        input_tokens=_COUNT,
        output_tokens=_COUNT,
        total_tokens=_COUNT,
        input_tokens_details=_TOKENS,
        output_tokens_details=_TOKENS,
    ),
    "Model": _object(
        ("id", "object", "created", "owned_by"), id=_TEXT, object={"const": "model"}, created=_COUNT, owned_by=_TEXT
    ),
    "Flow": _object(("id", "title", "inputs"), id=_TEXT, title=_TEXT_OR_NULL, inputs={"type": "object"}),
    "Run": _object(
        ("run", "flow", "status"),
        run=_TEXT,
        flow=_TEXT,
        status={"enum": ["running", "done", "failed", "cancelled"]},
        outputs={"type": "object"},
        images={"type": "array", "items": {"type": "object"}},
        made={"type": "array", "items": {"type": "object"}},
        forgotten={"type": "array", "items": _TEXT},
        cost_usd={"type": ["number", "null"]},
        elapsed_s={"type": "number"},
        notes={"type": "array"},
        error={"type": "object"},
    ),
    "Health": _object(("status",), status=_TEXT, in_flight=_COUNT),
    "Error": _object(
        ("error",),
        error=_object(
            ("message", "type", "param", "code"),
            message=_TEXT,
            type=_TEXT,
            param=_TEXT_OR_NULL,
            code=_TEXT_OR_NULL,
            charge_possible={"type": "boolean"},
            problems={"type": "array", "items": _PROBLEM},
            run=_TEXT,
        ),
    ),
}
