"""Writes `flowdsl/__init__.pyi`, from which type checkers know the public names, of the table in `flowdsl/__init__.py`.

Run by `make generate`, and with `--check` by `make check`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import flowdsl
from flowdsl.cli.generated import write_or_check

FOLDER = Path(flowdsl.__file__).parent
MARK = "Made by `make generate` of the table in __init__.py; do not edit."


def stub() -> str:
    """The text of the stub: every public name, imported from its home."""
    homes = sorted((module, name) for name, module in flowdsl._HOME.items())
    imports = "".join(f"from {module} import {name} as {name}\n" for module, name in homes)
    modules = "".join(f"from flowdsl import {name} as {name}\n" for name in flowdsl._MODULES)
    return f"# {MARK}\n\n{modules}{imports}\n__version__: str\n"


if __name__ == "__main__":
    check = "--check" in sys.argv[1:]
    raise SystemExit(write_or_check(FOLDER, {"__init__.pyi": stub()}, mark=MARK, check=check, again="make generate"))
