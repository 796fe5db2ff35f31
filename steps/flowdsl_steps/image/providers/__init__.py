"""The vendors' ways of addressing an images API, one file each."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from flowdsl.errors import ConfigError
from flowdsl.step.service import Service
from flowdsl_steps.image.destination import Destination

PROVIDERS = ("azure", "hub", "openai")
"""What `provider:` of a service entry may be for image steps. `openai` speaks to any endpoint compatible with it."""


class Provider(Protocol):
    """A module of this package."""

    def destination(self, service: Service, model: str | None, target: str | None) -> Destination:
        """Where a request for `model` goes; `target` is a HUB step's own."""
        ...


def provider(name: str) -> Provider:
    """The provider of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROVIDERS:
        raise ConfigError(
            f"unknown provider `{name}`",
            code="unknown-provider",
            hint=f"image services know {', '.join(PROVIDERS)}; any OpenAI-compatible endpoint is `openai`",
        )
    return cast(Provider, import_module(f"{__name__}.{name}"))
