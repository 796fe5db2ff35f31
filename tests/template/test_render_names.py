"""`render` and `evaluate` for hosts: the FlowContext itself, and other roots by name."""

from __future__ import annotations

import pytest

from flowdsl.errors import UsageError
from flowdsl.template import evaluate, render


def test_other_roots_are_given_as_names() -> None:
    text = "{{ flowContext.city }} {{ city }} {{ inputs.n }}"
    assert render(text, {"city": "Lisbon"}, names={"inputs": {"n": 2}}) == "Lisbon Lisbon 2"
    assert evaluate("{{ inputs.n }}", {}, names={"inputs": {"n": 2}}) == 2


@pytest.mark.parametrize("call", [render, evaluate])
def test_a_map_of_roots_in_place_of_the_context_is_refused(call: object) -> None:
    with pytest.raises(UsageError, match="takes the FlowContext itself"):
        call("{{ flowContext.city }}", {"flowContext": {"city": "x"}})  # type: ignore[operator]
