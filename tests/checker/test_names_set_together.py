"""`{% set a, b = list %}` gives both names the whole list, which habit takes for its two items."""

from __future__ import annotations

from tests.checker.test_advice import checked

FLOW = '- step: SET\n  pair: [1, 2]\n  text: "{{% set {} %}}{{{{ a }}}} and {{{{ b }}}}"\n'


def test_a_list_for_several_names_is_a_warning_with_the_way_to_write_it() -> None:
    (found,) = checked(FLOW.format("a, b = flowContext.pair"))
    assert (found.code, found.severity) == ("wrong-type", "warning")
    assert found.message == "`flowContext.pair` is a list, and each of the 2 names gets all of it"
    first, second = "{% set a = flowContext.pair[0] %}", "{% set b = flowContext.pair[1] %}"
    assert found.hint == f"set each by itself: `{first}` and `{second}`"
    assert not checked(FLOW.format("x = 0").replace("{% set x = 0 %}", first + second))


def test_what_may_be_a_list_is_a_warning_too() -> None:
    flow = f"inputs:\n  pair: {{}}\nflow:\n{FLOW.format('a, b = inputs.pair')}"
    (found,) = checked(flow)
    assert (found.code, found.severity) == ("wrong-type", "warning")
    assert found.message == "`inputs.pair` may be a list, and each of the 2 names gets all of it"
    apart = "{% set a = inputs.pair[0] %}{% set b = inputs.pair[1] %}"
    assert not checked(flow.replace("{% set a, b = inputs.pair %}", apart))


def test_one_value_for_several_names_is_no_mistake() -> None:
    assert not checked(FLOW.format("a, b = 0"))
    assert not checked(FLOW.format("a, b = flowContext.pair[0]"))
