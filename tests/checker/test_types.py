"""Abstract values and their joins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl.checker.types.kinds import ANY, OF_IMAGE, OF_TEXT, UNDEFINED, describe, join, list_of, of_value, within
from flowdsl.checker.types.results import GIVES, TAKES, member

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.long
@given(values, values)
def test_a_join_holds_both_and_does_not_depend_on_their_order(a: Any, b: Any) -> None:
    one, other = of_value(a), of_value(b)
    both = join(one, other)
    assert within(one, both)
    assert within(other, both)
    assert within(both, join(other, one))
    assert within(join(other, one), both)


@given(values, values, values)
def test_joining_is_associative(a: Any, b: Any, c: Any) -> None:
    one, two, three = of_value(a), of_value(b), of_value(c)
    left, right = join(join(one, two), three), join(one, join(two, three))
    assert within(left, right)
    assert within(right, left)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "a text"),
        (1, "a whole number"),
        (1.5, "a number"),
        (None, "null"),
        ([1, "a"], "a list"),
        ({"a": 1}, "a map"),
        (object(), "any value"),
    ],
)
def test_a_type_is_described_in_words(value: Any, expected: str) -> None:
    assert describe(of_value(value)) == expected
    assert describe(join(of_value(value), of_value(None))) == (
        expected if expected in ("null", "any value") else f"{expected} or null"
    )


def test_members_are_as_the_value_has_them() -> None:
    assert describe(member(of_value({"a": [1]}), "a")) == "a list"
    assert member(of_value({"a": 1}), "b").kinds == UNDEFINED
    assert describe(member(of_value([1, "a"]), "1")) == "a text"
    assert member(of_value([1, "a"]), "2").kinds == UNDEFINED
    assert describe(member(list_of(OF_TEXT), "7")) == "a text"
    assert describe(member(OF_TEXT, "length")) == "a whole number"
    assert describe(member(OF_TEXT, "trim")) == "a function"
    assert member(OF_IMAGE, "foo").kinds == UNDEFINED
    assert member(OF_IMAGE, "url").is_any
    assert member(ANY, "foo").is_any


def test_every_word_for_what_filters_give_and_take_has_a_type() -> None:
    from typing import get_args

    from flowdsl.template.filters import FILTERS
    from flowdsl.template.filters.record import Gives

    assert set(GIVES) == set(get_args(Gives)) == {record.gives for record in FILTERS.values()}
    assert set(TAKES) == {record.takes for record in FILTERS.values()} - {""}


@given(values)
def test_what_filters_give_is_of_the_type_that_is_declared(value: Any) -> None:
    from flowdsl.errors import TemplateError
    from flowdsl.template.filters import FILTERS
    from flowdsl.template.values import UNDEFINED as NOTHING

    for name, record in FILTERS.items():
        try:
            found = record.function(value)
        except TemplateError:
            continue
        if found is NOTHING:
            continue  # an empty list has no first item; that is not thought of
        result = GIVES[record.gives]
        declared = result if not callable(result) else result(of_value(value))
        assert within(of_value(found), declared), (name, value, found, describe(declared))
