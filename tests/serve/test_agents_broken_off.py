"""A call of an agent that is broken off, by the agent, by a signal or by `kill -9`: it is told, and `flowdsl resume`
goes on with it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateways import DAY
from mcp import Client, MCPError, StdioServerParameters

from flowdsl.cli import main
from flowdsl.journal.journal import Journal
from flowdsl.journal.runs import KeptRun
from flowdsl_steps.image.simulator import Simulator

pytestmark = [pytest.mark.long, pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")]

TWO = """\
inputs: {cities: {type: array, items: {type: string}}}
flow:
  - step: FOR
    var: city
    items: "{{ inputs.cities }}"
    do:
      - step: OPENAI_IMAGE_GENERATION
        model: gpt-image-2
        quality: low
        size: 1024x1024
        instruction: "The skyline of {{ flowContext.city }}"
"""


def until(condition: Callable[[], Any]) -> None:
    """Waits for something that comes."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def call(folder: Path, simulator: Simulator, meanwhile: Callable[[asyncio.Task[Any], int], None]) -> str:
    """Calls the flow by the official client, and does something while its second picture is made; gives what the server
    has said to whoever runs it."""
    pid = folder / "pid"
    code = f"import os, pathlib; pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))"
    arguments = ["mcp", "two.flow.yaml", "--as-of", DAY.isoformat(), "--allow-endpoint", simulator.openai_base_url]
    code += f"; from flowdsl.cli import main; raise SystemExit(main({arguments!r}))"
    server = StdioServerParameters(command=sys.executable, args=["-c", code], env=dict(os.environ), cwd=str(folder))

    async def called(errors: Any) -> None:
        from mcp.client.stdio import stdio_client

        async with Client(stdio_client(server, errlog=errors)) as agent:
            task = asyncio.ensure_future(agent.call_tool("two", {"cities": ["Lisbon", "Porto"]}))
            await asyncio.to_thread(until, lambda: simulator.request_count == 2)
            meanwhile(task, int(pid.read_text()))
            try:
                await task
            except (MCPError, asyncio.CancelledError):
                await asyncio.to_thread(until, lambda: status(folder) != "running")

    with (folder / "errors").open("w+") as errors:
        asyncio.run(called(errors))
        errors.seek(0)
        return errors.read()


def kept(folder: Path) -> KeptRun:
    """The run of the call."""
    with Journal(folder / "state") as journal:
        (found,) = journal.runs.all()
        return found


def status(folder: Path) -> str:
    """How it stands."""
    return kept(folder).status


@pytest.mark.parametrize(
    "how, status",
    [("cancel", "cancelled"), (signal.SIGTERM, "cancelled"), (signal.SIGINT, "cancelled"), (signal.SIGKILL, "killed")],
    ids=["cancelled", "SIGTERM", "Ctrl-C", "kill -9"],
)
def test_a_call_that_is_broken_off_is_told_and_goes_on_without_buying_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str | signal.Signals, status: str
) -> None:
    (tmp_path / "two.flow.yaml").write_text(TWO, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with Simulator(plain=True, as_of=DAY, faults=["hang,when=Porto"]) as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", simulator.key)
        monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))

        def end(task: asyncio.Task[Any], pid: int) -> None:
            if isinstance(how, str):
                task.cancel()
            else:
                os.kill(pid, how)

        said = call(tmp_path, simulator, end)
        run = kept(tmp_path)
        assert (run.status, run.paid, run.in_doubt) == (status, 1, 1)
        assert how == signal.SIGKILL or f"1 in doubt; `flowdsl runs show {run.id}`" in said
        assert "Traceback" not in said
        assert main(["resume", run.id, "--yes"]) == 1  # the second picture is in doubt
        assert main(["resume", run.id, "--yes", "--resend"]) == 0
        assert simulator.request_count == 3 and kept(tmp_path).status == "done"
