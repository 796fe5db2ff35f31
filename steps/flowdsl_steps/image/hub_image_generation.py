"""The step HUB_IMAGE_GENERATION."""

from __future__ import annotations

from typing import Annotated

from flowdsl_steps.image.capabilities import check_image
from flowdsl_steps.image.options import INPUTS, OUTPUTS, RULES, ImageOptions, Sent

EXAMPLE = """\
services:
  HUB:
    endpoint: https://hub.example.com/v1
    apiKey: "{{ secret('HUB_KEY') }}"
flow:
  - step: HUB_IMAGE_GENERATION
    model: gpt-image-2
    target: openai
    instruction: "A paper boat on a puddle, macro photograph"
"""


class HubImageGeneration(
    ImageOptions,
    name="HUB_IMAGE_GENERATION",
    category="Image",
    service="HUB",
    provider="hub",
    rules=RULES,
    check=check_image,
    inputs=INPUTS,
    outputs=OUTPUTS,
    writes_to="outputKey",
    deprecated_keys={"prompt": "instruction"},
    examples=(EXAMPLE,),
):
    """Generate images from a prompt through a HUB, a gateway that holds the keys and chooses the vendor.

    Source: the HUB's public documentation, AI-Link.
    """

    target: Annotated[str | None, Sent()] = None
    """Which of the HUB's targets is asked; without it the service's `target` is."""
