"""What a vendor says when it refuses: an error body in one of the shapes that most have, read tolerantly.

Source: OpenAI API reference, error object; Azure OpenAI REST reference 2024-10-21, dalleErrorResponse, which spells
`inner_error` where Azure chat spells `innererror`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

RetryClass = Literal["retry", "never", "unknown"]
"""What a failed attempt allows: another one, none, or none because the work may be done and billed."""

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
        "billing_not_active",
    }
)
"""Codes that waiting does not cure: somebody has to pay or raise a limit."""

_MODERATION_CODES = frozenset(
    {"moderationblocked", "contentpolicyviolation", "contentfilter", "responsibleaipolicyviolation"}
)


class Failure(NamedTuple):
    """A vendor's own words about a failure.

    `kind` says what the vendor means where a status does not: the prompt or the picture was refused for what it shows
    (`moderation`, with `stage`, `categories` … in `details`), a quota is used up, the request is invalid. `retry_class`
    decides over the status where a vendor knows better. `billed`: the vendor counted work, though it refused.
    `is_own`: only the vendor speaks so, and no gateway on the way to it. `retry_after_s` is the pause that a body asks
    for, where no header does. `ends_order`: it says how an order ended, and does not only refuse a question for one,
    which leaves open what becomes of the order.
    """

    message: str = ""
    code: str | None = None
    param: str | None = None
    kind: Literal["moderation", "quota", "invalid"] | None = None
    details: Mapping[str, Any] = {}
    retry_class: RetryClass | None = None
    request_id: str | None = None
    billed: bool = False
    is_own: bool = True
    retry_after_s: float | None = None
    ends_order: bool = False


def json_object(body: bytes | Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON object in a body, or None when it is none."""
    if not isinstance(body, bytes):
        return body
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def place_of(detail: Mapping[str, Any]) -> str | None:
    """What of a request an entry of a list of `detail` is about, as FastAPI writes it."""
    where = detail.get("loc")
    return ".".join(map(str, where)) or None if isinstance(where, list) else None


def read_error(body: bytes | Mapping[str, Any], plain: bool = False) -> Failure | None:
    """The error in a body, or None when it holds none (HTML from a proxy, an empty body). `plain` takes a body that is
    no JSON as the reason itself."""
    payload: Any = body
    if isinstance(body, bytes):
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            said = body.decode("utf-8", "replace").strip()
            return _failure(said, None, None, None, {})._replace(is_own=False) if plain and said else None
    if isinstance(payload, list) and payload:  # as Google's endpoints wrap it
        payload = payload[0]
    if not isinstance(payload, Mapping):
        return None
    error = payload.get("error", payload)
    if isinstance(error, str):
        return _failure(error, _text(payload.get("code")), None, None, {})._replace(is_own=False)
    if not isinstance(error, Mapping):
        return None
    message = error.get("message") or error.get("detail") or payload.get("message")
    code = _text(error.get("code"))
    if message is None and code is None:
        return None
    text = message if isinstance(message, str) else json.dumps(message)
    found = _failure(text, code, _text(error.get("type")), _text(error.get("param")), _moderation(error))
    usage = payload.get("usage")
    billed = isinstance(usage, Mapping) and bool(usage.get("output_tokens"))
    return found._replace(billed=billed, is_own=error is not payload)


def _failure(
    message: str, code: str | None, type: str | None, param: str | None, details: Mapping[str, Any]
) -> Failure:
    failure = Failure(message, code, param, details=details)
    if _is_moderation(failure):
        return failure._replace(kind="moderation")
    if code in QUOTA_CODES or type in QUOTA_CODES:
        return failure._replace(kind="quota")
    return failure._replace(kind="invalid" if type == "invalid_request_error" else None)


def _is_moderation(failure: Failure) -> bool:
    """Whether the prompt or the picture was refused for what it shows."""
    codes = (failure.code, failure.details.get("inner_code"))
    if failure.details.get("reasons"):
        return True
    if any(re.sub(r"[^a-z]", "", code.lower()) in _MODERATION_CODES for code in codes if code):
        return True
    return failure.code is None and "safety system" in failure.message.lower()


def _moderation(error: Mapping[str, Any]) -> dict[str, Any]:
    """Stage, categories and inner code, from whichever of the vendors' places holds them."""
    found: dict[str, Any] = {}
    own = error.get("moderation_details")
    if isinstance(own, Mapping):
        found["stage"] = _text(own.get("moderation_stage"))
        found["categories"] = own.get("categories")
    metadata = error.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("reasons"), list) and metadata["reasons"]:
        found["reasons"] = found["categories"] = [str(reason) for reason in metadata["reasons"]]  # OpenRouter's
    inner = error.get("inner_error") or error.get("innererror")
    fields = error.get("provider_specific_fields")  # where LiteLLM puts what Azure said
    if inner is None and isinstance(fields, Mapping):
        inner = fields.get("innererror") or fields.get("inner_error")
    if isinstance(inner, Mapping):
        found["inner_code"] = _text(inner.get("code"))
        results = inner.get("content_filter_results") or inner.get("content_filter_result")
        if isinstance(results, Mapping):
            found.setdefault("categories", [name for name, result in results.items() if _hit(result)])
            found["content_filter_results"] = results
        found["revised_prompt"] = _text(inner.get("revised_prompt"))
    return {key: value for key, value in found.items() if value is not None}


def _hit(result: object) -> bool:
    return isinstance(result, Mapping) and bool(result.get("filtered") or result.get("detected"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
