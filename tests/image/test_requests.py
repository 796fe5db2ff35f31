from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_bench import Bench, Ground, built_for

from flowdsl.errors import ConfigError, StepError
from flowdsl.image.image import Image
from flowdsl.reference.docstrings import documented
from flowdsl.step.service import Service
from flowdsl_steps.image.azure_openai_image_generation import AzureOpenAIImageGeneration
from flowdsl_steps.image.hub_image_generation import HubImageGeneration
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration
from flowdsl_steps.image.options import ImageOptions, sent_fields
from flowdsl_steps.image.request import OPTIONS, ImageRequest
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.vendors import vendor_named

STEPS = (OpenAIImageGeneration, AzureOpenAIImageGeneration, HubImageGeneration)


def bodies(simulator: Simulator) -> list[Any]:
    return [request.json for request in simulator.requests if request.method == "POST"]


def built(cls: type[ImageOptions] = OpenAIImageGeneration, settings: Any = None, **options: Any) -> Any:
    """The order a step makes of its options, without sending it."""
    settings = {"provider": "openai", "endpoint": "http://x/v1", **(settings or {})}
    ground = Ground(cls, Path("unused"), Service("PICTURES", settings), options)
    ground.flow_context["text"] = "a boat"
    step = cls.model_validate(options)
    return built_for(step, ground)


def test_a_picture_is_generated_and_described(bench: Bench, simulator: Simulator) -> None:
    found = bench.run(size="1536x1024", quality="low")
    (image,) = found["imageList"]
    assert isinstance(image, Image)
    assert (image.mime, image.width, image.height) == ("image/png", 1536, 1024)
    assert image["b64_json"].startswith("iVBORw0KGgo")
    about = found["object"]
    assert {key: about[key] for key in ("model", "size", "quality", "attemptCount", "finishReason")} == {
        "model": "gpt-image-2",
        "size": "1536x1024",
        "quality": "low",
        "attemptCount": 1,
        "finishReason": "stop",
    }
    assert about["usage"]["output_tokens"] > 0
    assert bench.ground.spent == [about["cost"]]
    assert about["requestId"].startswith("req_")
    assert bodies(simulator) == [
        {"prompt": "a lighthouse", "model": "gpt-image-2", "size": "1536x1024", "quality": "low"}
    ]


def test_a_stream_shows_the_picture_growing(bench: Bench) -> None:
    found = bench.run(stream=True, partial_images=2)
    assert bench.ground.emitted == ["partial image 1", "partial image 2", "images ready 1/1"]
    assert len(found["imageList"]) == 1
    stored = {Path(image.path) for _, image in bench.ground.partials} | {Path(found["imageList"][0].path)}
    assert set(bench.folder.iterdir()) == stored and len(stored) == 3


def test_an_address_is_fetched_at_once_and_kept(bench: Bench, simulator: Simulator) -> None:
    (image,) = bench.run(model="dall-e-3")["imageList"]
    assert image.url.startswith(simulator.url)
    assert image.url_expires_at > 3600
    assert image.revised_prompt
    assert Path(image.path).read_bytes() == image.read()
    download = simulator.requests[-1]
    assert (download.method, "authorization" in download.headers) == ("GET", False)


def test_more_pictures_than_one_request_takes_are_asked_for_in_several(bench: Bench, simulator: Simulator) -> None:
    found = bench.run(model="dall-e-3", n=3)
    assert len(found["imageList"]) == 3
    assert found["object"]["attemptCount"] == simulator.request_count == 3
    assert all("n" not in body for body in bodies(simulator))
    assert bench.ground.notes == [("fan-out", "`n: 3` is sent as 3 requests: dall-e-3 accepts one picture each")]
    assert found["object"]["cost"] == pytest.approx(0.12)


def test_several_pictures_of_one_request_come_together(bench: Bench, simulator: Simulator) -> None:
    assert len(bench.run(n=3, quality="low")["imageList"]) == 3
    assert [body["n"] for body in bodies(simulator)] == [3]


