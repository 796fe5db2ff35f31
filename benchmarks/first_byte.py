"""How long a process takes from its start to the first byte of its request: `flowdsl run`, and a script on openai."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from benchmarks.table import Row, duration, show

TURNS = 9
"""The processes take turns, so that a busy moment hits both."""
PATIENCE_S = 60.0
FLOW = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a lighthouse\n"
SCRIPT = "import openai; openai.OpenAI().images.generate(model='gpt-image-2', prompt='a lighthouse')"


def first_byte_s(command: list[str], server: socket.socket, folder: str) -> float:
    """Seconds from the start of a process to the first byte that it sends; then it is ended."""
    address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    environ = {**os.environ, "OPENAI_BASE_URL": address, "OPENAI_API_KEY": "none-needed"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    began = perf_counter()
    with subprocess.Popen(
        command, env=environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        try:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1)
                return perf_counter() - began
        finally:
            one.kill()


def main() -> None:
    """Measures both, and prints the shortest time of each."""
    commands = {"flowdsl run": [sys.executable, "-m", "flowdsl.cli", "run", "a.flow.yaml", "-q"]}
    if find_spec("openai") is not None:
        commands["openai"] = [sys.executable, "-c", SCRIPT]
    times: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        Path(folder, "a.flow.yaml").write_text(FLOW, encoding="utf-8")
        for turn in range(TURNS + 1):
            for name, command in commands.items():
                elapsed = first_byte_s(command, server, folder)
                if turn:  # the first round compiles the modules
                    times[name].append(elapsed)
    ours = min(times["flowdsl run"])
    rows = [Row("flowdsl run", (duration(ours),), "1.0")]
    rows += [
        Row(name, (duration(min(found)),), f"flowdsl: {ours / min(found):.2f} of it", "at most 0.5")
        for name, found in times.items()
        if name != "flowdsl run"
    ]
    show("From the start of a process to the first byte of its request", ("first byte",), rows)


if __name__ == "__main__":
    main()
