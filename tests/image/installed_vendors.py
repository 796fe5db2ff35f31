"""The vendors that tests ask, with a service entry that each could have; the made-up one among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowdsl import services

MADE_UP = Path(__file__).parent.parent / "packages" / "aurora"
ENTRIES: dict[str, dict[str, Any]] = {
    "openai": {"apiKey": "k", "model": "gpt-image-2"},
    "azure": {"apiKey": "k", "endpoint": "https://pics.openai.azure.com", "deploymentId": "gpt-image-2"},
    "hub": {"apiKey": "k", "endpoint": "https://hub.example", "model": "gpt-image-2"},
    "zhipu": {"apiKey": "k", "model": "glm-image"},
    "workersai": {"apiKey": "k", "accountId": "a1", "model": "@cf/black-forest-labs/flux-2-klein-4b"},
    "dashscope": {"apiKey": "k", "model": "wan2.6-t2i"},
    "mistral": {"apiKey": "k", "model": "mistral-medium-latest"},
    "huggingface": {"apiKey": "k", "model": "black-forest-labs/FLUX.1-schnell"},
    "bfl": {"apiKey": "k", "model": "flux-2-pro"},
    "aurora": {"apiKey": "k", "model": "borealis-1"},
    "gemini": {"apiKey": "k", "model": "gemini-3.1-flash-image"},
    "openrouter": {"apiKey": "k", "model": "google/gemini-nano-banana-2.1"},
    "localai": {"apiKey": "k", "model": "flux.1-schnell"},
    "ollama": {"model": "x/z-image-turbo"},
    "vertex": {"authKey": "k", "project": "pictures-123", "model": "gemini-3.1-flash-image"},
    "bedrock": {"apiKey": "k", "region": "us-west-2", "model": "stability.stable-image-core-v1:1"},
}
"""Vendor → an entry that works: a new vendor has one here, too."""


@contextmanager
def made_up_vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The made-up vendor's package on the path of this process."""
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(MADE_UP))
        _forget()
        yield
    _forget()


def _forget() -> None:
    services.provider_names.cache_clear()
    services.provider.cache_clear()
