"""The vendors that have a fake, in one table: what every one of them keeps is asked of each.

A prompt with `busy` in it is refused with 429 once and then drawn; with `forbidden` in it, moderation refuses it where
the vendor has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gemini_fake
import localai_fake
import ollama_fake
import openrouter_fake
from fake_vendor import Fake


class Case(NamedTuple):
    """One vendor: its fake, a service entry for it without its `endpoint`, the secrets in the entry, the code that
    moderation refuses with (None: it has none), and a size that it does not take with what its check proposes."""

    fake: Callable[[], Fake]
    entry: Mapping[str, Any]
    secrets: tuple[str, ...]
    moderation: str | None
    wrong_size: tuple[str, str]
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
}
