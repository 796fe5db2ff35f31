"""The files in docs/deploy, and the counts of a gateway, by the tools that read them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "serve"))
from gateways import SMALL, running_gateway

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "docs" / "deploy"
TOOLS = ROOT / ".venv-operations" / "bin"
needs_tools = pytest.mark.skipif(
    not (TOOLS / "hadolint").is_file(), reason="no hadolint: make .venv-operations/bin/hadolint"
)
READ = """\
import json, sys
from prometheus_client.parser import text_string_to_metric_families as read
found = [*read(sys.stdin.read())]
print(json.dumps({each.name: (each.type, [[*one[:3]] for one in each.samples]) for each in found}))
"""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "flowdsl-serve.service").read_text(encoding="utf-8")
    unit = tmp_path / "flowdsl-serve.service"
    unit.write_text(
        text.replace("/opt/flowdsl/bin/flowdsl", f"{Path(sys.executable).parent}/flowdsl"), encoding="utf-8"
    )
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    own = [line for line in found.stderr.splitlines() if "flowdsl-serve" in line and "not found" not in line]
    assert own == [], found.stderr


@needs_tools
def test_hadolint_finds_nothing_in_the_container_file() -> None:
    command = [TOOLS / "hadolint", "--no-color", DEPLOY / "Containerfile"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, ""), found.stdout + found.stderr


@needs_tools
def test_prometheus_reads_the_counts_of_a_gateway(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        for body in ({**SMALL, "prompt": "A kite"}, {**SMALL, "prompt": ""}):
            gateway.line_of(gateway.post(body).headers["x-request-id"])
        text = httpx.get(f"{gateway.url}/metrics").text
    read = subprocess.run([TOOLS / "python", "-c", READ], input=text, capture_output=True, text=True, check=True).stdout
    found = {name.removeprefix("flowdsl_gateway_"): said for name, said in json.loads(read).items()}
    assert {name: kind for name, (kind, _) in found.items()} == {
        **dict.fromkeys(("requests", "images", "cost_usd"), "counter"),
        "request_seconds": "histogram",
        "in_flight": "gauge",
    }
    path = "/v1/images/generations"
    counts = {labels["status"]: value for _, labels, value in found["requests"][1] if labels["path"] == path}
    assert counts == {"200": 1, "400": 1} and found["images"][1][0][1:] == [{"model": "gpt-image-2"}, 1]
    buckets = {labels.get("le"): value for _, labels, value in found["request_seconds"][1] if labels["path"] == path}
    assert buckets["+Inf"] == 2 and [*buckets.values()][:-2] == sorted([*buckets.values()][:-2])


def test_the_options_that_the_files_name_exist() -> None:
    from flowdsl.cli.serve import parser

    known = parser()._option_string_actions
    for name in ("flowdsl-serve.service", "Containerfile"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        command = next(line for line in text.splitlines() if line.startswith(("ExecStart=", "CMD ")))
        options = [word.strip('",]') for word in command.split() if word.strip('",]').startswith("--")]
        assert options and set(options) <= known.keys()
