"""Rules between keys: what each says of a flow, and that its JSON Schema says the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import flowdsl
from flowdsl import (
    AtLeastOne,
    AtMostOne,
    Conflicts,
    Environment,
    ExactlyOne,
    ExclusivePair,
    Limit,
    Options,
    RequiredWhen,
    Rule,
    Service,
    Step,
    StepContext,
    Together,
    Written,
)


class Ruled(Step):
    """A step with three keys."""

    a: Any = None
    """The first key."""
    b: Any = None
    """The second key."""
    c: Any = None
    """The third key."""

    def run(self, ctx: StepContext) -> Written:
        return None


class Excluding(Ruled, name="EXCLUDING", rules=(Conflicts("a", "b", "c"),)):
    """A step whose first key goes with no other."""


class Paired(Ruled, name="PAIRED", rules=(ExclusivePair("a", "b"),)):
    """A step that takes one of two keys."""


class Demanding(Ruled, name="DEMANDING", rules=(RequiredWhen("a", "b", "upload"),)):
    """A step that needs a key for one value of another."""


class One(Ruled, name="ONE", rules=(ExactlyOne("a", "b", "c"),)):
    """A step that takes exactly one key."""


class Some(Ruled, name="SOME", rules=(AtLeastOne("a", "b"),)):
    """A step that takes at least one of two keys."""


class Few(Ruled, name="FEW", rules=(AtMostOne("a", "b", "c"),)):
    """A step that accepts at most one key."""


class Joined(Ruled, name="JOINED", rules=(Together("a", "b", "c"),)):
    """A step that takes all keys or none."""


class Limited(Ruled, name="LIMITED", rules=(Limit("a", 4, "api"),), service="limited", provider="hub"):
    """A step with a limit that its service may lift."""


STEPS = (Excluding, Paired, Demanding, One, Some, Few, Joined, Limited)


def report(step: str, **keys: str) -> str:
    text = f"- step: {step}\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items())
    return flowdsl.render(flowdsl.check(text, environment=Environment(steps=STEPS)))


def test_conflicting_keys_are_reported_at_the_later_one_once_each() -> None:
    assert report("EXCLUDING", b="1", a="2") == (
        "<text>:3:3: error: `a` conflicts with `b` [conflicting-keys]\n"
        "   3 |   a: 2\n"
        "     |   ^\n"
        "  <text>:2:3: conflicts with this\n"
        "   2 |   b: 1\n"
        "     |   -\n"
        "  hint: keep one of the two: `b` or `a`"
    )
    assert report("EXCLUDING", b="1", c="2") == ""


def test_an_exclusive_pair_takes_one_of_two() -> None:
    assert report("PAIRED", a="1", b="2") == (
        "<text>:3:3: error: `b` conflicts with `a` [conflicting-keys]\n"
        "   3 |   b: 2\n"
        "     |   ^\n"
        "  <text>:2:3: conflicts with this\n"
        "   2 |   a: 1\n"
        "     |   -\n"
        "  hint: keep one of the two: `a` or `b`"
    )


def test_a_key_is_required_when_another_has_a_value() -> None:
    assert report("DEMANDING", b="upload") == (
        "<text>:2:3: error: `a` is required when `b` is `upload` [missing-key]\n"
        "   2 |   b: upload\n"
        "     |   ^\n"
        "  hint: add `a:`"
    )
    assert report("DEMANDING", b="'{{ secret(1) }}'") == ""


def test_exactly_one_is_neither_none_nor_two() -> None:
    assert report("ONE") == (
        "<text>:1:9: error: exactly one of `a`, `b` or `c` is needed, and none is here [missing-key]\n"
        "   1 | - step: ONE\n"
        "     |         ^^^\n"
        "  hint: add `a`, `b` or `c`"
    )
    assert report("ONE", a="1", c="2") == (
        "<text>:3:3: error: `a` and `c` cannot stand together: exactly one of `a`, `b` or `c` is needed "
        "[conflicting-keys]\n"
        "   3 |   c: 2\n"
        "     |   ^\n"
        "  <text>:2:3: and this\n"
        "   2 |   a: 1\n"
        "     |   -\n"
        "  hint: keep one of `a`, `b` or `c`"
    )


def test_at_least_one_is_not_none() -> None:
    assert report("SOME", a="~") == (
        "<text>:1:9: error: at least one of `a` or `b` is needed, and none is here [missing-key]\n"
        "   1 | - step: SOME\n"
        "     |         ^^^^\n"
        "  hint: add `a` or `b`"
    )
    assert report("SOME", a="1", b="2") == ""


def test_at_most_one_is_not_two() -> None:
    assert report("FEW") == ""
    assert report("FEW", b="1", a="2") == (
        "<text>:3:3: error: `b` and `a` cannot stand together: at most one of `a`, `b` or `c` may be given "
        "[conflicting-keys]\n"
        "   3 |   a: 2\n"
        "     |   ^\n"
        "  <text>:2:3: and this\n"
        "   2 |   b: 1\n"
        "     |   -\n"
        "  hint: keep one of `a`, `b` or `c`"
    )


def test_keys_that_belong_together_are_all_there_or_none() -> None:
    assert report("JOINED") == ""
    assert report("JOINED", b="1") == (
        "<text>:2:3: error: `a`, `b` and `c` belong together: `a` and `c` are missing [missing-key]\n"
        "   2 |   b: 1\n"
        "     |   ^\n"
        "  hint: add `a` and `c`, or remove `b`"
    )


def test_a_limit_holds_until_the_service_lifts_it() -> None:
    assert report("LIMITED", a="5") == (
        "<text>:2:6: error: `a` is 5, and the step accepts at most 4 [out-of-range]\n"
        "   2 |   a: 5\n"
        "     |      ^\n"
        "  hint: use 4 or less; `limits: api` on the service entry lifts this"
    )
    lifting = Environment(steps=STEPS, services={"limited": {"limits": "api"}})
    assert flowdsl.check("- step: LIMITED\n  a: 5\n", environment=lifting) == []


RULES = [
    Conflicts("a", "b"),
    Conflicts("a", "b", "c"),
    ExclusivePair("a", "b"),
    RequiredWhen("a", "b", "upload"),
    RequiredWhen("a", "b", 1),
    RequiredWhen("a", "b", True),
    ExactlyOne("a", "b"),
    ExactlyOne("a", "b", "c"),
    AtLeastOne("a", "b", "c"),
    AtMostOne("a", "b", "c"),
    Together("a", "b", "c"),
    Limit("a", 4, "api"),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_schema_of_a_rule_agrees_with_its_problems(rule: Rule) -> None:
    schema = Draft202012Validator(rule.schema())
    absent = object()
    some = [absent, None, "upload", "x", 1, 1.0, 4, 4.5, 5, True, False, [], {}]
    for values in itertools.product(some, repeat=3):
        given = {key: value for key, value in zip("abc", values, strict=True) if value is not absent}
        accepted = not list(rule.problems(Options("STEP", given, {})))
        assert schema.is_valid(given) == accepted, given


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_rule_is_a_value(rule: Rule) -> None:
    again = type(rule)(*rule.arguments())
    assert (again, hash(again), repr(again)) == (rule, hash(rule), repr(rule))
    assert [other for other in RULES if other == rule] == [rule]


def test_a_rule_is_described_in_the_words_of_the_docs() -> None:
    assert [rule.describe() for rule in RULES[1:4]] + [rule.describe() for rule in RULES[6:]] == [
        "`a` Conflicts: b, c",
        "Mutually exclusive: a, b",
        "`a` Required when b = upload",
        "Require Exactly One: a, b",
        "Require Exactly One: a, b, c",
        "Require At Least One: a, b, c",
        "At Most One: a, b, c",
        "Require Together: a, b, c",
        "`a` Maximum: 4, unless the service entry says `limits: api`",
    ]


def test_the_value_in_force_is_the_given_one_then_the_services_then_the_default() -> None:
    service = Service("s", {"model": "m", "options": {"size": "big"}})
    options = Options(
        "STEP", {"n": 2, "size": None}, {"n": 1, "size": "small", "model": "d", "style": "vivid"}, service
    )
    assert [options.value(key) for key in ("n", "size", "model", "style", "other")] == [2, "big", "m", "vivid", None]
