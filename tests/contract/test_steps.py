"""What every registered step keeps: described keys, examples that check and run, and one truth in three forms."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from loopback_web import running_web
from pydantic import ValidationError

import flowdsl
from flowdsl.cli import main
from flowdsl.cli.simulated import overrides, placeholder_secret
from flowdsl.reference.docstrings import documented
from flowdsl.reference.schema import flow_schema, flow_test_schema, kit_schema, module_schema, step_schema
from flowdsl.source import Source
from flowdsl.step.registry import installed
from flowdsl.step.rules import Limit, Options
from flowdsl.step.spec import BLOCK_TYPES, Key, StepSpec, is_templated
from flowdsl.syntax.yaml_reader import read
from flowdsl_steps.image.simulator import Simulator

ROOT = Path(__file__).parents[2]
NAMES = list(installed())
AS_OF = date(2026, 11, 21)
LIMIT_OF_SUBSETS = 3000


@cache
def spec_of(name: str) -> StepSpec:
    """The step without its capability check, which checks more than one step's options."""
    spec = documented(installed().step_class(name))
    return StepSpec.from_index({**spec.to_index(), "check": None})


@cache
def whole(kind: str) -> Draft202012Validator:
    """Checks files of a kind by the schema of all steps."""
    if kind == "test":
        return Draft202012Validator(flow_test_schema())
    schema = {"flow": flow_schema, "module": module_schema, "ai-kit": kit_schema}[kind]
    return Draft202012Validator(schema([spec_of(name) for name in NAMES]))


VALIDATORS = {name: Draft202012Validator(step_schema(spec_of(name))) for name in NAMES}
EXAMPLES = [(name, example) for name in NAMES for example in spec_of(name).examples]


@pytest.mark.parametrize("name", NAMES)
def test_every_key_and_port_is_described(name: str) -> None:
    spec = spec_of(name)
    nameless = [key.name for key in spec.keys.values() if not key.summary]
    nameless += [port.type for port in (*spec.inputs, *spec.outputs) if not port.summary]
    assert nameless == []
    assert spec.summary


@pytest.mark.parametrize("name", NAMES)
def test_every_step_has_an_example(name: str) -> None:
    assert spec_of(name).examples


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_checks_without_errors(name: str, example: str) -> None:
    services = {service: {"endpoint": "https://gateway.example", "apiKey": "k"} for service in ("HUB",)}
    findings = flowdsl.check(example, environment=flowdsl.Environment(services=services, as_of=AS_OF))
    assert [(finding.code, finding.message) for finding in findings if finding.severity != "note"] == []


@pytest.mark.long
@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_runs_on_the_simulator(
    name: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = b'{"title": "Dawn", "animal": "cat", "prompt": "a harbour"}'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(message)))
    events: list[flowdsl.Event] = []
    with Simulator() as simulator, running_web({"/articles": [{"title": "Dawn"}]}) as web:
        environment = flowdsl.Environment(
            overrides=overrides(simulator.url, simulator.key),
            limits=flowdsl.Limits(private_addresses=True),
            as_of=AS_OF,
            host=flowdsl.Host(secrets=placeholder_secret),
            storage=flowdsl.Storage(images=tmp_path, output=tmp_path / "files"),
        )
        text = example.replace("https://api.example.com", web.url)
        result = environment.run(text, on_event=events.append)
    finished = sum(isinstance(event, flowdsl.StepFinished) for event in events)
    assert result.steps == finished > 0
    assert isinstance(events[-1], flowdsl.FlowFinished)
    assert events[-1].status == "done"


def faults_of(kind: str, text: str) -> list[str]:
    """What the schema of a kind of file says against a text."""
    root, _ = read(Source(text))
    assert root is not None
    return [error.message for error in whole(kind).iter_errors(root.plain())]


