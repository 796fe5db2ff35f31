from __future__ import annotations

from typing import Any

import pytest

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendor import Endpoint
from flowdsl_steps.image.vendors import vendor_named


def going(name: str, model: str | None = "gpt-image-2", target: str | None = None, **settings: Any) -> Endpoint:
    settings = {"apiKey": "the-key", **settings}
    service = Service("PICTURES", {key: value for key, value in settings.items() if value})
    return vendor_named(name).endpoint(service, ImageRequest(model=model, extra={"target": target}))


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (None, "https://api.openai.com/v1/images/generations"),
        ("https://api.openai.com", "https://api.openai.com/v1/images/generations"),
        ("https://api.openai.com/", "https://api.openai.com/v1/images/generations"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/images/generations"),
        ("https://api.openai.com/v1/images/generations", "https://api.openai.com/v1/images/generations"),
        ("http://localhost:8080", "http://localhost:8080/v1/images/generations"),
        ("https://gate.example/api/llm", "https://gate.example/api/llm/images/generations"),
        ("https://gate.example/v1beta/openai/", "https://gate.example/v1beta/openai/images/generations"),
        ("https://gate.example/v1?team=a", "https://gate.example/v1/images/generations?team=a"),
        ("https://pics.openai.azure.com/openai/v1", "https://pics.openai.azure.com/openai/v1/images/generations"),
    ],
)
def test_an_openai_endpoint_may_be_written_in_many_ways(endpoint: str | None, url: str) -> None:
    place = going("openai", endpoint=endpoint)
    assert (place.url, place.notes, place.model) == (url, (), "gpt-image-2")
    assert place.headers == {"Authorization": "Bearer the-key"}


def test_an_endpoint_of_another_operation_is_put_right_and_said_so() -> None:
    place = going("openai", endpoint="https://api.openai.com/v1/chat/completions")
    assert place.url == "https://api.openai.com/v1/images/generations"
    assert place.notes == (
        "the endpoint names another operation, /chat/completions: /images/generations is used instead",
    )


@pytest.mark.parametrize(
    ("settings", "url", "model"),
    [
        (
            {"endpoint": "https://p.openai.azure.com", "deploymentId": "my pics", "apiVersion": "2025-04-01-preview"},
            "https://p.openai.azure.com/openai/deployments/my%20pics/images/generations?api-version=2025-04-01-preview",
            None,
        ),
        (
            {"endpoint": "https://p.openai.azure.com/openai/", "deploymentId": "pics", "apiVersion": "2024-10-21"},
            "https://p.openai.azure.com/openai/deployments/pics/images/generations?api-version=2024-10-21",
            None,
        ),
        (
            {
                "endpoint": "https://p.openai.azure.com/openai/deployments/pics/images/generations?api-version=2024-10-21",
            },
            "https://p.openai.azure.com/openai/deployments/pics/images/generations?api-version=2024-10-21",
            None,
        ),
        (
            {"endpoint": "https://p.openai.azure.com", "deploymentId": "pics"},
            "https://p.openai.azure.com/openai/v1/images/generations",
            "pics",
        ),
        (
            {"endpoint": "https://p.openai.azure.com/openai/v1/", "deploymentId": "pics", "apiVersion": "v1"},
            "https://p.openai.azure.com/openai/v1/images/generations",
            "pics",
        ),
        (
            {"endpoint": "https://p.openai.azure.com", "deploymentId": "pics", "apiVersion": "preview"},
            "https://p.openai.azure.com/openai/v1/images/generations?api-version=preview",
            "pics",
        ),
        (
            {"endpoint": "https://gate.example/azure"},
            "https://gate.example/azure/openai/v1/images/generations",
            "gpt-image-2",
        ),
    ],
)
def test_azure_has_two_forms_and_the_version_decides(settings: dict[str, Any], url: str, model: str | None) -> None:
    place = going("azure", **settings)
    assert (place.url, place.model) == (url, model)
    assert place.headers == {"api-key": "the-key"}


