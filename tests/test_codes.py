"""The table of codes (`flowdsl/codes.py`) says what the code base emits: every code, and how bad it is."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest

from flowdsl import Environment, Options, Problem, Step, StepContext
from flowdsl.codes import CODES, FAILURES, FINDINGS, SEVERITIES

ROOT = Path(__file__).parent.parent
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHOWN_CODE = re.compile(r": (error|warning|note): .*\[([a-z0-9-]+)\]$", re.MULTILINE)


class Emitting(NamedTuple):
    """A function that takes a code: as which argument, and as which it takes the severity, if it does.

    `severity` is None where the function takes none and what it emits is always as bad as `unless_given`.
    """

    code: int
    severity: int | None = None
    unless_given: str = "error"


_USUAL = "the one of the table"
_EMITTING = {
    "Diagnostic": Emitting(0, 3, _USUAL),
    "Problem": Emitting(0, 4, _USUAL),
    "TemplateProblem": Emitting(0, unless_given=_USUAL),
    "add": Emitting(0, unless_given=_USUAL),
    "report": Emitting(0, unless_given=_USUAL),
    "on": Emitting(2, unless_given=_USUAL),
    "_limit": Emitting(1),
    "note": Emitting(0, unless_given="note"),
    "emit_note": Emitting(1, unless_given="note"),
    "Note": Emitting(3, unless_given="note"),
}
_MADE_FROM_PARTS = {"unknown-filter", "unknown-test"}
"""Codes that no literal spells out, in template/references.py."""


class Emitted(NamedTuple):
    """A place in the code that emits a code with a severity, which is `spelt` there or follows from the code."""

    code: str
    severity: str
    place: str
    spelt: bool


@lru_cache(maxsize=1)
def emitted() -> tuple[Emitted, ...]:
    """Every place of the code base that emits a code, but for the simulator, which speaks for its vendors."""
    found: list[Emitted] = []
    for folder in ("flowdsl", "steps/flowdsl_steps"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "simulator" not in path.parts and path.name != "codes.py":
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found += emitted_in(tree, str(path.relative_to(ROOT)))
    return tuple(found)


def emitted_in(tree: ast.Module, name: str) -> Iterator[Emitted]:
    """What one module emits."""
    owners: dict[ast.AST, ast.AST] = {}
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            owners.update(dict.fromkeys(ast.walk(function), function))  # an inner function comes later, and wins
    for node in ast.walk(tree):
        for code, severities in _codes_of(node, tree, owners.get(node)):
            place = f"{name}:{getattr(node, 'lineno', 0)}"
            for text in filter(_CODE.fullmatch, _texts(code)):
                usual = CODES[text].severity if text in CODES else "error"
                for severity, spelt in severities.items():
                    yield Emitted(text, usual if severity == _USUAL else severity, place, spelt)


def _codes_of(node: ast.AST, tree: ast.Module, function: ast.AST | None) -> Iterator[tuple[ast.expr, dict[str, bool]]]:
    """The expressions of a node that give a code (`code=…`, `code = …`, the argument that is one), with severities.

    A severity is True when the call spells it out.
    """
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        how = _EMITTING.get(called, Emitting(len(node.args)))
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        severity = given.get("severity")
        if severity is None and how.severity is not None and len(node.args) > how.severity:
            severity = node.args[how.severity]
        severities = {how.unless_given: False} if severity is None else _severities(severity, tree, function)
        codes = [given["code"]] if "code" in given else node.args[how.code : how.code + 1]
        yield from ((code, severities) for code in codes)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            targets = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for one, value in zip(targets, values, strict=False):
                if isinstance(one, ast.Name) and one.id == "code":
                    yield value, {"error": False}


def _severities(value: ast.expr, tree: ast.Module, function: ast.AST | None) -> dict[str, bool]:
    """What a severity can be: spelled out, assigned in the same function, or given by its callers in this module."""
    if not isinstance(value, ast.Name):
        return _spelt(value)
    assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)), ast.unparse(value)
    found: dict[str, bool] = {}
    for node in ast.walk(function):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == value.id for target in targets):
                found |= _spelt(node.value)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == function.name:
            given = [key.value for key in call.keywords if key.arg == value.id]
            found |= _spelt(given[0]) if given else {_USUAL: False}
    return found


def _spelt(value: ast.expr) -> dict[str, bool]:
    """The severities that an expression spells out; None stands for that of the table."""
    if isinstance(value, ast.IfExp):
        return _spelt(value.body) | _spelt(value.orelse)
    if isinstance(value, ast.Constant) and value.value is None:
        return {_USUAL: False}
    return dict.fromkeys(_texts(value), True)


def _texts(value: ast.expr) -> list[str]:
    """The texts that an expression can be."""
    if isinstance(value, ast.IfExp):
        return [*_texts(value.body), *_texts(value.orelse)]
    return [value.value] if isinstance(value, ast.Constant) and isinstance(value.value, str) else []


@pytest.mark.long
def test_every_code_that_is_emitted_has_a_row() -> None:
    assert [one for one in emitted() if one.code not in CODES] == []


@pytest.mark.long
def test_every_row_is_emitted_somewhere() -> None:
    assert set(CODES) - {one.code for one in emitted()} - _MADE_FROM_PARTS == set()


@pytest.mark.long
def test_the_severities_are_those_of_the_table() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for one in emitted():
        found[one.code].add(one.severity)
    for code in _MADE_FROM_PARTS:
        found[code].add(CODES[code].severity)
    table = {code.name: {code.severity, *code.also} for code in CODES.values()}
    assert {name: found[name] for name in table if found[name] != table[name]} == {}


@pytest.mark.long
def test_no_place_repeats_the_severity_of_the_table() -> None:
    assert [one for one in emitted() if one.spelt and one.severity == CODES[one.code].severity] == []


def test_what_a_golden_file_shows_is_in_the_table() -> None:
    shown = {
        (code, severity)
        for path in (ROOT / "tests" / "golden").rglob("*.txt")
        for severity, code in _SHOWN_CODE.findall(path.read_text(encoding="utf-8"))
    }
    assert len(shown) > 50
    allowed = {(code.name, severity) for code in CODES.values() for severity in (code.severity, *code.also)}
    assert shown - allowed == set()


def test_the_rows_are_whole() -> None:
    assert len(CODES) == len(FINDINGS) + len(FAILURES)
    for code in CODES.values():
        assert _CODE.fullmatch(code.name), code
        assert code.meaning[0].isupper() or code.meaning[0] == "`", code
        assert code.meaning.endswith(".") and code.meaning.count(". ") == 0, code
        assert code.severity not in code.also and {code.severity, *code.also} <= set(SEVERITIES), code


def test_a_step_of_somebody_else_has_codes_of_its_own() -> None:
    def too_blue(options: Options) -> Iterator[Problem]:
        if options.value("color") == "blue":
            yield Problem("too-blue", "this is too blue", key="color", severity="warning")

    class Paint(Step, name="PAINT", check=too_blue):
        """Paint a wall."""

        color: str

        def run(self, ctx: StepContext) -> None:
            """Do nothing."""

    environment = Environment(steps=[Paint])
    found = environment.check("- step: PAINT\n  color: blue\n")
    assert [(one.code, one.severity) for one in found] == [("too-blue", "warning")]


def test_the_walk_sees_each_way_to_emit_a_code() -> None:
    text = """
def known(findings, sure):
    severity = "warning" if sure else None
    findings.add("an-assigned-one", "", at, severity=severity)
    findings.add("a-plain-one", "", at)
    yield Problem("a-positional-one", "", None, None, "note")
    yield Problem("fan-out", "")
    raise StepError("", code="an-error")

def _inner(severity="error"):
    findings.add("a-parameter", "", at, severity=severity)

def outer():
    _inner(severity="warning")
    _inner()
    ctx.note("a-note", "")
    code = "one" if outer else "two"
"""
    assert {(one.code, one.severity) for one in emitted_in(ast.parse(text), "text")} == {
        ("an-assigned-one", "warning"),
        ("an-assigned-one", "error"),
        ("a-plain-one", "error"),
        ("a-positional-one", "note"),
        ("fan-out", "note"),
        ("an-error", "error"),
        ("a-parameter", "error"),
        ("a-parameter", "warning"),
        ("a-note", "note"),
        ("one", "error"),
        ("two", "error"),
    }
