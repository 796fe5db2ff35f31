"""The room itself: imports without circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import flowdsl.template

ROOM = Path(flowdsl.template.__file__).parent
MODULES = {".".join(path.relative_to(ROOM).with_suffix("").parts): path for path in sorted(ROOM.rglob("*.py"))}


def imports(name: str) -> set[str]:
    """The modules of the room that a module imports, in functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flowdsl.template"):
            inside = (node.module or "").removeprefix("flowdsl.template").removeprefix(".")
            parts = {f"{inside}.{alias.name}".strip(".") for alias in node.names}
            found |= {part if part in MODULES else inside for part in parts}
    return {part if part in MODULES else f"{part}.__init__" for part in found if part}


def circles() -> Iterator[list[str]]:
    """Every chain of imports that comes back to where it began; the public surface is left out."""
    graph = {name: imports(name) - {name} for name in MODULES if name != "__init__"}
    done: set[str] = set()

    def walk(name: str, above: list[str]) -> Iterator[list[str]]:
        if name in above:
            yield [*above[above.index(name) :], name]
        elif name not in done:
            for inner in sorted(graph.get(name, ())):
                yield from walk(inner, [*above, name])
            done.add(name)

    for name in graph:
        yield from walk(name, [])


def test_no_import_goes_in_a_circle() -> None:
    assert {"parser", "plain", "filters.record"} <= set(MODULES)
    assert imports("parser") >= {"plain", "tags", "cache"}
    assert list(circles()) == []
