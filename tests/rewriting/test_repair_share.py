"""Most mistakes that have a hint can be fixed, no file is worse for it, and what is clean then runs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from repair_share import ENVIRONMENT, TESTS, Case, cases, unrepaired

from flowdsl import Environment, Host, Limits, RunError, Source, Storage, UsageError
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.rewriting.fixing import repaired
from flowdsl.syntax.yaml_reader import read, read_bytes
from flowdsl_steps.image.simulator import Simulator, stand_in

sys.path.append(str(TESTS / "fuzz"))
from fuzz_lossless import MUTATIONS

pytestmark = pytest.mark.long
UNREPAIRED = TESTS / "golden" / "unrepaired.txt"


@pytest.fixture(scope="module")
def tried() -> list[Case]:
    return list(cases())


def errors(found: list[Diagnostic]) -> int:
    return sum(finding.severity == "error" for finding in found)


def syntax_errors(source: Source) -> int:
    return errors(read(source, lambda path, span: (None, []))[1])


def test_of_findings_with_a_hint_at_least_60_of_100_are_corrected(tried: list[Case], update_golden: bool) -> None:
    hinted = sum(finding.hint is not None for case in tried for finding in case.found)
    left = sum(finding.hint is not None for case in tried for finding in case.left())
    print(f"{hinted - left} of {hinted} findings with a hint are corrected: {(hinted - left) / hinted:.1%}")
    assert (hinted - left) / hinted > 0.75
    page = unrepaired(tried)
    if update_golden:
        UNREPAIRED.write_text(page, encoding="utf-8")
    assert page == UNREPAIRED.read_text(encoding="utf-8")


def test_what_stays_has_no_fix_that_would_not_make_it_worse(tried: list[Case]) -> None:
    stays = [(case, finding) for case in tried for finding in case.left()]
    assert [(case.name, each.message) for case, each in stays if any(not fix.by_hand for fix in each.fixes)] == []


def test_no_wrong_flow_is_worse_for_it(tried: list[Case]) -> None:
    worse = [
        case.name
        for case in tried
        if errors(case.done.left) > errors(case.found) or syntax_errors(case.done.source) > syntax_errors(case.source)
    ]
    assert worse == []


def test_what_was_corrected_reads_as_the_findings_say(tried: list[Case]) -> None:
    """The findings that are left are those of the text, checked anew."""
    for case in tried:
        again = ENVIRONMENT.check(Source(case.done.source.text, case.source.path))
        assert [(each.code, each.message) for each in again] == [(each.code, each.message) for each in case.done.left]


def test_flows_without_errors_run_on_the_simulator(tried: list[Case], tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    failed = []
    with Simulator() as simulator:
        overrides = stand_in.overrides(simulator.url, simulator.key)
        for number, case in enumerate(tried):
            if has_errors(case.done.left):
                done["errors are left"] += 1
                continue
            environment = Environment(
                overrides=overrides,
                as_of=ENVIRONMENT.as_of,
                host=Host(secrets=lambda name: f"sk-{name}"),
                storage=Storage(images=tmp_path / f"{number}", output=tmp_path / f"{number}-files"),
                limits=Limits(timeout_s=20),
            )
            outcome = run(environment, case.done.source)
            done[outcome.partition(":")[0]] += 1
            if outcome.startswith("fails"):
                failed.append((case.name, outcome))
    print(dict(done), *failed, sep="\n")
    assert [each for each in failed if each[1].split(": ")[1] not in FAILURES] == []
    assert done["runs"] > 300


FAILURES = {
    "too-many-iterations": "an endless loop, of which a warning speaks that no fix corrects",
    "template-failed": "text in arithmetic, of which a warning speaks that no fix corrects",
    "service-not-configured": "an entry that is to be written first, of which a warning speaks",
    "service-unavailable": "an address on the net, and there is none here",
    "undefined-variable": "a member that the made-up input lacks, or a name that may be unset, as a warning says",
    "wrong-type": "a list with a template in it where a text is needed, which the check takes for one",
    "invalid-input": "the made-up input is none that the flow takes",
}
"""How flows without errors end all the same, and why."""


def run(environment: Environment, source: Source) -> str:
    """How a flow ends."""
    try:
        flow = environment.load(source)
    except UsageError as error:  # a kit, a module: no single flow
        return f"cannot run by itself: {error}"
    declared = {name: each for name, each in (flow.document.inputs or {}).items() if not each.has_default}
    try:
        flow.run({name: sample(each.schema) for name, each in declared.items()})
    except RunError as error:
        return f"fails: {error.code}: {error}"
    return "runs"


def sample(schema: Mapping[str, Any]) -> Any:
    """A value for an input."""
    kinds = {"integer": 2, "number": 2, "boolean": True, "array": ["a boat", "a tower"], "object": {}}
    return schema["enum"][0] if "enum" in schema else kinds.get(schema.get("type", "string"), "a boat")


def mutations(count: int, seed: int) -> Iterator[tuple[str, Source]]:
    """Wrong flows with something else wrong with them."""
    random = Random(seed)
    contents = [(path.name, path.read_bytes()) for path in sorted((TESTS / "golden" / "bad").glob("*.yaml"))]
    contents += [(path.name, path.read_bytes()) for path in sorted((TESTS.parent / "examples").glob("*.yaml"))]
    for _ in range(count):
        name, content = random.choice(contents)
        content = content[:4_000]
        for mutation in random.sample(sorted(MUTATIONS), random.choice((1, 1, 2))):
            content = MUTATIONS[mutation](content, random)
        source, undecodable = read_bytes(content, "<text>")
        if not undecodable:
            yield name, source


@pytest.mark.parametrize(("unsafe", "count"), [(False, 1_000), (True, 5_000)], ids=["safe", "unsafe"])
def test_no_mutation_is_worse_after_its_fixes(unsafe: bool, count: int) -> None:
    done: Counter[str] = Counter()
    for name, source in mutations(count, 7):
        found = ENVIRONMENT.check(source)
        after = repaired(source, ENVIRONMENT.check, unsafe=unsafe)
        again = ENVIRONMENT.check(after.source)
        done["changed" if after.applied else "unchanged"] += 1
        done["errors corrected"] += errors(found) - errors(again)
        assert errors(again) <= errors(found), (name, source.text)
        assert syntax_errors(after.source) <= syntax_errors(source), (name, source.text)
        assert after.applied or after.source.text == source.text
    print(f"{count} mutations: {dict(done)}")
    assert done["changed"] > count / 10
