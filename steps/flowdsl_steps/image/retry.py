"""What to do about a failed attempt, and what to tell about it.

Image requests are paid for and have no idempotency key, so a failed attempt is one of three classes: `retry` (refused
before work began), `never` (would fail again) and `unknown` (the work may be done and billed).
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
from flowdsl_steps.http.excerpt import harmless
from flowdsl_steps.image.destination import Destination
from flowdsl_steps.image.vendor_error import VendorError

RetryClass = Literal["retry", "never", "unknown"]
_REQUEST_ID_HEADERS = ("x-request-id", "apim-request-id", "x-ms-request-id", "x-ms-client-request-id")
_CHARGE = "the request was sent, so the work may have been done and billed"


class Failure(NamedTuple):
    """What went wrong with one attempt.

    `kind`: connect (no connection), timeout, broken (the connection was lost), status (an HTTP status that is no
    success), answer (a success whose body is none). `sent` says whether anything had been sent.
    """

    kind: Literal["connect", "timeout", "broken", "status", "answer"]
    sent: bool = True
    message: str = ""
    status: int | None = None
    headers: Mapping[str, str] = {}
    vendor: VendorError | None = None
    reason: str = ""
    deadline_s: float | None = None


class Verdict(NamedTuple):
    """The class of a failure and the error to raise when it is the last."""

    retry_class: RetryClass
    error: ServiceError


def request_id(headers: Mapping[str, str]) -> str | None:
    """The vendor's name for a request, from whichever header carries it."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def classify(failure: Failure, destination: Destination) -> Verdict:
    """The class of a failure and its error, which carries no secret and no encoded bytes."""
    verdict = _CLASSIFIERS[failure.kind](failure, destination)
    if verdict.retry_class == "retry" and failure.headers.get("x-should-retry", "").lower() == "false":
        verdict = verdict._replace(retry_class="never")
        verdict.error.retryable = False
    return verdict


def _connect(failure: Failure, destination: Destination) -> Verdict:
    message = f"{destination.service} cannot be reached at {destination.host}: {failure.message}"
    hint = "check the `endpoint` of the service, the network and the proxy"
    return Verdict("retry", _error(ServiceUnavailable, failure, destination, message, hint, retryable=True))


def _timeout(failure: Failure, destination: Destination) -> Verdict:
    within = f"within {failure.deadline_s:g} s" if failure.deadline_s else "in time"
    if not failure.sent:
        message = f"{destination.service} at {destination.host} took no connection {within}"
        error = _error(ServiceTimeout, failure, destination, message, None, retryable=True)
        return Verdict("retry", error)
    message = f"{destination.service} did not finish its answer {within}; {_CHARGE}"
    hint = "raise `timeoutMs`: a picture can take two minutes and more; `onUnknown: resend` in the service asks again"
    return Verdict("unknown", _error(ServiceTimeout, failure, destination, message, hint, charge_possible=True))


def _broken(failure: Failure, destination: Destination) -> Verdict:
    message = f"the connection to {destination.service} broke before the answer was complete; {_CHARGE}"
    hint = "`onUnknown: resend` in the service asks again"
    error = _error(ServiceUnavailable, failure, destination, message, hint, charge_possible=True)
    return Verdict("unknown", error)


def _answer(failure: Failure, destination: Destination) -> Verdict:
    vendor = failure.vendor
    if vendor is not None and vendor.is_moderation:
        return _moderated(failure, destination, vendor)
    if vendor is not None and (vendor.is_quota or vendor.type == "invalid_request_error"):
        return _refused(failure, destination)
    said = f": {harmless(vendor.message, destination.secrets)}" if vendor is not None else ""
    message = f"{destination.service} sent an unusable answer: {failure.message}{said}; {_CHARGE}"
    code = "empty-answer" if failure.reason == "empty" else "broken-answer"
    error = _error(ServiceUnavailable, failure, destination, message, None, code=code, charge_possible=True)
    return Verdict("unknown", error)


