"""Runs flows by the command line, one after the other in this process: for each a line of JSON says what it printed.

`python command_line_runs.py FOLDER…`: each folder has a `main.flow.yaml`, and the pictures go into its `out`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from flowdsl.cli import main

DEADLINE_S = 5


def run(folder: Path) -> dict[str, object]:
    """What came of one flow."""
    os.chdir(folder)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most memory is counted anew
    out, err, began = io.StringIO(), io.StringIO(), time.perf_counter()
    with redirect_stdout(out), redirect_stderr(err):
        options = ["--out", "out", "--metadata", "none", "--timeout", str(DEADLINE_S)]  # the bytes of the service
        code = main(["run", "main.flow.yaml", *options])
    elapsed_s = time.perf_counter() - began
    return {
        "code": code,
        "out": out.getvalue(),
        "err": err.getvalue(),
        "elapsed_s": elapsed_s,
        "memory": _most_memory(),
    }


def _most_memory() -> int:
    """The most memory that this process had at once, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(run(Path(name))), flush=True)
