"""A second signal ends a gateway at once: whoever waits is told that it may be billed, and nobody sees a traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from gateways import DAY, FOR_AGENTS, SMALL

from flowdsl_steps.image.simulator import Simulator
from tests.verify.gateway_processes import children

FLOW = """\
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "A kite"}
"""


AGENT = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "kite",
}
KEPT = {"protocolVersion": "2026-07-28", "clientCapabilities": {}}
CALL = {"name": "kite", "_meta": {f"io.modelcontextprotocol/{key}": value for key, value in KEPT.items()}}


def listens(pid: int, port: str) -> bool:
    """Whether a process still has the socket that listens at a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{int(port):04X}") and row[3] == "0A"}
    found = set()
    with suppress(OSError):  # it has ended
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.add(str(each.readlink()))
    return not sockets.isdisjoint(found)


@pytest.mark.long
@FOR_AGENTS
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds")
@pytest.mark.parametrize("workers", [1, 2])
def test_who_waits_is_told_and_is_not_to_send_it_again(tmp_path: Path, workers: int) -> None:
    (tmp_path / "kite.flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "flowdsl.toml").write_text('[serve]\nflows = ["kite.flow.yaml"]\n')
    with Simulator(plain=True, as_of=DAY, faults=["hang:*"]) as service, ThreadPoolExecutor(3) as pool:
        own = {"OPENAI_BASE_URL": service.openai_base_url, "OPENAI_API_KEY": service.key}
        command = [sys.executable, "-m", "flowdsl.cli", "serve", "--port", "0", "--workers", str(workers)]
        command += ["--as-of", DAY.isoformat(), "--allow-endpoint", service.openai_base_url]
        env = {**os.environ, **own, "FLOWDSL_STATE": str(tmp_path / "state")}
        with subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as gateway:
            assert gateway.stdout is not None
            found = re.search(r"http://[\d.]+:(\d+)", gateway.stdout.readline())
            assert found is not None
            httpx.get(f"{found[0]}/healthz", timeout=60)
            asked = (
                ("/v1/images/generations", {**SMALL, "prompt": "A kite"}, None),
                ("/flows/kite/runs", {}, None),
                ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}, AGENT),
            )
            waiting = [
                pool.submit(httpx.post, f"{found[0]}{path}", json=body, headers=headers, timeout=60)
                for path, body, headers in asked
            ]
            while service.request_count < 3:
                time.sleep(0.01)
            processes = [gateway.pid] if workers == 1 else children(gateway)
            assert all(listens(each, found[1]) for each in processes)
            gateway.send_signal(signal.SIGTERM)
            while any(listens(each, found[1]) for each in processes):  # a second signal would be one with the first
                time.sleep(0.01)
            gateway.send_signal(signal.SIGTERM)
            for each in waiting:
                response = each.result()
                error = response.json()["error"]
                assert (response.status_code, error["code"], error["charge_possible"]) == (503, "gateway_ended", True)
                assert response.headers["x-should-retry"] == "false"
            _, said = gateway.communicate(timeout=60)
    assert gateway.returncode == 4 and "Traceback" not in said
    lines = said.splitlines()
    (given_up,) = (line for line in lines if "was given up" in line)  # the call of an agent
    assert re.fullmatch(r"flowdsl: a call of \S+ was given up: 0 pictures .*; 1 in doubt; .* says more", given_up)
    lines.remove(given_up)
    assert lines and all(re.match(r"flowdsl: [123] requests? w(as|ere) still going on: ", line) for line in lines), said
