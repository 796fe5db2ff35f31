"""The client packages of routers, of own servers and of OpenAI against the fakes: what they send, the fakes take, what
the fakes respond, they read, and what we send is the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("vendors", "image")]

import ollama_fake
import openai
import openai_fake
import openrouter_fake
import workersai_fake
from fake_vendor import PICTURE_B64, Asked, running
from vendor_bench import bought

WHY = "pip install 'flowdsl[vendor-clients]'"
cloudflare = pytest.importorskip("cloudflare", reason=WHY)
ollama = pytest.importorskip("ollama", reason=WHY)
openrouter = pytest.importorskip("openrouter", reason=WHY)
pytestmark = [pytest.mark.filterwarnings(f"ignore:::{name}") for name in ("cloudflare", "ollama", "openrouter")]


def essence(asked: Asked) -> tuple[str, str, Any]:
    """What of a request the vendor reads."""
    return asked.method, unquote(asked.target), asked.json


def test_the_client_of_openai_and_we_ask_openai_for_the_same(tmp_path: Path) -> None:
    with running(openai_fake.OpenAIFake()) as fake:
        with openai.OpenAI(base_url=f"{fake.url}/v1", api_key=openai_fake.KEY) as client:
            found = client.images.generate(model="gpt-image-2", prompt="a lighthouse", size="1024x1024", quality="low")
        assert found.data is not None
        assert found.usage is not None
        assert (found.data[0].b64_json, found.usage.total_tokens) == (PICTURE_B64, 204)
        entry = {"provider": "openai", "endpoint": f"{fake.url}/v1", "apiKey": openai_fake.KEY, "model": "gpt-image-2"}
        bought(tmp_path, entry, size="1024x1024", quality="low")
        theirs, ours = map(essence, fake.asked)
        assert ours[2].pop("n", 1) == 1
    assert theirs == ours


def test_the_client_of_openai_and_we_ask_a_deployment_of_azure_for_the_same(tmp_path: Path) -> None:
    with running(openai_fake.AzureFake()) as fake:
        place = {"azure_endpoint": fake.url, "api_version": "2025-04-01-preview", "azure_deployment": "images"}
        fake.names_model = True  # the client names the deployment in the body too
        with openai.AzureOpenAI(api_key=openai_fake.KEY, **place) as client:
            found = client.images.generate(model="images", prompt="a lighthouse", size="1024x1024")
        assert found.data is not None
        assert found.data[0].b64_json == PICTURE_B64
        fake.names_model = False
        entry = {"provider": "azure", "endpoint": fake.url, "apiKey": openai_fake.KEY, "model": "gpt-image-2"}
        bought(tmp_path, {**entry, "deploymentId": "images", "apiVersion": "2025-04-01-preview"}, size="1024x1024")
        theirs, ours = map(essence, fake.asked)
        assert theirs[2].pop("model") == "images"
        assert ours[2].pop("n", 1) == 1
    assert theirs == ours


def test_the_client_of_openrouter_and_we_ask_for_the_same(tmp_path: Path) -> None:
    model = "google/gemini-nano-banana-2.1"
    with running(openrouter_fake.OpenRouterFake()) as fake:
        with openrouter.OpenRouter(api_key=openrouter_fake.KEY, server_url=f"{fake.url}/api/v1") as client:
            found = client.images.generate(model=model, prompt="a lighthouse", size="1024x1024", seed=7)
        assert found.data[0].b64_json == PICTURE_B64
        entry = {"provider": "openrouter", "endpoint": fake.url, "apiKey": openrouter_fake.KEY, "model": model}
        bought(tmp_path, entry, size="1024x1024", seed=7)
        theirs, ours = map(essence, fake.asked)
        for asked in (theirs, ours):
            assert asked[2].pop("n", 1) == 1
            asked[2].pop("stream", None)
    assert theirs == ours


def test_the_client_of_ollama_and_we_ask_for_the_same(tmp_path: Path) -> None:
    with running(ollama_fake.OllamaFake()) as fake:
        client = ollama.Client(host=fake.url)
        size = {"width": 512, "height": 512}
        found = client.generate("x/z-image-turbo", "a lighthouse", options={"seed": 7}, **size)
        client._client.close()  # it has no end of its own
        assert found.image == PICTURE_B64
        bought(
            tmp_path, {"provider": "ollama", "endpoint": fake.url, "model": "x/z-image-turbo"}, size="512x512", seed=7
        )
        theirs, ours = map(essence, fake.asked)
    assert theirs == ours


def test_the_client_of_cloudflare_and_we_run_the_same_model(tmp_path: Path) -> None:
    with running(workersai_fake.WorkersAIFake()) as fake:
        with cloudflare.Cloudflare(api_token=workersai_fake.KEY, base_url=f"{fake.url}/client/v4") as client:
            found = client.ai.run(workersai_fake.SCHNELL, account_id=workersai_fake.ACCOUNT, prompt="a lighthouse")
        assert found["image"] == PICTURE_B64
        entry = {"provider": "workersai", "endpoint": f"{fake.url}/client/v4", "apiKey": workersai_fake.KEY}
        bought(tmp_path, {**entry, "model": workersai_fake.SCHNELL, "accountId": workersai_fake.ACCOUNT})
        theirs, ours = map(essence, fake.asked)
    assert theirs == ours
