"""The interpreter knows the steps by what their classes say: no name of a standard step, no key of one, in its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from flowdsl.document.root_keys import ROOT_KEYS
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.step.registry import installed

CODE = Path(__file__).parent.parent / "flowdsl"
GENERATED = {CODE / "template" / "tables.py"}


def trees(*rooms: str) -> Iterator[tuple[Path, ast.Module]]:
    folders = [CODE / room for room in rooms] if rooms else [CODE]
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if path not in GENERATED:
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def docstrings(tree: ast.Module) -> set[int]:
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def standard_names() -> set[str]:
    registry = installed()
    specs = [spec for name in registry if (spec := registry.spec(name)) is not None]
    return {name for spec in specs for name in (spec.name, *spec.aliases)}


def names_in(text: str, names: set[str]) -> set[str]:
    return set(re.findall(r"[A-Z][A-Z0-9_]+", text)) & names


@pytest.mark.long
def test_no_standard_step_is_named_in_the_code() -> None:
    names, found = standard_names(), []
    assert {"FOR", "SET", "END", "OPENAI_IMAGE_GENERATION"} <= names
    for path, tree in trees():
        room = path.relative_to(CODE).parts[0]
        known = names - {"END"} if room == "template" else names  # the end of a text is a token of its grammar
        if room in ("cli", "testing"):  # the simulator of the one, and what tests of the other run
            continue
        skipped = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                if node.value.startswith("UPDATE "):  # SQL has a SET of its own
                    continue
                found += [f"{path.name}:{node.lineno} {name}" for name in sorted(names_in(node.value, known))]
    assert found == []


def compared(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is compared with what, or looked up in what: subject and literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, right in pairwise(sides):
                yield left, right
                yield right, left
        elif isinstance(node, ast.Subscript):
            yield node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in ("get", "pop", "startswith", "endswith", "partition", "removeprefix"):
                yield node.func.value, node.args[0]
        elif isinstance(node, ast.match_case):
            for part in ast.walk(node.pattern):
                if isinstance(part, ast.MatchValue):
                    yield part.value, part.value


def literals(node: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    """The texts of a literal, a literal collection, or the constant of the module that a name stands for."""
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    if isinstance(node, ast.Call) and node.args:  # frozenset((…))
        node = node.args[0]
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    if isinstance(node, ast.Dict):
        parts = [key for key in node.keys if key is not None]
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


EXPLAINED = {
    ("checker", "items"): "a word of JSON Schema",
    ("checker", "default"): "a word of JSON Schema, and a filter of templates",
    ("checker", "then"): "a word of JSON Schema",
    ("checker", "else"): "a word of JSON Schema, and what others call the case for every other value",
    ("checker", "max"): "what people write for a word of JSON Schema",
    ("checker", "in"): "an operator of templates",
    ("document", "default"): "a word of JSON Schema",
    ("document", "steps"): "what people write for the root key `flow`",
    ("checker", "provider"): "a setting of a service, which IMAGE_GENERATION calls its key",
    ("document", "provider"): "a setting of a service",
    ("document", "name"): "a key of an entry of `inputs` and `outputs`",
    ("engine", "message"): "a member of what EMIT_EVENT is given, not a key",
    ("engine", "code"): "a member of an error",
    ("checker", "mapping"): "a test of templates",
    ("engine", "input"): "a method of the context of a step",
    ("document", "input"): "a kind of name",
    ("checker", "code"): "a fact of an error, in a file of flow tests",
    ("checker", "message"): "a fact of an error, in a file of flow tests",
    ("checker", "status"): "a key of a mock, in a file of flow tests",
    ("checker", "schema"): "a word that compares a value, in a file of flow tests",
    ("document", "schema"): "a word that compares a value, in a file of flow tests",
    ("document", "url"): "a key of a mock, in a file of flow tests",
    ("checker", "images"): "what a key reads, not a key",
}
"""What these texts are where they are compared: none of them is the key of a step."""
TYPES = {"text", "list", "map", "steps", "cases", "branches"}
"""Types of keys, which some keys are called as well; compared with a `kind` or `type` they are those."""


def step_keys() -> set[str]:
    registry = installed()
    return {key for name in registry if (spec := registry.spec(name)) is not None for key in spec.keys}


def constants_of(tree: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return found


def compared_keys(room: str, tree: ast.Module, keys: set[str]) -> Iterator[tuple[str, str]]:
    """Room and text of each literal that is compared or looked up, and is called as a key of a step."""
    constants = constants_of(tree)
    for subject, literal in compared(tree):
        of_type = ast.unparse(subject).rpartition(".")[2] in ("kind", "type")
        for text in literals(literal, constants):
            if text in keys and not (of_type and text in TYPES):
                yield room, text


def test_no_key_of_a_step_is_compared_with_a_literal() -> None:
    keys = step_keys() - set(COMMON_KEYS) - set(ROOT_KEYS)
    assert {"do", "items", "collectKey", "condition", "instruction", "try"} <= keys
    found = set[tuple[str, str]]()
    for path, tree in trees("checker", "document", "engine"):
        found |= set(compared_keys(path.relative_to(CODE).parts[0], tree, keys))
    assert found - set(EXPLAINED) == set()


@pytest.mark.parametrize(
    "code",
    [
        'step.keys.get("items")',
        'step.keys["items"]',
        '"items" in step.keys',
        'name == "items"',
        'path.startswith("items")',
        'KEYS = ("start", "items")\nif name in KEYS: ...',
        'KEYS: Final = frozenset({"items"})\nif name in KEYS: ...',
        'match name:\n    case "items": ...',
    ],
    ids=["get", "lookup", "membership", "equality", "prefix", "tuple-constant", "set-constant", "match"],
)
def test_a_compared_key_is_seen(code: str) -> None:
    assert set(compared_keys("here", ast.parse(code), {"items"})) == {("here", "items")}
