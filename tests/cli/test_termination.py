"""How the command line takes signals."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from flowdsl.cli.termination import until_terminated


@pytest.mark.skipif(sys.platform == "win32", reason="loops take no signals there")
def test_a_signal_that_comes_while_the_loop_closes_writes_into_no_closed_pipe() -> None:
    async def run() -> int:
        await until_terminated(asyncio.sleep(0))
        return signal.set_wakeup_fd(-1)

    assert asyncio.run(run()) == -1
