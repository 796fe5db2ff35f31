"""Where a vendor's response may send the questions for an order, which bear the key."""

from __future__ import annotations

from typing import Any, cast

import pytest

from flowdsl_steps.image.sender import Sender
from flowdsl_steps.image.vendor import Endpoint
from flowdsl_steps.image.vendors.openai import OpenAI


@pytest.mark.parametrize(
    ("endpoint", "url", "trusted"),
    [
        ("https://gate.example/v1", "https://gate.example/orders/1", True),
        ("https://gate.example/v1", "https://GATE.example:443/orders/1", True),
        ("https://gate.example/v1", "https://api.openai.com/orders/1", True),
        ("https://gate.example/v1", "http://gate.example/orders/1", False),
        ("https://gate.example/v1", "http://api.openai.com/orders/1", False),
        ("https://gate.example/v1", "https://gate.example:8443/orders/1", False),
        ("https://gate.example/v1", "https://gate.example@evil.example/orders/1", False),
        ("https://gate.example/v1", "https://api.openai.com.evil.example/orders/1", False),
        ("https://gate.example/v1", "https://gate.example:99999/", False),
        ("https://gate.example/v1", "https://[gate.example/", False),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/orders/1", True),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:9090/orders/1", False),
    ],
)
def test_the_key_follows_a_response_to_no_other_host_port_or_open_line(endpoint: str, url: str, trusted: bool) -> None:
    nothing = cast("Any", None)
    to = Endpoint(service="a", url=endpoint, headers={}, label="m")
    sender = Sender(OpenAI(), nothing, to, nothing, nothing, nothing, nothing, nothing, set())
    assert sender._is_trusted(url) is trusted
