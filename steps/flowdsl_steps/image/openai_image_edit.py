"""The step OPENAI_IMAGE_EDIT."""

from __future__ import annotations

from flowdsl_steps.image.edit_check import check_edit
from flowdsl_steps.image.edit_options import EDIT_INPUTS, OLD_KEYS, EditOptions
from flowdsl_steps.image.options import OUTPUTS, RULES
from flowdsl_steps.image.vendors.openai import VENDOR

EXAMPLE = """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A lighthouse at dusk, oil on canvas
- step: OPENAI_IMAGE_EDIT
  instruction: The same lighthouse in a snowstorm
  images: "{{ flowContext.imageList }}"
  quality: low
  outputKey: winter
"""


class OpenAIImageEdit(
    EditOptions,
    name="OPENAI_IMAGE_EDIT",
    aliases=("SERVICE_OPENAI_IMAGE_EDIT",),
    category="Image",
    service="OPENAI_IMAGE_GENERATION",
    provider="openai",
    environment=VENDOR.environment,
    rules=RULES,
    check=check_edit,
    inputs=EDIT_INPUTS,
    outputs=OUTPUTS,
    writes_to="outputKey",
    deprecated_keys=OLD_KEYS,
    examples=(EXAMPLE,),
):
    """Edit pictures by a prompt with OpenAI, or with any endpoint that speaks its images API.

    Source: OpenAI API reference, Create image edit.
    """
