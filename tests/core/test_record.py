"""Records: immutable values whose classes cost little."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from flowdsl.record import Record, Row


class Pair(Record):
    """A test value."""

    left: int
    right: tuple[str, ...] = ()


class Other(Record):
    """Another with the same fields."""

    left: int
    right: tuple[str, ...] = ()


def test_fields_come_by_place_by_name_and_by_default() -> None:
    assert Pair(1)._asdict() == {"left": 1, "right": ()}
    assert Pair(1, ("a",)) == Pair(right=("a",), left=1) == Pair(1)._replace(right=("a",))
    assert repr(Pair(1)) == "Pair(left=1, right=())"
    assert str(inspect.signature(Pair)) == "(left, right=())"


def test_records_of_two_classes_are_never_equal() -> None:
    assert Pair(1) != Other(1)
    assert len({Pair(1), Pair(1), Other(1)}) == 2


def test_a_record_does_not_change() -> None:
    with pytest.raises(AttributeError, match="does not change"):
        Pair(1).left = 2  # type: ignore[misc]  # the mistake
    with pytest.raises(AttributeError, match="does not change"):
        del Pair(1).left


def test_a_record_is_copied_and_pickled() -> None:
    assert copy.deepcopy(Pair(1, ("a",))) == pickle.loads(pickle.dumps(Pair(1, ("a",)))) == Pair(1, ("a",))


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, (), 3), {}), ((1,), {"left": 2}), ((1,), {"wrong": 2}), ((), {"right": ()})],
    ids=["none", "too many", "twice", "unknown", "one is missing"],
)
def test_wrong_fields_are_refused_with_the_signature(values: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"Pair takes \(left, right=\(\)\)"):
        Pair(*values, **named)  # type: ignore[arg-type]  # the mistake


class Place(Row):
    """A place."""

    line: int
    text: str = "a"

    @property
    def shown(self) -> str:
        return f"{self.line}: {self.text}"


def test_a_row_is_a_named_tuple() -> None:
    place = Place(1)
    assert place == (1, "a") == Place(text="a", line=1)
    line, text = place
    assert (line, text, place.shown) == (1, "a", "1: a")
    assert place._replace(text="b") == (1, "b")
    assert (Place.__doc__, Place.__name__, Place.__module__) == ("A place.", "Place", __name__)
    assert repr(place) == "Place(line=1, text='a')"
    assert pickle.loads(pickle.dumps(place)) == place
    with pytest.raises(TypeError):
        Place()  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        place.line = 2  # type: ignore[misc]
