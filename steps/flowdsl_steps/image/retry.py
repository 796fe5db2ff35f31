"""What to do about a failed attempt, and what to say about it.

**What is unknown, and why is it not sent again?** A request for pictures is paid for, and no vendor has an idempotency
key for it: a second request is a second picture on the bill. So a failed attempt is one of three classes.

- `retry`: it was refused before work began. There was no connection, or the vendor said too many requests, or it said
  overloaded, with an error of its own or a time to come back. Sent again, as often as `maxRetries` says.
- `never`: it would fail again. A wrong key, a wrong option, moderation, a used-up quota.
- `unknown`: it was sent and no usable response came: a deadline, a broken connection, a 408, 409 or 5xx, a proxy that
  has the whole request and then wants a login (407), a body that is none, a task that was taken and then lost. The
  picture may be made and billed, and nobody here can find out. Sending it again could pay twice, so only
  `onUnknown: resend` in the service entry allows it; else the run ends with an error that says `charge_possible`.

`sent` decides between the first and the last: it turns true as soon as a byte of the request may have left, which
errs on the side of the user's money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from flowdsl.errors import (
    ContentRefused,
    ServiceError,
    ServiceRateLimited,
    ServiceRefused,
    ServiceTimeout,
    ServiceUnavailable,
)
from flowdsl_steps.http.excerpt import harmless, hidden
from flowdsl_steps.image.failure import Failure, RetryClass
from flowdsl_steps.image.vendor import Endpoint

_REQUEST_ID_HEADERS = (
    "x-request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-ms-client-request-id",
    "x-amzn-requestid",
)
_LONGEST_WORD = 100
_LONGEST_ID = 200
_MOST_CATEGORIES = 20
_CHARGE = "the request was sent, so the work may have been done and billed"


class Order(NamedTuple):
    """What a vendor has taken to make later: the address where it is asked for, and the vendor's name for it."""

    url: str
    id: str | None

    def described(self, endpoint: Endpoint) -> str:
        """In words, without what may be a key."""
        named = f" {harmless(self.id, endpoint.secrets)}" if self.id else ""
        return f"the order{named} was taken: its picture is asked for at {harmless(self.address, endpoint.secrets)}"

    @property
    def address(self) -> str:
        """Where it is asked for, without what may be a login or a key."""
        scheme, slashes, rest = self.url.partition("?")[0].partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"


class FailedAttempt(NamedTuple):
    """What went wrong with one attempt.

    `kind`: connect (no connection), timeout, broken (the connection was lost), proxy (a proxy took the request and
    responded itself), status (an HTTP status that is no success), response (a success whose body is none). `sent` says
    whether anything had been sent, `order` which order the vendor had taken already and was only asked for the
    picture of. `vendor` is what the vendor says about it.
    """

    kind: Literal["connect", "timeout", "broken", "proxy", "status", "response"]
    sent: bool = True
    message: str = ""
    status: int | None = None
    headers: Mapping[str, str] = {}
    vendor: Failure | None = None
    reason: str = ""
    deadline_s: float | None = None
    order: Order | None = None


class Verdict(NamedTuple):
    """The class of a failure and the error to raise when it is the last."""

    retry_class: RetryClass
    error: ServiceError


