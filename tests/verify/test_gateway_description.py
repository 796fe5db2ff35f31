"""What a gateway's OpenAPI says, held against what it does, by requests that Schemathesis makes of it: no 500, no
status, header, type or field that is not described, nothing accepted that is described as wrong."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "serve"))
from gateways import MODEL, Running, running_gateway

from flowdsl.serve.tokens import Tokens

TOOL = Path(__file__).parents[2] / ".venv-schemathesis" / "bin" / "st"
A_RUN = 500
"""So many requests of one seed; more are made by other seeds."""
RUNS = max(1, int(os.environ.get("FLOWDSL_DESCRIBED", "0")) // A_RUN)
EACH = 29
"""So many of an operation; those without a body have fewer."""
FLOW = "inputs: {city: {type: string}}\nflow:\n  - {step: SET, text: '{{ inputs.city }}'}\n"
RIGHT: dict[str, list[Any]] = {
    "background": ["auto", "opaque"],
    "moderation": ["low", "auto"],
    "output_format": ["png", "webp"],
    "quality": ["low"],
    "size": ["1024x1024", "auto"],
}
"""Values that the model has: the description leaves them to it."""
pytestmark = pytest.mark.skipif(not TOOL.is_file(), reason="no Schemathesis: make .venv-schemathesis/bin/st")


def link() -> dict[str, str]:
    """A picture to edit."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    return {"image_url": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"}


def sharpened(described: dict[str, Any]) -> dict[str, Any]:
    """The description, where a response has no field that is not described, and a request mostly what the model has."""

    def closed(value: Any) -> None:
        if isinstance(value, dict):
            if "properties" in value:
                value.setdefault("additionalProperties", False)
            for each in value.values():
                closed(each)

    closed(described["components"]["schemas"])
    for path, methods in described["paths"].items():
        for operation in methods.values():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                fields = content["schema"]["properties"]
                for name in RIGHT.keys() & fields.keys():
                    fields[name] = {"anyOf": [{"enum": RIGHT[name]}, fields[name]]}
                if "model" in fields:
                    fields["model"] = {"enum": [MODEL]}
                if path.startswith("/flows/"):
                    continue
                right = {"prompt": "A kite", "quality": "low", **({"model": MODEL} if "model" in fields else {})}
                if kind == "application/json":
                    right |= {"images": [link()]} if "images" in fields else {}
                    streamed = {**right, "stream": True, "partial_images": 1}
                    content["examples"] = {"one": {"value": right}, "streamed": {"value": streamed}}
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "deployment":
                    parameter["schema"] = {"enum": [MODEL]}
    return described


def is_of_tool(said: str) -> bool:
    """Whether nothing went wrong but that the tool could not make one of its requests: it mistakes a file of a form for
    a value of JSON, some thousand requests from its start."""
    own = re.findall(r"Runtime Error\n\s*\n\s*(.+)", said)
    return " FAILURES " not in said and bool(own) and {*own} == {"Unsupported type: 'Binary'"}


def tried(gateway: Running, folder: Path, *options: str, seed: int = 1) -> tuple[int, str]:
    """How many requests were sent, and what is wrong; nothing is."""
    described = httpx.get(f"{gateway.url}/openapi.json").json()
    file = folder / "openapi.json"
    file.write_text(json.dumps(sharpened(described)), encoding="utf-8")
    command = [
        str(TOOL),
        "run",
        str(file),
        "--url",
        gateway.url,
        "--seed",
        str(seed),
        "--no-color",
        "--warnings",
        "off",
    ]
    command += ["--exclude-checks", "positive_data_acceptance"]  # a model has rules of its own for values that it has
    found = subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "CI": ""}
    )
    assert found.returncode == 0 or is_of_tool(found.stdout), f"{found.stdout}{found.stderr}"
    generated = re.search(r"(\d+) generated", found.stdout)
    assert generated is not None, found.stdout
    return int(generated[1]), found.stdout


@pytest.mark.parametrize("seed", range(1, RUNS + 1))
def test_a_gateway_does_what_its_description_says(tmp_path: Path, seed: int) -> None:
    (tmp_path / "skyline.flow.yaml").write_text(FLOW, encoding="utf-8")
    with running_gateway(tmp_path, '[serve]\nflows = ["skyline.flow.yaml"]\n') as gateway:
        phases = f"examples,{'coverage,' if RUNS > 1 and seed == 1 else ''}fuzzing,stateful"
        number, said = tried(gateway, tmp_path, "--phases", phases, "--max-examples", str(EACH), seed=seed)
        assert number >= A_RUN, said
        assert gateway.bought >= 16, said


def test_a_gateway_with_tokens_refuses_whom_its_description_says(tmp_path: Path) -> None:
    token = Tokens(tmp_path / "state").create("shop")
    with running_gateway(tmp_path) as gateway:
        options = ["--phases", "examples,fuzzing", "--max-examples", "4", "-H", f"Authorization: Bearer {token}"]
        number, said = tried(gateway, tmp_path, *options)
        assert number >= 40 and token not in said
