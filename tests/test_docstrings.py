"""Functions of the checker and of templates say what they do, what they take, and what they raise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "flowdsl"
MODULES = {
    path.relative_to(ROOT).as_posix(): path
    for room in ("checker", "template")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.name != "tables.py"  # generated
}
_SAYS_NOTHING = re.compile(r"(bool|int|float)( \| None)?")
"""Types of parameters that only the docstring can explain: what is true, what is counted, in which unit."""


def public_functions(body: list[ast.stmt]) -> Iterator[tuple[ast.FunctionDef, str]]:
    """The public functions of a module, and the methods of its public classes with the docstring of the class.

    A method of a derived class without a docstring does what the class above says.
    """
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method, _ in public_functions(node.body):
                if ast.get_docstring(method) or not node.bases:
                    yield method, ast.get_docstring(node) or ""
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node, ""


def unexplained(function: ast.FunctionDef, around: str) -> list[str]:
    """What the docstring of a function, or of its class, leaves open."""
    said = ast.get_docstring(function) or ""
    raised = (inner.exc for inner in ast.walk(function) if isinstance(inner, ast.Raise))
    raises = any(error is not None and not ast.unparse(error).startswith("AssertionError") for error in raised)
    missing = [] if said else ["what it does"]
    if raises and not re.search(r"\braises:", said, re.IGNORECASE):
        missing.append("what it raises")
    named = " ".join(re.findall(r"`([^`]+)`", said + around))
    for parameter in (*function.args.args, *function.args.kwonlyargs):
        type = ast.unparse(parameter.annotation) if parameter.annotation is not None else ""
        if _SAYS_NOTHING.fullmatch(type) and not re.search(rf"\b{parameter.arg}\b", named):
            missing.append(parameter.arg)
    return missing


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_public_function_says_what_it_takes_does_and_raises(name: str) -> None:
    functions = public_functions(ast.parse(MODULES[name].read_text(encoding="utf-8")).body)
    found = {function.name: missing for function, around in functions if (missing := unexplained(function, around))}
    assert found == {}


def test_what_a_docstring_leaves_open_is_seen() -> None:
    text = """
class Painter:
    '''Paints walls; `coats` are so many.'''
    def paint(self, wall: str, coats: int, quick: bool = False):
        '''Paints a wall.'''
        raise ValueError
def wait(seconds: float | None): ...
def known(strict: bool):
    '''With `strict`, nothing else. Raises: ValueError.'''
    raise ValueError
"""
    found = [unexplained(function, around) for function, around in public_functions(ast.parse(text).body)]
    assert found == [["what it raises", "quick"], ["what it does", "seconds"], []]
