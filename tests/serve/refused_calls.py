"""Calls that a gateway refuses, one for each status, and what official clients make of the refusal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from gateways import SMALL

from flowdsl.serve.tokens import Tokens

RIGHT: Mapping[str, Any] = {**SMALL, "prompt": "A kite"}


class Refused(NamedTuple):
    """A call that is refused: the error of it by its class, status, param and code. `token` is whose key it shows,
    `first` what was asked with the same token and idempotency key before, `patch` what the gateway has in place of its
    own meanwhile."""

    error: str
    status: int
    param: str | None
    code: str
    body: Mapping[str, Any] = RIGHT
    token: str = "open"
    first: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    patch: tuple[str, int] | None = None


CALLS = (
    Refused("BadRequestError", 400, "n", "invalid_value", {**RIGHT, "n": 99}),
    Refused("AuthenticationError", 401, None, "invalid_api_key", token="nobody"),
    Refused("PermissionDeniedError", 403, "model", "model_not_allowed", token="narrow"),
    Refused("NotFoundError", 404, "model", "model_not_found", {**RIGHT, "model": "gpt-imag-2"}),
    Refused("APIStatusError", 413, None, "request_too_large", RIGHT, patch=("flowdsl.serve.bodies.LONGEST_JSON", 20)),
    Refused(
        "UnprocessableEntityError",
        422,
        None,
        "idempotency_key_reused",
        {**RIGHT, "prompt": "Another kite"},
        first=RIGHT,
        idempotency_key="order-1",
    ),
    Refused("RateLimitError", 429, None, "rate_limit_exceeded", token="slow", first={**RIGHT, "n": 99}),
    Refused("InternalServerError", 503, None, "server_is_overloaded", patch=("flowdsl.serve.headers.MOST_AT_ONCE", 0)),
)


def keys(folder: Path) -> dict[str, str]:
    """The tokens of the calls, made for the gateway in this folder."""
    tokens = Tokens(folder / "state")
    made = {"open": tokens.create("open"), "narrow": tokens.create("narrow", models=("another",))}
    return {**made, "slow": tokens.create("slow", per_minute=1), "nobody": "sk-wrong"}


def patched(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes what a call needs to be changed in the gateway."""
    if refused.patch is not None:
        monkeypatch.setattr(*refused.patch)
