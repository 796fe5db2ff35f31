"""An image step whose service is a vendor's fake: what it brings, what a check says of it, and what it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from image_bench import Bench

import flowdsl
from flowdsl.cli import main
from flowdsl_steps.image.azure_openai_image_generation import AzureOpenAIImageGeneration
from flowdsl_steps.image.hub_image_generation import HubImageGeneration
from flowdsl_steps.image.openai_image_generation import OpenAIImageGeneration

STEPS = (OpenAIImageGeneration, AzureOpenAIImageGeneration, HubImageGeneration)


def bought(folder: Path, entry: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """What a step brings from the service of this entry: `imageList` and `object`."""
    return Bench(folder, entry).run(**{"model": None, "maxRetries": 0, **options})


def flow_of(entry: Mapping[str, Any], **options: Any) -> str:
    """A flow of one step with a service entry, one option a line; JSON is YAML."""
    lines = ["services:", "  PICTURES:", *(f"    {key}: {json.dumps(value)}" for key, value in entry.items())]
    lines += ["flow:", "  - step: OPENAI_IMAGE_GENERATION", "    service: PICTURES"]
    lines += [f"    {key}: {json.dumps(value)}" for key, value in {"instruction": "a lighthouse", **options}.items()]
    return "\n".join(lines) + "\n"


def told(entry: Mapping[str, Any], **options: Any) -> list[tuple[str, str, str, str | None]]:
    """Code, severity, message and hint of each finding on the flow, without those on keys that stand in the file."""
    found = flowdsl.check(flow_of(entry, **options))
    return [(each.code, each.severity, each.message, each.hint) for each in found if each.code != "plain-secret"]


def printed(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, *arguments: str, code: int = 0
) -> tuple[str, str]:
    """What a command of the command line prints on a flow, on both streams."""
    file = folder / "a.flow.yaml"
    file.write_text(text, encoding="utf-8")
    verb, *rest = arguments
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "- step:" in line)
    named = f"{file}:{line}" if verb == "explain" else str(file)
    assert main([verb, named, *rest]) == code, capsys.readouterr()
    out, err = capsys.readouterr()
    return out, err