def test_the_prompt_is_the_instruction_else_the_text(bench: Bench) -> None:
    assert built().body["prompt"] == "a boat"
    assert built(instruction="a house").body["prompt"] == "a house"
    with pytest.raises(StepError) as caught:
        bench.run(instruction=None)
    assert (
        str(caught.value)
        == "OPENAI_IMAGE_GENERATION has no prompt: `instruction` is absent and the input `text` is empty"
    )


def test_the_step_wins_over_the_service_and_the_service_over_its_options() -> None:
    settings = {"model": "gpt-image-2", "options": {"quality": "low", "model": "unused", "size": "1024x1024"}}
    order = built(settings=settings, quality="high")
    assert order.body == {"prompt": "a boat", "model": "gpt-image-2", "size": "1024x1024", "quality": "high"}
    assert built(settings=settings, model="gpt-image-1.5").body["model"] == "gpt-image-1.5"
    assert built().body["model"] == "dall-e-3"


def test_an_option_of_the_service_is_held_to_the_rule_of_the_step() -> None:
    with pytest.raises(ConfigError) as caught:
        built(settings={"options": {"output_compression": 500}})
    assert str(caught.value) == "`output_compression` is 500, and must be from 0 to 100 (set by service PICTURES)"


def test_what_the_model_does_not_have_is_not_sent() -> None:
    assert built(model="gpt-image-2", response_format="b64_json").body == {"prompt": "a boat", "model": "gpt-image-2"}
    assert built(model="my-own", response_format="url", n=9).body["response_format"] == "url"
    assert built(model="my-own", n=9).counts == (9,)


@pytest.mark.parametrize(
    ("version", "model", "path"),
    [
        ("2025-04-01-preview", None, "/openai/deployments/gpt-image-2/images/generations"),
        (None, "gpt-image-2", "/openai/v1/images/generations"),
    ],
)
def test_azure_names_the_deployment_in_the_address_or_in_the_body(
    version: str | None, model: str | None, path: str, tmp_path: Path, simulator: Simulator
) -> None:
    settings = {"endpoint": simulator.azure_endpoint, "deploymentId": "gpt-image-2", "apiVersion": version}
    bench = Bench(tmp_path, {"provider": "azure", "apiKey": simulator.key, **settings})
    found = bench.run(AzureOpenAIImageGeneration)
    assert len(found["imageList"]) == 1
    assert simulator.requests[-1].path == path
    assert bodies(simulator)[-1].get("model") == model


def test_a_hub_gets_its_target(tmp_path: Path, simulator: Simulator) -> None:
    bench = Bench(tmp_path, {"provider": "hub", "endpoint": simulator.url, "apiKey": simulator.key, "target": "a"})
    bench.run(HubImageGeneration, target="b")
    assert simulator.requests[-1].headers["x-target"] == "b"


@pytest.mark.parametrize("cls", STEPS)
def test_every_field_is_asked_of_the_vendor_or_known_to_stay(cls: type[ImageOptions]) -> None:
    kept = {"model", "instruction", "timeout_ms", "max_retries", "output_key"}
    assert set(cls.model_fields) - set(sent_fields(cls)) == kept
    assert set(sent_fields(cls)) - set(OPTIONS) == ({"target"} if cls is HubImageGeneration else set())


@pytest.mark.parametrize("cls", STEPS)
def test_a_step_has_the_keys_of_the_language(cls: type[ImageOptions]) -> None:
    keys = documented(cls).keys
    for name in ("timeoutMs", "maxRetries", "outputKey", "output_format", "response_format", "seed"):
        assert name in keys
        assert keys[name].summary
    assert ("target" in keys) is (cls is HubImageGeneration)


VALID: dict[str, st.SearchStrategy[Any]] = {
    "size": st.sampled_from(["auto", "1024x1024", "1536x1024"]),
    "quality": st.sampled_from(["auto", "low", "medium", "high"]),
    "n": st.integers(1, 4),
    "output_format": st.sampled_from(["png", "jpeg", "webp"]),
    "background": st.sampled_from(["opaque", "auto"]),
    "moderation": st.sampled_from(["low", "auto"]),
    "seed": st.integers(0, 9),
    "user": st.just("u1"),
    "stream": st.booleans(),
    "partial_images": st.integers(0, 3),
}