def _status(failure: Failure, destination: Destination) -> Verdict:
    status, vendor = failure.status or 0, failure.vendor
    if vendor is not None and vendor.is_moderation:
        return _moderated(failure, destination, vendor)
    if vendor is not None and vendor.is_quota:
        return _refused(failure, destination)
    said = _said(failure, destination)
    if status == 429:
        message = f"{destination.service} answers too many requests (429){said}"
        return Verdict("retry", _error(ServiceRateLimited, failure, destination, message, None, retryable=True))
    if status == 503 and (vendor is not None or "retry-after" in failure.headers):
        message = f"{destination.service} is overloaded (503){said}"
        return Verdict("retry", _error(ServiceUnavailable, failure, destination, message, None, retryable=True))
    if status >= 500 or status in (408, 409):
        # A 503 without a vendor's body comes from a proxy, which may have lost an answer that was already paid for.
        message = f"{destination.service} failed with status {status}{said}; {_CHARGE}"
        kind = ServiceTimeout if status in (408, 504) else ServiceUnavailable
        return Verdict("unknown", _error(kind, failure, destination, message, None, charge_possible=True))
    return _refused(failure, destination)


_CLASSIFIERS: Mapping[str, Callable[[Failure, Destination], Verdict]] = {
    "connect": _connect,
    "timeout": _timeout,
    "broken": _broken,
    "answer": _answer,
    "status": _status,
}


def _moderated(failure: Failure, destination: Destination, vendor: VendorError) -> Verdict:
    stage = vendor.details.get("stage")
    what = "the picture" if stage == "output" else "the prompt"
    categories = vendor.details.get("categories")
    named = f" ({', '.join(map(str, categories))})" if isinstance(categories, list) and categories else ""
    message = f"moderation of {destination.service} refused {what}{named}: {_quoted(vendor, destination)}"
    hint = "change the prompt; the same one would be refused again"
    billed = stage == "output"
    error = _error(ContentRefused, failure, destination, message, hint, charge_possible=billed, details=vendor.details)
    return Verdict("never", error)


def _refused(failure: Failure, destination: Destination) -> Verdict:
    status, vendor = failure.status or 0, failure.vendor
    code = None
    if vendor is not None and vendor.is_quota:
        what, code = "has no quota left", "quota-exceeded"
        hint: str | None = "check plan, credit and spending limits with the vendor; waiting does not help"
    elif 300 <= status < 400:
        what = f"redirects (status {status}), which is not followed"
        hint = "set `endpoint` to the final address"
    elif status in (401, 403):
        what = "does not accept the key" if status == 401 else "does not allow the request"
        hint = f"check the key: {destination.key_source}"
    elif status == 404:
        what, hint = "does not know the address or the model", _not_found_hint(destination)
    else:
        what, hint = "refused the request", None
    message = f"{destination.service} {what}{'' if not status else f' ({status})'}{_said(failure, destination)}"
    details = {"param": vendor.param} if vendor is not None and vendor.param else {}
    return Verdict("never", _error(ServiceRefused, failure, destination, message, hint, code=code, details=details))


def _not_found_hint(destination: Destination) -> str:
    if destination.provider == "azure":
        version = f"the api-version {destination.api_version}"
        return f"check the deployment `{destination.deployment}` and {version}: a new model needs a new one"
    return f"check `model` and the endpoint: the request went to {destination.shown_url}"


def _said(failure: Failure, destination: Destination) -> str:
    return "" if failure.vendor is None else f": {_quoted(failure.vendor, destination)}"


def _quoted(vendor: VendorError, destination: Destination) -> str:
    text = harmless(vendor.message, destination.secrets)
    return f"{text} [{vendor.code}]" if vendor.code and vendor.code not in text else text


def _error(
    kind: type[ServiceError],
    failure: Failure,
    destination: Destination,
    message: str,
    hint: str | None,
    *,
    code: str | None = None,
    retryable: bool = False,
    charge_possible: bool = False,
    details: Mapping[str, Any] | None = None,
) -> ServiceError:
    return kind(
        message,
        service=destination.service,
        status=failure.status,
        vendor_code=failure.vendor.code if failure.vendor is not None else None,
        code=code,
        hint=hint,
        retryable=retryable,
        charge_possible=charge_possible,
        request_id=request_id(failure.headers),
        details=dict(details or {}),
    )
