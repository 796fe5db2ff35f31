"""A dialect of somebody else's package that does what it must not is an error that names it and its entry point."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from flowdsl import PluginError, RunError, check
from flowdsl.cli.account import Account
from flowdsl.diagnostics import Edit, Fix
from flowdsl.document import dialects
from flowdsl.document.dialects import Dialect, Findings, made
from flowdsl.source import Source, Span
from flowdsl.syntax.node import Node

TEXT = "PROMPTS\none\ntwo\n"
WHERE = "the dialect Odd (odd = odd_package:Odd) fails in "


def place(root: Node, start: int = 0, end: int = 3) -> Span:
    return Span(root.source, start, end)


def steps(root: Node, *, at: Any = None, **values: Any) -> Node:
    return made([{"step": "SET", **values}], at or place(root))


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def itself(root: Node, findings: Findings) -> Node:
    node = Node("list", [], *place(root))
    node.value.append(node)
    return node


def deep(root: Node, findings: Findings) -> Node:
    node = made("x", place(root))
    for _ in range(5000):
        node = Node("list", [node], *place(root))
    return steps(root, a=node)


def finding(root: Node, findings: Findings, **more: Any) -> Node:
    findings.add("my-code", more.pop("message", "odd"), place(root), **more)
    return steps(root, a=1)


def fix(root: Node, *spans: tuple[int, int]) -> list[Fix]:
    return [Fix("mend it", tuple(Edit(place(root, *span), "x") for span in spans))]


LOWER: dict[str, Callable[[Node, Any], Any]] = {
    "an error": raising(ZeroDivisionError("odd")),
    "the end of the process": raising(SystemExit(3)),
    "a cancellation": raising(asyncio.CancelledError()),
    "recursion": raising(RecursionError("deep")),
    "a text": lambda root, _: "text",
    "a list": lambda root, _: [{"step": "SET"}],
    "nothing and no reason": lambda root, _: None,
    "a kind that there is not": lambda root, _: Node("step", 1, *place(root)),  # type: ignore[arg-type]
    "a map of Python": lambda root, _: Node("list", [{"step": "SET"}], *place(root)),
    "a map without its keys": lambda root, _: Node("list", [Node("map", {"step": root}, *place(root))], *place(root)),
    "an object": lambda root, _: steps(root, a=object()),
    "bytes": lambda root, _: steps(root, a=b"x"),
    "a key that is a number": lambda root, _: made([{"step": "SET", 5: 1}], place(root)),
    "a place behind the end": lambda root, _: steps(root, at=place(root, 10_000, 20_000), a=1),
    "a place before the start": lambda root, _: steps(root, at=place(root, -5, -1), a=1),
    "a place that runs backwards": lambda root, _: steps(root, at=place(root, 9, 2), a=1),
    "a place of no file": lambda root, _: steps(root, at=Span(None, 1, 2), a=1),  # type: ignore[arg-type]
    "a place between characters": lambda root, _: steps(root, at=Span(root.source, 1.5, 2), a=1),  # type: ignore[arg-type]
    "nodes that hold themselves": itself,
    "nodes without an end": deep,
    "a finding that is a text": lambda root, found: found.diagnostics.append("x"),
    "a finding without a place": lambda root, found: found.add("my-code", "odd", 5),
    "a finding in bytes": lambda root, found: finding(root, found, message=b"odd"),
    "edits that overlap": lambda root, found: finding(root, found, fixes=fix(root, (0, 5), (3, 7))),
    "an edit behind the end": lambda root, found: finding(root, found, fixes=fix(root, (0, 99_999))),
}
RECOGNISES: dict[str, Callable[..., Any]] = {
    "an error": raising(ZeroDivisionError("odd")),
    "the end of the process": raising(SystemExit(3)),
    "a function of nothing": lambda: True,
}
READ: dict[str, Callable[..., Any]] = {
    "nothing": lambda *_: None,
    "a node alone": lambda _, source: Node("scalar", "x", source, 0, 1),
    "a text for a node": lambda *_: ("x", []),
    "a text for a mistake": lambda *_: (None, ["x"]),
    "nothing and no reason": lambda *_: (None, []),
    "three things": lambda *_: (None, [], 1),
    "a generator": lambda *_: (each for each in (None, [])),
}


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a dialect with these members."""

    def install(**members: Any) -> None:
        good = {
            "reads_text": True,
            "recognises": lambda *_: True,
            "read": lambda _, source: (Node("scalar", source.text, source, 0, len(source.text)), []),
            "lower": lambda _, root, findings: steps(root, a=1),
        }
        cls = type("Odd", (Dialect,), {**good, **members})
        monkeypatch.setattr(dialects, "targets", lambda group: {("odd", "odd_package:Odd")})
        monkeypatch.setattr(dialects, "load", lambda *_: cls)

    return install


