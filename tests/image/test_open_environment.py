"""Image steps of an open environment: one connection for many runs, and none that two event loops share."""

from __future__ import annotations

import asyncio
from pathlib import Path

from flowdsl import Environment, Storage
from flowdsl.cli.simulated import overrides
from flowdsl_steps.image.simulator import Simulator

FLOW = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a boat\n  quality: low\n"


def test_a_run_in_a_thread_beside_those_of_the_loop_loses_no_picture(tmp_path: Path) -> None:
    async def main(simulator: Simulator) -> None:
        settings = overrides(simulator.url, simulator.key)
        async with Environment(overrides=settings, storage=Storage(images=tmp_path)) as environment:
            flow = environment.load(FLOW)
            first = await flow.arun()
            others = await asyncio.gather(*(asyncio.to_thread(flow.run) for _ in range(3)), flow.arun())
            assert [len(result.images) for result in (first, *others)] == [1] * 5

    with Simulator() as simulator:
        asyncio.run(main(simulator))
        assert simulator.request_count == 5
