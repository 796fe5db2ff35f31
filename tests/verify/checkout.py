"""A repository of its own that holds flowdsl as it lies here, as CI services clone it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> str:
    """What git prints; it must succeed."""
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", *settings, *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def checkout(folder: Path) -> Path:
    """A repository with the files of this one that git knows, or would take, in their present state."""
    folder.mkdir(parents=True)
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "benchmarks/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


MODULE = "blocks:\n  constants:\n    tone: warm\n"
MAIN = """\
imports:
  - {from: ./parts.module.yaml, as: parts}
flow:
  - step: SET
    text: "A {{ imports.parts.constants.tone }} morning"
"""
KIT = """\
AI_KIT:
  SECTIONS:
    - section: One
      actions:
        - title: A
          flow:
            - step: SET
              text: a
"""


def project(folder: Path) -> Path:
    """A repository of flows that are right: a flow, the module it imports, a kit, and a text that is none of these."""
    (folder / "flows").mkdir(parents=True)
    (folder / "flows" / "main.flow.yaml").write_text(MAIN, encoding="utf-8")
    (folder / "flows" / "parts.module.yaml").write_text(MODULE, encoding="utf-8")
    (folder / "flows" / "studio.ai-kit.yaml").write_text(KIT, encoding="utf-8")
    (folder / "README.md").write_text("flows\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder
