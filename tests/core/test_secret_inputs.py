"""An input that its schema calls `writeOnly` is a secret, also in a flow that reads no other."""

from __future__ import annotations

from pathlib import Path

from flowdsl import Environment, Storage
from flowdsl_steps.image.simulator import Simulator

TOKEN = "Zq7-vXw9Kp3TmR5-LhB8"
FLOW = """\
inputs: {token: {type: string, writeOnly: true}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    quality: low
    instruction: A boat called {{ inputs.token }}
"""


def test_a_prompt_with_it_stands_in_no_manifest_and_no_picture(tmp_path: Path) -> None:
    with Simulator() as simulator:
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        storage = Storage(images=tmp_path, metadata="full")
        result = Environment(services=services, storage=storage).load(FLOW).run({"token": TOKEN})
    assert len(result.images) == 1
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (tmp_path / "manifest.json") in written
    assert [path.name for path in written if TOKEN.encode() in path.read_bytes()] == []