def request_id(headers: Mapping[str, str]) -> str | None:
    """The vendor's name for a request, from whichever header carries it."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def classify(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    """The class of a failure and its error, which carries no secret and no encoded bytes."""
    verdict = _CLASSIFIERS[failure.kind](failure, endpoint)
    if failure.vendor is not None and failure.vendor.retry_class is not None:
        verdict = _decided(verdict.error, failure.vendor.retry_class, failure.vendor.billed)
    is_ended = failure.vendor is not None and failure.vendor.ends_order
    if failure.order is not None and (verdict.retry_class == "retry" or not is_ended):
        verdict = _decided(verdict.error, "unknown")  # only the question failed, and the order is made nevertheless
    if failure.order is not None:
        _name_order(verdict.error, failure.order, endpoint)
    if verdict.retry_class == "retry" and failure.headers.get("x-should-retry", "").lower() == "false":
        verdict = verdict._replace(retry_class="never")
        verdict.error.retryable = False
    return verdict


def _name_order(error: ServiceError, order: Order, endpoint: Endpoint) -> None:
    """Says where somebody can ask for what was ordered, when it may come or be billed."""
    error.request_id = error.request_id or (order.id and short_id(order.id, endpoint))
    if error.charge_possible:
        said = order.described(endpoint)
        error.hint = f"{error.hint}; {said}" if error.hint else said


def _decided(error: ServiceError, retry_class: RetryClass, billed: bool = False) -> Verdict:
    error.retryable = retry_class == "retry"
    error.charge_possible = retry_class == "unknown" or billed
    return Verdict(retry_class, error)


def _connect(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    message = f"{endpoint.service} cannot be reached at {endpoint.host}: {failure.message}"
    hint = "check the `endpoint` of the service, the network and the proxy"
    return Verdict("retry", _error(ServiceUnavailable, failure, endpoint, message, hint, retryable=True))


def _timeout(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    within = f"within {failure.deadline_s:g} s" if failure.deadline_s else "in time"
    if not failure.sent:
        message = f"{endpoint.service} at {endpoint.host} took no connection {within}"
        error = _error(ServiceTimeout, failure, endpoint, message, None, retryable=True)
        return Verdict("retry", error)
    message = f"{endpoint.service} did not finish its response {within}; {_CHARGE}"
    hint = "raise `timeoutMs`: a picture can take two minutes and more; `onUnknown: resend` in the service asks again"
    return Verdict("unknown", _error(ServiceTimeout, failure, endpoint, message, hint, charge_possible=True))


def _unread(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    """A picture to edit that was changed, or taken away, while it was sent: the vendor has a part of the request."""
    told = f"; {_CHARGE}" if failure.sent else ""
    message = f"the request to {endpoint.service} could not be sent whole: {failure.message}{told}"
    hint = "leave the pictures of a run alone until it has ended"
    kind, code = ServiceUnavailable, "image-unreadable"
    error = _error(kind, failure, endpoint, message, hint, code=code, charge_possible=failure.sent)
    return Verdict("unknown" if failure.sent else "never", error)


def _broken(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    if failure.reason == "unread":
        return _unread(failure, endpoint)
    message = f"the connection to {endpoint.service} broke before the response was complete; {_CHARGE}"
    hint = "`onUnknown: resend` in the service asks again"
    error = _error(ServiceUnavailable, failure, endpoint, message, hint, charge_possible=True)
    return Verdict("unknown", error)


def _proxy(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    message = f"{failure.message}, on the way to {endpoint.service} at {endpoint.host}; {_CHARGE}"
    hint = "check the proxy and the login in its address, or use an `endpoint` with https"
    error = _error(ServiceUnavailable, failure, endpoint, message, hint, charge_possible=True)
    return Verdict("unknown", error)


def _response(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    vendor = failure.vendor
    if vendor is not None and vendor.kind == "moderation":
        return _moderated(failure, endpoint, vendor)
    if vendor is not None and vendor.kind in ("quota", "invalid"):
        return _refused(failure, endpoint)
    said = f": {harmless(vendor.message, endpoint.secrets)}" if vendor is not None else ""
    if vendor is not None and vendor.retry_class in ("retry", "never"):
        ended = {"finish_reason": _code(vendor, endpoint) or "other"} if vendor.retry_class == "never" else {}
        text = f"{endpoint.service} made no picture{said}"
        return Verdict("never", _error(ServiceRefused, failure, endpoint, text, None, details=ended))
    problem = hidden(failure.message, endpoint.secrets)
    message = f"{endpoint.service} sent an unusable response: {problem}{said}; {_CHARGE}"
    code = "empty-response" if failure.reason == "empty" else "broken-response"
    error = _error(ServiceUnavailable, failure, endpoint, message, None, code=code, charge_possible=True)
    return Verdict("unknown", error)


def _status(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    status, vendor = failure.status or 0, failure.vendor
    if vendor is not None and vendor.kind == "moderation":
        return _moderated(failure, endpoint, vendor)
    if vendor is not None and vendor.kind == "quota":
        return _refused(failure, endpoint)
    said = _said(failure, endpoint)
    if status == 429:
        message = f"{endpoint.service} had too many requests (429){said}"
        return Verdict("retry", _error(ServiceRateLimited, failure, endpoint, message, None, retryable=True))
    if status == 503 and ((vendor is not None and vendor.is_own) or "retry-after" in failure.headers):
        message = f"{endpoint.service} is overloaded (503){said}"
        return Verdict("retry", _error(ServiceUnavailable, failure, endpoint, message, None, retryable=True))
    if status >= 500 or status in (408, 409):
        # A 503 without a vendor's error comes from a gateway, which may have lost a response that was already paid for.
        message = f"{endpoint.service} failed with status {status}{said}; {_CHARGE}"
        kind = ServiceTimeout if status in (408, 504) else ServiceUnavailable
        return Verdict("unknown", _error(kind, failure, endpoint, message, None, charge_possible=True))
    return _refused(failure, endpoint)


_CLASSIFIERS: Mapping[str, Callable[[FailedAttempt, Endpoint], Verdict]] = {
    "connect": _connect,
    "timeout": _timeout,
    "broken": _broken,
    "proxy": _proxy,
    "response": _response,
    "status": _status,
}


def _moderated(failure: FailedAttempt, endpoint: Endpoint, vendor: Failure) -> Verdict:
    stage = vendor.details.get("stage")
    what = "the picture" if stage == "output" else "the prompt"
    categories = vendor.details.get("categories")
    listed = ", ".join(map(str, categories[:_MOST_CATEGORIES])) if isinstance(categories, list) else ""
    named = f" ({harmless(listed, endpoint.secrets, _LONGEST_WORD)})" if listed else ""
    message = f"moderation of {endpoint.service} refused {what}{named}: {_quoted(vendor, endpoint)}"
    hint = "change the prompt; the same one would be refused again"
    billed = stage == "output" or vendor.billed
    error = _error(ContentRefused, failure, endpoint, message, hint, charge_possible=billed, details=vendor.details)
    return Verdict("never", error)


def _refused(failure: FailedAttempt, endpoint: Endpoint) -> Verdict:
    status, vendor = failure.status or 0, failure.vendor
    code = None
    if vendor is not None and vendor.kind == "quota":
        what, code = "has no quota left", "quota-exceeded"
        hint: str | None = "check plan, credit and spending limits with the vendor; waiting does not help"
    elif 300 <= status < 400:
        what = "redirects, which is not followed"
        hint = "set `endpoint` to the final address"
    elif status in (401, 403):
        what = "does not accept the key" if status == 401 else "does not allow the request"
        hint = f"check the key: {endpoint.key_source}"
    elif status == 404:
        what = "does not know the address or the model"
        hint = endpoint.not_found_hint or f"check `model` and the endpoint: the request went to {endpoint.shown_url}"
    else:
        what, hint = "refused the request", None
    message = f"{endpoint.service} {what}{'' if not status else f' ({status})'}{_said(failure, endpoint)}"
    details = {"param": vendor.param} if vendor is not None and vendor.param else {}
    is_done = status == 303  # the result is at another address; with 301 and 302 the endpoint itself is
    error = _error(
        ServiceRefused, failure, endpoint, message, hint, code=code, charge_possible=is_done, details=details
    )
    return Verdict("never", error)


def _said(failure: FailedAttempt, endpoint: Endpoint) -> str:
    return "" if failure.vendor is None else f": {_quoted(failure.vendor, endpoint)}"


def _quoted(vendor: Failure, endpoint: Endpoint) -> str:
    text, code = harmless(vendor.message, endpoint.secrets), _code(vendor, endpoint)
    return f"{text} [{code}]" if code and code not in text else text


def _code(vendor: Failure | None, endpoint: Endpoint) -> str | None:
    """The vendor's own code: a word, if it is one."""
    return None if vendor is None or not vendor.code else harmless(vendor.code, endpoint.secrets, _LONGEST_WORD)


