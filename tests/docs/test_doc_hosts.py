"""docs/hosts.md is compared with the code: each public name, argument and member is on it, and nothing else."""

from __future__ import annotations

import asyncio
import builtins
import inspect
import re
import ssl
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from doc_blocks import ROOT, prose, table

import flowdsl
import flowdsl.template
import flowdsl.testing
from flowdsl.document.dialects import task
from flowdsl.step.step import _DECLARABLE
from flowdsl.testing import conformance

PAGE = ROOT / "docs" / "hosts.md"
CALLS = ("check", "load", "run", "arun")
_SPAN = re.compile(r"`([^`]+)`")
_WORD = re.compile(r"[A-Za-z_]\w*")
_PUBLIC_PATH = re.compile(r"flowdsl(?:\.[A-Za-z_]\w*)+")
_CLASS_NAME = re.compile(r"(?<![:\w])[A-Z][a-z]+[A-Za-z]*(?!\w)")
_NO_PYTHON_NAMES = frozenset({"flowdsl.toml", "flowdsl.steps", "flowdsl.dialects", "flowdsl.image_vendors"})
"""A file and a group of entry points."""


def spans() -> list[str]:
    """Everything in code font outside blocks."""
    return _SPAN.findall(prose(PAGE).replace("\n", " "))


def words(texts: Iterable[str]) -> set[str]:
    """The names in texts."""
    return {word for text in texts for word in _WORD.findall(text)}


def first_cells(heading: str, page: Path = PAGE) -> list[str]:
    """What the first column of the table below a heading names: `name` or `name(argument, argument)`."""
    return [part.strip("` ") for row in table(page, heading) for part in re.split(r"`, `", row[0])]


def own_names(value: Any) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


def arguments(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def names_of_testing() -> set[str]:
    return {*flowdsl.testing.__all__, *conformance.__all__}


def members(protocol: type) -> dict[str, list[str] | None]:
    """The members of a protocol: attributes → None, methods → their arguments."""
    found: dict[str, list[str] | None] = dict.fromkeys(protocol.__annotations__)
    for name, value in vars(protocol).items():
        if not name.startswith("_"):
            found[name] = arguments(value) if inspect.isfunction(value) else None
    return found


def shown(members: dict[str, list[str] | None]) -> list[str]:
    return sorted(name if taken is None else f"{name}({', '.join(taken)})" for name, taken in members.items())


def test_every_public_name_is_on_the_page() -> None:
    named = words(spans())
    assert [name for name in flowdsl.__all__ if name not in named] == []
    paths = set(spans()) | {path for span in spans() for path in _PUBLIC_PATH.findall(span)}
    lower = [name for name in flowdsl.__all__ if name.islower()]
    assert [name for name in lower if f"flowdsl.{name}" not in paths] == []
    assert names_of_testing() - named == set()


def test_the_names_of_the_template_package_are_those_of_the_table() -> None:
    assert sorted(first_cells("Templates without a flow")) == sorted(flowdsl.template.__all__)


def test_the_page_names_no_class_and_no_path_that_does_not_exist() -> None:
    public = {*flowdsl.__all__, *flowdsl.template.__all__, *names_of_testing(), *dir(builtins), *dir(typing)}
    public |= {*dir(flowdsl.template.foreign), *dir(task)}  # what a dialect is written with
    public |= {*dir(httpx), *dir(ssl), *dir(asyncio)}  # a transport of the host is made of these
    classes = {name for span in spans() for name in _CLASS_NAME.findall(span)}
    assert classes - public == set()
    paths = {path for span in spans() for path in _PUBLIC_PATH.findall(span)} - _NO_PYTHON_NAMES
    assert [path for path in sorted(paths) if not exists(path)] == []


def exists(path: str) -> bool:
    value: Any = flowdsl
    for name in path.split(".")[1:]:
        if not hasattr(value, name):
            return False
        value = getattr(value, name)
    return True


def test_the_arguments_of_the_four_calls_are_those_of_the_table() -> None:
    in_code: dict[str, set[str]] = {}
    for name in CALLS:
        for argument in arguments(getattr(flowdsl, name)):
            in_code.setdefault(argument, set()).add(name)
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    on_page = {argument: set(_SPAN.findall(calls)) for argument, calls in rows if argument in in_code}
    assert on_page == in_code


@pytest.mark.parametrize("name", CALLS)
def test_an_environment_has_each_call_as_a_method(name: str) -> None:
    method = arguments(getattr(flowdsl.Environment, name))
    assert method == [argument for argument in arguments(getattr(flowdsl, name)) if argument != "environment"]


def test_the_options_of_an_environment_are_those_of_the_table() -> None:
    assert sorted(first_cells("Environment")) == sorted(arguments(flowdsl.Environment))


def test_the_members_of_a_flow_are_on_the_page() -> None:
    in_code = {
        name if isinstance(value, property) else f"{name}({', '.join(arguments(value))})"
        for name, value in vars(flowdsl.Flow).items()
        if not name.startswith("_") and (isinstance(value, property) or inspect.isfunction(value))
    }
    rows = PAGE.read_text(encoding="utf-8").partition("| of a `Flow` |")[2].partition("\n\n")[0]
    on_page = set(re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE))
    flow = flowdsl.load("- step: SET\n  a: 1\n")
    assert in_code - on_page == set()
    assert {name for name in on_page - in_code if not hasattr(flow, name)} == set()


def test_the_members_of_the_context_are_those_of_the_table() -> None:
    assert sorted(first_cells("What a step sees")) == shown(members(flowdsl.StepContext))


def test_every_event_is_listed_with_what_it_holds() -> None:
    kinds = {kind.__name__: set(arguments(kind)) for kind in typing.get_args(flowdsl.Event)}
    shared = {"step", "path", "invocation", *set.intersection(*kinds.values())}
    rows = {row[0].strip("`"): words(_SPAN.findall(f"{row[1]}`")) for row in table(PAGE, "Events")}
    assert set(rows) == set(kinds)
    assert {name: kinds[name] - shared - rows[name] for name in kinds if kinds[name] - shared - rows[name]} == {}
    assert shared - words(spans()) == set()


def test_the_class_arguments_of_a_step_are_those_of_the_table() -> None:
    assert sorted(first_cells("Writing a step")) == sorted({"name", *_DECLARABLE})


@pytest.mark.parametrize("kind", ["Limits", "Result", "Diagnostic", "Related", "Span", "Position", "Blob", "Signal"])
def test_the_members_of_a_value_are_on_the_page(kind: str) -> None:
    of_every_kind = own_names(tuple) | own_names(typing.cast(Any, {}.keys().mapping)) | {"to_json"}
    assert own_names(getattr(flowdsl, kind)) - of_every_kind - words(spans()) == set()


def test_the_comparison_sees_what_is_missing_and_what_does_not_exist() -> None:
    assert not exists("flowdsl.nosuch") and not exists("flowdsl.template.nosuch")
    assert exists("flowdsl.template.exposed")
    assert words(["flowdsl.Limits(timeout_s=300)"]) == {"flowdsl", "Limits", "timeout_s"}
    assert members(flowdsl.Branch) == {"context": None, "changes": []}
