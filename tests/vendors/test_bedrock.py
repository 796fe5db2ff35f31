"""Amazon Bedrock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bedrock_fake import BEARER, KEY_ID, REGION, SECRET, TOKEN, BedrockFake
from fake_vendor import running
from vendor_bench import bought, flow_of, printed, told

import flowdsl
from flowdsl.errors import ConfigError, ContentRefused, ServiceRefused, ServiceUnavailable
from flowdsl.step.service import Service
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import is_host_of
from flowdsl_steps.image.vendors import vendor_named

CORE = "stability.stable-image-core-v1:1"
STATIC = {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}


@pytest.fixture
def fake() -> Iterator[BedrockFake]:
    with running(BedrockFake()) as server:
        yield server


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No login of the machine is found."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def entry(fake: BedrockFake, **settings: Any) -> dict[str, Any]:
    return {"provider": "bedrock", "endpoint": fake.url, "region": REGION, "model": CORE, **STATIC, **settings}


def endpoint_of(**settings: Any) -> Any:
    return vendor_named("bedrock").endpoint(Service("B", settings), ImageRequest(model=CORE))


def test_a_size_is_sent_as_its_ratio_and_the_request_is_signed(fake: BedrockFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake), size="1344x768", seed=7, output_format="jpeg")
    assert fake.bodies == [{"prompt": "a lighthouse", "aspect_ratio": "16:9", "output_format": "JPEG", "seed": 7}]
    assert fake.asked[0].path == "/model/stability.stable-image-core-v1%3A1/invoke"
    assert (found["object"]["cost"], found["object"]["requestId"]) == (0.04, "0b4c6a2e-request")


def test_a_key_that_expires_goes_with_its_session_token(fake: BedrockFake, tmp_path: Path) -> None:
    fake.token = True
    assert bought(tmp_path, entry(fake, sessionToken=TOKEN))["imageList"]


def test_a_session_token_of_the_environment_is_not_put_to_a_key_of_the_entry(fake: BedrockFake, tmp_path: Path) -> None:
    text = flow_of(entry(fake), outputs=[{"type": "imageList", "name": "imageList"}])
    environment = flowdsl.Environment(
        environ={"AWS_SESSION_TOKEN": TOKEN}, allow_endpoints=[fake.url], storage=flowdsl.Storage(images=tmp_path)
    )
    assert environment.run(text).outputs["imageList"]


def test_a_bearer_key_of_bedrocks_own_needs_no_signature(fake: BedrockFake, tmp_path: Path) -> None:
    settings = {key: value for key, value in entry(fake, apiKey=BEARER).items() if key not in STATIC}
    assert bought(tmp_path, settings)["imageList"]
    assert "x-amz-date" not in fake.asked[0].headers


def test_a_wrong_secret_is_refused_without_showing_it(fake: BedrockFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, secretAccessKey="another/secret+key0123456789"))
    assert "does not allow the request (403): The request signature we calculated" in str(caught.value)
    assert "another/secret" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.vendor_code == "InvalidSignatureException"


def test_each_attempt_has_a_signature_of_its_own(fake: BedrockFake, tmp_path: Path) -> None:
    bought(tmp_path, entry(fake), instruction="busy", maxRetries=1)
    assert len({asked.headers["x-amz-date"] for asked in fake.asked}) in (1, 2)
    assert len(fake.asked) == 2


def test_a_profile_of_the_machine_signs(fake: BedrockFake, tmp_path: Path) -> None:
    login = f"[draws]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    (tmp_path / "credentials").write_text(login)
    settings = {key: value for key, value in entry(fake, profile="draws").items() if key not in STATIC}
    service = Service("B", settings, dict.fromkeys(settings, "host"))
    assert vendor_named("bedrock").endpoint(service, ImageRequest(model=CORE)).key_source == (
        "it is the login of the AWS profile"
    )
    outputs = [{"type": "imageList", "name": "imageList"}]
    text = flow_of({"maxRetries": 0}, outputs=outputs)
    environment = flowdsl.Environment(services={"PICTURES": settings}, storage=flowdsl.Storage(images=tmp_path))
    assert environment.run(text).outputs["imageList"]


def test_a_login_of_the_machine_goes_to_no_host_that_only_a_file_names(fake: BedrockFake, tmp_path: Path) -> None:
    settings = {key: value for key, value in entry(fake).items() if key not in STATIC}
    with pytest.raises(ConfigError) as caught:
        flowdsl.Environment(storage=flowdsl.Storage(images=tmp_path)).run(flow_of(settings))
    assert caught.value.code == "key-not-sent"
    assert fake.asked == []


def test_without_any_login_the_variables_are_named(tmp_path: Path) -> None:
    settings = {"provider": "bedrock", "region": REGION, "model": CORE}
    with pytest.raises(ConfigError) as caught:
        flowdsl.Environment(environ={}, storage=flowdsl.Storage(images=tmp_path)).run(flow_of(settings))
    assert caught.value.hint is not None
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in caught.value.hint


def test_without_botocore_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        endpoint_of(region=REGION, **STATIC)
    assert (caught.value.code, caught.value.hint) == ("missing-extra", "pip install 'flowdsl[bedrock]'")
    assert endpoint_of(region=REGION, apiKey="k").sign is None  # a key of Bedrock's own needs none


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({**STATIC}, "B has no `region`"),
        ({**STATIC, "region": "us-west-2.evil.example/"}, "the `region` of the service B is"),
        ({"region": REGION, "accessKeyId": KEY_ID}, "B has no `secretAccessKey`"),
    ],
    ids=["no region", "no region of AWS", "half a key"],
)
def test_what_an_entry_lacks_is_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint_of(**settings)
    assert said in str(caught.value)


def test_the_region_may_stand_in_the_endpoint_alone() -> None:
    url = endpoint_of(endpoint="https://bedrock-runtime.eu-central-1.amazonaws.com", **STATIC).url
    assert url == "https://bedrock-runtime.eu-central-1.amazonaws.com/model/stability.stable-image-core-v1%3A1/invoke"


def test_what_the_entry_names_comes_before_the_environment() -> None:
    origins = {"apiKey": "environment AWS_BEARER_TOKEN_BEDROCK", "accessKeyId": "flow", "secretAccessKey": "flow"}
    service = Service("B", {"region": REGION, "apiKey": "k", **STATIC}, origins)
    assert vendor_named("bedrock").endpoint(service, ImageRequest(model=CORE)).sign is not None


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("bedrock-runtime.us-west-2.amazonaws.com", True),
        ("bedrock-runtime-fips.us-east-1.amazonaws.com", True),
        ("ec2-1-2-3-4.us-west-2.compute.amazonaws.com", False),
        ("bedrock-runtime.a.b.amazonaws.com", False),
        ("bedrock-runtime.us-west-2.amazonaws.com.evil.example", False),
    ],
    ids=["its own", "checked by law", "somebody's machine", "two labels", "another's"],
)
def test_only_its_own_hosts_are_its_own(host: str, own: bool) -> None:
    assert is_host_of(vendor_named("bedrock"), host) is own


@pytest.mark.parametrize(
    ("prompt", "what", "code", "charged"),
    [
        ("something forbidden", "refused the prompt: Filter reason: prompt", "Filter reason", False),
        ("an unsafe picture", "refused the picture: Filter reason: output image", "Filter reason", True),
        ("all blocked", "refused the picture: All of the generated images", "ContentFiltered", True),
        ("blocked before", "refused the prompt: This request has been blocked", "ValidationException", False),
    ],
    ids=["prompt", "picture", "every picture", "before"],
)
def test_what_is_filtered_says_what_and_whether_it_was_paid(
    prompt: str, what: str, code: str, charged: bool, fake: BedrockFake, tmp_path: Path
) -> None:
    with pytest.raises(ContentRefused) as caught:
        bought(tmp_path, entry(fake), instruction=prompt, maxRetries=2)
    assert what in str(caught.value)
    assert (caught.value.vendor_code, caught.value.charge_possible, len(fake.asked)) == (code, charged, 1)


def test_an_error_inside_may_be_charged_and_is_not_sent_again(fake: BedrockFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, onUnknown="resend"), instruction="breaks inside", maxRetries=2)
    assert str(caught.value) == "PICTURES made no picture: Inference error"
    assert (caught.value.charge_possible, len(fake.asked)) == (True, 1)


def test_a_quota_of_the_account_is_not_waited_for(fake: BedrockFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake), instruction="too much", maxRetries=2)
    assert (caught.value.code, caught.value.vendor_code) == ("quota-exceeded", "ServiceQuotaExceededException")


def test_a_model_that_is_not_there_says_where_to_look(fake: BedrockFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, model="stability.unheard-of-v1:0"))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("check `model` and `region`: stability.unheard-of-v1:0 is not in every region")


def test_a_model_of_amazons_own_is_asked_in_its_words_where_somebody_still_has_it(
    fake: BedrockFake, tmp_path: Path
) -> None:
    found = bought(tmp_path, entry(fake, model="us.amazon.nova-canvas-v1:0"), size="1280x720", quality="premium", n=2)
    assert len(found["imageList"]) == 2
    assert fake.bodies == [
        {
            "taskType": "TEXT_IMAGE",
            "textToImageParams": {"text": "a lighthouse"},
            "imageGenerationConfig": {"numberOfImages": 2, "width": 1280, "height": 720, "quality": "premium"},
        }
    ]


HOME = {"provider": "bedrock", "region": REGION, "apiKey": "k"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"model": CORE, "quality": "high"},
            ("unsupported-parameter", "error", f"`{CORE}` has no `quality`", "remove it"),
        ),
        (
            {"model": "amazon.nova-canvas-v1:0"},
            (
                "retired-model",
                "error",
                "`amazon.nova-canvas-v1:0` was shut down by Amazon Bedrock on 2026-09-30",
                f"set `model: {CORE}`",
            ),
        ),
        (
            {"model": CORE, "output_format": "webp"},
            (
                "unsupported-value",
                "error",
                f"`{CORE}` does not accept `webp` as `output_format`",
                "supported: `png` or `jpeg`",
            ),
        ),
    ],
    ids=["quality", "retired", "format"],
)
def test_a_check_says_what_it_cannot_take(options: dict[str, Any], said: tuple[str, str, str, str | None]) -> None:
    assert told(HOME, **options) == [said]


def test_a_profile_that_spreads_over_regions_is_the_model_it_is_of() -> None:
    arn = "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.stability.stable-image-core-v1:1"
    assert told(HOME, model=arn) == told(HOME, model=f"us.{CORE}") == []


def test_a_key_that_stands_in_the_file_is_hidden_where_the_entry_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"provider": "bedrock", "region": REGION, "model": CORE, **STATIC}
    out, err = printed(tmp_path, capsys, flow_of(settings), "explain")
    assert SECRET not in out + err
    assert KEY_ID not in out + err
    assert "secretAccessKey" in out


def test_no_connection_is_told_without_a_charge(tmp_path: Path) -> None:
    settings = {"provider": "bedrock", "endpoint": "http://127.0.0.1:9", "region": REGION, "model": CORE, **STATIC}
    with pytest.raises(ServiceUnavailable) as caught:
        bought(tmp_path, settings)
    assert not caught.value.charge_possible


def test_a_login_that_has_ended_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile ended]\ncredential_process = false\n")
    sign = endpoint_of(profile="ended", region=REGION).sign
    with pytest.raises(ConfigError, match="the service B has no login: Error when retrieving credentials") as caught:
        asyncio.run(sign(HttpRequest("POST", "https://bedrock-runtime.us-west-2.amazonaws.com/", {}, b"{}")))
    assert "aws sso login" in str(caught.value.hint)
