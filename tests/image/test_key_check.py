"""A key of the environment and the hosts it may go to."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl.step.problem import Problem
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.service import Service
from flowdsl.testing import Recorder
from flowdsl_steps.image.capabilities import check_image

DAY = date(2026, 11, 21)
DEFAULTS = {"model": "gpt-image-2", "n": 1, "timeoutMs": 60000}


def problems(service: dict[str, Any], step: str = "OPENAI_IMAGE_GENERATION") -> list[Problem]:
    return list(check_image(Options(step, {"model": "gpt-image-2"}, DEFAULTS, Service("pictures", service), DAY)))


FOREIGN = "https://images.example.com/v1"


@pytest.mark.parametrize(
    ("step", "variable"),
    [("OPENAI_IMAGE_GENERATION", "OPENAI_API_KEY"), ("AZURE_OPENAI_IMAGE_GENERATION", "AZURE_OPENAI_API_KEY")],
)
def test_a_key_of_the_environment_for_a_foreign_host_is_a_warning(step: str, variable: str) -> None:
    assert problems({"endpoint": FOREIGN}, step) == [
        Problem(
            "key-for-foreign-host",
            f"the key of {variable} is not sent to images.example.com",
            hint="name the key in the entry, `apiKey: \"{{ secret('MY_KEY') }}\"`, or allow the endpoint: "
            "`--allow-endpoint https://images.example.com`, in a host "
            '`Environment(allow_endpoints=["https://images.example.com"])`',
            severity="warning",
        )
    ]


@pytest.mark.parametrize(
    ("settings", "origins", "warned"),
    [
        ({"endpoint": FOREIGN, "apiKey": "k"}, {"endpoint": "flow", "apiKey": "environment OPENAI_API_KEY"}, True),
        ({"endpoint": FOREIGN, "apiKey": "k"}, {"endpoint": "host", "apiKey": "environment OPENAI_API_KEY"}, False),
        ({"endpoint": FOREIGN, "apiKey": "k"}, {"endpoint": "flowdsl.toml", "apiKey": "host"}, True),
        ({"endpoint": FOREIGN, "headers": {"api-key": "k"}}, {"endpoint": "flow", "headers": "host"}, True),
        ({"endpoint": "http://127.0.0.1:9", "apiKey": "k"}, {"endpoint": "flow", "apiKey": "host"}, True),
        ({"endpoint": FOREIGN, "apiKey": "k"}, {"endpoint": "flow", "apiKey": "flow"}, False),
        ({"endpoint": FOREIGN, "apiKey": UNKNOWN}, {"endpoint": "flow", "apiKey": "flow"}, False),
        ({"endpoint": FOREIGN, "authKey": "k"}, {"endpoint": "flow", "authKey": "flow"}, False),
        ({"endpoint": FOREIGN}, {"endpoint": "environment OPENAI_BASE_URL"}, False),
        ({"endpoint": "http://127.0.0.1:9", "apiKey": ""}, {"endpoint": "override", "apiKey": "override"}, False),
        ({"endpoint": FOREIGN, "apiKey": ""}, {"endpoint": "override", "apiKey": "override"}, False),
        ({"endpoint": UNKNOWN}, {"endpoint": "flow"}, False),
        ({}, {}, False),
    ],
)
def test_the_origin_of_key_and_endpoint_decides(
    settings: dict[str, Any], origins: dict[str, str], warned: bool
) -> None:
    options = Options(
        "OPENAI_IMAGE_GENERATION", {"model": "gpt-image-2"}, DEFAULTS, Service("pictures", settings, origins), DAY
    )
    assert [found.code for found in check_image(options)] == ["key-for-foreign-host"] * warned


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://api.openai.com/v1",
        "https://x.openai.azure.com",
        "http://localhost:8080/v1",
        "http://gateway:4000",
        "http://box.local",
        "http://10.1.2.3/v1",
        "http://192.168.0.7:9",
        "http://[::1]:8080/v1",
        "http://[fd00::1]/v1",
        "https://gateway.corp.internal/v1",
    ],
)
def test_vendors_and_private_hosts_may_have_the_key_of_the_environment(endpoint: str) -> None:
    assert problems({"endpoint": endpoint}) == []


@pytest.mark.parametrize("endpoint", ["http://8.8.8.8/v1", "https://[2606:4700::1111]/v1", "https://1.example.com"])
def test_public_addresses_may_not(endpoint: str) -> None:
    assert [found.code for found in problems({"endpoint": endpoint})] == ["key-for-foreign-host"]


def test_a_hub_has_no_key_in_the_environment() -> None:
    assert problems({"endpoint": FOREIGN, "provider": "hub"}, "HUB_IMAGE_GENERATION") == []


def test_the_run_ends_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-vendor")
    monkeypatch.setenv("GATEWAY", FOREIGN)
    text = (
        "services:\n"
        "  OPENAI_IMAGE_GENERATION:\n"
        "    endpoint: '{{ env.GATEWAY }}'\n"
        f"    caPem: {tmp_path / 'missing.pem'}\n"
        "flow:\n"
        "- step: OPENAI_IMAGE_GENERATION\n"
        "  model: gpt-image-2\n"
        "  instruction: a boat\n"
    )
    events = Recorder()
    environment = flowdsl.Environment(host=flowdsl.Host(env=["GATEWAY"]), storage=flowdsl.Storage(images=tmp_path))
    with pytest.raises(flowdsl.ConfigError) as raised:
        environment.run(text, on_event=events)
    assert raised.value.code == "key-not-sent"
    assert raised.value.charge_possible is False
    notes = [(event.code, event.text) for event in events.events if isinstance(event, flowdsl.Note)]
    assert notes == [("key-for-foreign-host", "the key of OPENAI_API_KEY is not sent to images.example.com")]
