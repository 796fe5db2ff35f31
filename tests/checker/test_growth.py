"""What a check does grows with the file, not with its square: counted, which no busy machine changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import flowdsl
from flowdsl import nearest as names
from flowdsl.diagnostics import render
from flowdsl.nearest import nearest
from flowdsl.secrets import plain
from flowdsl.secrets.plain import without


def lines(pattern: str, count: int) -> str:
    return "".join(pattern.replace("#", f"{number:04}") for number in range(count))


FILES: dict[str, Callable[[int], str]] = {
    "variables that nobody sets": lambda n: lines('- step: SET\n  v#: "{{ flowContext.w# }}"\n', n),
    "inputs that are misspelt": lambda n: (
        "inputs:\n" + lines("  in#: {}\n", n) + "flow:\n" + lines('- {step: SET, a#: "{{ inputs.im# }}"}\n', n)
    ),
    "constants that are misspelt": lambda n: (
        "blocks:\n  constants:\n"
        + lines("    c#: 1\n", n)
        + "flow:\n"
        + lines('- {step: SET, a#: "{{ local.constants.d# }}"}\n', n)
    ),
    "services that are misspelt": lambda n: (
        "services:\n"
        + lines("  S#X: {provider: openai}\n", n)
        + "flow:\n"
        + lines("- {step: OPENAI_IMAGE_GENERATION, service: S#, model: gpt-image-2, instruction: x#}\n", n)
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("case", FILES)
def test_names_of_twice_the_file_take_about_twice_the_comparisons(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    distance = names._distance

    def counting(*given: Any) -> int | None:
        nonlocal compared
        compared += 1
        return distance(*given)

    monkeypatch.setattr(names, "_distance", counting)
    flowdsl.check(FILES[case](300))
    once, compared = compared, 0
    flowdsl.check(FILES[case](600))
    assert once < compared < 2.6 * once


def test_a_finding_looks_for_no_secret_of_which_it_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    def counting(text: str, secrets: Iterable[str]) -> str:
        nonlocal looked
        looked += 1
        return without(text, secrets)

    monkeypatch.setattr(plain, "without", counting)
    services = lines("  S#: {provider: openai, apiKey: sk-abcdefghijklmnopqrstuvw#, bad#: 1}\n", 100)
    found = flowdsl.check(f"services:\n{services}flow:\n- {{step: SET, a: 1}}\n")
    assert "sk-abc" not in render(found)
    assert len(found) == 200
    assert looked == 0


def test_flows_that_call_each_other_in_a_long_chain_are_checked() -> None:
    chain = "".join(
        f"    f{number:04}: [{{step: CALL_FLOW, ref: local.flows.f{number + 1:04}}}]\n" for number in range(1000)
    )
    chain = f"{chain}    f1000: [{{step: SET, a: 1}}]\n"
    flow = f"blocks:\n  flows:\n{chain}flow:\n- {{step: CALL_FLOW, ref: local.flows.f0000}}\n"
    assert [found for found in flowdsl.check(flow) if found.severity == "error"] == []


@pytest.mark.parametrize("step", ["{step: SET, v: 1}", "{step: SET, v#: 1}", "{step: SET, w: '{{ inputs.x }}'}"])
def test_each_flow_of_a_long_chain_is_looked_through_once(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdsl.checker.flow import mentions

    looked = 0
    names_in = mentions._names_in

    def counting(*given: Any) -> bool:
        nonlocal looked
        looked += 1
        return names_in(*given)

    def chain(count: int) -> str:
        own = [step.replace("#", str(at)) for at in range(count)]
        calls = [f"{{step: CALL_FLOW, ref: local.flows.f{at + 1}}}" for at in range(count)]
        flows = "".join(f"    f{at}: [{own[at]}, {calls[at]}]\n" for at in range(count))
        end = f"    f{count}: [{{step: SET, a: 1}}]\nflow:\n- {{step: CALL_FLOW, ref: local.flows.f0}}\n"
        return f"blocks:\n  flows:\n{flows}{end}"

    monkeypatch.setattr(mentions, "_names_in", counting)
    flowdsl.check(chain(100))
    once, looked = looked, 0
    flowdsl.check(chain(200))
    assert once <= 3 * 101
    assert looked <= 2.1 * once


@pytest.mark.parametrize("many", [200, 5000])
def test_a_name_of_very_many_is_found_as_one_of_few_is(many: int) -> None:
    given = [f"picture_{number:05}" for number in range(many)] + ["sunrise_over_lisbon", "kitchen", "Harbour-view"]
    assert nearest("kitchem", given) == "kitchen"
    assert nearest("itchen", given) == "kitchen"
    assert nearest("harbourview", given) == "Harbour-view"
    assert nearest("sunrise", given) == "sunrise_over_lisbon"
    assert nearest("xyzzy", given) is None


def test_steps_are_looked_through_once_for_all_undeclared_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdsl.document.document import Document

    walked = 0
    every_step = Document.every_step

    def counting(document: Document) -> Any:
        nonlocal walked
        walked += 1
        return every_step(document)

    monkeypatch.setattr(Document, "every_step", counting)
    flow = "flow:\n" + lines('  - {step: SAVE_IMAGES, in: "{{ inputs.i# }}"}\n', 20)
    flowdsl.check(flow)
    assert walked < 5


@pytest.mark.parametrize("pattern", ["password=", "key=", "key=!", "{key=", "password:|", "a\n key: "])
def test_what_is_looked_at_for_each_name_of_a_secret_does_not_grow_with_the_line(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    class Counting:
        def __init__(self, pattern: re.Pattern[str]) -> None:
            self._pattern = pattern

        def fullmatch(self, text: str) -> Any:
            nonlocal looked
            looked += len(text)
            return self._pattern.fullmatch(text)

        def match(self, text: str, *given: int) -> Any:
            nonlocal looked
            looked += len(text)
            return self._pattern.match(text, *given)

    values = plain._values

    def counting(text: str, match: re.Match[str], *given: Any) -> Any:
        nonlocal looked
        for start, end in values(text, match, *given):
            looked += end - start
            yield start, end

    for name in ("_MAYBE_A_KEY", "_KEY_LINE"):
        monkeypatch.setattr(plain, name, Counting(getattr(plain, name)))
    monkeypatch.setattr(plain, "_values", counting)
    below = "\n   deeper" * 100
    plain.plain_secrets(pattern * 100 + below)
    once, looked = looked, 0
    plain.plain_secrets(pattern * 200 + below)
    assert looked <= 2.2 * once
