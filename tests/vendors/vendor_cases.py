"""The vendors that have a fake, in one table: what every one of them keeps is asked of each.

A prompt with `busy` in it is refused with 429 once and then drawn; with `forbidden` in it, moderation refuses it where
the vendor has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import bedrock_fake
import gemini_fake
import localai_fake
import ollama_fake
import openai_fake
import openrouter_fake
import vertex_fake
from fake_vendor import Fake


class Case(NamedTuple):
    """One vendor: its fake, a service entry for it without its `endpoint`, the secrets in the entry, the code that
    moderation refuses with (None: it has none), and a size that it does not take with what its check proposes."""

    fake: Callable[[], Fake]
    entry: Mapping[str, Any]
    secrets: tuple[str, ...]
    moderation: str | None
    wrong_size: tuple[str, str]
    more: Callable[[Any], Mapping[str, Any]] = lambda fake: {}
    """What of the entry depends on the fake."""
    refused: tuple[str, ...] = ("something forbidden",)
    """Prompts that the fake draws nothing for, each in a way of its own; the first is the one of moderation."""


_AZURE = {"deploymentId": "images", "apiVersion": "2025-04-01-preview"}
_GOOGLE = ("something forbidden", "an unsafe picture", "only words", "used up")
_GPT_IMAGE_2 = ("1024*1024", "use `1024x1024`")
CASES: dict[str, Case] = {
    "openai": Case(
        openai_fake.OpenAIFake,
        {"model": "gpt-image-2", "apiKey": openai_fake.KEY},
        (openai_fake.KEY,),
        "moderation_blocked",
        _GPT_IMAGE_2,
    ),
    "azure": Case(
        openai_fake.AzureFake,
        {"model": "gpt-image-2", "apiKey": openai_fake.KEY, **_AZURE},
        (openai_fake.KEY,),
        "moderation_blocked",
        _GPT_IMAGE_2,
    ),
    "hub": Case(
        openai_fake.HubFake,
        {"model": "gpt-image-2", "apiKey": openai_fake.KEY, "target": "pictures"},
        (openai_fake.KEY,),
        "moderation_blocked",
        _GPT_IMAGE_2,
    ),
    "gemini": Case(
        gemini_fake.GeminiFake,
        {"model": "gemini-3.1-flash-image", "apiKey": gemini_fake.KEY},
        (gemini_fake.KEY,),
        "PROHIBITED_CONTENT",
        ("1536x1024", "use `1264x848`"),
        refused=_GOOGLE,
    ),
    "openrouter": Case(
        openrouter_fake.OpenRouterFake,
        {"model": "google/gemini-nano-banana-2.1", "apiKey": openrouter_fake.KEY},
        (openrouter_fake.KEY,),
        "403",
        ("1024*512", "write `1024x512`"),
        refused=("something forbidden", "upstream refuses", "no credit"),
    ),
    "localai": Case(
        localai_fake.LocalAIFake,
        {"model": "flux.1-schnell", "apiKey": localai_fake.KEY},
        (localai_fake.KEY,),
        None,
        ("1024*512", "write `1024x512`"),
    ),
    "ollama": Case(ollama_fake.OllamaFake, {"model": "x/z-image-turbo"}, (), None, ("1024*512", "write `1024x512`")),
    "bedrock": Case(
        bedrock_fake.BedrockFake,
        {
            "model": "stability.stable-image-core-v1:1",
            "region": bedrock_fake.REGION,
            "accessKeyId": bedrock_fake.KEY_ID,
            "secretAccessKey": bedrock_fake.SECRET,
        },
        (bedrock_fake.KEY_ID, bedrock_fake.SECRET),
        "Filter reason",
        ("1536x1024", "use `1216x832`; supported: 1024x1024, 1344x768"),
        refused=("something forbidden", "an unsafe picture", "all blocked", "breaks inside", "too much"),
    ),
    "vertex": Case(
        vertex_fake.VertexFake,
        {"model": "gemini-3.1-flash-image"},
        (vertex_fake.TOKEN, "PRIVATE KEY", vertex_fake.WHO),
        "PROHIBITED_CONTENT",
        ("1536x1024", "use `1264x848`"),
        lambda fake: {"credentials": json.dumps(fake.credentials)},
        _GOOGLE,
    ),
}
