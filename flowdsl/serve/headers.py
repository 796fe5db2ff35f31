"""What all addresses of a gateway share: headers, idempotency keys, and room for one more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.serve.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
MOST_AT_ONCE = 512
"""Requests that are worked on at the same time; more are told to come back."""
LONGEST_KEY = 255


def key_of(request: Request) -> str | None:
    """The idempotency key of a request.

    Raises:
        Refusal: it is none.
    """
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1:
        raise Refusal(400, "A request has one Idempotency-Key, and this one has more.", code="invalid_idempotency_key")
    if not 0 < len(keys[0]) <= LONGEST_KEY:
        raise Refusal(400, f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.", code="invalid_idempotency_key")
    return keys[0]


def check_room(in_flight: int) -> None:
    """Raises a Refusal where so much is worked on that nothing more begins."""
    if in_flight >= MOST_AT_ONCE:
        message = f"The gateway works on {MOST_AT_ONCE} requests already; send this one again."
        again = {"retry-after": "1"}
        raise Refusal(503, message, kind="service_unavailable_error", code="server_is_overloaded", headers=again)
