"""Runs records whose pictures come through a batch, in processes that kill themselves at the point they are told.

Each line of standard input is a JSON object: `kill_at` counts the points at which the process could end, before and
after each word with the vendor and each line of the journal; null lets it go on to its end. A process is forked for
each, as a new interpreter would take longer than all it does. What it prints is how it ended, and how many points it
came to.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowdsl import Environment, Flow, Storage
from flowdsl.errors import RunError
from flowdsl.journal.journal import Journal
from flowdsl.journal.vendor_batches import VendorBatches
from flowdsl_steps.image.vendor_batch.api import BatchApi
from flowdsl_steps.image.vendor_batch.door import VendorBatchDoor
from flowdsl_steps.image.vendor_batch.files import Limits
from flowdsl_steps.image.vendor_batch.vendor_batch import Pauses

CARD = """\
inputs: {name: {type: string}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: "A card for {{ inputs.name }}"
    size: 1024x1024
    quality: low
outputs: {card: "{{ flowContext.imageList }}"}
"""
POINTS = {
    BatchApi: ("upload", "create", "batch", "delete"),
    VendorBatches: ("prepared", "uploaded", "submitting", "submitted", "item", "ended", "dropped"),
}


class Points:
    """The points at which this process may end."""

    def __init__(self, kill_at: int | None) -> None:
        self.number = 0
        self._kill_at = kill_at

    def here(self) -> None:
        self.number += 1
        if self.number == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(*given: Any, **named: Any) -> Any:
            self.here()
            result = await method(*given, **named)
            self.here()
            return result

        return watched


async def one(flow: Flow, journal: Journal, door: VendorBatchDoor, name: str) -> None:
    rows = journal.database.read("SELECT status FROM runs WHERE id = ?", (name,))
    if rows and rows[0]["status"] in ("done", "failed"):
        return
    if rows:
        journal.resuming(name)
    try:
        await flow.arun({"name": name}, effects=door, journal=journal, run_id=name)
    except RunError as error:
        print(json.dumps({"record": name, "error": error.code, "charge": error.charge_possible}), file=sys.stderr)


async def records(asked: dict[str, Any], journal: Journal) -> None:
    folder = Path(asked["folder"])
    flow = Environment(storage=Storage(images=folder / "images"), settings=None).load(CARD)
    kept = VendorBatches(journal.database, "mine")
    limits, pauses = Limits(requests=asked["most"]), Pauses(0.01, 0.05, (0.01, 0.05))
    async with VendorBatchDoor(kept, folder / "parts", gather_s=0.1, limits=limits, pauses=pauses) as door:
        await asyncio.gather(*(one(flow, journal, door, f"P{number}") for number in range(asked["count"])))


def worked(asked: dict[str, Any]) -> None:
    points = Points(asked.get("kill_at"))
    for of, names in POINTS.items():
        for name in names:
            setattr(of, name, points.around(getattr(of, name)))
    with Journal(Path(asked["folder"]) / "state") as journal:
        asyncio.run(records(asked, journal))
    (Path(asked["folder"]) / "points").write_text(str(points.number), encoding="utf-8")


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            status = 1
            try:
                worked(asked)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        points = Path(asked["folder"]) / "points"
        count = int(points.read_text(encoding="utf-8")) if points.exists() else None
        print(json.dumps({"exit": os.waitstatus_to_exitcode(ended), "points": count}), flush=True)


if __name__ == "__main__":
    main()
