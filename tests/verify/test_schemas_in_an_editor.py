"""What an editor shows with our schemas: the YAML language server marks each misspelt key once, and right files not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from language_server import SERVER, LanguageServer

from flowdsl.source import Source
from flowdsl.step.registry import installed
from flowdsl.syntax.node import Node
from flowdsl.syntax.yaml_reader import read

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not SERVER.is_file(), reason="no yaml-language-server: npm ci --prefix scripts"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    with LanguageServer(SCHEMAS / "flow.schema.json") as running:
        yield running


def right_flows() -> list[Path]:
    paths = [*(ROOT / "examples").rglob("*.flow.yaml"), *(ROOT / "tests" / "golden" / "ok").glob("*.yaml")]
    return sorted(path for path in paths if flow_of(path.read_text(encoding="utf-8")) is not None)


def flow_of(text: str) -> Node | None:
    """The root of a flow of this language; None of a kit, a module or a document of another system."""
    root, _ = read(Source(text))
    if root is None or root.kind == "scalar":
        return None
    return root if root.kind == "list" or "flow" in root.keys else None


def test_a_right_flow_has_no_mark(server: LanguageServer) -> None:
    flows = right_flows()
    assert len(flows) > 15
    marked = {path.name: found for path in flows if (found := server.errors(path.read_text(encoding="utf-8")))}
    assert marked == {}


def options_of(root: Node) -> Iterator[tuple[str, str, Node]]:
    """Every key of every step: step, key, and where the key stands."""
    if root.kind == "list":
        for item in root.value:
            yield from options_of(item)
    elif root.kind == "map":
        step = root.value.get("step")
        for name, node in root.keys.items():
            if step is not None and isinstance(step.value, str) and name != "step":
                yield step.value, name, node
        for item in root.value.values():
            yield from options_of(item)


def test_a_misspelt_key_of_a_step_has_one_mark_at_its_line(server: LanguageServer) -> None:
    asked: set[tuple[str, str]] = set()
    wrong = []
    for path in right_flows():
        text = path.read_text(encoding="utf-8")
        root = flow_of(text)
        assert root is not None
        for step, name, key in options_of(root):
            if (step, name) in asked or step == "SET" or key.source.text != text.lstrip("\ufeff"):
                continue  # SET takes any name
            asked.add((step, name))
            line = key.span.first.line
            found = server.errors(f"{text[: key.start]}{text[key.start : key.end]}x{text[key.end :]}")
            if [place for place, _ in found] != [line]:
                wrong.append((path.name, step, name, line, found))
    assert wrong == []
    assert len(asked) > 50


def test_every_key_of_every_step_that_is_misspelt_has_one_mark(server: LanguageServer) -> None:
    specs = [spec for name in installed() if (spec := installed().spec(name)) is not None and not spec.sets_other_keys]
    rows = [(spec.name, key) for spec in specs for key in spec.keys]
    found = server.errors("".join(f"- step: {name}\n  {key}Q: 1\n" for name, key in rows))
    assert len(rows) > 200
    assert [line for line, _ in found] == [2 * number + 2 for number in range(len(rows))]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- step: SOT\n  text: a\n", 1),
        ("- BREAK\n", 1),
        ("- stepp: SET\n  text: a\n", 1),
        ("inputs: {}\nflw:\n  - step: SET\n    text: a\n", 2),
        ("- step: SLEEP\n  ms: soon\n", 2),
        ("imports:\n  - {from: a.yaml, az: b}\nflow:\n  - step: SET\n    text: a\n", 2),
    ],
    ids=["a step", "no map", "the key step", "a root key", "a wrong type", "a key of an import"],
)
def test_another_mistake_has_one_mark_too(text: str, line: int, server: LanguageServer) -> None:
    assert [place for place, _ in server.errors(text)] == [line]


def test_modules_and_kits_have_theirs() -> None:
    for kind in ("module", "ai-kit"):
        paths = sorted((ROOT / "examples").rglob(f"*.{kind}.yaml"))
        assert paths
        with LanguageServer(SCHEMAS / f"{kind}.schema.json") as server:
            for path in paths:
                assert server.errors(path.read_text(encoding="utf-8")) == [], path
