"""What a vendor says when it refuses: its error body, read tolerantly.

Source: OpenAI API reference, error object; Azure OpenAI REST reference 2024-10-21, dalleErrorResponse, which spells
`inner_error` where Azure chat spells `innererror`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

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


class VendorError(NamedTuple):
    """A vendor's error: message, codes, and what moderation said (`stage`, `categories`, `inner_code`) in `details`."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None
    details: Mapping[str, Any] = {}

    @property
    def is_moderation(self) -> bool:
        """Whether the prompt or the picture was refused for what it shows."""
        codes = (self.code, self.details.get("inner_code"))
        if any(re.sub(r"[^a-z]", "", code.lower()) in _MODERATION_CODES for code in codes if code):
            return True
        return self.code is None and "safety system" in self.message.lower()

    @property
    def is_quota(self) -> bool:
        """Whether a quota or a spending limit is used up."""
        return self.code in QUOTA_CODES or self.type in QUOTA_CODES


def read_error(body: bytes | Mapping[str, Any]) -> VendorError | None:
    """The error in a body, or None when it holds none (HTML from a proxy, an empty body)."""
    payload: Any = body
    if isinstance(body, bytes):
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            return None
    if not isinstance(payload, Mapping):
        return None
    error = payload.get("error", payload)
    if isinstance(error, str):
        return VendorError(error, _text(payload.get("code")))
    if not isinstance(error, Mapping):
        return None
    message = error.get("message") or error.get("detail") or payload.get("message")
    code = _text(error.get("code"))
    if message is None and code is None:
        return None
    return VendorError(
        message if isinstance(message, str) else json.dumps(message),
        code,
        _text(error.get("type")),
        _text(error.get("param")),
        _moderation(error),
    )


def _moderation(error: Mapping[str, Any]) -> dict[str, Any]:
    """Stage, categories and inner code, from whichever of the vendors' places holds them."""
    found: dict[str, Any] = {}
    own = error.get("moderation_details")
    if isinstance(own, Mapping):
        found["stage"] = _text(own.get("moderation_stage"))
        found["categories"] = own.get("categories")
    inner = error.get("inner_error") or error.get("innererror")
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
