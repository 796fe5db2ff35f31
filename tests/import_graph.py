"""Who imports whom in `flowdsl` and `flowdsl_steps`: every import counts, also those for types and inside functions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {"flowdsl": ROOT / "flowdsl", "flowdsl_steps": ROOT / "steps" / "flowdsl_steps"}
SURFACE = "flowdsl"


def import_graph() -> dict[str, set[str]]:
    """Each module → the modules of the two packages that it imports. The public surface `flowdsl` is left out."""
    paths = dict(_modules())
    graph = {name: {_known(found, paths) for found in _imports(path, name)} for name, path in paths.items()}
    return {name: {found for found in imported if found} - {name, SURFACE} for name, imported in graph.items()}


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph that have more than one node, each sorted (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for next_node in graph.get(node, ()):
            if next_node not in order:
                visit(next_node)
                low[node] = min(low[node], low[next_node])
            elif next_node in stack:
                low[node] = min(low[node], order[next_node])
        if low[node] == order[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in order:
            visit(node)
    return sorted(found)


def by_package(graph: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """The graph of rooms: `flowdsl.checker.flow.loops` counts as `flowdsl.checker`."""
    rooms: dict[str, set[str]] = {}
    for name, imported in graph.items():
        room = _room(name)
        rooms.setdefault(room, set()).update(found for module in imported if (found := _room(module)) != room)
    return rooms


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _modules() -> Iterator[tuple[str, Path]]:
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


def _imports(path: Path, name: str) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*outer, base]).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _known(name: str, modules: Mapping[str, Path]) -> str | None:
    """The module an imported name is, or stands in; None when it is not ours."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None
