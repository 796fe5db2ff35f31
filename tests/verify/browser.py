"""A headless Chromium that does what a list of steps says, see `scripts/report/browse.mjs`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "scripts" / "report" / "browse.mjs"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = (
    None
    if CHROMIUM and shutil.which("node") and (SCRIPT.parent / "node_modules" / "axe-core").is_dir()
    else "needs chromium, node, and `npm ci --prefix scripts/report`"
)


def browse(*steps: Sequence[Any]) -> list[Any]:
    """What came of each step; the page has asked no network for anything, and had no error."""
    assert CHROMIUM is not None
    done = subprocess.run(
        ["node", str(SCRIPT), CHROMIUM],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, odd = json.loads(done.stdout)
    assert odd == []
    return said
