from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import flowdsl


@pytest.fixture(autouse=True)
def _quick_and_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are short, and no proxy of the machine stands in the way."""
    monkeypatch.setattr("flowdsl_steps.http.pause._FIRST_DELAY_S", 0.001)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def host(tmp_path: Path) -> Any:
    """Runs flows for a host that allows private addresses; files go below `tmp_path`."""

    def run(flow: str, inputs: dict[str, Any] | None = None, **settings: Any) -> flowdsl.Result:
        on_event = settings.pop("on_event", None)
        settings = {
            "limits": flowdsl.Limits(private_addresses=True),
            "storage": flowdsl.Storage(images=tmp_path / "images", output=tmp_path / "output"),
            **settings,
        }
        return flowdsl.run(flow, inputs, environment=flowdsl.Environment(**settings), on_event=on_event)

    return run
