"""`flowdsl batch` over many records, each of which pays for a picture: its peak memory, and whether it works on the
last tenth of them as fast as on the first. FLOWDSL_RECORDS says how many: 20,000, or 1,000,000 to see what grows.

The processor time of a record is what says it: the time that passes depends on what else the machine does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.picture_service import KEY, made_by, service
from benchmarks.table import Row, show

RECORDS = int(os.environ.get("FLOWDSL_RECORDS", "20000"))
TENTHS = 10
MOST_MB, DRIFT = 300, 0.10
FLOW = """\
inputs: {name: {type: string}}
flow:
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  size: 1024x1024
  quality: low
  instruction: "a postcard of {{ inputs.name }}"
"""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Prints a line for each tenth, as the batch comes to its end."""
    with tempfile.TemporaryDirectory(prefix="flowdsl-batch-") as root, service(1000, 0.02) as url:
        folder = Path(root)
        settings = f"[services.OPENAI_IMAGE_GENERATION]\nendpoint = '{url}/v1'\napiKey = '{KEY}'\n"
        (folder / "flowdsl.toml").write_text(settings)
        (folder / "postcard.flow.yaml").write_text(FLOW)
        with (folder / "names.jsonl").open("w") as file:
            file.writelines(f"{json.dumps({'name': f'place {number}'})}\n" for number in range(RECORDS))
        arguments = "batch postcard.flow.yaml --over names.jsonl --concurrency 32 --private-addresses --yes --quiet"
        command = [sys.executable, "-m", "flowdsl.cli", *arguments.split(), "--out", "out"]
        with (folder / "told.txt").open("w") as told, subprocess.Popen(command, cwd=folder, stderr=told) as process:
            measured = _watched(process, url)
        assert process.returncode == 0, (folder / "told.txt").read_text()
        assert made_by(url) == RECORDS
        with (folder / "out" / "results.jsonl").open() as results:
            assert sum(1 for _ in results) == RECORDS
        _show(measured)  # before the folder goes: a million pictures take long to remove


def _show(measured: list[tuple[float, float, float]]) -> None:
    costs = [cpu for cpu, _, _ in measured]
    rows = [
        Row(f"records {RECORDS * number // TENTHS:,} on", (f"{cpu * 1e3:.2f} ms", f"{rate:.0f}", f"{peak:.0f} MB"))
        for number, (cpu, rate, peak) in enumerate(measured)
    ]
    shown = f"{costs[-1] / costs[0]:.2f} of the processor time of the first"
    rows[-1] = rows[-1]._replace(ratio=shown, target=f"within {DRIFT:.0%}, under {MOST_MB} MB")
    show(f"A batch of {RECORDS:,} records", ("processor, each", "records a second", "peak memory"), rows)


def _watched(process: subprocess.Popen[bytes], url: str) -> list[tuple[float, float, float]]:
    """For each tenth: seconds of processor time a record, records a second, and the peak memory so far in MB."""
    found: list[tuple[float, float, float]] = []
    made, used, began, peak = 0, 0.0, time.perf_counter(), 0.0
    while process.poll() is None:
        time.sleep(min(1.0, RECORDS / 20_000))
        state = Path(f"/proc/{process.pid}")
        try:
            fields = (state / "stat").read_text().rpartition(") ")[2].split()
            high = next(line for line in (state / "status").read_text().splitlines() if line.startswith("VmHWM"))
        except (OSError, StopIteration):  # it has just ended
            continue
        cpu, peak = (int(fields[11]) + int(fields[12])) * _TICK_S, int(high.split()[1]) / 1024
        now, count = time.perf_counter(), made_by(url)
        if count >= RECORDS * (len(found) + 1) // TENTHS and count > made:
            found.append(((cpu - used) / (count - made), (count - made) / (now - began), peak))
            print(f"  {count:,}: {found[-1][0] * 1e3:.2f} ms each, {found[-1][1]:.0f}/s, {peak:.0f} MB", flush=True)
            made, used, began = count, cpu, now
    return found


if __name__ == "__main__":
    main()
