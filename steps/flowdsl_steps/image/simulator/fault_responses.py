"""The error responses of faults that are plain HTTP."""

from __future__ import annotations

from email.utils import formatdate

from flowdsl_steps.image.simulator.faults import Fault, retry_after_of
from flowdsl_steps.image.simulator.models import Vendor
from flowdsl_steps.image.simulator.refusal import ErrorResponse, unauthorized, vendor_error

_SAFETY = (
    "Your request was rejected as a result of our safety system. Your prompt may contain text that is not allowed by "
    "our safety system."
)
_SERVER = "The server had an error while processing your request. Sorry about that!"


def fault_response(fault: Fault, vendor: Vendor, now: float) -> ErrorResponse | None:
    """The error response of a fault, or None when the fault is not an error status with a JSON body.

    `now` is in unix seconds. Source: OpenAI image generation guide (codes); Azure REST reference `dalleErrorResponse`
    and image how-to (content filter shapes).
    """
    return _limits(fault, now) or _refusals(fault, vendor) or _server_failures(fault, now)


def _limits(fault: Fault, now: float) -> ErrorResponse | None:
    headers = _retry_headers(fault, now)
    if fault.kind == "rate_limit":
        message = "Rate limit reached for images per minute. Please try again later."
        return vendor_error(429, message, kind="requests", code="rate_limit_exceeded", headers=headers)
    if fault.kind == "slow_down":
        message = "Requests are growing too fast. Please slow down."
        return vendor_error(429, message, kind="rate_limit_error", code="slow_down", headers=headers)
    if fault.kind == "quota":
        message = "You exceeded your current quota, please check your plan and billing details."
        return vendor_error(429, message, kind="insufficient_quota", code="insufficient_quota", headers=headers)
    if fault.kind == "billing_hard_limit":
        message = "Billing hard limit has been reached."
        return vendor_error(400, message, kind="billing_limit_user_error", code="billing_hard_limit_reached")
    return None


def _retry_headers(fault: Fault, now: float) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    form, number = retry_after_of(fault.retry_after)
    if form == "ms":
        return {"retry-after-ms": f"{number:g}"}
    return {"retry-after": formatdate(now + number, usegmt=True) if form == "date" else f"{number:g}"}


def _refusals(fault: Fault, vendor: Vendor) -> ErrorResponse | None:
    if fault.kind == "moderation":
        details = {"moderation_stage": "input", "categories": ["violence"]}
        return vendor_error(
            400,
            _SAFETY,
            kind="image_generation_user_error",
            code="moderation_blocked",
            more={"moderation_details": details},
        )
    if fault.kind in ("content_policy", "content_policy_innererror"):
        spelling = "inner_error" if fault.kind == "content_policy" else "innererror"
        inner = {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_results": {
                "hate": {"filtered": False, "severity": "safe"},
                "violence": {"filtered": True, "severity": "medium"},
                "jailbreak": {"detected": False, "filtered": False},
            },
            "revised_prompt": "A calmer picture.",
        }
        return vendor_error(400, _SAFETY, code="content_policy_violation", more={spelling: inner})
    if fault.kind == "content_filter":
        error = {"code": "contentFilter", "message": "Your task failed as a result of our safety system."}
        return ErrorResponse(400, {"created": 0, "error": error})
    if fault.kind == "auth":
        return unauthorized(vendor, "***")
    if fault.kind == "forbidden":
        message = "Your organization must be verified to use this model."
        return vendor_error(403, message, code="organization_not_verified")
    return None


def _server_failures(fault: Fault, now: float) -> ErrorResponse | None:
    if fault.kind == "conflict":
        return vendor_error(409, "Another request holds the lock. Please try again.", code="conflict")
    if fault.kind == "timeout408":
        return vendor_error(408, "The request timed out.", code="request_timeout")
    if fault.kind == "server_error":
        return vendor_error(500, _SERVER, kind="server_error")
    if fault.kind == "bad_gateway":
        return vendor_error(502, "Bad gateway.", kind="server_error")
    if fault.kind == "gateway_timeout":
        return vendor_error(504, "The upstream server did not respond in time.", kind="server_error")
    if fault.kind == "overloaded":
        message = "The server is overloaded. Please try again later."
        return vendor_error(
            503,
            message,
            kind="service_unavailable_error",
            code="server_is_overloaded",
            headers=_retry_headers(fault, now),
        )
    return None
