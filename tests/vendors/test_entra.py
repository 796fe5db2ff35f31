"""Azure OpenAI by the login of an application of Entra, in place of a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import running
from openai_fake import CLIENT, SECRET, TENANT, TOKEN, EntraFake
from vendor_bench import bought, flow_of, printed

from flowdsl.errors import ConfigError, ServiceRefused, ServiceUnavailable
from flowdsl.step.service import Service
from flowdsl_steps.http import client_credentials
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named

LOGIN = {"tenantId": TENANT, "clientId": CLIENT, "clientSecret": SECRET}
HOME = {"endpoint": "https://pics.openai.azure.com", "deploymentId": "images", "apiVersion": "2025-04-01-preview"}


@pytest.fixture
def fake() -> Iterator[EntraFake]:
    client_credentials._known.clear()
    with running(EntraFake()) as server:
        yield server


def entry(fake: EntraFake, **settings: Any) -> dict[str, Any]:
    own = {"provider": "azure", "endpoint": fake.url, "authorityHost": fake.url, "model": "gpt-image-2"}
    return {**HOME, **own, **LOGIN, **settings}


def endpoint_of(origins: dict[str, str] | None = None, **settings: Any) -> Any:
    return vendor_named("azure").endpoint(Service("A", {**HOME, **settings}, origins), ImageRequest())


def test_an_application_gets_a_token_that_is_used_again(fake: EntraFake, tmp_path: Path) -> None:
    for _ in range(2):
        assert bought(tmp_path, entry(fake))["imageList"]
    assert fake.tokens == 1


def test_a_wrong_secret_is_told_in_microsofts_words_without_it(fake: EntraFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused) as caught:
        bought(tmp_path, entry(fake, clientSecret="another~secret.0123456789"))
    assert "gets no token at " in str(caught.value)
    assert "AADSTS7000215: Invalid client secret provided." in str(caught.value)
    assert "another~secret" not in str(caught.value)
    assert not caught.value.charge_possible


def test_an_address_of_tokens_that_is_not_there_costs_nothing(fake: EntraFake, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        bought(tmp_path, entry(fake, authorityHost="http://127.0.0.1:9"))
    assert "PICTURES cannot get a token at http://127.0.0.1:9/" in str(caught.value)
    assert not caught.value.charge_possible


def test_neither_the_secret_nor_the_token_is_shown(
    fake: EntraFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = flow_of(entry(fake))
    for arguments in (("run", "--json", "--out", str(tmp_path / "out")), ("explain",), ("validate", "--env")):
        shown = "".join(printed(tmp_path, capsys, text, *arguments))
        assert SECRET not in shown
        assert TOKEN not in shown


@pytest.mark.parametrize("name", sorted(LOGIN))
def test_a_part_of_a_login_that_is_absent_is_named(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint_of(**{**LOGIN, name: None})
    assert str(caught.value) == f"Service not configured: A has no `{name}`"


def test_a_key_that_the_entry_names_is_used_and_one_of_the_environment_is_not() -> None:
    assert endpoint_of(apiKey="k", **LOGIN).sign is None
    from_environment = {"apiKey": "environment AZURE_OPENAI_API_KEY"}
    assert endpoint_of(from_environment, apiKey="k", **LOGIN).sign is not None


def test_no_file_of_a_flow_sends_the_secret_of_a_host_to_an_address_of_its_own() -> None:
    origins = {"clientSecret": "host", "tenantId": "host", "clientId": "host", "authorityHost": "flow"}
    with pytest.raises(ConfigError) as caught:
        endpoint_of(origins, authorityHost="https://evil.example", **LOGIN)
    assert caught.value.code == "key-not-sent"
