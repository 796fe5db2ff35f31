"""The step OPENAI_IMAGE_GENERATION."""

from __future__ import annotations

from flowdsl_steps.image.capabilities import check_image
from flowdsl_steps.image.options import INPUTS, OUTPUTS, RULES, ImageOptions
from flowdsl_steps.image.vendors.openai import VENDOR

EXAMPLE = """\
- step: SET
  text: "A futuristic skyline at sunset, cinematic lighting"
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  n: 2
  size: 1024x1024
"""


class OpenAIImageGeneration(
    ImageOptions,
    name="OPENAI_IMAGE_GENERATION",
    aliases=("SERVICE_OPENAI_IMAGE_GENERATION",),
    category="Image",
    service="OPENAI_IMAGE_GENERATION",
    provider="openai",
    environment=VENDOR.environment,
    rules=RULES,
    check=check_image,
    inputs=INPUTS,
    outputs=OUTPUTS,
    writes_to="outputKey",
    deprecated_keys={"prompt": "instruction"},
    examples=(EXAMPLE,),
):
    """Generate images from a prompt with OpenAI, or with any endpoint that speaks its images API.

    Source: OpenAI API reference, Create image.
    """
