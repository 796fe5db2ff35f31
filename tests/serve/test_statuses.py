"""The status that each failure of a run has: what inputs cause is the client's, and not an error of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateways import SMALL, Running, running_gateway

from flowdsl.cli.serve import PATHS
from flowdsl.codes import CODES, FAILURES, FINDINGS
from flowdsl.errors import (
    ConfigError,
    ContentRefused,
    LimitExceeded,
    RunError,
    ServiceError,
    ServiceRateLimited,
    ServiceRefused,
    ServiceTimeout,
    ServiceUnavailable,
    StepError,
)
from flowdsl.serve.openapi import openapi
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


REQUESTS = (
    *(f"{path}/images/{name}" for path in PATHS for name in ("generations", "edits")),
    "/flows/poster/runs",
)
OF_BODIES = {408, 413, 422, 431}
"""What is refused of a request before anything runs, and of one whose key is taken."""


@pytest.mark.parametrize("path", REQUESTS)
def test_the_description_lists_every_status_that_a_purchase_can_end_in(path: str) -> None:
    (operation,) = openapi(PATHS, {"poster": {}}, "1", guarded=True)["paths"][path].values()
    services = (ServiceError, ServiceRefused, ServiceRateLimited, ServiceTimeout, ServiceUnavailable, ContentRefused)
    ends = [of_run(kind("It failed", charge_possible=billed)) for kind in services for billed in (True, False)]
    ends += [of_run(ServiceRefused("It failed", status=status)) for status in (400, 401, 403, 404, 413, 422, 429, 500)]
    expected = {*STATUS.values(), *(each.status for each in ends), 401, 403, 404, *OF_BODIES}
    assert {str(status) for status in expected} <= operation["responses"].keys()


def test_the_description_lists_for_every_address_what_any_request_can_get() -> None:
    for path, methods in openapi(PATHS, {"poster": {}}, "1", guarded=True)["paths"].items():
        for operation in methods.values():
            listed, needs_token = operation["responses"].keys(), operation.get("security") != []
            assert {"403", "431", "500", "503"} <= listed, path
            assert (not needs_token or {"400", "401"} <= listed) and (not path.startswith("/runs") or "409" in listed)


@pytest.mark.long
def test_the_parts_of_a_picture_are_described(gateway: Running) -> None:
    made = gateway.post({**SMALL, "prompt": "A kite", "response_format": "url"}).json()["data"][0]["url"]
    (listed,) = openapi(PATHS, {}, "1")["paths"]["/pictures/{signature}/{expires}/{name}"].values()
    for part, status in (("bytes=0-9", 206), ("bytes=999999999-", 416), ("bytes=x", 200)):
        found = httpx.get(made, headers={"Range": part})
        assert found.status_code == status
        kind = found.headers.get("content-type", "").partition(";")[0]
        kinds = listed["responses"][str(status)]["content"].keys()
        assert not found.content or kind in kinds or f"{kind.partition('/')[0]}/*" in kinds
    assert httpx.get(made, headers={"If-None-Match": "*"}).status_code == 304 and "304" in listed["responses"]


@pytest.mark.long
def test_a_damaged_journal_is_no_bug_of_the_gateway_whatever_is_asked_of_it(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        assert gateway.post({**SMALL, "prompt": "A kite"}).status_code == 200
        for file in (tmp_path / "state").glob("journal.sqlite*"):
            file.write_bytes(b"no journal" * 1000)
        found = [httpx.get(f"{gateway.url}/runs/{path}") for path in ("x", "x/events")]
        found.append(gateway.post({}, "/runs/x/cancel"))
        assert {(each.status_code, each.json()["error"]["code"]) for each in found} == {(503, "journal_damaged")}
        assert str(tmp_path) not in "".join(each.text for each in found)
