"""The log of a gateway says what requests ask for where somebody wants that: never a secret, a token or a picture."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from gateways import MODEL, SMALL, Running, running_gateway
from web_server import Web, response

from flowdsl.cli import main
from flowdsl.serve.content import CONTENT, note_fields
from flowdsl.serve.tokens import Tokens

ECHO = """\
inputs:
  city: {type: string}
  code: {type: string, writeOnly: true}
  more: {default: null}
flow:
  - step: SET
    text: "{{ inputs.city }}"
"""
SETTINGS = '[serve]\nflows = ["echo.flow.yaml"]\n'
KEY = "sk-proj-of-a-client-who-mistook-0123456789"
PROMPT = "A kite of the colour of secrets"
PICTURE = base64.b64encode(bytes(range(256)) * 4).decode()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A gateway whose log says what is asked for, and the header of a token."""
    folder = tmp_path_factory.mktemp("content")
    (folder / "echo.flow.yaml").write_text(ECHO, encoding="utf-8")
    token = Tokens(folder / "state").create("shop")
    with running_gateway(folder, SETTINGS, log_content=True) as found:
        yield found, {"Authorization": f"Bearer {token}"}


def line(gateway: Running, body: Any, headers: dict[str, str], path: str = "/v1/images/generations") -> dict[str, Any]:
    """The line of the log for a request."""
    return gateway.line_of(gateway.post(body, path, headers=headers).headers["x-request-id"])


def test_the_line_of_a_request_says_its_prompt_and_fields_where_that_was_asked_for(
    asked: tuple[Running, dict[str, str]],
) -> None:
    gateway, headers = asked
    found = line(gateway, {**SMALL, "prompt": PROMPT, "response_format": "url"}, headers)
    assert found["prompt"] == PROMPT and found["fields"] == {**SMALL, "response_format": "url"}
    found = line(gateway, {**SMALL, "prompt": PROMPT, "n": "many"}, headers)
    assert (found["status"], found["prompt"], found["fields"]["n"]) == (400, PROMPT, "many")


@pytest.mark.parametrize("where", ["prompt", "user", "size", "api_key"])
def test_no_secret_token_or_picture_is_in_a_line_that_says_what_is_asked_for(
    asked: tuple[Running, dict[str, str]], where: str
) -> None:
    gateway, headers = asked
    token = headers["Authorization"].removeprefix("Bearer ")
    address = f"http://127.0.0.1:1/pictures/{'a' * 40}/9999999999/{'b' * 64}.png"
    hidden = (KEY, token, PICTURE, "a" * 40, "b" * 64, "hunter-22")
    text = f"As data:image/png;base64,{PICTURE} and {PICTURE} and {address} and {KEY} and {token} password=hunter-22"
    found = line(gateway, {**SMALL, "prompt": PROMPT, where: text}, headers)
    said = json.dumps(found)
    assert not [each for each in hidden if each in said], said
    link = {"image_url": f"data:image/png;base64,{PICTURE}"}
    found = line(gateway, {"prompt": PROMPT, "model": MODEL, "images": [link]}, headers, "/v1/images/edits")
    assert found["prompt"] == PROMPT and PICTURE[:40] not in json.dumps(found)


def test_the_line_of_a_run_says_its_inputs_without_those_that_are_secret(asked: tuple[Running, dict[str, str]]) -> None:
    gateway, headers = asked
    more = {"apiKey": "hunter-22", "link": f"https://example.com/a.png?sig={KEY}", "bytes": PICTURE, "n": [1, None]}
    found = line(gateway, {"inputs": {"city": "Faro", "code": "1234", "more": more}}, headers, "/flows/echo/runs")
    shown = {"apiKey": "***", "link": "https://example.com/a.png", "bytes": "…", "n": [1, None]}
    assert found["inputs"] == {"city": "Faro", "code": "***", "more": shown}
    wrong = line(gateway, {"inputs": {"city": 5, "code": "1234"}}, headers, "/flows/echo/runs")
    assert (wrong["status"], wrong["inputs"]) == (400, {"city": 5, "code": "***"})
    assert line(gateway, {"inputs": "Faro"}, headers, "/flows/echo/runs")["status"] == 400
    misspelt = line(gateway, {"inputs": {"city": "Faro", "coed": "1234"}}, headers, "/flows/echo/runs")
    assert (misspelt["status"], misspelt["inputs"]) == (400, {"city": "Faro", "coed": "***"})


@pytest.mark.parametrize("field", ["prompt", "user", "size"])
@pytest.mark.parametrize(
    "value", [["kites"] * 100_000, [[]] * 100_000, {str(n): {} for n in range(50_000)}, [10**4000] * 100]
)
def test_a_body_of_very_many_values_fills_no_log(field: str, value: Any) -> None:
    state: dict[str, Any] = {CONTENT: {}}
    note_fields(state, {"prompt": PROMPT, field: value, "n": 1}, ("prompt", field, "n"))
    said = state[CONTENT]
    assert len(json.dumps(said)) < 150_000
    assert field == "prompt" or said["prompt"] == PROMPT


@pytest.mark.parametrize("pattern", ["http://", "data:a/", "data:image/png;base64", "http://x/?", "/pictures/", "key="])
def test_a_prompt_that_is_an_address_over_and_over_is_shown_within_its_length(pattern: str) -> None:
    state: dict[str, Any] = {CONTENT: {}}
    note_fields(state, {"prompt": pattern * 200_000}, ("prompt",))
    assert len(state[CONTENT]["prompt"]) <= 32_001


def test_what_a_service_made_of_the_prompt_is_in_the_line(tmp_path: Path) -> None:
    picture = base64.b64encode((Path(__file__).parents[2] / "docs/images/skyline.jpg").read_bytes()).decode()
    item = {"b64_json": picture, "revised_prompt": "A red kite, in oil"}
    with Web(response(json.dumps({"data": [item]}).encode(), headers="content-type: application/json\r\n")) as web:
        services = {"main": {"provider": "openai", "endpoint": f"{web.url}/v1", "apiKey": "sk-own"}}
        routes = '[routes]\nposter = "main/gpt-image-2"\n'
        with running_gateway(tmp_path, routes, services=services, log_content=True) as gateway:
            assert line(gateway, {"model": "poster", "prompt": PROMPT}, {})["revised_prompts"] == ["A red kite, in oil"]


def test_content_of_a_log_that_there_is_not_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--log-content", "--check"]) == 2
    assert "give a file with `--log-json FILE`" in capsys.readouterr().err