@pytest.mark.parametrize("kind", ["flow", "module", "ai-kit", "test"])
def test_the_schema_of_a_kind_of_file_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(whole(kind).schema)


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_of_a_step_is_a_schema_and_its_examples_fit_the_whole(name: str) -> None:
    Draft202012Validator.check_schema(step_schema(spec_of(name)))
    assert [fault for example in spec_of(name).examples for fault in faults_of("flow", example)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests/golden/ok").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_right_flow_fits_the_schema(path: Path) -> None:
    assert faults_of("flow", path.read_text(encoding="utf-8")) == []


FILES = [
    path
    for path in sorted((ROOT / "examples").rglob("*.yaml"))
    if path.parent.name != "systems" and ".snapshots." not in path.name
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_file_fits_the_schema_of_its_kind(path: Path) -> None:
    assert faults_of(path.name.split(".")[1], path.read_text(encoding="utf-8")) == []


FAULTY = {
    "- step: SETT\n": "'SETT' is not one of",
    "- step: SET\n  1x: 1\n": "'1x' does not match",
    "flow: [{step: SET}]\nflwo: []\n": "'flwo' was unexpected",
    "services: {HUB: {apikey: x}}\nflow: [{step: SET}]\n": "'apikey' was unexpected",
    "- step: HUB_IMAGE_GENERATION\n  options: {size: 1}\n": "1 is not of type 'string', 'null'",
    "- step: HUB_IMAGE_GENERATION\n  style: vivid\n  output_format: png\n": "should not be valid under",
    "- step: HUB_IMAGE_GENERATION\n  outputs: [{type: text, name: x}]\n": "'text' is not one of",
    "[]\n": "[] should be non-empty",
    "title: 1\n": "'flow' is a required property",
    "- step: IF\n  condition: yes\n  then: [{step: SETT}]\n": "'SETT' is not one of",
    "- step: SWITCH\n  condition: x\n  cases: {a: [{step: SLEEP, delay: long}]}\n": "is not valid under any",
    "- step: PARALLEL\n  steps: [[{step: SET}], [{stp: SET}]]\n": "'step' is a required property",
    "- step: PARALLEL\n  steps: [[{step: SET}]]\n": "is too short",
    "onError: [{step: SETT}]\nflow: [{step: SET}]\n": "'SETT' is not one of",
    "blocks: {flows: {a: [{step: SETT}]}}\nflow: [{step: SET}]\n": "'SETT' is not one of",
    "imports: [{from: a}]\nflow: [{step: SET}]\n": "'as' is a required property",
}


@pytest.mark.parametrize(("text", "message"), FAULTY.items())
def test_a_wrong_flow_does_not_fit_the_schema(text: str, message: str) -> None:
    found = faults_of("flow", text)
    assert any(message in error for error in found), found


FAULTY_ROOTS = {
    "imports: []\n": ("module", "is not valid under any of the given schemas"),
    "blocks: {flows: {a: [{step: SETT}]}}\n": ("module", "'SETT' is not one of"),
    "AI_KIT: {SECTIONS: [{actions: [{title: A}]}]}\n": ("ai-kit", "'flow' is a required property"),
    "AI_KIT: {SECTIONS: [{actions: [{flow: [{step: SETT}]}]}]}\n": ("ai-kit", "'SETT' is not one of"),
}


@pytest.mark.parametrize(("text", "expected"), FAULTY_ROOTS.items())
def test_a_wrong_module_or_kit_does_not_fit_its_schema(text: str, expected: tuple[str, str]) -> None:
    kind, message = expected
    found = faults_of(kind, text)
    assert any(message in error for error in found), found


def fitting(key: Key) -> Any:
    """A value that suits a key."""
    if key.choices:
        return key.choices[0]
    if key.type in ("integer", "number"):
        return int(key.minimum if key.minimum is not None else min(key.maximum or 1, 1))
    shapes: dict[str, Any] = {"boolean": True, "list": [1], "map": {"a": 1}, "any": "x"}
    shapes |= {"steps": [], "cases": {"a": []}, "branches": [[], []]}
    return shapes.get(key.type, "abc")


def subsets(names: list[str]) -> Iterator[tuple[str, ...]]:
    """All subsets of the keys where they are few, else those of at most two keys and all but two."""
    if 2 ** len(names) <= LIMIT_OF_SUBSETS:
        return chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
    small = chain.from_iterable(combinations(names, size) for size in range(3))
    return chain(small, (tuple(n for n in names if n not in left) for left in combinations(names, 2)), [tuple(names)])


def accepted(spec: StepSpec, values: dict[str, Any]) -> bool:
    """Whether the spec has nothing against the options."""
    return not list(spec.problems(Options(spec.name, values, spec.defaults)))


@pytest.mark.parametrize("name", NAMES)
def test_rules_and_schema_agree_on_every_subset_of_keys(name: str) -> None:
    spec, validator = spec_of(name), VALIDATORS[name]
    keys = {key.name: fitting(key) for key in spec.keys.values()}
    disagreed = [
        chosen
        for chosen in subsets(list(keys))
        if accepted(spec, values := {key: keys[key] for key in chosen}) != validator.is_valid(values)
    ]
    assert disagreed == []


def boundary_values(key: Key) -> list[Any]:
    """Values on and around the constraints of a key, and one of each other type."""
    bounds = [int(bound) + step for bound in (key.minimum, key.maximum) if bound is not None for step in (-1, 0, 1)]
    lengths = [bound + step for bound in (key.min_length, key.max_length) if bound is not None for step in (-1, 0, 1)]
    texts = ["a" * length for length in lengths if length >= 0]
    texts += ["name\n", "größe", "_a1", "1a"] if key.pattern else []
    return [*key.choices, *bounds, *texts, None, "", "x", 0, 1, -1, 0.5, True, False, [1, "a"], [], {"a": 1}, {}]


def keys_with_values(name: str) -> list[Key]:
    """The keys of a step that hold a value, and no steps."""
    return [key for key in spec_of(name).keys.values() if key.type not in BLOCK_TYPES]


@cache
def without_rules(name: str) -> StepSpec:
    """The step with what it says of single keys, and without the rules between them."""
    entry = spec_of(name).to_index()
    return StepSpec.from_index({**entry, "rules": [rule for rule in entry["rules"] if rule[0] == Limit.__name__]})


def any_value() -> st.SearchStrategy[Any]:
    """Any scalar that is no template; whole numbers as integers, because JSON Schema sees no difference."""
    text = st.text(st.characters(codec="utf-8"), max_size=12).filter(lambda value: not is_templated(value))
    fraction = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not value.is_integer())
    return text | st.integers() | st.booleans() | fraction


def model_accepts(name: str, key: Key, value: Any) -> bool:
    """Whether the step's model takes the value, type for type."""
    if value is None:
        return not key.required  # null is absence, and the engine leaves it out
    try:
        installed().step_class(name).model_validate_json(json.dumps({key.name: value}), strict=True)
    except ValidationError as error:
        return not any(found["loc"][:1] in ((key.field,), (key.name,)) for found in error.errors())
    return True


@pytest.mark.parametrize("name", NAMES)
def test_model_schema_and_spec_agree_on_values_around_every_constraint(name: str) -> None:
    for key in spec_of(name).keys.values():
        for value in boundary_values(key) if key.type not in BLOCK_TYPES else ():
            assert_agreement(name, key, value)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in NAMES if keys_with_values(name)])
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_model_schema_and_spec_agree_on_any_value(name: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(keys_with_values(name)))
    assert_agreement(name, key, data.draw(any_value()))


def assert_agreement(name: str, key: Key, value: Any) -> None:
    """The spec's problems of one key, its schema, and the step's model say the same of a value."""
    problems = [p for p in without_rules(name).problems(Options(name, {key.name: value}, {})) if p.key == key.name]
    missing = value is None and key.required
    assert key_is_valid(name, key, value) == (not problems and not missing), (key.name, value, problems)
    constraint = None if value is None else key.problem(value)
    assert model_accepts(name, key, value) == (constraint is None and not missing), (key.name, value, constraint)


def key_is_valid(name: str, key: Key, value: Any) -> bool:
    """Whether the schema has nothing against the value of one key."""
    if isinstance(value, str) and value.endswith("\n") and key.pattern:
        return False  # the validator's `$` is Python's, which lets a last line break through; ECMAScript's does not
    errors = VALIDATORS[name].iter_errors({key.name: value})
    return not any(list(error.absolute_path)[:1] == [key.name] for error in errors)


@pytest.mark.parametrize(
    "command", [["schema", "--check"], ["schema", "--index", "flowdsl_steps", "--check"], ["docs", "--check"]]
)
def test_generated_files_are_up_to_date(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    code = main(command)
    assert (code, capsys.readouterr().err) == (0, "")
