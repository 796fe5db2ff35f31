"""The client packages of vendors that take orders, or draw behind a router, against the fakes of their endpoints: what
they send, the fakes take, what the fakes respond, they read, and what we send is the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("vendors", "image")]

import dashscope_fake
import huggingface_fake
import mistral_fake
import zhipu_fake
from fake_vendor import PICTURE, Asked, Fake, running
from vendor_bench import bought

WHY = "pip install 'flowdsl[vendor-clients]'"
dashscope = pytest.importorskip("dashscope", reason=WHY)
huggingface_hub = pytest.importorskip("huggingface_hub", reason=WHY)
mistralai = pytest.importorskip("mistralai.client", reason=WHY)
zai = pytest.importorskip("zai", reason=WHY)
httpx2 = pytest.importorskip("httpx2", reason=WHY)  # what huggingface_hub sends with
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:::{name}")
    for name in ("dashscope", "huggingface_hub", "jsonpath.jsonpath", "mistralai", "zai")  # mistralai uses jsonpath
]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two questions."""
    for name in ("dashscope", "huggingface", "zhipu"):
        monkeypatch.setattr(f"flowdsl_steps.image.vendors.{name}._PAUSE_S", 0.0)


def essence(asked: Asked) -> tuple[str, str, Any]:
    """What of a request the vendor reads."""
    return asked.method, asked.path, asked.json if asked.content else None