def test_a_token_wins_over_a_key_on_azure() -> None:
    place = going("azure", endpoint="https://p.openai.azure.com", deploymentId="pics", authKey="the-token")
    assert place.headers == {"Authorization": "Bearer the-token"}


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://hub.example/swing/hub", "https://hub.example/swing/hub/v1/images/generations"),
        ("https://hub.example/v1", "https://hub.example/v1/images/generations"),
        ("http://localhost:3000", "http://localhost:3000/v1/images/generations"),
        ("https://hub.example/v1/images/generations", "https://hub.example/v1/images/generations"),
    ],
)
def test_a_hub_has_the_version_in_its_address(endpoint: str, url: str) -> None:
    assert going("hub", endpoint=endpoint).url == url


def test_the_target_of_the_step_wins_over_that_of_the_service() -> None:
    own = going("hub", target="mine", endpoint="https://h", target_="", apiKey="")
    assert own.headers == {"x-target": "mine"}
    service = Service("HUB", {"endpoint": "https://h", "target": "theirs", "apiKey": "the-key"})
    place = vendor_named("hub").endpoint(service, ImageRequest(model="gpt-image-2"))
    assert place.headers == {"Authorization": "Bearer the-key", "x-target": "theirs"}


def test_headers_of_the_service_are_added_and_count_as_secrets() -> None:
    place = going("openai", headers={"X-Team": "blue", "X-Token": "hush-hush"})
    assert place.headers == {"Authorization": "Bearer the-key", "X-Team": "blue", "X-Token": "hush-hush"}
    assert place.secrets == ("the-key", "hush-hush")


@pytest.mark.parametrize(
    ("name", "settings", "message", "hint"),
    [
        (
            "openai",
            {"apiKey": None},
            "Service not configured: PICTURES has no `apiKey`",
            "add `apiKey` to the service PICTURES, or set OPENAI_API_KEY in the environment",
        ),
        (
            "azure",
            {},
            "Service not configured: PICTURES has no `endpoint`",
            "add `endpoint` to the service PICTURES, or set AZURE_OPENAI_ENDPOINT in the environment",
        ),
        (
            "azure",
            {"endpoint": "https://p", "apiKey": None},
            "Service not configured: PICTURES has no `apiKey`",
            "add `apiKey` to the service PICTURES, "
            "or set AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN in the environment",
        ),
        (
            "hub",
            {},
            "Service not configured: PICTURES has no `endpoint`",
            "add `endpoint` to the service PICTURES",
        ),
        (
            "openai",
            {"endpoint": "api.openai.com/v1"},
            "the endpoint of the service PICTURES is `api.openai.com/v1`, which is not a web address",
            "write it in full, such as `https://gateway.example/v1`",
        ),
        (
            "openai",
            {"endpoint": "https://me:pw@gate.example"},
            "the endpoint of the service PICTURES holds a user name or a password",
            "put the key in `apiKey`",
        ),
        (
            "openai",
            {"endpoint": "https://p.openai.azure.com"},
            "the endpoint of the service PICTURES is an Azure OpenAI resource: p.openai.azure.com",
            "use AZURE_OPENAI_IMAGE_GENERATION, or `azure` as the `provider` of the service",
        ),
    ],
)
def test_a_service_that_cannot_work_says_what_is_missing(
    name: str, settings: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        going(name, **settings)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_azure_needs_a_deployment() -> None:
    with pytest.raises(ConfigError) as caught:
        going("azure", model=None, endpoint="https://p.openai.azure.com")
    assert str(caught.value) == "Service not configured: PICTURES has no `deploymentId`"


def test_an_unknown_provider_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        vendor_named("midjourney")
    assert str(caught.value) == "unknown provider `midjourney`"
    assert str(caught.value.hint).startswith("image services know ")


def test_a_misspelt_provider_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        vendor_named("gemni")
    assert str(caught.value.hint).startswith("did you mean `gemini`? image services know ")


def test_a_local_server_needs_no_key() -> None:
    assert going("openai", endpoint="http://localhost:8080", apiKey=None).headers == {}
