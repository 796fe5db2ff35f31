"""A gateway of several processes, and what its clients do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

BODY = {"model": "gpt-image-2", "size": "1024x1024", "quality": "low", "prompt": "A red kite"}
CONNECTIONS = 64
SETTINGS = '[serve]\n[services.OPENAI_IMAGE_GENERATION]\nprovider = "openai"\n'


@contextmanager
def gateway(
    folder: Path, variables: Mapping[str, str], workers: int, settings: str = "", served: str = "", entry: str = ""
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gateway of several processes before the service that variables of the environment name, and its address once
    it serves. What it says stands in the file `errors`."""
    (folder / "flowdsl.toml").write_text(
        settings + SETTINGS.replace("[serve]\n", f"[serve]\n{served}") + entry, encoding="utf-8"
    )
    own = {**variables, "FLOWDSL_STATE": str(folder / "state")}
    command = [sys.executable, "-m", "flowdsl.cli", "serve", "--port", "0", "--workers", str(workers)]
    command += ["--as-of", "2026-11-21", "--allow-endpoint", variables["OPENAI_BASE_URL"]]
    command += ["--log-json", "requests.log"]
    with (
        (folder / "errors").open("a") as errors,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **own}
        ) as found,
    ):
        try:
            line = found.stdout.readline() if found.stdout else ""
            address = re.search(r"http://[\d.]+:\d+", line)
            assert address is not None, line
            httpx.get(f"{address[0]}/healthz", timeout=60)
            yield found, address[0]
        finally:
            found.terminate()
            found.wait()


def children(process: subprocess.Popen[str]) -> list[int]:
    """The workers."""
    found = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True, check=False
    )
    return [int(each) for each in found.stdout.split()]


def ask(url: str, token: str = "none", prompt: str = BODY["prompt"], **headers: str) -> httpx.Response:  # noqa: S107
    """The response to a request; it is sent again where the connection breaks, as clients do."""
    for _ in range(200):
        try:
            return httpx.post(
                f"{url}/v1/images/generations",
                json={**BODY, "prompt": prompt},
                headers={"Authorization": f"Bearer {token}", **headers},
                timeout=120,
            )
        except httpx.TransportError:  # of a worker that was killed
            time.sleep(0.1)
    raise AssertionError("nobody responds")


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that comes."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
