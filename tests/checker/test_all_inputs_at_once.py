"""Everything that is wrong with the inputs of a run is said at once."""

from __future__ import annotations

import pytest

import flowdsl
from flowdsl.errors import ConfigError

FLOW = """\
inputs:
  a: {type: string}
  b: {type: string}
  n: {type: integer}
flow:
  - step: SET
    text: "{{ inputs.a }} {{ inputs.b }} {{ inputs.n }}"
"""


def test_missing_unknown_and_wrong_inputs_are_one_error() -> None:
    with pytest.raises(ConfigError) as caught:
        flowdsl.load(FLOW).run({"n": "two", "c": 1})
    assert caught.value.code == "invalid-input"
    assert caught.value.message.splitlines() == [
        "4 inputs are wrong:",
        "  the flow declares no input `c`",
        "  the input `a` is missing",
        "  the input `b` is missing",
        "  the input `n` does not fit its schema: `two` is a text, and must be a whole number",
    ]
    assert caught.value.hint is not None
    assert '`{"a": …}`' in caught.value.hint
    assert '`{"b": …}`' in caught.value.hint


def test_one_wrong_input_is_said_as_ever() -> None:
    with pytest.raises(ConfigError) as caught:
        flowdsl.load(FLOW).run({"a": "x", "b": "y"})
    assert (caught.value.code, caught.value.message) == ("missing-input", "the input `n` is missing")
