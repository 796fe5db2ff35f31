"""The step AZURE_OPENAI_IMAGE_GENERATION."""

from __future__ import annotations

from flowdsl_steps.image.capabilities import check_image
from flowdsl_steps.image.options import INPUTS, OUTPUTS, RULES, ImageOptions
from flowdsl_steps.image.vendors.azure import VENDOR

EXAMPLE = """\
services:
  AZURE_OPENAI_IMAGE_GENERATION:
    endpoint: https://my-resource.openai.azure.com
    deploymentId: images
    apiKey: "{{ secret('AZURE_OPENAI_API_KEY') }}"
flow:
  - step: AZURE_OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A lighthouse in a storm, oil on canvas"
    quality: medium
"""


class AzureOpenAIImageGeneration(
    ImageOptions,
    name="AZURE_OPENAI_IMAGE_GENERATION",
    aliases=("SERVICE_AZURE_OPENAI_IMAGE_GENERATION",),
    category="Image",
    service="AZURE_OPENAI_IMAGE_GENERATION",
    provider="azure",
    environment=VENDOR.environment,
    rules=RULES,
    check=check_image,
    inputs=INPUTS,
    outputs=OUTPUTS,
    writes_to="outputKey",
    deprecated_keys={"prompt": "instruction"},
    examples=(EXAMPLE,),
):
    """Generate images from a prompt with a deployment of Azure OpenAI.

    The deployment is the service's `deploymentId`. With a dated `apiVersion` it is part of the address, without one the
    v1 API is used, where it is the model of the request. Source: Microsoft Learn, Azure OpenAI image generation.
    """
