"""`run --simulate`: nothing real leaves the machine, and nothing real reaches the simulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import flowdsl
from flowdsl.cli import main, simulated
from flowdsl_steps.image.simulator import Simulator

FLOW = """\
services:
  OPENAI_IMAGE_GENERATION:
    endpoint: https://api.openai.com/v1
    authKey: real-token
    headers: {X-Key: real-header, X-Other: "{{ secret('MY_SECRET') }}"}
  AZURE_OPENAI_IMAGE_GENERATION:
    endpoint: https://mine.openai.azure.com
    deploymentId: prod-images
    apiVersion: 2025-04-01-preview
  HUB:
    endpoint: https://hub.example
    apiKey: "{{ secret('MY_SECRET') }}"
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A harbour at dawn
  - step: AZURE_OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A harbour at {{ secret('MY_SECRET') }}"
  - step: HUB_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A harbour at night
"""
REAL = ("real-", "sk-")


@pytest.fixture
def real_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment as somebody has it who uses the services for real."""
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "MY_SECRET"):
        monkeypatch.setenv(name, f"real-{name}")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")


@pytest.mark.usefixtures("real_keys")
def test_no_real_key_reaches_the_simulator(tmp_path: Path) -> None:
    with Simulator(key="pretend", deployments={"prod-images": "gpt-image-2"}) as simulator:
        environment = flowdsl.Environment(
            overrides=simulated.overrides(simulator.url, simulator.key),
            host=flowdsl.Host(secrets=simulated.placeholder_secret),
            storage=flowdsl.Storage(images=tmp_path),
        )
        flowdsl.run(FLOW, environment=environment)
        seen = [(request.path, dict(request.headers), request.json) for request in simulator.requests]
    assert [path for path, _, _ in seen] == [
        "/v1/images/generations",
        "/openai/deployments/prod-images/images/generations",
        "/v1/images/generations",
    ]
    sent = json.dumps(seen)
    assert [mark for mark in REAL if mark in sent] == []
    assert "x-key" not in sent.lower()
    assert "A harbour at simulated-secret" in sent


@pytest.mark.usefixtures("real_keys")
def test_a_simulated_run_knows_the_deployments_of_the_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")
    code = main(["run", "a.flow.yaml", "--simulate", "--quiet", "--events"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert events[-1]["event"] == "Result"
    assert events[-1]["simulated"] is True
    assert "real-" not in json.dumps(events)


def test_a_missing_extra_is_named_and_no_traceback_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    program = "import sys; sys.modules['PIL'] = None; from flowdsl.cli import main; sys.exit(main(sys.argv[1:]))"
    for arguments in (["run", "a.flow.yaml", "--simulate", "--quiet"], ["simulate"]):
        found = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stderr) == (
            2,
            "flowdsl: The simulator needs uvicorn and Pillow: pip install 'flowdsl[simulator]'\n",
        )


@pytest.mark.parametrize("command", ["run", "image"])
def test_a_misspelt_model_is_told_before_the_simulator_refuses_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flow = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-imag-2\n  instruction: a boat\n"
    Path("a.flow.yaml").write_text(flow, encoding="utf-8")
    arguments = ["a.flow.yaml"] if command == "run" else ["a boat", "--model", "gpt-imag-2"]
    assert main([command, *arguments, "--simulate"]) == 4
    err = capsys.readouterr().err
    assert err.count("`gpt-imag-2` is not a known image model") == 1
    assert "hint: did you mean `gpt-image-2`?" in err
