"""Faults by script, over a real socket."""

from __future__ import annotations

import base64
import binascii
import email.utils
import time
from typing import Any

import httpx
import pytest

from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator import FAULTS, Fault, Simulator, parse_fault
from flowdsl_steps.image.simulator.faults import MANY, FaultQueue

BODY = {"prompt": "a red fox", "model": "gpt-image-2", "quality": "low"}


def ask(http: httpx.Client, **more: Any) -> httpx.Response:
    return http.post("/v1/images/generations", json={**BODY, **more})


def test_the_text_form_says_the_same_as_the_value() -> None:
    assert parse_fault("rate_limit:2,retry_after=1") == Fault("rate_limit", times=2, retry_after="1")
    assert parse_fault("hang") == Fault("hang")
    assert parse_fault("slow:*,delay_s=0.5,when=fox") == Fault("slow", times=MANY, delay_s=0.5, when="fox")
    assert parse_fault("redirect,location=http://127.0.0.1:9/x=y") == Fault(
        "redirect", location="http://127.0.0.1:9/x=y"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate_limt", "Unknown fault 'rate_limt'. Did you mean 'rate_limit'?"),
        ("hang,dely_s=1", "Unknown fault option 'dely_s'. Did you mean 'delay_s'?"),
        ("hang:0", "Fault 'hang': times must be at least 1, or * for every request, found 0."),
        ("hang:1.5", "Fault option 'times' must be a whole number, or * for every request, found '1.5'."),
        ("hang:x", "Fault option 'times' must be a number, or * for every request, found 'x'."),
        ("hang,often", "Fault 'hang,often': 'often' is not KEY=VALUE."),
        ("slow,delay_s=-1", "Fault 'slow': delay_s must be at least 0 seconds, found -1.0."),
        (
            "rate_limit,retry_after=soon",
            "retry_after must be seconds (2), milliseconds (250ms) or date:SECONDS, found 'soon'.",
        ),
    ],
)
def test_a_bad_fault_is_explained(text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_fault(text)
    assert str(raised.value) == message


def test_an_unknown_fault_without_a_near_name_lists_them_all() -> None:
    with pytest.raises(UsageError) as raised:
        Fault("xyzzy")
    assert str(raised.value) == f"Unknown fault 'xyzzy'. Known: {', '.join(FAULTS)}."


def test_faults_are_used_up_in_order_and_by_prompt() -> None:
    queue = FaultQueue(["quota,when=fox", "none", Fault("hang", times=2)])
    taken = [queue.take(prompt) for prompt in ("owl", "a fox", "a fox", "owl", "owl")]
    assert [fault and fault.kind for fault in taken] == [None, "quota", "hang", "hang", None]
    assert queue.pending == ()


def test_a_bad_fault_in_a_list_adds_none_of_them() -> None:
    queue = FaultQueue()
    with pytest.raises(UsageError):
        queue.add("hang", "nonsense")
    assert queue.pending == ()


@pytest.mark.parametrize(
    ("retry_after", "headers"), [("2", {"retry-after": "2"}), ("250ms", {"retry-after-ms": "250"})]
)
def test_a_rate_limit_says_when_to_come_back(
    http: httpx.Client, sim: Simulator, retry_after: str, headers: dict[str, str]
) -> None:
    sim.faults.add(Fault("rate_limit", retry_after=retry_after))
    response = ask(http)
    assert response.status_code == 429
    assert {name: value for name, value in response.headers.items() if "retry" in name} == headers
    assert ask(http).status_code == 200


def test_a_retry_date_lies_ahead(http: httpx.Client, sim: Simulator) -> None:
    sim.faults.add("overloaded,retry_after=date:90")
    ahead = email.utils.parsedate_to_datetime(ask(http).headers["retry-after"]).timestamp() - time.time()
    assert 80 < ahead <= 90


def test_moderation_and_content_policy_carry_their_details(http: httpx.Client, sim: Simulator) -> None:
    sim.faults.add("moderation", "content_policy", "content_policy_innererror")
    first, second, third = (ask(http).json()["error"] for _ in range(3))
    assert first["type"] == "image_generation_user_error"
    assert first["moderation_details"] == {"moderation_stage": "input", "categories": ["violence"]}
    assert second["inner_error"]["code"] == "ResponsibleAIPolicyViolation"
    assert third["innererror"] == second["inner_error"]


def test_a_slow_response_comes_late_but_whole(http: httpx.Client, sim: Simulator) -> None:
    sim.faults.add("slow,delay_s=0.2")
    began = time.monotonic()
    assert len(ask(http).json()["data"]) == 1
    assert time.monotonic() - began >= 0.2


def test_spoiled_responses_are_spoiled_as_named(http: httpx.Client, sim: Simulator) -> None:
    sim.faults.add("truncated_json", "bad_base64", "empty_data", "html_error")
    with pytest.raises(ValueError, match="Unterminated string"):
        ask(http).json()
    with pytest.raises(binascii.Error):
        base64.b64decode(ask(http).json()["data"][0]["b64_json"], validate=True)
    assert ask(http).json()["data"] == []
    page = ask(http)
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")
    assert page.text.startswith("<html>")


def test_a_reset_comes_in_the_middle_of_the_body(http: httpx.Client, sim: Simulator) -> None:
    sim.faults.add("reset")
    with http.stream("POST", "/v1/images/generations", json=BODY) as response:
        assert response.status_code == 200
        got = 0
        with pytest.raises(httpx.ReadError):
            for piece in response.iter_raw():
                got += len(piece)
        assert 0 < got < int(response.headers["content-length"])


def test_a_reset_before_the_body_leaves_no_response(http: httpx.Client, sim: Simulator) -> None:
    sim.faults.add("reset_before_body")
    with pytest.raises(httpx.ReadError):
        ask(http)
    assert ask(http).status_code == 200
    assert [(record.status, record.fault) for record in sim.requests] == [(None, "reset_before_body"), (200, None)]


def test_a_redirected_url_leads_where_the_fault_says(http: httpx.Client, sim: Simulator) -> None:
    sim.faults.add("redirect", "redirect,location=http://169.254.169.254/latest")
    own = httpx.get(ask(http).json()["data"][0]["url"])
    assert (own.status_code, own.headers["location"].startswith(f"{sim.url}/v1/images/files/img-")) == (302, True)
    assert httpx.get(own.headers["location"]).headers["content-type"] == "image/png"
    away = httpx.get(ask(http, n=1, prompt="another").json()["data"][0]["url"])
    assert away.headers["location"] == "http://169.254.169.254/latest"


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        ("empty_data", b""),
        ("truncated_json", b'event: image_generation.completed\ndata: {"type": "image_generation.completed", "b64_'),
    ],
)
def test_a_stream_can_end_without_its_picture(http: httpx.Client, sim: Simulator, fault: str, last: bytes) -> None:
    sim.faults.add(fault)
    events = ask(http, stream=True).content.split(b"\n\n")
    assert events[0] == last


def test_faults_are_scripted_and_read_over_http(http: httpx.Client, sim: Simulator) -> None:
    response = http.post("/_simulator/faults", json={"faults": ["quota:2", {"kind": "slow", "delay_s": 0}]})
    kinds = [(fault["kind"], fault["times"]) for fault in response.json()["pending"]]
    assert kinds == [("quota", 2), ("slow", 1)]
    assert ask(http).json()["error"]["code"] == "insufficient_quota"
    assert http.get("/_simulator/faults").json()["pending"][0]["times"] == 1
    assert http.post("/_simulator/reset").json() == {"reset": True}
    assert sim.faults.pending == ()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"faults": ["hnag"]}', "Unknown fault 'hnag'. Did you mean 'hang'?"),
        (
            b"hang",
            'The body is not a list of faults. Send {"faults": ["rate_limit:2,retry_after=1", {"kind": "hang"}]}.',
        ),
    ],
)
def test_a_bad_script_over_http_is_explained(http: httpx.Client, body: bytes, message: str) -> None:
    response = http.post("/_simulator/faults", content=body)
    assert (response.status_code, response.json()) == (400, {"error": {"message": message}})
