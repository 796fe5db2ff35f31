"""A message of a check or a run names what a host gives beside an option of the command line: hosts read it too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OPTION = re.compile(r"`--[a-z-]+`|\(--[a-z-]+\)")
OF_A_HOST = re.compile(r"host's (Storage|Limits|Environment)\(")


def texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a module that are no docstrings, those in parts as one."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | parts:
            yield node.value


@pytest.mark.long
def test_a_message_that_names_an_option_of_the_command_line_names_the_way_of_a_host_too() -> None:
    files = [path for folder in ("flowdsl", "steps") for path in sorted((ROOT / folder).rglob("*.py"))]
    outside = [path for path in files if "cli" not in path.parts and "simulator" not in path.parts]
    named = [text for path in outside for text in texts(ast.parse(path.read_text("utf-8"))) if OPTION.search(text)]
    assert len(named) >= 5
    assert [text for text in named if not OF_A_HOST.search(text)] == []
