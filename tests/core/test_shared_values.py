"""Values that stand in one again and again, that hold themselves, or that are nested deep: each walk ends, in words."""

from __future__ import annotations

import json
import pickle
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import pytest

import flowdsl
from flowdsl import ConfigError, Environment, Host, RunError, UsageError
from flowdsl.cli import main
from flowdsl.template import SecretText, holds_secret, mark
from flowdsl.template.json_values import to_json
from flowdsl.values import copied
from flowdsl.walks import unwalkable

SECRET = "sesame-open-123"
READS = "- {step: SET, k: \"{{ secret('K') }}\"}\n"


def shared(kind: Callable[[Any], Any], depth: int = 60) -> Any:
    value: Any = kind(SecretText(SECRET))
    for _ in range(depth):
        value = kind(value)
    return value


class Pair(NamedTuple):
    """A tuple of its own kind."""

    one: Any
    other: Any


KINDS: dict[str, Callable[[Any], Any]] = {
    "lists": lambda value: [value, value],
    "maps": lambda value: {"a": value, "b": value},
    "tuples": lambda value: (value, value),
    "named tuples": lambda value: Pair(value, value),
    "maps of their own kind": lambda value: UserDict({"a": value, "b": value}),
}


class Give(flowdsl.Step, name="GIVE", outputs=("thing",)):
    """Gives a value of the host."""

    def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
        """Emits it, too."""
        ctx.emit("thing", GIVEN[-1])
        return {"thing": GIVEN[-1]}


GIVEN: list[Any] = []


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_stands_in_many_others_is_walked_over_once(kind: str) -> None:
    began = process_time()
    value = shared(KINDS[kind])
    GIVEN.append(value)
    assert holds_secret(value)
    assert holds_secret(mark(shared(KINDS[kind])))
    copied(value)
    host = Host(secrets=lambda name: SECRET, objects={"o": value}, kv={"k": value}, sink=lambda name, payload: None)
    environment = Environment(settings=None, steps=[Give], host=host)
    result = environment.run(
        f"{READS}- {{step: GIVE}}\n- {{step: SET, a: '{{{{ o }}}}', b: \"{{{{ kv('k') }}}}\"}}\n", {"x": value}
    )
    assert SECRET.encode() not in pickle.dumps(result)
    assert result.images == []
    with pytest.raises(UsageError, match="more than 10,000,000 values when it is written out"):
        result.to_json()
    with pytest.raises(ConfigError, match=r"`x` does not fit its schema: it (is more than|must be a text)|list of 2"):
        environment.run("inputs: {x: {type: array, items: {type: string}}}\nflow: [{step: GIVE}]\n", {"x": [value]})
    assert process_time() - began < 5


def test_what_stands_in_several_places_is_in_each_of_them() -> None:
    one = {"n": 1}
    assert to_json({"a": [one, one], "b": (one,)}) == {"a": [{"n": 1}, {"n": 1}], "b": [{"n": 1}]}
    marked = mark({"a": [one, one]})
    assert marked == {"a": [one, one]}
    assert marked["a"][0] is marked["a"][1]


def test_a_secret_is_known_however_deep_it_stands() -> None:
    value: Any = SecretText(SECRET)
    for _ in range(150):
        value = [value]
    assert holds_secret(value)
    result = Environment(settings=None).run("- {step: SET, a: '{{ flowContext.x }}'}\n", {"x": value})
    assert SECRET not in json.dumps(result.to_json())


def holding_itself() -> Any:
    value: dict[str, Any] = {"items": [1]}
    value["items"].append(value)
    return value


def deep() -> Any:
    value: Any = []
    for _ in range(5000):
        value = [value]
    return value


def test_a_value_that_holds_itself_is_named_with_its_place() -> None:
    assert unwalkable(holding_itself()) == "holds itself at ['items'][1]"
    host = Host(secrets=lambda name: SECRET, objects={"o": holding_itself()}, sink=lambda name, payload: None)
    environment = Environment(settings=None, steps=[Give], host=host)
    GIVEN.append(holding_itself())
    result = environment.run(f"{READS}- {{step: SET, a: '{{{{ o }}}}'}}\n- {{step: GIVE}}\n", {"x": holding_itself()})
    for give in (result.to_json, result.to_dict):
        with pytest.raises(UsageError, match=r"JSON has no form for .* holds itself at \['x'\]\['items'\]\[1\]"):
            give()
    assert pickle.loads(pickle.dumps(result)).outputs["a"]["items"][0] == 1
    with pytest.raises(ConfigError, match=r"`x` does not fit its schema: it holds itself at \['items'\]\[1\]"):
        environment.run("inputs: {x: {type: string}}\nflow: [{step: GIVE}]\n", {"x": holding_itself()})
    with pytest.raises(UsageError, match=r"services.OPENAI_IMAGE_GENERATION holds itself at \['headers'\]"):
        Environment(services={"OPENAI_IMAGE_GENERATION": {"headers": holding_itself()}})


def test_an_item_that_holds_itself_does_not_hide_what_failed() -> None:
    host = Host(objects={"o": holding_itself()})
    with pytest.raises(RunError, match="no") as raised:
        Environment(settings=None, host=host).run(
            "- {step: FOR, items: '{{ [o] }}', var: v, do: [{step: RAISE, message: no}]}\n"
        )
    assert raised.value.result.failed["values"] == {"v": "…"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"objects": {"o": deep()}}, r"objects\['o'\] is nested more than 200 deep at \[0\]"),
        ({"variables": {"o": deep()}}, r"variables\['o'\] is nested more than 200 deep"),
        ({"kv": {"o": deep()}}, r"kv\('o'\) is nested more than 200 deep"),
        ({"objects": {"f": lambda value: value}}, r"inputs is nested more than 200 deep at \['x'\]\[0\]"),
    ],
    ids=["objects", "variables", "kv", "inputs"],
)
def test_a_value_of_the_host_that_is_nested_too_deep_is_refused_in_words(given: dict[str, Any], said: str) -> None:
    inputs = {"x": deep()} if "f" in given.get("objects", {}) else None
    with pytest.raises(flowdsl.FlowError, match=said):
        Environment(settings=None, host=Host(**given)).run("- {step: SET, a: \"{{ kv('o') }}\"}\n", inputs)


def test_what_a_step_or_a_filter_gives_is_refused_in_words_when_it_is_nested_too_deep() -> None:
    GIVEN.append(deep())
    host = Host(secrets=lambda name: SECRET, sink=lambda name, payload: None)
    environment = Environment(settings=None, steps=[Give], host=host, filters={"deep": lambda value: deep()})
    with pytest.raises(flowdsl.StepError, match="secrets cannot be looked for in a value that is nested more than 200"):
        environment.run(f"{READS}- {{step: GIVE}}\n")
    with pytest.raises(flowdsl.TemplateError, match="the filter `deep` gives what cannot be used"):
        environment.run("- {step: SET, a: '{{ 1 | deep }}'}\n")
    with pytest.raises(UsageError, match="nested more than 200 deep"):
        environment.run("- {step: GIVE}\n").to_json()


def test_a_flow_that_doubles_a_list_again_and_again_is_told_of_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.flow.yaml").write_text(
        "- {step: SET, a: ['x']}\n"
        "- {step: FOR, var: i, start: 1, end: 40, do: [{step: SET, a: '{{ [flowContext.a, flowContext.a] }}'}]}\n"
    )
    assert main(["run", str(tmp_path / "a.flow.yaml"), "--json", "--quiet"]) == 2
    assert "more than 10,000,000 values when it is written out" in capsys.readouterr().err
