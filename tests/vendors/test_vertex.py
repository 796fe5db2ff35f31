"""Google's Vertex AI, with tokens whose JWT the fake verifies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fake_vendor import running
from vendor_bench import bought, flow_of, told
from vertex_fake import PROJECT, TOKEN, VertexFake, pem

import flowdsl
from flowdsl.errors import ConfigError, ServiceRefused, ServiceUnavailable
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import is_host_of
from flowdsl_steps.image.vendors import vendor_named
from flowdsl_steps.image.vendors.vertex import _credentials, _login

MODEL = "gemini-3.1-flash-image"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[VertexFake]:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))  # no login of the machine is found
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    _credentials.cache_clear()
    _login.cache_clear()
    with running(VertexFake()) as server:
        yield server


def entry(fake: VertexFake, **settings: Any) -> dict[str, Any]:
    credentials = json.dumps(fake.credentials)
    return {"provider": "vertex", "endpoint": fake.url, "credentials": credentials, "model": MODEL, **settings}


def endpoint_of(**settings: Any) -> Any:
    return vendor_named("vertex").endpoint(Service("V", settings), ImageRequest(model=MODEL))


def test_a_service_account_gets_a_token_that_is_used_again(fake: VertexFake, tmp_path: Path) -> None:
    bought(tmp_path, entry(fake, location="europe-west4"), size="1376x768", n=2)
    bought(tmp_path, entry(fake), output_format="jpeg", output_compression=80)
    assert fake.tokens == 1
    asked = [asked for asked in fake.asked if asked.path != "/token"]
    assert [one.path.partition("/locations/")[2].partition("/")[0] for one in asked] == ["europe-west4"] * 2 + [
        "global"
    ]
    assert asked[0].path.startswith(f"/v1/projects/{PROJECT}/")
    assert asked[0].json["generationConfig"]["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "1K"}
    assert asked[2].json["generationConfig"]["imageConfig"] == {
        "imageOutputOptions": {"mimeType": "image/jpeg", "compressionQuality": 80}
    }


def test_a_token_of_ones_own_needs_no_credentials(fake: VertexFake, tmp_path: Path) -> None:
    settings = {"provider": "vertex", "endpoint": fake.url, "authKey": TOKEN, "project": PROJECT, "model": MODEL}
    assert bought(tmp_path, settings)["imageList"]
    assert fake.tokens == 0


def test_a_key_that_google_does_not_know_is_told_without_showing_it(fake: VertexFake, tmp_path: Path) -> None:
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    credentials = json.dumps({**fake.credentials, "private_key": other})
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, credentials=credentials))
    assert str(caught.value) == "Google gave no token for PICTURES: invalid_grant: Invalid JWT Signature."
    assert not caught.value.charge_possible


def test_an_address_of_tokens_that_is_not_there_is_no_charge(fake: VertexFake, tmp_path: Path) -> None:
    credentials = json.dumps({**fake.credentials, "token_uri": "http://127.0.0.1:9/token"})
    with pytest.raises(ServiceUnavailable) as caught:
        bought(tmp_path, entry(fake, credentials=credentials))
    assert str(caught.value).startswith("Google gave no token for PICTURES: ")
    assert not caught.value.charge_possible


def test_a_token_that_a_server_sends_back_is_hidden(fake: VertexFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, project="other-project"), instruction=f"draw {TOKEN}")
    assert "Permission denied on resource project other-project" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_the_path_of_a_file_is_read_where_the_environment_names_it(fake: VertexFake, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(fake.credentials))
    settings = {key: value for key, value in entry(fake).items() if key != "credentials"}
    text = flow_of(settings, outputs=[{"type": "imageList", "name": "imageList"}])
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    storage = flowdsl.Storage(images=tmp_path / "images")
    trusted = flowdsl.Environment(environ=environ, allow_endpoints=[fake.url], storage=storage)
    assert trusted.run(text).outputs["imageList"]
    with pytest.raises(ConfigError) as caught:
        flowdsl.Environment(environ=environ, storage=storage).run(text)
    assert caught.value.code == "key-not-sent"


def test_neither_a_file_nor_a_login_of_the_machine_goes_where_only_a_flow_says(
    fake: VertexFake, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(fake.credentials))
    for settings in ({"credentials": str(file)}, {"credentials": None, "project": PROJECT}):
        named = {key: value for key, value in entry(fake, **settings).items() if value is not None}
        with pytest.raises(ConfigError) as caught:
            flowdsl.Environment(environ={}, storage=flowdsl.Storage(images=tmp_path)).run(flow_of(named))
        assert caught.value.code == "key-not-sent"
    assert fake.asked == []


def test_a_flow_names_no_credentials_that_use_the_machine(fake: VertexFake, tmp_path: Path) -> None:
    outside = {"type": "external_account", "token_url": fake.url, "credential_source": {"file": "/etc/passwd"}}
    text = flow_of(entry(fake, credentials=json.dumps(outside), project=PROJECT))
    with pytest.raises(ConfigError) as caught:
        flowdsl.Environment(environ={}, storage=flowdsl.Storage(images=tmp_path)).run(text)
    assert "are of the type `external_account`, which uses the machine" in str(caught.value)
    assert fake.asked == []


def test_without_a_login_the_ways_to_one_are_named(fake: VertexFake, tmp_path: Path) -> None:
    settings = {"provider": "vertex", "project": PROJECT, "model": MODEL}
    with pytest.raises(ConfigError) as caught:
        flowdsl.Environment(environ={}, storage=flowdsl.Storage(images=tmp_path)).run(flow_of(settings))
    assert caught.value.message.startswith("the service PICTURES has no login: Your default credentials were not found")
    assert caught.value.hint is not None
    assert "gcloud auth application-default login" in caught.value.hint


def test_without_google_auth_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        endpoint_of(project=PROJECT)
    assert (caught.value.code, caught.value.hint) == ("missing-extra", "pip install 'flowdsl[vertex]'")
    assert endpoint_of(project=PROJECT, authKey=TOKEN).sign is None


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (None, "aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
    ids=["absent", "global", "region", "several regions"],
)
def test_the_host_is_that_of_the_location(location: str | None, host: str) -> None:
    url = endpoint_of(project=PROJECT, location=location, authKey=TOKEN).url
    place = location or "global"
    path = f"/v1/projects/{PROJECT}/locations/{place}/publishers/google/models/{MODEL}:generateContent"
    assert url == f"https://{host}{path}"
    assert is_host_of(vendor_named("vertex"), host)


def test_an_endpoint_may_be_a_host_and_a_port_as_other_clients_of_it_write_it() -> None:
    url = endpoint_of(project=PROJECT, authKey=TOKEN, endpoint="europe-west1-aiplatform.googleapis.com:443").url
    assert url.startswith(f"https://europe-west1-aiplatform.googleapis.com:443/v1/projects/{PROJECT}/locations/global/")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"authKey": TOKEN}, "V has no `project`"),
        ({"project": PROJECT, "location": "evil.example/", "authKey": TOKEN}, "the `location` of the service V is"),
        ({"credentials": "/nowhere/key.json"}, "the `credentials` of the service V cannot be used: No such file"),
        ({"credentials": '{"a":' * 100_000}, "the `credentials` of the service V cannot be used: they are no JSON"),
        ({"credentials": '{"type": []}'}, "the `credentials` of the service V are of no type that is known"),
        ({"credentials": "{no json"}, "the `credentials` of the service V cannot be used: they are no JSON"),
    ],
    ids=["no project", "no location", "no file", "JSON that never ends", "no type", "no JSON"],
)
def test_what_an_entry_lacks_is_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint_of(**settings)
    assert said in str(caught.value)


def test_a_check_says_what_it_cannot_take() -> None:
    home = {"provider": "vertex", "project": PROJECT, "authKey": "k"}
    assert told(home, model=MODEL, output_format="webp", output_compression=50) == [
        (
            "unsupported-value",
            "error",
            f"`{MODEL}` does not accept `webp` as `output_format`",
            "supported: `png` or `jpeg`",
        )
    ]
    [(code, _, message, hint)] = told(home, model="imagen-4.0-generate-001")
    assert code == "retired-model"
    assert message == "`imagen-4.0-generate-001` was shut down by Google Vertex AI on 2026-08-17"
    assert hint == "set `model: gemini-3.1-flash-image`"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
@pytest.mark.parametrize("path", ["pipe", "/dev/zero"])
def test_credentials_that_never_end_are_not_read(path: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot be used: it is no regular file"):
        endpoint_of(credentials=str(tmp_path / path))
