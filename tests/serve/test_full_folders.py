"""A gateway whose folder takes no more: what is paid for is kept, the next is not bought, and no path is told."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gateways import SMALL, running_gateway

from flowdsl.image import part_file, shelf, store
from flowdsl.serve.published import published

READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_folder_that_has_refused_a_picture_is_tried_before_the_next_is_bought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    made = part_file.open_part

    def refused(folder: Path) -> Any:
        if folder.name == ".originals":
            raise READ_ONLY
        return made(folder)

    with running_gateway(tmp_path) as gateway:
        assert gateway.post({"prompt": "A kite", **SMALL}).status_code == 200
        with monkeypatch.context() as patched:
            patched.setattr(part_file, "open_part", refused)
            patched.setattr(store, "open_part", refused)
            first, second = (gateway.post({"prompt": f"A kite {turn}", **SMALL}) for turn in range(2))
        assert gateway.bought == 2
        assert (first.status_code, first.json()["error"]["charge_possible"]) == (502, True)
        assert (second.status_code, "charge_possible" in second.json()["error"]) == (500, False)
        assert "1 picture is kept in flowdsl-" in first.json()["error"]["message"]
        assert str(tmp_path) not in first.text + second.text


def test_an_event_that_says_what_failed_names_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    commit = store.ImageWriter.commit

    def refused(self: store.ImageWriter, **how: Any) -> Any:
        if not how.get("partial"):
            self._move(READ_ONLY)
        return commit(self, **how)

    with running_gateway(tmp_path) as gateway, monkeypatch.context() as patched:
        patched.setattr(store.ImageWriter, "commit", refused)
        response = gateway.post({"prompt": "A kite", "stream": True, "partial_images": 2, **SMALL})
    assert "event: error" in response.text
    assert "is kept in flowdsl-" in response.text
    assert str(tmp_path) not in response.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the journal in /srv/shop/.flowdsl cannot grow", "the journal in .flowdsl cannot grow"),
        ("/srv/shop/.flowdsl/serve.key", "serve.key"),
        ("/srv/shop/.flowdsl-old is another", "/srv/shop/.flowdsl-old is another"),
        ("it is in /srv/shop/.flowdsl.", "it is in .flowdsl."),
    ],
)
def test_a_folder_is_told_by_its_name(text: str, said: str) -> None:
    assert published(text, str, ["/srv/shop/.flowdsl"]) == said


@pytest.mark.long
def test_a_manifest_that_takes_no_line_is_told_to_whoever_runs_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> Path:
        raise READ_ONLY

    with running_gateway(tmp_path) as gateway:
        with monkeypatch.context() as patched:
            patched.setattr(shelf, "add_to_manifest", refused)
            assert gateway.post({"prompt": "A kite", **SMALL}).status_code == 200
        (run,) = gateway.journal.runs.all()
        (line,) = gateway.told
        assert line.startswith(f"warning: run {run.id}: the manifest in ")
        assert line.endswith(f"; `flowdsl resume {run.id}` lists what no manifest has, once it can")
        assert [each["warning"] for each in map(json.loads, gateway.log) if "warning" in each] == [line]


@pytest.mark.long
def test_a_journal_that_takes_no_purchase_is_told_to_whoever_runs_the_gateway(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        gateway.journal.database.submit(lambda _: None).result()
        with closing(sqlite3.connect(gateway.journal.database.path)) as file, file:
            file.execute(
                "CREATE TRIGGER refuses BEFORE UPDATE ON ledger WHEN NEW.ended IS NOT NULL "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        assert gateway.post({"prompt": "A kite", **SMALL}).status_code == 200
        (line,) = gateway.told
        assert "What was bought just now stands in it as in doubt, until it takes that" in line