@pytest.mark.long
@given(options=st.fixed_dictionaries({}, optional=VALID))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_request_is_taken_by_strict_rules_and_holds_no_seed(bench: Bench, options: dict[str, Any]) -> None:
    options = {**options, "quality": "low", "size": "1024x1024"}
    if options.get("stream"):
        options["n"] = 1
    found = bench.run(**options)
    assert len(found["imageList"]) == options.get("n", 1)
    assert "seed" not in built(model="gpt-image-2", **options).body


def test_requests_at_the_same_time_are_held_to_the_service_s_concurrency(tmp_path: Path) -> None:
    with Simulator(latency_s=0.05) as simulator:
        settings = {"provider": "openai", "endpoint": simulator.url, "apiKey": simulator.key, "concurrency": 2}
        bench = Bench(tmp_path, settings)
        assert len(bench.run(model="dall-e-3", n=4)["imageList"]) == 4
        assert simulator.peak_concurrency == 2


def test_the_rate_limit_of_the_service_spaces_requests(tmp_path: Path) -> None:
    with Simulator() as simulator:
        settings = {"provider": "openai", "endpoint": simulator.url, "apiKey": simulator.key, "rateLimit": 600}
        Bench(tmp_path, settings).run(model="dall-e-3", n=4)
        times = sorted(request.time for request in simulator.requests if request.method == "POST")
    assert times[-1] - times[0] > 0.25


def test_a_resent_request_that_may_be_billed_twice_has_an_unknown_cost(bench: Bench, simulator: Simulator) -> None:
    bench.service.settings["onUnknown"] = "resend"
    simulator.faults.add("server_error")
    found = bench.run()
    assert found["object"]["attemptCount"] == 2
    assert bench.ground.spent == [None]


def test_two_runs_of_a_step_share_one_client(bench: Bench, simulator: Simulator) -> None:
    async def twice() -> int:
        step = OpenAIImageGeneration(model="gpt-image-2", instruction="a lighthouse", quality="low")
        ground = Ground(OpenAIImageGeneration, bench.folder, bench.service, {"model": 1, "quality": 1})
        async with ground.stack:
            await step.run(ground)
            await step.run(ground)
            return len(ground.opened)

    assert asyncio.run(twice()) == 1
    assert simulator.request_count == 2


def test_an_endpoint_that_was_put_right_is_noted(bench: Bench, simulator: Simulator) -> None:
    bench.service.settings["endpoint"] = f"{simulator.url}/v1/chat/completions"
    bench.run()
    assert bench.ground.notes == [
        (
            "endpoint-changed",
            "the endpoint names another operation, /chat/completions: /images/generations is used instead",
        )
    ]


def test_neither_an_endpoint_nor_a_request_shows_its_key() -> None:
    built_one = built(settings={"apiKey": "sk-secret-0123456789", "endpoint": "https://x/v1?code=hush"})
    assert repr(built_one.endpoint) == "<Endpoint PICTURES https://x/v1/images/generations>"
    sent = vendor_named("openai").encode(ImageRequest(prompt="a boat"), built_one.endpoint)
    assert repr(sent) == "<HttpRequest POST https://x/v1/images/generations>"


def test_a_store_that_cannot_be_written_is_found_out_before_anything_is_paid(
    bench: Bench, simulator: Simulator
) -> None:
    bench.folder.rmdir()
    bench.folder.write_text("in the way")
    with pytest.raises(StepError) as caught:
        bench.run()
    assert str(caught.value) == f"the image cannot be stored in {bench.folder}: File exists"
    assert simulator.request_count == 0


def test_a_disk_that_takes_no_more_ends_the_step_and_leaves_the_cost_unknown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, content: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flowdsl.image.store.os.write", full)
    with pytest.raises(StepError) as caught:
        bench.run()
    assert str(caught.value) == f"the image cannot be stored in {bench.folder}: No space left on device"
    assert bench.ground.spent == [None]
    assert list(bench.folder.iterdir()) == []


def test_checking_a_step_needs_no_http_library() -> None:
    program = (
        "import sys, flowdsl.image.store, flowdsl_steps.image.openai_image_generation\n"
        "print(sorted({'httpx', 'h11', 'pybase64', 'asyncio', 'PIL'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"
