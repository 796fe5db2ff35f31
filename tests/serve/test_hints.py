"""What can be done about a limit is said in words of who asked: a client of a gateway has no command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from gateways import MODEL, SMALL, running_gateway

from flowdsl.errors import ConfigError, LimitExceeded, RunError, StepError
from flowdsl.serve.hints import hint_of

ERRORS = {
    "money of a run": LimitExceeded("it is spent", code="budget-spent", hint="raise the limit: `--max-usd X`; or ask"),
    "requests of a run": LimitExceeded("one more", code="too-many-requests", hint="`--max-requests N`, or another"),
    "a price": ConfigError("unknown", code="unknown-price", hint="limit the requests: `Limits(max_requests=N)`"),
    "an address": StepError("it is private", code="private-address", hint="`--private-addresses` allows it"),
    "memory": LimitExceeded("too much", code="context-too-large", hint="a host can set Limits(context_bytes=…)"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_no_client_is_told_an_option_of_a_command(kind: str) -> None:
    hint = hint_of(ERRORS[kind])
    assert hint and "`--" not in hint and "Limits(" not in hint


def test_a_hint_that_is_for_everybody_stays_and_a_command_is_for_whoever_runs_the_gateway() -> None:
    assert hint_of(RunError("It failed", hint="write less")) == "write less" and hint_of(RunError("It failed")) is None
    said = hint_of(RunError("It is held", hint="`flowdsl runs release RUN` lets it be sent again"))
    assert said == "for whoever runs the gateway: `flowdsl runs release RUN` lets it be sent again"


def test_a_client_of_a_limit_of_a_run_is_told_both_remedies_and_its_own_works(tmp_path: Path) -> None:
    with running_gateway(tmp_path, "max_usd = 0.007\n") as gateway:
        refused = gateway.post({"model": MODEL, "prompt": "A kite"})
        message = refused.json()["error"]["message"]
        assert refused.status_code == 429 and gateway.bought == 0
        assert (
            "; ask whoever runs the gateway to raise `max_usd` in its settings; or give the request a `size`" in message
        )
        assert gateway.post({**SMALL, "prompt": "A kite"}).status_code == 200
