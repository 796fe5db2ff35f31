"""The vendors that have a fake, in one table: what every one of them keeps is asked of each.

A prompt with `busy` in it is refused with 429 once and then drawn; with `forbidden` in it, moderation refuses it where
the vendor has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import bedrock_fake
import bfl_fake
import dashscope_fake
import gemini_fake
import huggingface_fake
import localai_fake
import mistral_fake
import ollama_fake
import openai_fake
import openrouter_fake
import vertex_fake
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
    more: Callable[[Any], Mapping[str, Any]] = lambda fake: {}
    """What of the entry depends on the fake."""
    refused: tuple[str, ...] = ("something forbidden",)
    """Prompts that the fake draws nothing for, each in a way of its own; the first is the one of moderation."""
    editor: Mapping[str, Any] | None = None
    """What of the entry differs where its fake is asked for an edit; None where the vendor has none."""


_AZURE = {"deploymentId": "images", "apiVersion": "2025-04-01-preview"}
_GOOGLE = ("something forbidden", "an unsafe picture", "only words", "used up")
_BROKE = ("something forbidden", "something penniless")
_GPT_IMAGE_2 = ("1024*1024", "use `1024x1024`")
CASES: dict[str, Case] = {
    "openai": Case(
        openai_fake.OpenAIFake,
        {"model": "gpt-image-2", "apiKey": openai_fake.KEY},
        (openai_fake.KEY,),
        "moderation_blocked",
        _GPT_IMAGE_2,
        editor={},
    ),
    "azure": Case(
        openai_fake.AzureFake,
        {"model": "gpt-image-2", "apiKey": openai_fake.KEY, **_AZURE},
        (openai_fake.KEY,),
        "moderation_blocked",
        _GPT_IMAGE_2,
        editor={},
    ),
    "hub": Case(
        openai_fake.HubFake,
        {"model": "gpt-image-2", "apiKey": openai_fake.KEY, "target": "pictures"},
        (openai_fake.KEY,),
        "moderation_blocked",
        _GPT_IMAGE_2,
        editor={},
    ),
    "gemini": Case(
        gemini_fake.GeminiFake,
        {"model": "gemini-3.1-flash-image", "apiKey": gemini_fake.KEY},
        (gemini_fake.KEY,),
        "PROHIBITED_CONTENT",
        ("1536x1024", "use `1264x848`"),
        refused=_GOOGLE,
        editor={},
    ),
    "openrouter": Case(
        openrouter_fake.OpenRouterFake,
        {"model": "google/gemini-nano-banana-2.1", "apiKey": openrouter_fake.KEY},
        (openrouter_fake.KEY,),
        "403",
        ("1024*512", "write `1024x512`"),
        refused=("something forbidden", "upstream refuses", "no credit"),
        editor={},
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
        editor={"model": "us.stability.stable-image-inpaint-v1:0"},
    ),
    "vertex": Case(
        vertex_fake.VertexFake,
        {"model": "gemini-3.1-flash-image"},
        (vertex_fake.TOKEN, "PRIVATE KEY", vertex_fake.WHO),
        "PROHIBITED_CONTENT",
        ("1536x1024", "use `1264x848`"),
        lambda fake: {"credentials": json.dumps(fake.credentials)},
        _GOOGLE,
        {},
    ),
    "zhipu": Case(
        zhipu_fake.ZhipuFake,
        {"model": "cogview-4-250304", "apiKey": zhipu_fake.KEY},
        (zhipu_fake.KEY,),
        "1301",
        ("1000x1000", "use `992x992`"),
        refused=_BROKE,
    ),
    "workersai": Case(
        workersai_fake.WorkersAIFake,
        {"model": workersai_fake.FORMS[1], "apiKey": workersai_fake.KEY, "accountId": workersai_fake.ACCOUNT},
        (workersai_fake.KEY,),
        "3030",
        ("2048x2048", "use `1920x1920`"),
        refused=_BROKE,
        editor={},
    ),
    "dashscope": Case(
        dashscope_fake.DashScopeFake,
        {"model": "qwen-image-2.0", "apiKey": dashscope_fake.KEY},
        (dashscope_fake.KEY,),
        "DataInspectionFailed",
        ("4096x4096", "use `2048x2048`"),
        refused=_BROKE,
        editor={},
    ),
    "mistral": Case(
        mistral_fake.MistralFake,
        {"model": "mistral-medium-latest", "apiKey": mistral_fake.KEY},
        (mistral_fake.KEY,),
        None,
        None,
        refused=("something forbidden", "talk to me"),
    ),
    "huggingface": Case(
        huggingface_fake.HuggingFaceFake,
        {"model": huggingface_fake.MODEL, "apiKey": huggingface_fake.KEY},
        (huggingface_fake.KEY,),
        None,
        ("1024*768", "write `1024x768`"),
        editor={"model": huggingface_fake.EDITOR},
    ),
    "bfl": Case(
        bfl_fake.BlackForestLabsFake,
        {"model": "flux-pro-1.1", "apiKey": bfl_fake.KEY},
        (bfl_fake.KEY,),
        "Request Moderated",
        ("1000x1000", "use `992x992`"),
        refused=("something forbidden", "something indecent"),
    ),
}