def empty(headers: Mapping[str, str]) -> FailedAttempt:
    """The failure of a response in which there should be a picture."""
    return FailedAttempt("response", True, "the response holds no picture", headers=headers, reason="empty")


def pause_headers(failure: FailedAttempt) -> Mapping[str, str]:
    """The headers that say how long to wait; a body may say it in their place."""
    asked = failure.vendor.retry_after_s if failure.vendor is not None else None
    return failure.headers if asked is None else {"retry-after": str(asked), **failure.headers}


def short_id(name: object, endpoint: Endpoint) -> str:
    """A vendor's name for a request, which is not whatever came in its place."""
    return harmless(str(name), endpoint.secrets, _LONGEST_ID)


def _error(
    kind: type[ServiceError],
    failure: FailedAttempt,
    endpoint: Endpoint,
    message: str,
    hint: str | None,
    *,
    code: str | None = None,
    retryable: bool = False,
    charge_possible: bool = False,
    details: Mapping[str, Any] | None = None,
) -> ServiceError:
    named = (failure.vendor and failure.vendor.request_id) or request_id(failure.headers)
    return kind(
        message,
        service=endpoint.service,
        status=failure.status,
        vendor_code=_code(failure.vendor, endpoint),
        code=code,
        hint=hint,
        retryable=retryable,
        charge_possible=charge_possible,
        request_id=short_id(named, endpoint) if named else None,
        details=dict(details or {}),
    )
