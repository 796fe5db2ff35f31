"""The vendors' own client packages against the fakes of their endpoints: what they send, the fakes take, and what the
fakes respond, they read. So a fake that is wrong is found, and our request is held against theirs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("vendors", "image")]

import bedrock_fake
import gemini_fake
import localai_fake
import openai
import vertex_fake
from fake_vendor import PICTURE, PICTURE_B64, Asked, running
from vendor_bench import bought

genai = pytest.importorskip("google.genai", reason="pip install 'flowdsl[vendor-clients]'")
boto3 = pytest.importorskip("boto3", reason="pip install 'flowdsl[vendor-clients]'")
pytestmark = [
    pytest.mark.filterwarnings("ignore:::google.genai"),
    pytest.mark.filterwarnings("ignore:::botocore"),
    pytest.mark.filterwarnings("ignore:::boto3"),
]
MODEL = "gemini-3.1-flash-image"


@pytest.fixture
def gemini() -> Iterator[gemini_fake.GeminiFake]:
    with running(gemini_fake.GeminiFake()) as fake:
        yield fake


@pytest.fixture
def vertex() -> Iterator[vertex_fake.VertexFake]:
    with running(vertex_fake.VertexFake()) as fake:
        yield fake


@pytest.fixture
def bedrock() -> Iterator[bedrock_fake.BedrockFake]:
    with running(bedrock_fake.BedrockFake()) as fake:
        yield fake


def gemini_client(fake: gemini_fake.GeminiFake) -> Any:
    return genai.Client(api_key=gemini_fake.KEY, http_options={"base_url": fake.url, "api_version": "v1beta"})


def vertex_client(fake: vertex_fake.VertexFake) -> Any:
    from google.oauth2 import service_account

    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    login = service_account.Credentials.from_service_account_info(fake.credentials, scopes=scopes)
    options = {"base_url": fake.url, "api_version": "v1"}
    return genai.Client(
        vertexai=True, project=vertex_fake.PROJECT, location="global", credentials=login, http_options=options
    )


def bedrock_client(fake: bedrock_fake.BedrockFake, **more: Any) -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name=bedrock_fake.REGION,
        endpoint_url=fake.url,
        aws_access_key_id=bedrock_fake.KEY_ID,
        aws_secret_access_key=bedrock_fake.SECRET,
        **more,
    )


def drawn(client: Any, prompt: str, **image: Any) -> Any:
    """What google-genai makes of a response."""
    types = genai.types
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"], image_config=types.ImageConfig(**image) if image else None, seed=7
    )
    return client.models.generate_content(model=MODEL, contents=prompt, config=config)


def essence(asked: Asked) -> tuple[str, str, Any]:
    """What of a request the vendor reads."""
    return asked.method, asked.path, asked.json


def test_google_genai_and_we_ask_the_gemini_api_for_the_same(gemini: gemini_fake.GeminiFake, tmp_path: Path) -> None:
    with gemini_client(gemini) as client:
        found = drawn(client, "a lighthouse", aspect_ratio="16:9", image_size="1K")
    pictures = [part.inline_data.data for part in found.parts if part.inline_data and not part.thought]
    assert pictures == [PICTURE]
    assert (found.candidates[0].finish_reason.name, found.usage_metadata.prompt_token_count) == ("STOP", 8)
    entry = {"provider": "gemini", "endpoint": gemini.url, "apiKey": gemini_fake.KEY, "model": MODEL}
    bought(tmp_path, entry, size="1376x768", seed=7)
    theirs, ours = map(essence, gemini.asked)
    assert theirs == ours


def test_google_genai_reads_what_is_refused_there(gemini: gemini_fake.GeminiFake) -> None:
    with gemini_client(gemini) as client:
        blocked = drawn(client, "something forbidden").prompt_feedback
        assert blocked.block_reason.name == "PROHIBITED_CONTENT"
        assert drawn(client, "an unsafe picture").candidates[0].finish_reason.name == "IMAGE_SAFETY"
        assert drawn(client, "only words").text == "I cannot draw this."
        with pytest.raises(genai.errors.APIError) as caught:
            drawn(client, "used up")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_google_genai_and_we_ask_vertex_ai_for_the_same(vertex: vertex_fake.VertexFake, tmp_path: Path) -> None:
    image = {"aspect_ratio": "16:9", "image_size": "1K", "output_mime_type": "image/jpeg"}
    with vertex_client(vertex) as client:
        found = drawn(client, "a lighthouse", **image, output_compression_quality=80)
    assert [part.inline_data.data for part in found.parts if part.inline_data and not part.thought] == [PICTURE]
    entry = {"provider": "vertex", "endpoint": vertex.url, "credentials": json.dumps(vertex.credentials)}
    options = {"size": "1376x768", "seed": 7, "output_format": "jpeg", "output_compression": 80}
    bought(tmp_path, {**entry, "model": MODEL}, **options)
    theirs, ours = [essence(asked) for asked in vertex.asked if asked.path != "/token"]
    assert theirs == ours
    assert vertex.tokens == 2


def invoked(client: Any, body: dict[str, Any], model: str = "stability.stable-image-core-v1:1") -> Any:
    """What boto3 makes of a response."""
    done = client.invoke_model(
        modelId=model, body=json.dumps(body), contentType="application/json", accept="application/json"
    )
    return json.load(io.BytesIO(done["body"].read()))


def test_boto3_and_we_ask_bedrock_for_the_same(bedrock: bedrock_fake.BedrockFake, tmp_path: Path) -> None:
    body = {"prompt": "a lighthouse", "aspect_ratio": "16:9", "seed": 7}
    found = invoked(bedrock_client(bedrock), body)
    assert (found["images"], found["finish_reasons"]) == ([PICTURE_B64], [None])
    login = {"accessKeyId": bedrock_fake.KEY_ID, "secretAccessKey": bedrock_fake.SECRET}
    entry = {"provider": "bedrock", "endpoint": bedrock.url, "region": bedrock_fake.REGION, **login}
    bought(tmp_path, {**entry, "model": "stability.stable-image-core-v1:1"}, size="1344x768", seed=7)
    theirs, ours = map(essence, bedrock.asked)
    assert theirs == ours


def test_boto3s_signature_with_a_session_token_is_verified(bedrock: bedrock_fake.BedrockFake) -> None:
    bedrock.token = True
    client = bedrock_client(bedrock, aws_session_token=bedrock_fake.TOKEN)
    assert invoked(client, {"prompt": "a lighthouse"})["images"]


@pytest.mark.parametrize(
    ("prompt", "name"),
    [("too much", "ServiceQuotaExceededException"), ("blocked before", "ValidationException")],
    ids=["quota", "filtered"],
)
def test_boto3_reads_the_exceptions_there(prompt: str, name: str, bedrock: bedrock_fake.BedrockFake) -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        invoked(bedrock_client(bedrock), {"prompt": prompt})
    assert caught.value.response["Error"]["Code"] == name


def test_the_client_of_openai_and_we_ask_localai_for_the_same(tmp_path: Path) -> None:
    with running(localai_fake.LocalAIFake()) as fake:
        with openai.OpenAI(base_url=f"{fake.url}/v1", api_key=localai_fake.KEY) as client:
            found = client.images.generate(
                model="flux.1-schnell", prompt="a lighthouse", size="512x512", response_format="b64_json"
            )
        assert found.data is not None
        assert found.data[0].b64_json == PICTURE_B64
        entry = {"provider": "localai", "endpoint": fake.url, "apiKey": localai_fake.KEY, "model": "flux.1-schnell"}
        bought(tmp_path, entry, size="512x512")
        theirs, ours = map(essence, fake.asked)
    assert theirs == ours
