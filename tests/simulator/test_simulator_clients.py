"""The official client library against the simulator, as against the vendor."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from flowdsl_steps.image.simulator import Simulator

PROMPT = "A lighthouse at dusk"
VERSION = "2025-04-01-preview"


@pytest.fixture
def client(sim: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=sim.key, base_url=sim.openai_base_url, max_retries=0) as opened:
        yield opened


@pytest.fixture
def azure(sim: Simulator) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(
        api_key=sim.key, azure_endpoint=sim.azure_endpoint, api_version=VERSION, max_retries=0
    ) as opened:
        yield opened


def opened(b64: str | None) -> Image.Image:
    assert b64 is not None
    picture = Image.open(io.BytesIO(base64.b64decode(b64, validate=True)))
    picture.load()
    return picture


def test_a_gpt_image_response_has_every_field_of_the_vendor(client: openai.OpenAI) -> None:
    response = client.images.generate(prompt=PROMPT, model="gpt-image-2", n=2, size="1536x1024", quality="low")
    assert response.model_dump(exclude={"data", "created"}, exclude_none=True) == {
        "background": "opaque",
        "output_format": "png",
        "quality": "low",
        "size": "1536x1024",
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 5},
            "output_tokens": 316,
            "output_tokens_details": {"image_tokens": 316, "text_tokens": 0},
            "total_tokens": 321,
        },
    }
    assert response.data is not None
    first, second = response.data
    assert (first.url, first.revised_prompt) == (None, None)
    assert opened(first.b64_json).size == (1536, 1024)
    assert first.b64_json != second.b64_json


def test_the_same_request_gives_another_picture_each_time_and_the_same_series_after_a_reset(
    client: openai.OpenAI, sim: Simulator
) -> None:
    def series() -> list[str | None]:
        responses = [client.images.generate(prompt=PROMPT, model="gpt-image-2") for _ in range(2)]
        return [response.data[0].b64_json for response in responses if response.data]

    first = series()
    sim.reset()
    assert series() == first
    assert first[0] != first[1]


def test_a_dall_e_url_can_be_downloaded_and_has_a_revised_prompt(client: openai.OpenAI, sim: Simulator) -> None:
    response = client.images.generate(prompt=PROMPT, model="dall-e-3", size="1792x1024", quality="hd", style="natural")
    assert response.usage is None
    assert response.data is not None
    item = response.data[0]
    assert item.revised_prompt == "A lighthouse at dusk, rendered by a simulator."
    assert item.url is not None
    assert item.url.startswith(f"{sim.url}/v1/images/files/img-")
    file = httpx.get(item.url)
    assert (file.status_code, file.headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(file.content)) as picture:
        assert picture.size == (1792, 1024)


def test_dall_e_gives_base64_on_request(client: openai.OpenAI) -> None:
    response = client.images.generate(
        prompt=PROMPT, model="dall-e-2", size="256x256", n=3, response_format="b64_json", user="u-1"
    )
    assert response.data is not None
    assert [opened(item.b64_json).size for item in response.data] == [(256, 256)] * 3


def test_a_stream_sends_sharper_partial_images_and_then_the_picture(client: openai.OpenAI, sim: Simulator) -> None:
    stream = client.images.generate(prompt=PROMPT, model="gpt-image-2", stream=True, partial_images=2, quality="low")
    events: list[Any] = list(stream)
    assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert [opened(event.b64_json).size for event in events] == [(1024, 1024)] * 3
    assert len({event.b64_json for event in events}) == 3
    assert events[2].usage.output_tokens == 196 + 2 * 100
    sim.reset()
    whole = client.images.generate(prompt=PROMPT, model="gpt-image-2", quality="low")
    assert whole.data is not None
    assert events[2].b64_json == whole.data[0].b64_json


def test_azure_takes_the_deployment_from_the_path(azure: openai.AzureOpenAI, sim: Simulator) -> None:
    response = azure.images.generate(prompt=PROMPT, model="images", output_format="jpeg")
    assert (response.quality, response.output_format) == ("high", "jpeg")
    assert response.data is not None
    assert opened(response.data[0].b64_json).format == "JPEG"
    record = sim.requests[-1]
    assert (record.path, record.query) == (
        "/openai/deployments/images/images/generations",
        {"api-version": VERSION},
    )


def test_azure_v1_takes_the_deployment_from_the_body(sim: Simulator) -> None:
    with openai.OpenAI(api_key=sim.key, base_url=f"{sim.azure_endpoint}/openai/v1", max_retries=0) as client:
        response = client.images.with_raw_response.generate(prompt=PROMPT, model="images", quality="low")
    assert response.headers["x-ms-region"] == "Simulated"
    assert len(response.headers["apim-request-id"]) == 36
    assert sim.requests[-1].path == "/openai/v1/images/generations"


def test_the_asynchronous_clients_work_too() -> None:
    async def both() -> tuple[Any, Any]:
        async with Simulator() as sim:
            direct = openai.AsyncOpenAI(api_key=sim.key, base_url=sim.openai_base_url, max_retries=0)
            azure = openai.AsyncAzureOpenAI(
                api_key=sim.key, azure_endpoint=sim.azure_endpoint, api_version=VERSION, max_retries=0
            )
            async with direct, azure:
                return await asyncio.gather(
                    direct.images.generate(prompt=PROMPT, model="gpt-image-1", quality="high"),
                    azure.images.generate(prompt=PROMPT, model="dall-e-3", response_format="b64_json"),
                )

    direct, azure = asyncio.run(both())
    assert direct.usage.output_tokens == 4160
    assert azure.data[0].content_filter_results["violence"] == {"filtered": False, "severity": "safe"}


ERRORS = [
    ("auth", openai.AuthenticationError, 401, "invalid_api_key"),
    ("forbidden", openai.PermissionDeniedError, 403, "organization_not_verified"),
    ("conflict", openai.ConflictError, 409, "conflict"),
    ("rate_limit", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("slow_down", openai.RateLimitError, 429, "slow_down"),
    ("quota", openai.RateLimitError, 429, "insufficient_quota"),
    ("billing_hard_limit", openai.BadRequestError, 400, "billing_hard_limit_reached"),
    ("moderation", openai.BadRequestError, 400, "moderation_blocked"),
    ("content_policy", openai.BadRequestError, 400, "content_policy_violation"),
    ("content_filter", openai.BadRequestError, 400, "contentFilter"),
    ("timeout408", openai.APIStatusError, 408, "request_timeout"),
    ("server_error", openai.InternalServerError, 500, None),
    ("bad_gateway", openai.InternalServerError, 502, None),
    ("html_error", openai.InternalServerError, 502, None),
    ("overloaded", openai.InternalServerError, 503, "server_is_overloaded"),
    ("gateway_timeout", openai.InternalServerError, 504, None),
]


@pytest.mark.parametrize(("kind", "error", "status", "code"), ERRORS)
def test_a_fault_is_the_client_libraries_own_error(
    client: openai.OpenAI, sim: Simulator, kind: str, error: type[openai.APIStatusError], status: int, code: str | None
) -> None:
    sim.faults.add(kind)
    with pytest.raises(error) as raised:
        client.images.generate(prompt=PROMPT, model="gpt-image-2")
    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert (sim.requests[-1].status, sim.requests[-1].fault) == (status, kind)


@pytest.mark.parametrize("kind", ["reset", "reset_before_body"])
def test_a_reset_is_a_connection_error(client: openai.OpenAI, sim: Simulator, kind: str) -> None:
    sim.faults.add(kind)
    with pytest.raises(openai.APIConnectionError):
        client.images.generate(prompt=PROMPT, model="gpt-image-2")


def test_a_hang_is_a_timeout(client: openai.OpenAI, sim: Simulator) -> None:
    sim.faults.add("hang")
    with pytest.raises(openai.APITimeoutError):
        client.images.generate(prompt=PROMPT, model="gpt-image-2", timeout=0.5)
    assert (sim.requests[-1].status, sim.requests[-1].fault) == (None, "hang")


def test_an_error_inside_a_stream_is_raised_after_the_partial_images(client: openai.OpenAI, sim: Simulator) -> None:
    sim.faults.add("stream_error")
    kinds = []
    with pytest.raises(openai.APIError, match="The server had an error while generating the image") as raised:
        for event in client.images.generate(prompt=PROMPT, model="gpt-image-2", stream=True, partial_images=1):
            kinds.append(event.type)
    assert kinds == ["image_generation.partial_image"]
    assert raised.value.code == "server_error"


def test_a_cut_stream_is_a_connection_error(client: openai.OpenAI, sim: Simulator) -> None:
    sim.faults.add("stream_cut")
    stream = client.images.generate(prompt=PROMPT, model="gpt-image-2", stream=True, partial_images=1)
    assert next(stream).type == "image_generation.partial_image"
    with pytest.raises(openai.APIConnectionError):
        list(stream)


def test_a_wrong_key_is_refused_and_not_repeated(sim: Simulator) -> None:
    wrong = "sk-" + "wrong-and-private"
    with (
        openai.OpenAI(api_key=wrong, base_url=sim.openai_base_url, max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        client.images.generate(prompt=wrong, model="gpt-image-2")
    assert raised.value.code == "invalid_api_key"
    assert wrong not in str(raised.value)
    assert wrong not in repr(sim.requests)


def test_an_unknown_model_and_an_unknown_deployment_are_not_found(
    client: openai.OpenAI, azure: openai.AzureOpenAI
) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.images.generate(prompt=PROMPT, model="gpt-image-9")
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError) as raised:
        azure.images.generate(prompt=PROMPT, model="gpt-image-9")
    assert raised.value.code == "DeploymentNotFound"


def test_an_unknown_parameter_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.images.generate(prompt=PROMPT, model="gpt-image-2", extra_body={"seed": 7})
    assert raised.value.body == {
        "message": "Unknown parameter: 'seed'.",
        "type": "invalid_request_error",
        "param": "seed",
        "code": "unknown_parameter",
    }


def test_the_library_retries_a_rate_limit_after_the_time_it_is_given(sim: Simulator) -> None:
    sim.faults.add("rate_limit:2,retry_after=10ms")
    with openai.OpenAI(api_key=sim.key, base_url=sim.openai_base_url, max_retries=2) as client:
        response = client.images.with_raw_response.generate(prompt=PROMPT, model="gpt-image-2")
    assert response.retries_taken == 2
    assert [record.status for record in sim.requests] == [429, 429, 200]


def test_models_are_listed(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert {"gpt-image-2", "gpt-image-2.6-sunburst", "dall-e-3", "gpt-image-2-2026-04-21"} <= set(names)
