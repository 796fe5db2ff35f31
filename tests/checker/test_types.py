"""Abstract values and their joins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl.checker.types.kinds import ANY, OF_IMAGE, OF_TEXT, UNDEFINED, describe, join, list_of, of_value, within
from flowdsl.checker.types.results import FILTERS, member

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


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
def test_a_type_is_told_in_words(value: Any, expected: str) -> None:
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


def test_every_filter_with_a_known_result_exists() -> None:
    from flowdsl.template.filters import FILTERS as REAL

    assert set(FILTERS) <= set(REAL)


@given(values)
def test_what_filters_give_is_of_the_type_that_is_told(value: Any) -> None:
    from flowdsl.errors import TemplateError
    from flowdsl.template.filters import FILTERS as REAL
    from flowdsl.template.values import UNDEFINED as NOTHING

    for name, result in FILTERS.items():
        try:
            found = REAL[name].function(value)
        except TemplateError:
            continue
        if found is NOTHING:
            continue  # an empty list has no first item; that is not thought of
        told = result if not callable(result) else result(of_value(value))
        assert within(of_value(found), told), (name, value, found, describe(told))
