"""Runs with a journal, against a simulator that counts what is bought."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowdsl import Environment, Limits, Storage
from flowdsl.environment.flow import Flow
from flowdsl.errors import RunError
from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Simulator

BOAT = """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A paper boat
  size: 1024x1024
  quality: low
"""


class Shop:
    """A simulator, a journal beside it, and runs of flows that buy there."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        self.simulator = simulator
        self.state = folder / ".flowdsl"
        self.result: Any = None
        self.metadata = "basic"
        self.service: dict[str, Any] = {}
        """Further settings of the service."""
        self.limits: dict[str, Any] = {}

    @property
    def bought(self) -> int:
        """How many requests the image service saw."""
        return self.simulator.request_count

    def flow(self, text: str, **limits: Any) -> Flow:
        """The flow, with the simulator as its service."""
        simulator = self.simulator
        service = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key, **self.service}
        return Environment(
            services={"OPENAI_IMAGE_GENERATION": service},
            storage=Storage(images=self.folder / "pictures", output=self.folder / "out", metadata=self.metadata),
            limits=Limits(private_addresses=True, **self.limits, **limits),
        ).load(text)

    def run(
        self,
        text: str,
        inputs: dict[str, Any] | None = None,
        *,
        resume: str | None = None,
        cache: Any = "off",
        **limits: Any,
    ) -> Any:
        """The result of a run, or the error that it ended with."""
        with Journal(self.state, cache=cache) as journal:
            if resume is not None:
                journal.resuming(resume)
            try:
                self.result = self.flow(text, **limits).run(inputs, journal=journal, run_id=resume)
            except RunError as error:
                self.result = error.result
                return error
        return self.result

    def rows(self, query: str = "SELECT * FROM ledger ORDER BY began") -> list[dict[str, Any]]:
        """What stands in the journal."""
        with Journal(self.state) as journal:
            return [dict(row) for row in journal.database.read(query)]


@contextmanager
def shop(folder: Path, **simulated: Any) -> Iterator[Shop]:
    """A shop, open."""
    with Simulator(**simulated) as simulator:
        yield Shop(folder, simulator)
