"""What a run that is broken off cost is what its journal took of it a moment later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from journaled import BOAT, Shop, shop

from flowdsl.cli.account import Account
from flowdsl.journal import database
from flowdsl.journal.journal import Journal
from flowdsl.journal.synced import Synced


class _Slow(Synced):
    """A disk that takes no file until it is let."""

    let, asked = threading.Event(), threading.Event()

    def then(self, files: Sequence[str], act: Callable[[Exception | None], None]) -> None:
        def when_let(error: Exception | None) -> None:
            assert self.let.wait(20)
            act(error)

        self.asked.set()
        super().then(files, when_let)


@pytest.mark.long
def test_a_run_broken_off_between_a_response_and_its_commit_tells_its_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "Synced", _Slow)
    for name in ("let", "asked"):
        monkeypatch.setattr(_Slow, name, threading.Event())

    async def act(at: Shop, journal: Journal, account: Account) -> None:
        listen: Any = account.hearing(lambda _: None)
        running = asyncio.ensure_future(at.flow(BOAT).arun(on_event=listen, journal=journal))
        while not _Slow.asked.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        running.cancel()
        threading.Timer(0.05, _Slow.let.set).start()
        with pytest.raises(asyncio.CancelledError):
            await running

    with shop(tmp_path, plain=True) as at, Journal(at.state) as journal:
        account = Account(simulated=False, journal=journal)
        asyncio.run(act(at, journal, account))
        assert [row["state"] for row in journal.database.read("SELECT state FROM ledger")] == ["ok"]
        said = account.text()
        assert "1 image made, cost $0.0059\n" in said
        assert "may have done" not in said
        assert "flowdsl resume" in said
        told = account.to_dict(None)
        assert (told["in_doubt"], round(told["cost_usd"], 4)) == (0, 0.0059)
