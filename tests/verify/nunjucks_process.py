"""A running Nunjucks to compare with, where node and the package are at hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "scripts" / "record_templates.mjs"
PACKAGE = Path(os.environ.get("FLOWDSL_NUNJUCKS") or SCRIPT.parent / "node_modules" / "nunjucks")


def missing() -> str | None:
    """Why there is no Nunjucks here, or None."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (PACKAGE / "package.json").is_file():
        return f"no nunjucks in {PACKAGE}: npm ci --prefix scripts, or set FLOWDSL_NUNJUCKS"
    return None


class Nunjucks:
    """One node process that renders what it is asked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def render(self, template: str, context: dict[str, Any]) -> dict[str, str]:
        """`{"text"}` or `{"error"}`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"template": template, "context": context}) + "\n")
        self._process.stdin.flush()
        response: dict[str, str] = json.loads(self._process.stdout.readline())
        return response

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
