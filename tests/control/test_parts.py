"""The parts of the control steps: conditions, counting, delays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flowdsl import ServiceUnavailable, StepError, holds
from flowdsl.template import UNDEFINED
from flowdsl_steps.control.iterations import counted
from flowdsl_steps.control.repeat import Repeat


@pytest.mark.parametrize(
    "value", ["", " \n", "false", "FALSE", " Null ", "undefined", "None", 0, 0.0, False, None, UNDEFINED]
)
def test_these_conditions_do_not_hold(value: object) -> None:
    assert holds(value) is False


@pytest.mark.parametrize("value", ["0", "no", "off", "x", 1, -1, 0.5, True, [], {}, [0]])
def test_these_conditions_hold(value: object) -> None:
    assert holds(value) is True


@pytest.mark.parametrize(
    ("start", "end", "by", "expected"),
    [
        (1, 3, None, [1, 2, 3]),
        (3, 1, None, [3, 2, 1]),
        (5, 5, None, [5]),
        (5, 5, -7, [5]),
        (1, 10, 4, [1, 5, 9]),
        (10, 1, -4, [10, 6, 2]),
        (1, 3, -1, []),
        (3, 1, 1, []),
        (0, 0.3, 0.1, [0, 0.1, 0.2, 0.3]),
        (1.5, 0, None, [1.5, 0.5]),
        (0.3, 0, -0.1, [0.3, 0.2, 0.1, 0]),
        (1, 2, 0.5, [1, 1.5, 2]),
        (0, 1e-7, 5e-8, [0, 5e-8, 1e-7]),
    ],
)
def test_numbers_are_counted_exactly(start: float, end: float, by: float | None, expected: list[float]) -> None:
    size, value = counted(start, end, by)
    assert [value(index) for index in range(size)] == expected


def test_whole_numbers_stay_whole() -> None:
    _, value = counted(1, 3, None)
    assert [type(value(index)) for index in range(3)] == [int, int, int]


def test_counting_to_a_huge_number_costs_nothing() -> None:
    size, value = counted(0, 1e300, 0.5)
    assert size == 2 * 10**300 + 1
    assert value(3) == 1.5


def test_delays_grow_up_to_their_maximum() -> None:
    repeat = Repeat.of({"max": 5, "delayMs": 100, "backoff": 3, "maxDelayMs": 500, "jitter": False})
    assert [repeat.delay_s(again) for again in range(4)] == [0.1, 0.3, 0.5, 0.5]


def test_jitter_draws_between_half_and_all_of_the_delay() -> None:
    repeat = Repeat.of({"delayMs": 100, "jitter": None})
    drawn = [repeat.delay_s(0) for _ in range(200)]
    assert min(drawn) >= 0.05 and max(drawn) <= 0.1
    assert len(set(drawn)) > 1


def test_only_an_error_that_cost_nothing_and_may_pass_is_repeated() -> None:
    repeat, anew = Repeat(), Repeat(paid="again")
    for each in (repeat, anew):
        assert each.covers(ServiceUnavailable("x", retryable=True))
        assert not each.covers(ServiceUnavailable("x", retryable=True, charge_possible=True))
        assert not each.covers(ServiceUnavailable("x"))
        assert not each.covers(StepError("x"))
    raised = StepError("x")
    raised.step = "RAISE"
    assert not repeat.covers(raised)
    assert anew.covers(raised)


@pytest.mark.parametrize("module", ["exit", "iterations", "repeat"])
def test_checking_options_imports_neither_pydantic_nor_asyncio(module: str) -> None:
    code = f"import sys, flowdsl_steps.control.{module}; print({{'pydantic', 'asyncio'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