def asked_by_both(fake: Fake) -> tuple[list[Any], list[Any]]:
    """What the client asked, and what we asked after it, without the pictures behind addresses."""
    found = [essence(asked) for asked in fake.asked if not asked.path.startswith("/pictures/")]
    assert len(found) % 2 == 0
    return found[: len(found) // 2], found[len(found) // 2 :]


def test_zai_sdk_and_we_ask_zhipu_for_the_same(tmp_path: Path) -> None:
    with running(zhipu_fake.ZhipuFake(polls=1)) as fake:
        options = {"size": "1024x1024", "quality": "hd"}
        with zai.ZaiClient(api_key=zhipu_fake.KEY, base_url=f"{fake.url}/api/paas/v4") as client:
            found = client.images.generations(
                model="cogview-4-250304", prompt="a lighthouse", user_id="user-01", **options
            )
        assert found.data[0].url == f"{fake.url}/pictures/1.png"
        entry = {"provider": "zhipu", "endpoint": fake.url, "apiKey": zhipu_fake.KEY, "model": "cogview-4-250304"}
        bought(tmp_path, entry, user="user-01", **options)
        theirs, ours = asked_by_both(fake)
        assert theirs == ours


def test_zai_sdk_and_we_ask_zhipu_for_an_order(tmp_path: Path) -> None:
    with running(zhipu_fake.ZhipuFake(polls=1)) as fake:
        with zai.ZaiClient(api_key=zhipu_fake.KEY, base_url=f"{fake.url}/api/paas/v4") as client:
            order = client.images.async_generations(model="glm-image", prompt="a lighthouse", size="1280x1280")
            assert client.images.retrieve_images_result(order.id).task_status == "PROCESSING"
            assert client.images.retrieve_images_result(order.id).image_result[0].url == f"{fake.url}/pictures/1.png"
        entry = {"provider": "zhipu", "endpoint": fake.url, "apiKey": zhipu_fake.KEY, "model": "glm-image"}
        bought(tmp_path, entry, size="1280x1280")
        theirs, ours = asked_by_both(fake)
        assert theirs[0] == ours[0]
        assert [path.replace("task-1", "task-2") for _, path, _ in theirs] == [path for _, path, _ in ours]


@pytest.fixture
def alibaba(monkeypatch: pytest.MonkeyPatch) -> Iterator[dashscope_fake.DashScopeFake]:
    with running(dashscope_fake.DashScopeFake(polls=0)) as fake:
        monkeypatch.setattr(dashscope, "base_http_api_url", f"{fake.url}/api/v1")
        yield fake


def ours_at(alibaba: dashscope_fake.DashScopeFake, folder: Path, model: str, **options: Any) -> None:
    entry = {"provider": "dashscope", "endpoint": alibaba.url, "apiKey": dashscope_fake.KEY, "model": model}
    bought(folder, entry, **options)
    theirs, ours = asked_by_both(alibaba)
    theirs[0][2]["parameters"].pop("is_async", None)  # an argument of the client that slips into its body
    assert theirs[0] == ours[0]
    assert [path.replace("task-1", "task-2") for _, path, _ in theirs] == [path for _, path, _ in ours]


def test_dashscope_and_we_order_in_the_old_form(alibaba: dashscope_fake.DashScopeFake, tmp_path: Path) -> None:
    found = dashscope.ImageSynthesis.call(
        model="wan2.2-t2i-plus", prompt="a lighthouse", n=1, size="1024*1024", seed=7, api_key=dashscope_fake.KEY
    )
    assert (found.output.task_status, found.output.results[0].url) == ("SUCCEEDED", f"{alibaba.url}/pictures/0.png")
    ours_at(alibaba, tmp_path, "wan2.2-t2i-plus", size="1024x1024", seed=7)


def test_dashscope_and_we_order_in_the_new_form(alibaba: dashscope_fake.DashScopeFake, tmp_path: Path) -> None:
    from dashscope.aigc.image_generation import ImageGeneration

    message = {"role": "user", "content": [{"text": "a lighthouse"}]}
    order = ImageGeneration.async_call(model="wan2.6-t2i", api_key=dashscope_fake.KEY, messages=[message], n=1)
    found = ImageGeneration.wait(order, api_key=dashscope_fake.KEY)
    assert found.output.choices[0].message.content[0]["image"] == f"{alibaba.url}/pictures/1.png"
    ours_at(alibaba, tmp_path, "wan2.6-t2i")


def test_dashscope_and_we_are_given_a_picture_at_once(alibaba: dashscope_fake.DashScopeFake, tmp_path: Path) -> None:
    message = {"role": "user", "content": [{"text": "a lighthouse"}]}
    found = dashscope.MultiModalConversation.call(
        model="qwen-image-2.0", api_key=dashscope_fake.KEY, messages=[message], n=1
    )
    assert found.output.choices[0].message.content[0]["image"] == f"{alibaba.url}/pictures/1.png"
    ours_at(alibaba, tmp_path, "qwen-image-2.0")


def test_mistralai_and_we_start_the_same_conversation(tmp_path: Path) -> None:
    with (
        running(mistral_fake.MistralFake()) as fake,
        mistralai.Mistral(api_key=mistral_fake.KEY, server_url=fake.url) as client,
    ):
        turn = client.beta.conversations.start(
            model="mistral-medium-latest",
            inputs="a lighthouse",
            tools=[{"type": "image_generation"}],
            instructions="Draw the picture that the user describes with the image generation tool. Ask nothing back.",
        )
        [name] = [chunk.file_id for chunk in turn.outputs[-1].content if chunk.type == "tool_file"]
        assert (turn.usage.prompt_tokens, turn.usage.total_tokens) == (129, 292)
        assert client.files.download(file_id=name).read() == PICTURE
        entry = {"provider": "mistral", "endpoint": fake.url, "apiKey": mistral_fake.KEY}
        bought(tmp_path, {**entry, "model": "mistral-medium-latest"})
        theirs, ours = asked_by_both(fake)
        assert theirs == ours


class ToFake(httpx2.BaseTransport):
    """Takes requests for the router to the fake, as the client knows a partner by the router's name in its address."""

    def __init__(self, url: str) -> None:
        self._fake = httpx2.URL(url)
        self._network = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "router.huggingface.co":
            request.url = request.url.copy_with(scheme="http", host=self._fake.host, port=self._fake.port)
        return self._network.handle_request(request)

    def close(self) -> None:
        self._network.close()


@pytest.mark.parametrize("partner", sorted(huggingface_fake.ROUTES))
def test_huggingface_hub_and_we_ask_a_partner_for_the_same(
    partner: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub.hf_api import InferenceProviderMapping
    from huggingface_hub.inference import _providers

    there = huggingface_fake.NAMES.get(partner, huggingface_fake.MODEL)
    mapping = InferenceProviderMapping(
        provider=partner, hf_model_id=huggingface_fake.MODEL, providerId=there, status="live", task="text-to-image"
    )
    kind = type(_providers.get_provider_helper(partner, task="text-to-image", model=huggingface_fake.MODEL))
    monkeypatch.setattr(kind, "_prepare_mapping_info", lambda self, model: mapping)  # which asks the hub
    for name in ("wavespeed", "zai_org"):
        monkeypatch.setattr(f"huggingface_hub.inference._providers.{name}._POLLING_INTERVAL", 0)
    with running(huggingface_fake.HuggingFaceFake(polls=0)) as fake:
        huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=ToFake(fake.url)))
        client = huggingface_hub.InferenceClient(provider=partner, api_key=huggingface_fake.KEY)
        picture = client.text_to_image("a lighthouse", model=huggingface_fake.MODEL, width=1024, height=768)
        huggingface_hub.close_session()  # the client holds a connection of everybody's
        assert picture.size == (61, 43)
        entry = {"provider": "huggingface", "endpoint": fake.url, "apiKey": huggingface_fake.KEY}
        chosen = {"model": huggingface_fake.MODEL, "partner": partner, "partnerModel": there}
        bought(tmp_path, {**entry, **chosen}, size="1024x768")
        theirs, ours = asked_by_both(fake)
        assert theirs == ours
