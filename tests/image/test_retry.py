from __future__ import annotations

import json
from typing import Any

import pytest

from flowdsl.errors import ContentRefused, ServiceRateLimited, ServiceRefused, ServiceTimeout, ServiceUnavailable
from flowdsl_steps.http.excerpt import harmless
from flowdsl_steps.http.pause import delay_s
from flowdsl_steps.image.failure import read_error
from flowdsl_steps.image.retry import FailedAttempt, Verdict, classify
from flowdsl_steps.image.vendor import Endpoint

KEY = "sk-live-0123456789abcdef"
PLACE = Endpoint(
    "PICTURES",
    "https://api.openai.com/v1/images/generations",
    {},
    "gpt-image-2",
    "gpt-image-2",
    "it is `apiKey` from environment OPENAI_API_KEY",
    secrets=(KEY,),
)
AZURE = PLACE._replace(
    not_found_hint="check the deployment `pics` and the api-version 2024-10-21: a new model needs a new one"
)


def answered(
    status: int, code: str | None = None, message: str = "Sorry", headers: Any = None, **more: Any
) -> FailedAttempt:
    body = json.dumps({"error": {"message": message, "code": code, **more}}).encode()
    return FailedAttempt("status", status=status, headers=headers or {}, vendor=read_error(body))


@pytest.mark.parametrize(
    ("failure", "retry_class", "error", "charge"),
    [
        (FailedAttempt("connect", False, "refused"), "retry", ServiceUnavailable, False),
        (FailedAttempt("timeout", False, deadline_s=5), "retry", ServiceTimeout, False),
        (FailedAttempt("timeout", True, deadline_s=5), "unknown", ServiceTimeout, True),
        (FailedAttempt("broken", True), "unknown", ServiceUnavailable, True),
        (FailedAttempt("response", True, "empty", reason="empty"), "unknown", ServiceUnavailable, True),
        (answered(429, "rate_limit_exceeded"), "retry", ServiceRateLimited, False),
        (answered(429, "slow_down"), "retry", ServiceRateLimited, False),
        (FailedAttempt("status", status=429), "retry", ServiceRateLimited, False),
        (answered(429, "rate_limit_exceeded", headers={"x-should-retry": "false"}), "never", ServiceRateLimited, False),
        (answered(429, "insufficient_quota"), "never", ServiceRefused, False),
        (answered(429, None, type="insufficient_quota"), "never", ServiceRefused, False),
        (answered(400, "billing_hard_limit_reached"), "never", ServiceRefused, False),
        (answered(503, "server_is_overloaded"), "retry", ServiceUnavailable, False),
        (FailedAttempt("status", status=503, headers={"retry-after": "1"}), "retry", ServiceUnavailable, False),
        (FailedAttempt("status", status=503), "unknown", ServiceUnavailable, True),
        (answered(500), "unknown", ServiceUnavailable, True),
        (FailedAttempt("status", status=502), "unknown", ServiceUnavailable, True),
        (FailedAttempt("status", status=504), "unknown", ServiceTimeout, True),
        (answered(500, headers={"x-should-retry": "true"}), "unknown", ServiceUnavailable, True),
        (FailedAttempt("status", status=408), "unknown", ServiceTimeout, True),
        (answered(409), "unknown", ServiceUnavailable, True),
        (FailedAttempt("status", status=302), "never", ServiceRefused, False),
        (answered(400, "unknown_parameter"), "never", ServiceRefused, False),
        (answered(401, "invalid_api_key"), "never", ServiceRefused, False),
        (answered(403), "never", ServiceRefused, False),
        (answered(404), "never", ServiceRefused, False),
        (answered(422), "never", ServiceRefused, False),
        (answered(400, "moderation_blocked"), "never", ContentRefused, False),
        (answered(400, "content_policy_violation"), "never", ContentRefused, False),
        (answered(400, "contentFilter"), "never", ContentRefused, False),
        (answered(400, "content_filter"), "never", ContentRefused, False),
        (answered(400, None, "Rejected by our safety system"), "never", ContentRefused, False),
    ],
)
def test_each_failure_has_its_class(failure: FailedAttempt, retry_class: str, error: type, charge: bool) -> None:
    verdict = classify(failure, PLACE)
    assert (verdict.retry_class, type(verdict.error)) == (retry_class, error)
    assert verdict.error.charge_possible is charge
    assert verdict.error.retryable is (retry_class == "retry")
    assert verdict.error.service == "PICTURES"


def reported(verdict: Verdict) -> tuple[str, str | None]:
    return str(verdict.error), verdict.error.hint


