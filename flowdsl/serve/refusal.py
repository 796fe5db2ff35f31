"""Refusals in the vendor's shape: `{"error": {message, type, param, code}}`, with the status that clients act on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from flowdsl.errors import (
    ConfigError,
    ContentRefused,
    LimitExceeded,
    RunError,
    ServiceError,
    ServiceRateLimited,
    ServiceRefused,
    ServiceTimeout,
    ServiceUnavailable,
    StepError,
)
from flowdsl.serve.hints import OF_RUN, hint_of
from flowdsl.serve.statuses import STATUS, status_of

INVALID = "invalid_request_error"
_SERVER = "server_error"
_NEVER: Mapping[str, str] = MappingProxyType({"x-should-retry": "false"})
"""Official clients send again after a 409, a 429 and every 5xx, unless this tells them not to."""
_CODES = {
    "unknown-key": "unknown_parameter",
    "wrong-type": "invalid_type",
    "missing-prompt": "missing_required_parameter",
    "out-of-range": "invalid_value",
    "not-a-choice": "invalid_value",
    "unsupported-value": "invalid_value",
}
"""Codes of findings, in the words of the vendor."""
_CLIENTS = frozenset({400, 404, 413, 422})
"""What a service may say of the request itself. Its 401 and 403 are of the gateway's own key."""


class Refusal(Exception):
    """A request that gets no picture. `more` adds keys to the inner object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers)
        self.more = dict(more)

    def body(self) -> dict[str, Any]:
        """The body of the response."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": {**error, **self.more}}


def code_of(code: str) -> str:
    """A code of a finding or an error, as clients have them."""
    return _CODES.get(code, code.replace("-", "_"))


def all_of(found: Iterable[Refusal]) -> Refusal:
    """One refusal for everything that is wrong with a request: it says the first, and lists all."""
    first, *others = found
    if not others:
        return first
    problems = [{"message": each.message, "param": each.param, "code": each.code} for each in (first, *others)]
    lines = "; ".join(each.message.removesuffix(".") for each in (first, *others))
    return Refusal(400, lines, param=first.param, code=first.code, more={"problems": problems})


def not_found(method: str, path: str, near: str | None, served: str | None = None) -> Refusal:
    """There is nothing at an address; `near` is one that may be meant, `served` says what is there in its place."""
    hint = served or ("GET / says where to look" if near is None else f"did you mean {near}?")
    return Refusal(404, f"Invalid URL ({method} {path}); {hint}", code="unknown_url")


def stopping() -> Refusal:
    """The server ends, and takes nothing new."""
    return Refusal(
        503,
        "The gateway is shutting down; send the request again.",
        kind=_SERVER,
        code="shutting_down",
        headers={"retry-after": "1"},
    )


def cut_off(*, charge_possible: bool = False) -> Refusal:
    """The gateway ends at once, in the middle of a request."""
    if not charge_possible:
        said = "The gateway was ended before anything was bought for this request; send it again."
        return Refusal(503, said, kind=_SERVER, code="gateway_ended", headers={"retry-after": "1"})
    said = "The gateway was ended before this request was done; what it had begun may be done, and billed."
    more = {"charge_possible": True}
    return Refusal(503, said, kind=_SERVER, code="gateway_ended", headers=_NEVER, more=more)


def other_request() -> Refusal:
    """A key was used for another request."""
    message = "This Idempotency-Key was used for another request; give each request a key of its own."
    return Refusal(422, message, code="idempotency_key_reused", headers=_NEVER)


def outdated() -> Refusal:
    """What a key has bought was asked for in another way."""
    said = "What this Idempotency-Key has bought was asked for with other settings; give the request another key."
    return Refusal(409, said, code="idempotency_key_outdated", headers=_NEVER)


def of_run(error: RunError, param: str | None = None, about: str | None = None) -> Refusal:
    """The refusal for a run that failed; `param` is the field of the request that its place stands for, `about` what of
    it the error is about where the client is to blame."""
    hint = hint_of(error)
    message = error.message if hint is None or param is None else f"{error.message}: {hint}"
    more: dict[str, Any] = {"charge_possible": True} if error.charge_possible else {}
    if isinstance(error, ServiceError):
        return _of_service(error, about, more)
    if error.code == "request-held":
        return Refusal(409, error.message, kind=INVALID, code="outcome_unknown", headers=_NEVER, more=more)
    if error.code == "run-goes-on":
        said = "A request with this Idempotency-Key is being worked on; send it again when that has ended."
        return Refusal(409, said, code="idempotency_key_in_use", headers={"retry-after": "1"})
    if param is not None or error.code == "missing-prompt":
        return Refusal(400, message, param=param or about or "prompt", code=code_of(error.code), more=more)
    status = _status(error)
    if status == 429:
        return _of_limit(error, more)
    if status < 500:
        said = f"{error.message}: {hint}" if hint and isinstance(error, ConfigError) else error.message
        return Refusal(status, said, param=about, code=code_of(error.code), more=more)
    return Refusal(status, error.message, kind=_SERVER, code=code_of(error.code), headers=_NEVER, more=more)


