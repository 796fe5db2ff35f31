"""The status that each failure of a run has: what inputs cause is the client's, and not an error of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateways import Running, running_gateway

from flowdsl.codes import CODES, FAILURES, FINDINGS
from flowdsl.errors import ConfigError, LimitExceeded, RunError, ServiceError, ServiceRefused, StepError
from flowdsl.serve.refusal import of_run
from flowdsl.serve.statuses import OF_SERVICES, STATUS, status_of

FLOWS = {
    "rest": '- {step: REST, url: "{{ inputs.value }}"}',
    "edit": '- {step: OPENAI_IMAGE_EDIT, model: gpt-image-2, instruction: A kite, images: "{{ inputs.value }}"}',
    "json": '- {step: PARSE_JSON, in: "{{ inputs.value }}"}',
    "base64": '- {step: BASE64_TO_BLOB, in: "{{ inputs.value }}"}',
    "size": '- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A kite, size: "{{ inputs.value }}"}',
    "number": '- {step: SLEEP, delay: "{{ inputs.value }}"}',
    "many": '- {step: SET, a: "{{ range(inputs.value) | list }}"}',
    "raise": '- {step: RAISE, message: "no {{ inputs.value }}"}',
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with a flow for each failure."""
    folder = tmp_path_factory.mktemp("statuses")
    for name, steps in FLOWS.items():
        (folder / f"{name}.flow.yaml").write_text(f"inputs: {{value: {{}}}}\nflow:\n{steps}\n", encoding="utf-8")
    names = ", ".join(f'"{name}.flow.yaml"' for name in FLOWS)
    with running_gateway(folder, f"[serve]\nflows = [{names}]\n") as found:
        yield found


@pytest.mark.parametrize(
    "flow, value, status, code",
    [
        ("rest", "http://127.0.0.1:9/", 400, "private_address"),
        ("rest", "http://", 400, "wrong_pattern"),
        ("edit", "http://127.0.0.1:9/a.png", 400, "invalid_image_url"),
        ("edit", "data:image/png;base64,AAAA", 400, "invalid_value"),
        ("edit", "data:image/png;base64,?", 400, "image_unreadable"),
        ("edit", 5, 400, "invalid_type"),
        ("json", "{", 400, "not_json"),
        ("base64", "?", 400, "not_base64"),
        ("size", "3x3", 400, "invalid_value"),
        ("number", "soon", 400, "invalid_type"),
        ("many", 10_000_000, 400, "template_limit"),
        ("raise", "luck", 500, "raised"),
    ],
)
def test_what_an_input_causes_is_no_error_of_the_gateway(
    gateway: Running, flow: str, value: Any, status: int, code: str
) -> None:
    found = gateway.post({"inputs": {"value": value}}, f"/flows/{flow}/runs")
    error = found.json()["error"]
    assert (found.status_code, error["code"]) == (status, code), found.text[:1000]
    if status == 400:
        assert (error["type"], error["param"]) == ("invalid_request_error", "inputs.value")
    assert gateway.bought == 0


def test_every_code_of_a_run_has_a_status_that_somebody_has_decided() -> None:
    ending = {code.name for code in FAILURES if "error" in (code.severity, *code.also)}
    assert ending - STATUS.keys() - OF_SERVICES == set()
    assert STATUS.keys() | OF_SERVICES <= CODES.keys() and STATUS.keys() & OF_SERVICES == set()
    assert {code.name for code in FINDINGS} <= STATUS.keys()


@pytest.mark.parametrize("code", sorted(STATUS))
def test_the_refusal_of_a_code_has_its_status_in_the_shape_of_the_vendor(code: str) -> None:
    kind = LimitExceeded if STATUS[code] == 429 else ConfigError if STATUS[code] == 400 else RunError
    found = of_run(kind("It failed", code=code, hint="do better"), about="inputs.city")
    assert found.status == STATUS[code]
    assert found.body()["error"].keys() >= {"message", "type", "param", "code"}
    assert (found.kind == "server_error") is (found.status >= 500)
    assert found.headers.get("x-should-retry") == "false" or found.status in (400, 409, 413)


@pytest.mark.parametrize("code", sorted(OF_SERVICES))
def test_a_service_that_fails_is_not_said_to_be_the_client_s_fault(code: str) -> None:
    assert of_run(ServiceError("It failed", code=code, charge_possible=True)).status == 502


def test_what_a_flow_does_not_find_elsewhere_is_not_an_address_of_the_gateway_that_is_not_there() -> None:
    error = ServiceRefused("shop.example.com has no such page", status=404)
    assert (of_run(error).status, of_run(error, about="inputs").status) == (404, 502)


def test_what_a_service_has_made_of_a_request_is_not_the_client_s_fault() -> None:
    error = StepError("it is too large", code="image-too-large")
    assert of_run(error).status == 413
    error.charge_possible = True
    refusal = of_run(error)
    assert (refusal.status, refusal.headers, refusal.more) == (
        502,
        {"x-should-retry": "false"},
        {"charge_possible": True},
    )


def test_the_code_of_a_step_of_somebody_else_is_an_error_of_the_flow(tmp_path: Path) -> None:
    assert status_of("too-blue") == 500 and of_run(LimitExceeded("no more", code="too-blue")).status == 429


def test_a_picture_that_is_stored_here_and_cannot_be_read_is_not_the_client_s_fault() -> None:
    assert of_run(StepError("it is gone", code="image-unreadable")).status == 500
    assert of_run(ConfigError("it is none", code="image-unreadable")).status == 400