@pytest.mark.parametrize(
    ("failure", "place", "message", "hint"),
    [
        (
            answered(401, "invalid_api_key", f"Incorrect API key provided: {KEY}."),
            PLACE,
            "PICTURES does not accept the key (401): Incorrect API key provided: ***. [invalid_api_key]",
            "check the key: it is `apiKey` from environment OPENAI_API_KEY",
        ),
        (
            answered(404, "DeploymentNotFound", "The API deployment for this resource does not exist."),
            AZURE,
            "PICTURES does not know the address or the model (404): "
            "The API deployment for this resource does not exist. [DeploymentNotFound]",
            "check the deployment `pics` and the api-version 2024-10-21: a new model needs a new one",
        ),
        (
            answered(400, "unknown_parameter", "Unknown parameter: 'style'.", param="style"),
            PLACE,
            "PICTURES refused the request (400): Unknown parameter: 'style'. [unknown_parameter]",
            None,
        ),
        (
            FailedAttempt("timeout", True, deadline_s=60.0),
            PLACE,
            "PICTURES did not finish its response within 60 s; "
            "the request was sent, so the work may have been done and billed",
            "raise `timeoutMs`: a picture can take two minutes and more; `onUnknown: resend` in the service asks again",
        ),
        (
            answered(429, "insufficient_quota", "You exceeded your current quota."),
            PLACE,
            "PICTURES has no quota left (429): You exceeded your current quota. [insufficient_quota]",
            "check plan, credit and spending limits with the vendor; waiting does not help",
        ),
    ],
)
def test_an_error_says_what_is_wrong_and_what_would_be_right(
    failure: FailedAttempt, place: Endpoint, message: str, hint: str | None
) -> None:
    assert reported(classify(failure, place)) == (message, hint)


def test_moderation_has_stage_and_categories_and_a_refused_picture_may_be_billed() -> None:
    details = {"moderation_stage": "output", "categories": ["violence", "gore"]}
    error = classify(answered(400, "moderation_blocked", "No.", moderation_details=details), PLACE).error
    assert str(error) == "moderation of PICTURES refused the picture (violence, gore): No. [moderation_blocked]"
    assert error.details == {"stage": "output", "categories": ["violence", "gore"]}
    assert error.charge_possible


@pytest.mark.parametrize("spelling", ["inner_error", "innererror"])
@pytest.mark.parametrize("plural", ["content_filter_results", "content_filter_result"])
def test_both_spellings_of_the_inner_error_are_read(spelling: str, plural: str) -> None:
    results = {"jailbreak": {"detected": True, "filtered": True}, "hate": {"filtered": False}}
    inner = {"code": "ResponsibleAIPolicyViolation", plural: results, "revised_prompt": "A cat"}
    error = classify(answered(400, "content_policy_violation", "No.", **{spelling: inner}), AZURE).error
    assert error.details == {
        "inner_code": "ResponsibleAIPolicyViolation",
        "categories": ["jailbreak"],
        "content_filter_results": results,
        "revised_prompt": "A cat",
    }
    assert not error.charge_possible


def test_an_error_inside_a_success_is_checked_by_its_code() -> None:
    refused = read_error({"created": 1, "error": {"code": "contentFilter", "message": "Your task failed."}})
    assert isinstance(classify(FailedAttempt("response", vendor=refused), AZURE).error, ContentRefused)
    failed = classify(
        FailedAttempt("response", True, "the stream holds an error", vendor=read_error({"error": {"message": "Oh."}})),
        PLACE,
    )
    assert str(failed.error) == (
        "PICTURES sent an unusable response: the stream holds an error: Oh.; "
        "the request was sent, so the work may have been done and billed"
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "Sat, 21 Nov 2026 00:00:07 GMT"}, 7.0),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "121"}, None),
        ({"retry-after": "0"}, 1.0),
        ({"retry-after": "-5"}, 1.0),
        ({"retry-after": "soon"}, 1.0),
        ({"retry-after": "nan"}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_server_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert delay_s(1, headers, now=lambda: 1795219200.0, draw=lambda: 0.0) == seconds


def test_without_the_server_the_pause_doubles_up_to_eight_seconds_with_jitter() -> None:
    assert [delay_s(k, {}, draw=lambda: 0.0) for k in range(6)] == [0.5, 1, 2, 4, 8, 8]
    assert delay_s(0, {}, draw=lambda: 1.0) == 0.375


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error": "nope"}', "nope", None),
        (b'{"message": "Access denied", "statusCode": 401}', "Access denied", None),
        (b'{"detail": "Not Found"}', "Not Found", None),
        (b'{"error": {"code": "404", "message": "Resource not found"}}', "Resource not found", "404"),
        (b'{"error": {"message": {"a": 1}}}', '{"a": 1}', None),
    ],
)
def test_error_bodies_of_many_shapes_are_read(body: bytes, message: str, code: str | None) -> None:
    found = read_error(body)
    assert found is not None
    assert (found.message, found.code) == (message, code)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{}", b'{"error": null}', b'{"error": {}}', b"\xff"])
def test_a_body_without_an_error_gives_none(body: bytes) -> None:
    assert read_error(body) is None


def test_texts_of_vendors_are_made_harmless() -> None:
    assert harmless(f"key {KEY} is\nwrong", (KEY,)) == "key *** is wrong"
    assert harmless("Incorrect API key provided: sk-abcd****wxyz.", ()) == "Incorrect API key provided: sk-***."
    assert harmless("got " + "iVBORw0KGgo" * 40, ()) == "got …"
    assert len(harmless("word " * 200, ())) == 300
