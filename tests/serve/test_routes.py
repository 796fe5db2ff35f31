"""Routes: which service is asked for a model, which after it, and when no other one may be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateways import SMALL, Running, running_gateway

from flowdsl.cli import main
from flowdsl_steps.image.simulator import Simulator

ROUTES = """
[routes]
poster = ["main/gpt-image-2", "spare/gpt-image-2"]
alone = "main/gpt-image-2"
[routes.told]
service = "main/gpt-image-2"
on_unknown = "spare/gpt-image-2"
[routes.mild]
service = "poster"
on_moderation = ["spare/gpt-image-2"]
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Simulator]]:
    """A gateway with two services, and the second of them."""
    with Simulator(plain=True, key="sk-spare") as spare, Simulator(plain=True, key="sk-main") as first:
        entries: dict[str, Any] = {
            "main": {"provider": "openai", "endpoint": first.openai_base_url, "apiKey": "sk-main"},
            "spare": {"provider": "openai", "endpoint": spare.openai_base_url, "apiKey": "sk-spare"},
        }
        for each in entries.values():
            each["options"] = {"maxRetries": 0}
        with running_gateway(tmp_path_factory.mktemp("routes"), ROUTES, services=entries) as gateway:
            gateway.simulator = first
            yield gateway, spare


@pytest.mark.parametrize(
    "fault, route, status, asked",
    [
        ("rate_limit", "poster", 200, (1, 1)),
        ("overloaded", "poster", 200, (1, 1)),
        ("rate_limit", "alone", 429, (1, 0)),
        ("rate_limit", "told", 429, (1, 0)),
        ("moderation", "poster", 400, (1, 0)),
        ("moderation", "mild", 200, (1, 1)),
        ("rate_limit", "mild", 200, (1, 1)),
        ("quota", "poster", 429, (1, 0)),
        ("auth", "poster", 503, (1, 0)),
        ("server_error", "poster", 502, (1, 0)),
        ("reset", "poster", 502, (1, 0)),
        ("server_error", "told", 200, (1, 1)),
    ],
)
def test_another_service_is_asked_for_the_failures_that_the_route_names_and_never_by_itself_for_an_unknown_outcome(
    services: tuple[Running, Simulator], fault: str, route: str, status: int, asked: tuple[int, int]
) -> None:
    gateway, spare = services
    gateway.simulator.reset()
    spare.reset()
    gateway.simulator.faults.add(f"{fault}:*")
    found = gateway.post({**SMALL, "prompt": "A kite", "model": route})
    assert (found.status_code, (gateway.bought, spare.request_count)) == (status, asked), found.text
    if status == 502:
        assert found.json()["error"]["charge_possible"] is True
        assert found.headers["x-should-retry"] == "false"
    assert "sk-" not in found.text


@pytest.mark.parametrize(
    "setting, code",
    [({"caPem": "nowhere.pem"}, "invalid_certificate"), ({"apiKey": "'sk-main'"}, "invalid_key")],
)
def test_what_is_wrong_with_the_gateway_s_own_settings_is_no_fault_of_the_request(
    tmp_path: Path, setting: dict[str, str], code: str
) -> None:
    entry = {"provider": "openai", "endpoint": "https://127.0.0.1:9/v1", "apiKey": "sk-main", **setting}
    with running_gateway(tmp_path, '[routes]\nposter = "main/gpt-image-2"\n', services={"main": entry}) as gateway:
        found = gateway.post({**SMALL, "prompt": "A kite", "model": "poster"})
    assert (found.status_code, found.json()["error"]["code"]) == (503, code)


def test_the_routes_are_the_models_that_are_served(services: tuple[Running, Simulator]) -> None:
    gateway, _ = services
    assert [model.id for model in gateway.client().models.list()] == ["poster", "alone", "told", "mild"]
    found = gateway.post({**SMALL, "prompt": "A kite"})
    assert (found.status_code, found.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "routes, said",
    [
        ('[routes]\nposter = "openai-mian/gpt-image-2"\n', "did you mean `openai-main/gpt-image-2`?"),
        ('[routes]\nposter = "nothing/gpt-image-2"\n', "there is no service and no route `nothing`"),
        ('[routes]\na = "b"\nb = ["c"]\nc = "a"\n', "a loop of routes: a → b → c → a"),
        ('[routes]\na = ["openai-main/gpt-image-2", "a"]\n', "a loop of routes: a → a"),
        ('[routes]\nposter = "openai-main/gpt-image-1"\n', "was shut down"),
        ("[routes]\nposter = 5\n", "write `poster ="),
        ("[routes]\nposter = []\n", "write `poster ="),
        ("[routes.poster]\nservice = 'openai-main'\non_ratelimit = 'b'\n", "did you mean `on_rate_limit`?"),
        ("[routes.poster]\non_rate_limit = 'openai-main'\n", "names no service"),
        ("routes = 5\n", "routes must be a table"),
    ],
)
def test_a_route_that_leads_nowhere_is_shown_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], routes: str, said: str
) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text(f'{routes}[services.openai-main]\nprovider = "openai"\n', encoding="utf-8")
    assert main(["serve", "--config", str(file), "--check", "--as-of", "2026-11-21"]) == 2
    err = capsys.readouterr().err
    assert said in err and "flowdsl.toml:" in err and "^" in err and "Traceback" not in err


def test_the_settings_of_the_page_on_gateways_are_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text(ROUTES + '[services.main]\nprovider = "openai"\n[services.spare]\nprovider = "azure"\n')
    assert main(["serve", "--config", str(file), "--check", "--as-of", "2026-11-21"]) == 0, capsys.readouterr().err
    said = capsys.readouterr()
    assert "4 models to serve" in said.out
    assert "main has no `apiKey`" in said.err and "spare has no `endpoint`" in said.err and "Traceback" not in said.err
