"""Values of hosts that few expect: numbers beyond floats, lists that hold themselves, damaged files."""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment
from flowdsl.testing import Recording


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("NaN"), "NaN NaN"),
        (Decimal("sNaN"), "NaN NaN"),
        (Decimal("-Infinity"), "-Infinity -Infinity"),
        (Decimal("1e400000"), "Infinity Infinity"),
        (Decimal("1e-400000"), "0 1"),
        (Decimal("2.50"), "2.5 3.5"),
        (Decimal("9007199254740993"), "9007199254740993 9007199254740994"),
        (Fraction(-(10**400), 3), "-Infinity -Infinity"),
        (Fraction(7, 2), "3.5 4.5"),
    ],
    ids=["none", "signalling none", "infinite", "huge", "tiny", "plain", "long", "huge fraction", "fraction"],
)
def test_a_number_of_the_host_beyond_all_floats_is_one_in_templates(value: Any, shown: str) -> None:
    environment = Environment(settings=None, host=flowdsl.Host(objects={"d": value}))
    assert (
        environment.run("undefined: lenient\nflow:\n- step: SET\n  a: 'x {{ d }} {{ d + 1 }}'\n").outputs["a"]
        == f"x {shown}"
    )


def test_values_that_hold_themselves_can_be_given_to_a_run() -> None:
    items: list[Any] = ["a"]
    items.append(items)
    named: dict[str, Any] = {"items": items}
    named["self"] = named
    flow = (
        "inputs: {x: {}}\nflow:\n- step: SET\n  a: '{{ inputs.x.items[0] }}'\n- step: SET\n  b: \"{{ secret('K') }}\"\n"
    )
    host = flowdsl.Host(
        variables={"v": items}, objects={"o": named}, kv={"k": items}, secrets=lambda name: "secret-value"
    )
    result = Environment(settings=None, host=host).run(flow, {"x": named}, on_event=lambda event: None)
    assert result.context["a"] == "a"


def test_a_process_without_a_standard_error_emits_nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert Environment(settings=None).run("flow:\n- step: EMIT_EVENT\n  name: x\n  payload: hi\n").steps == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"v": 1}',
        '{"v": 1, "recorded": 5}',
        '{"v": 1, "recorded": [{"at": "x"}]}',
        '{"v": 1, "recorded": [{"at": [], "key": "x", "number": 0, "request": 1}]}',
        '{"v": 1, "recorded": [{"at": "a", "key": "x", "number": 0, "request": 1, "emitted": 5}]}',
        '{"v": 1, "recorded": [5]}',
    ],
    ids=["no rows", "rows are a number", "half a row", "place is a list", "emitted is a number", "row is a number"],
)
def test_a_damaged_recording_is_said_to_be_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text(text, encoding="utf-8")
    with pytest.raises(flowdsl.UsageError, match="holds a damaged recording"):
        Recording.load(tmp_path)