@pytest.mark.parametrize("case", LOWER)
def test_what_it_makes_of_a_file_is_looked_over(case: str, odd: Callable[..., None]) -> None:
    odd(lower=lambda _, root, findings: LOWER[case](root, findings))
    with pytest.raises(PluginError) as failed:
        check(TEXT)
    assert str(failed.value).startswith(f"{WHERE}`lower`: ")


@pytest.mark.parametrize("case", RECOGNISES)
def test_a_dialect_that_cannot_say_whether_a_file_is_its_own_is_named(case: str, odd: Callable[..., None]) -> None:
    odd(recognises=RECOGNISES[case])
    with pytest.raises(PluginError) as failed:
        check(TEXT)
    assert str(failed.value).startswith(f"{WHERE}`recognises`: ")


@pytest.mark.parametrize("case", READ)
def test_what_it_reads_is_looked_over(case: str, odd: Callable[..., None]) -> None:
    odd(read=READ[case])
    with pytest.raises(PluginError) as failed:
        check(TEXT)
    assert str(failed.value).startswith(f"{WHERE}`read`: ")


@pytest.mark.parametrize("method", ["recognises", "read", "lower"])
def test_an_async_function_where_a_plain_one_is_meant_is_named(method: str, odd: Callable[..., None]) -> None:
    async def late(*_: Any) -> None:
        """Comes too late."""

    odd(**{method: late})
    with pytest.raises(PluginError, match="it is async, and a plain function is meant"):
        check(TEXT)


def test_what_is_odd_and_right_is_taken(odd: Callable[..., None]) -> None:
    odd(lower=lambda _, root, findings: made([{"step": "NOPE"}] * 3, Span(Source("abc", "other.txt"), 0, 2)))
    assert {(found.code, found.span.path) for found in check(TEXT)} == {("unknown-step", "other.txt")}
    odd(lower=lambda _, root, findings: steps(root, a="x" * 10_000_000))
    assert check(TEXT) == []


def test_of_two_that_recognise_a_file_the_first_by_name_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def dialect(step: str) -> type[Dialect]:
        lower = lambda _, root, findings: made([{"step": step}], root.span)  # noqa: E731
        return type(step, (Dialect,), {"recognises": lambda *_: True, "lower": lower})

    monkeypatch.setattr(dialects, "targets", lambda group: {("b", "b:B"), ("a", "a:A")})
    monkeypatch.setattr(dialects, "load", lambda group, name, target: dialect(f"OF_{name.upper()}"))
    assert "OF_A" in check("[1]\n")[0].message
    assert "odd_package" not in sys.modules


@pytest.mark.parametrize(
    "form", [raising(ZeroDivisionError()), lambda *_: {"a": object()}, lambda *_: len], ids=["raises", "object", "none"]
)
def test_a_form_for_failures_that_fails_hides_no_account(
    form: Callable[..., Any], odd: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    odd(failure=form)
    account = Account(simulated=False, source=Source(TEXT, "a.txt"))
    assert account.to_json(RunError("no")) == account.to_dict(RunError("no"))
    assert f"flowdsl: {WHERE}`failure`: " in capsys.readouterr().err
