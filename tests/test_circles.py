"""Circles of imports: none crosses a package, none stands inside one; imports for types and in functions count."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_graph import by_package, circles, import_graph

ROOT = Path(__file__).parent.parent


@pytest.mark.long
def test_no_circle_crosses_a_package() -> None:
    assert circles(by_package(import_graph())) == []


@pytest.mark.long
def test_no_circle_stands_inside_a_package() -> None:
    assert circles(import_graph()) == []


def test_a_circle_is_seen_through_function_and_type_imports() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == [["a", "b", "c"]]
    assert circles({"a": ["b"], "b": ["c"], "c": [], "d": ["d2"], "d2": []}) == []
    assert circles(by_package({"p.a.x": ["p.b.y"], "p.b.z": ["p.a.w"]})) == [["p.a", "p.b"]]


def test_the_folder_shows_the_architecture() -> None:
    assert len(list((ROOT / "flowdsl").glob("*.py"))) <= 14
