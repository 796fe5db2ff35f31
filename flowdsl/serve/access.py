"""Who asks: the token of a request, looked at before anything else of it."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from flowdsl.journal.allowance import OwnBudget, Rate
from flowdsl.serve.refusal import Refusal
from flowdsl.serve.tokens import Token, Tokens

if TYPE_CHECKING:
    from starlette.requests import Request

    from flowdsl.journal.journal import Journal

_KEPT_AS = "token "
"""What the names begin with under which tokens are counted: no service is called so."""
_IN_ADDRESS = frozenset({"api-key", "api_key", "apikey", "access_token", "token", "authorization", "key"})
_UNAUTHORIZED = {"www-authenticate": "Bearer", "x-should-retry": "false"}


class Access:
    """Lets requests in by their tokens, and says what of the journal each may use."""

    def __init__(self, tokens: Tokens, journal: Journal) -> None:
        self.tokens = tokens
        self._journal = journal
        self._rate = Rate(journal.database)

    def token(self, request: Request) -> Token | None:
        """The token of a request, whose name is noted for the log; None where none is needed.

        Raises:
            Refusal: it has none that counts.
        """
        query: bytes = request.scope["query_string"]
        if query and any(
            name.lower() in _IN_ADDRESS for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        ):
            message = "A token is not taken from the address, which logs keep: send 'Authorization: Bearer TOKEN'."
            raise Refusal(400, message, code="token_in_address", headers={"x-should-retry": "false"})
        if not self.tokens.required:
            return None
        text = _presented(request)
        if not text:
            message = "You didn't provide a token. Send it in a header, as 'Authorization: Bearer TOKEN'."
            raise Refusal(401, message, code="invalid_api_key", headers=_UNAUTHORIZED)
        found = self.tokens.of(text)
        if found is None:
            message = "Incorrect token provided; `flowdsl tokens create NAME` makes one."
            raise Refusal(401, message, code="invalid_api_key", headers=_UNAUTHORIZED)
        if self.tokens.is_over(found):
            again = (
                f"`flowdsl tokens revoke {found.name}` and then `flowdsl tokens create {found.name}` make another one"
            )
            message = f"The token '{found.name}' is over; {again}."
            raise Refusal(401, message, code="expired_api_key", headers=_UNAUTHORIZED)
        request.scope["state"]["token"] = found.name
        return found

    async def count(self, token: Token | None) -> None:
        """Counts a request of a token.

        Raises:
            Refusal: it asks too often.
        """
        if token is None or token.per_minute is None:
            return
        wait_s = await self._rate.ask(f"{_KEPT_AS}{token.name}", token.per_minute)
        if wait_s:
            again = f"try again in {math.ceil(wait_s)} s, or {self.tokens.remedy(token, 'per_minute')}"
            requests = "1 request" if token.per_minute == 1 else f"{token.per_minute} requests"
            message = f"This token may send {requests} a minute; {again}."
            after = {"retry-after": str(math.ceil(wait_s)), "retry-after-ms": str(math.ceil(wait_s * 1000))}
            raise Refusal(429, message, kind="rate_limit_error", code="rate_limit_exceeded", headers=after)

    def check_model(self, token: Token | None, model: str) -> None:
        """Raises a Refusal for a model that a token is not for."""
        if token is not None and not token.may_use(model):
            message = f"This token is not for the model '{model}'; it is for {_names(token)}."
            raise Refusal(403, message, param="model", code="model_not_allowed", headers={"x-should-retry": "false"})

    def check_flow(self, token: Token | None, id: str) -> None:
        """Raises a Refusal for a flow that a token is not for: it may use any model."""
        if token is not None and not token.may_use(id):
            message = f"This token is not for the flow '{id}'; it is for {_names(token)}."
            raise Refusal(403, message, param="id", code="flow_not_allowed", headers={"x-should-retry": "false"})

    def journal(self, token: Token | None) -> Journal:
        """The journal for the requests of a token, with what it may spend."""
        if token is None or token.usd_per_day is None:
            return self._journal
        own = copy.copy(self._journal)
        who = f"{_KEPT_AS}{token.name}"
        remedy = self.tokens.remedy(token, "usd_per_day")
        own.budget = OwnBudget(own.database, who, token.usd_per_day, self._journal.budget, remedy)
        return own


def _names(token: Token) -> str:
    return ", ".join(token.models or ("none",))


def _presented(request: Request) -> str:
    """The token that a request shows, by the header of either API."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and text.strip():
        return text.strip()
    return request.headers.get("api-key", "").strip()
