"""A fact stands once in the code: the literal that says it is in one place, and everybody else imports it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def texts(*wanted: str) -> Callable[[ast.AST], bool]:
    """A literal tuple, list, set or dict of exactly these texts, in any order."""
    return lambda node: _texts(node) == sorted(wanted)


def at_least(*wanted: str) -> Callable[[ast.AST], bool]:
    """A literal tuple, list, set or dict with these texts among others."""
    return lambda node: set(wanted) <= set(_texts(node))


def pattern(wanted: str) -> Callable[[ast.AST], bool]:
    """A text that is this pattern, with or without anchors."""
    return lambda node: (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.removeprefix("^").removesuffix("$") == wanted
    )


def _texts(node: ast.AST) -> list[str]:
    items = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else getattr(node, "keys", ())
    items = [item for item in items if item is not None]  # what a dict takes over with ** has no key
    if not isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
        return []
    found = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return sorted(found) if len(found) == len(items) else []


LITERALS = (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict)
FACTS = {
    "severities by rank": texts("error", "warning", "note"),
    "older sources of SET": texts("text", "raw_text", "expression", "steps"),
    "texts that are false": at_least("false", "null", "undefined", "none"),
    "built-in names of templates": at_least("JSON", "Math", "Object"),
    "keys of every step": at_least("step", "id", "monitorLabel", "inputs", "outputs", "service", "options"),
    "name of a FlowContext key": pattern("[a-zA-Z_][a-zA-Z0-9_]*"),
    "path into the FlowContext": pattern(r"[A-Za-z_]\w*(\.\w+)*"),
    "id of a step": pattern(r"[A-Za-z_][\w.-]*"),
    "settings that hold secrets": texts("apiKey", "authKey", "clientPem"),
    "signs of a template": texts("{{", "{%", "{#"),
}


def literals() -> Iterator[tuple[str, ast.AST]]:
    """All literals of the code and where they are; the simulator has tables of its own on purpose (decision 5)."""
    for folder in ("flowdsl", "steps/flowdsl_steps"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "simulator" not in path.parts:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                for node in ast.walk(tree):
                    if isinstance(node, LITERALS):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", node


@pytest.mark.long
def test_a_fact_stands_once() -> None:
    found: dict[str, list[str]] = {fact: [] for fact in FACTS}
    for place, node in literals():
        for fact, is_fact in FACTS.items():
            if is_fact(node):
                found[fact].append(place)
    assert [fact for fact, places in found.items() if not places] == [], "it changed, and this test with it"
    assert {fact: places for fact, places in found.items() if len(places) > 1} == {}


def test_the_comparison_sees_each_kind_of_literal() -> None:
    tree = ast.parse(
        "A = ('x', 'y')\nB = {'y': 1, 'x': 2}\nC = frozenset({'x', 'y', 'z'})\nD = r'^[a-z]$'\nE = ('x', n)\n"
    )
    assert [node.lineno for node in ast.walk(tree) if texts("x", "y")(node)] == [1, 2]
    assert [node.lineno for node in ast.walk(tree) if at_least("x", "y")(node)] == [1, 2, 3]
    assert [node.lineno for node in ast.walk(tree) if pattern("[a-z]")(node)] == [4]
