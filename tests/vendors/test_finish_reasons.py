"""IMAGE_GENERATION at each vendor's fake: what the vendor draws nothing for ends with a `finishReason`, and what fails
fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_vendor import Fake, running
from image_bench import Bench
from vendor_cases import CASES

from flowdsl.errors import ServiceError
from flowdsl_steps.image.image_generation import ImageGeneration

ENDED = [
    ("openai", "something forbidden", "CONTENT_FILTER"),
    ("azure", "something forbidden", "CONTENT_FILTER"),
    ("gemini", "something forbidden", "CONTENT_FILTER"),
    ("gemini", "an unsafe picture", "CONTENT_FILTER"),
    ("gemini", "only words", "OTHER"),
    ("gemini", "a long thought", "LENGTH"),
    ("vertex", "an unsafe picture", "CONTENT_FILTER"),
    ("vertex", "only words", "OTHER"),
    ("openrouter", "something forbidden", "CONTENT_FILTER"),
    ("openrouter", "upstream refuses", "CONTENT_FILTER"),
    ("bedrock", "something forbidden", "CONTENT_FILTER"),
    ("bedrock", "an unsafe picture", "CONTENT_FILTER"),
    ("bedrock", "all blocked", "CONTENT_FILTER"),
    ("bedrock", "breaks inside", "OTHER"),
    ("zhipu", "something forbidden", "CONTENT_FILTER"),
    ("workersai", "something forbidden", "CONTENT_FILTER"),
    ("dashscope", "something forbidden", "CONTENT_FILTER"),
    ("mistral", "talk to me", "OTHER"),
]
FAILED = [
    ("gemini", "used up"),
    ("openrouter", "no credit"),
    ("bedrock", "too much"),
    ("zhipu", "something penniless"),
    ("workersai", "something penniless"),
    ("dashscope", "something penniless"),
]


@pytest.fixture
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    name = request.getfixturevalue("name")
    monkeypatch.setattr(f"flowdsl_steps.image.vendors.{name}._PAUSE_S", 0.0, raising=False)  # between polls
    with running(CASES[name].fake()) as found:
        yield found


def bench(name: str, fake: Fake, folder: Path) -> Bench:
    case = CASES[name]
    return Bench(folder, {"provider": name, "endpoint": fake.url, "maxRetries": 0, **case.entry, **case.more(fake)})


@pytest.mark.parametrize(("name", "prompt", "reason"), ENDED)
def test_what_ends_without_a_picture_says_why(name: str, prompt: str, reason: str, fake: Fake, tmp_path: Path) -> None:
    case = bench(name, fake, tmp_path)
    found = case.run(ImageGeneration, prompt=prompt, provider={"type": "OpenAI"}, instruction=None, model=None)
    assert found == {"object": {"finishReason": reason, "tokenUsage": None}, "imageList": [], "metrics": {}}
    [text] = [text for code, text in case.ground.notes if code == "no-picture"]
    assert text.endswith(f": `finishReason` is {reason}")


@pytest.mark.parametrize(("name", "prompt"), FAILED)
def test_what_fails_for_another_reason_fails(name: str, prompt: str, fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(ServiceError):
        bench(name, fake, tmp_path).run(
            ImageGeneration, prompt=prompt, provider={"type": "OpenAI"}, instruction=None, model=None
        )


def test_a_picture_says_stop(tmp_path: Path) -> None:
    with running(CASES["gemini"].fake()) as fake:
        case = bench("gemini", fake, tmp_path)
        found = case.run(ImageGeneration, prompt="a boat", provider={"type": "OpenAI"}, instruction=None, model=None)
    assert found["object"]["finishReason"] == "STOP"
    assert found["object"]["imageUrl"]
