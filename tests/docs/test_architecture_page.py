"""docs/architecture.md: each row of its table names a file that exists and a symbol that stands in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
_ROW = re.compile(r"^\| (.+?) \| `([^`]+\.py)` \| `([\w.]+)` \|$", re.MULTILINE)
_ROOM = re.compile(r"`((?:\w+/)+|\w+\.py)`")
ROWS = _ROW.findall(PAGE.read_text(encoding="utf-8"))


def symbols(path: Path) -> set[str]:
    """Every name that a file defines at its top, and the members of its classes as `Class.member`."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for name in _defined(node):
            found.add(name)
            if isinstance(node, ast.ClassDef):
                found.update(f"{name}.{member}" for part in node.body for member in _defined(part))
    return found


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def test_the_table_has_the_questions_that_strangers_ask() -> None:
    assert len(ROWS) >= 12


@pytest.mark.parametrize(("question", "path", "symbol"), ROWS, ids=[row[2].replace(".", " ") for row in ROWS])
def test_a_row_names_a_symbol_that_exists(question: str, path: str, symbol: str) -> None:
    assert symbol in symbols(ROOT / path), question


def test_every_room_of_the_page_exists_and_every_room_is_on_the_page() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## The rooms")[2].partition("\n## ")[0]
    named = {
        name.rstrip("/")
        for line in table.splitlines()
        for name in _ROOM.findall(line.split("|")[1] if "|" in line else "")
    }
    folder = ROOT / "flowdsl"
    assert [name for name in named if not (folder / name).exists()] == []
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert packages - named == set()
