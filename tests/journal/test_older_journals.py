"""A journal of an older version is brought to the newest one, and what stands in it counts."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from flowdsl.journal.costs import costs
from flowdsl.journal.database import Database
from flowdsl.journal.pace import Pace
from flowdsl.journal.tables import STEPS, VERSION

RUN = (
    "INSERT INTO runs (id, flow, flow_sha256, given, as_of, simulated, status, began)"
    " VALUES ('r', 'f', '', '{}', '', 0, 'done', 1)"
)
REQUEST = (
    "INSERT INTO ledger"
    " (id, run, place, number, digest, step, path, service, request, state, cost_usd, simulated, began)"
    " VALUES (x'01', 'r', 'p', 0, x'02', 'S', 'flow[0]', 'S', '{}', 'ok', 0.5, 0, 1)"
)


@pytest.mark.parametrize("version", range(1, VERSION))
def test_each_version_is_migrated_with_what_stands_in_it(version: int, tmp_path: Path) -> None:
    next_at = time.time() + 0.5
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        for step in STEPS[:version]:
            connection.executescript(step)
        connection.execute(RUN)
        connection.execute(REQUEST)
        if version > 1:
            connection.execute("INSERT INTO pace (service, at) VALUES ('S', ?)", (next_at,))
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    with Database(tmp_path) as database:
        found = costs(database, "service", simulated=False, since="", until="9")
        assert [(each.key, each.usd) for each in found] == [("S", 0.5), (None, 0.5)]
        asyncio.run(Pace(database).take("S", 0.01))
        assert version == 1 or time.time() >= next_at - 0.01
