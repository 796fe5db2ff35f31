"""The vendors that have a fake, in one table: what every one of them keeps is asked of each.

A prompt with `busy` in it is refused with 429 once and then drawn; with `forbidden` in it, moderation refuses it where
the vendor has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import dashscope_fake
import gemini_fake
import huggingface_fake
import localai_fake
import mistral_fake
import ollama_fake
import openrouter_fake
import workersai_fake
import zhipu_fake
from fake_vendor import Fake


class Case(NamedTuple):
    """One vendor: its fake, a service entry for it without its `endpoint`, the secrets in the entry, the code that
    moderation refuses with (None: it has none), and a size that it does not take with what its check proposes (None:
    it has no `size`)."""

    fake: Callable[[], Fake]
    entry: Mapping[str, Any]
    secrets: tuple[str, ...]
    moderation: str | None
    wrong_size: tuple[str, str] | None
    endpoint: Callable[[Fake], str] = lambda fake: fake.url


CASES: dict[str, Case] = {
    "gemini": Case(
        gemini_fake.GeminiFake,
        {"model": "gemini-3.1-flash-image", "apiKey": gemini_fake.KEY},
        (gemini_fake.KEY,),
        "PROHIBITED_CONTENT",
        ("1536x1024", "use `1264x848`"),
    ),
    "openrouter": Case(
        openrouter_fake.OpenRouterFake,
        {"model": "google/gemini-nano-banana-2.1", "apiKey": openrouter_fake.KEY},
        (openrouter_fake.KEY,),
        "403",
        ("1024*512", "write `1024x512`"),
    ),
    "localai": Case(
        localai_fake.LocalAIFake,
        {"model": "flux.1-schnell", "apiKey": localai_fake.KEY},
        (localai_fake.KEY,),
        None,
        ("1024*512", "write `1024x512`"),
    ),
    "ollama": Case(ollama_fake.OllamaFake, {"model": "x/z-image-turbo"}, (), None, ("1024*512", "write `1024x512`")),
    "zhipu": Case(
        zhipu_fake.ZhipuFake,
        {"model": "cogview-4-250304", "apiKey": zhipu_fake.KEY},
        (zhipu_fake.KEY,),
        "1301",
        ("1000x1000", "use `992x992`"),
    ),
    "workersai": Case(
        workersai_fake.WorkersAIFake,
        {"model": workersai_fake.FORMS[1], "apiKey": workersai_fake.KEY, "accountId": workersai_fake.ACCOUNT},
        (workersai_fake.KEY,),
        "3030",
        ("2048x2048", "use `1920x1920`"),
    ),
    "dashscope": Case(
        dashscope_fake.DashScopeFake,
        {"model": "qwen-image-2.0", "apiKey": dashscope_fake.KEY},
        (dashscope_fake.KEY,),
        "DataInspectionFailed",
        ("4096x4096", "use `2048x2048`"),
    ),
    "mistral": Case(
        mistral_fake.MistralFake,
        {"model": "mistral-medium-latest", "apiKey": mistral_fake.KEY},
        (mistral_fake.KEY,),
        None,
        None,
    ),
    "huggingface": Case(
        huggingface_fake.HuggingFaceFake,
        {"model": huggingface_fake.MODEL, "apiKey": huggingface_fake.KEY},
        (huggingface_fake.KEY,),
        None,
        ("1024*768", "write `1024x768`"),
    ),
}