def of_kept(error: Mapping[str, Any]) -> Refusal:
    """The refusal for a run that failed in another process, by what the journal keeps of its error."""
    code, charge_possible = str(error.get("code")), bool(error.get("charge_possible"))
    status = status_of(code, charge_possible=charge_possible)
    more = {"charge_possible": True} if charge_possible else {}
    return Refusal(
        status, str(error.get("message")), kind=INVALID if status < 500 else _SERVER, code=code_of(code), more=more
    )


def _of_limit(error: RunError, more: dict[str, Any]) -> Refusal:
    """The refusal for a limit of money or of requests: when it is free again, and what raises it. Official clients do
    not wait for a day, and are told not to send it again."""
    code = "budget_exceeded" if error.code == "budget-spent" else code_of(error.code)
    free_in_s = error.free_in_s if isinstance(error, LimitExceeded) else None
    headers, said = dict(_NEVER), error.message
    if free_in_s is not None or error.code in OF_RUN:
        said = f"{said}; {hint_of(error)}"
    if free_in_s is not None and math.isfinite(free_in_s):  # of a day
        headers["retry-after"] = str(math.ceil(free_in_s))
    return Refusal(429, said, kind="insufficient_quota", code=code, headers=headers, more=more)


def _status(error: RunError) -> int:
    """The status of an error that is not of a service."""
    if error.code == "image-unreadable" and isinstance(error, StepError):  # one that is stored here
        return 500
    if isinstance(error, LimitExceeded) and error.code not in STATUS:
        return 429
    return status_of(error.code, charge_possible=error.charge_possible)


def _of_service(error: ServiceError, about: str | None, more: dict[str, Any]) -> Refusal:
    """The refusal for a service that did not deliver. What may be billed already is not to be sent again."""
    code = error.vendor_code or code_of(error.code)
    if error.code == "image-unreadable" and not error.charge_possible:  # a picture to edit, which nobody was asked for
        return Refusal(400, error.message, param=about or "images", code="invalid_image_url", more=more)
    if error.code == "redirect-refused":  # of REST: whoever named the address can name the right one
        return Refusal(_status(error), error.message, param=about, code=code_of(error.code), more=more)
    headers = _NEVER if error.charge_possible else {}
    if isinstance(error, ContentRefused):
        kind = "image_generation_user_error"
        return Refusal(400, error.message, kind=kind, code=error.vendor_code or "moderation_blocked", more=more)
    if isinstance(error, ServiceRateLimited):
        after = error.details.get("retry_after_s")
        wait = {"retry-after": str(max(1, round(after)))} if isinstance(after, (int, float)) else {}
        return Refusal(429, error.message, kind="rate_limit_error", code=code, headers={**headers, **wait}, more=more)
    if isinstance(error, ServiceTimeout):
        return Refusal(504, error.message, kind=_SERVER, code="service_timeout", headers=headers, more=more)
    if isinstance(error, ServiceUnavailable):
        status = 502 if error.charge_possible else 503
        return Refusal(status, error.message, kind=_SERVER, code=code, headers=headers, more=more)
    if isinstance(error, ServiceRefused) and error.status == 429:
        return Refusal(429, error.message, kind="insufficient_quota", code=code, headers=_NEVER, more=more)
    if about is not None and error.status == 404:  # of an address of the flow's, and not of this gateway's
        return Refusal(502, error.message, kind=_SERVER, code=code, headers=_NEVER, more=more)
    if isinstance(error, ServiceRefused) and error.status in _CLIENTS:
        param = error.details.get("param")
        named = param if isinstance(param, str) else None
        return Refusal(error.status or 400, error.message, param=named, code=code, more=more)
    if isinstance(error, ServiceRefused):
        said = f"The service behind the gateway does not accept the gateway's own request: {error.message}"
        return Refusal(503, said, kind=_SERVER, code=code, headers=_NEVER, more=more)
    return Refusal(502, error.message, kind=_SERVER, code=code, headers=headers, more=more)
