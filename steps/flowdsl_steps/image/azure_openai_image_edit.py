"""The step AZURE_OPENAI_IMAGE_EDIT."""

from __future__ import annotations

from flowdsl_steps.image.edit_check import check_edit
from flowdsl_steps.image.edit_options import EDIT_INPUTS, OLD_KEYS, EditOptions
from flowdsl_steps.image.options import OUTPUTS, RULES
from flowdsl_steps.image.vendors.azure import VENDOR

EXAMPLE = """\
- step: AZURE_OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A lighthouse at dusk, oil on canvas
- step: AZURE_OPENAI_IMAGE_EDIT
  model: gpt-image-2
  instruction: The same lighthouse in a snowstorm
  quality: low
  outputKey: winter
"""


class AzureOpenAIImageEdit(
    EditOptions,
    name="AZURE_OPENAI_IMAGE_EDIT",
    aliases=("SERVICE_AZURE_OPENAI_IMAGE_EDIT",),
    category="Image",
    service="AZURE_OPENAI_IMAGE_GENERATION",
    provider="azure",
    environment=VENDOR.environment,
    rules=RULES,
    check=check_edit,
    inputs=EDIT_INPUTS,
    outputs=OUTPUTS,
    writes_to="outputKey",
    deprecated_keys=OLD_KEYS,
    examples=(EXAMPLE,),
):
    """Edit pictures by a prompt with a deployment of Azure OpenAI.

    The deployment is the service's `deploymentId`, as for generation. Source: Microsoft Learn, Azure OpenAI image edit.
    """
