"""A step whose name lacks one word is the one with that word, not another one that differs in a word."""

from __future__ import annotations

import pytest

import flowdsl
from flowdsl.step.key import Key


def test_a_name_that_lacks_one_word_means_the_one_that_has_it() -> None:
    (found,) = flowdsl.check("- step: AZURE_IMAGE_GENERATION\n  instruction: a cup\n")
    assert found.code == "unknown-step"
    assert found.hint == "did you mean `AZURE_OPENAI_IMAGE_GENERATION`?"


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ("model: gpt-image-2\n  instruction: a cup", "OPENAI_IMAGE_GENERATION"),
        ("prompt: a cup\n  provider: openai", "IMAGE_GENERATION"),
        ("prompt: a cup\n  filename: cup.png", "GENERATE_IMAGE"),
    ],
)
def test_a_part_of_several_names_means_the_step_whose_keys_are_written(keys: str, meant: str) -> None:
    found = flowdsl.check(f"- step: IMAGE\n  {keys}\n")[0]
    assert (found.code, found.hint) == ("unknown-step", f"did you mean `{meant}`?")
    inside = keys.replace("\n", "\n  ")
    found = flowdsl.check(f"- IMAGE:\n    {inside}\n")[0]
    assert found.hint == f"write `- step: {meant}`, and its keys below `step`"


@pytest.mark.parametrize(
    ("written", "hints"),
    [
        ("timeoutMs: 5 minutes", ["write `timeoutMs: 300000`: it counts milliseconds"]),
        ("timeout: 90s", ["write `timeoutMs`", "write `timeoutMs: 90000`: it counts milliseconds"]),
        ("timeoutMs: 1.5 h", ["write `timeoutMs: 900000`: it counts milliseconds, and takes no more"]),
        ("timeoutMs: 10 ms", ["write `timeoutMs: 1000`: it counts milliseconds, and takes no less"]),
        ("timeoutMs: 5 moons", [None]),
        ("outputName: cup", ["write `outputKey`"]),
    ],
)
def test_a_time_with_its_unit_and_the_name_of_an_output_are_told_what_to_write(
    written: str, hints: list[str | None]
) -> None:
    step = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: a cup\n  "
    assert [found.hint for found in flowdsl.check(f"{step}{written}\n") if found.severity == "error"] == hints


def test_a_key_that_counts_seconds_is_told_seconds() -> None:
    key = Key("pause", "number", "How long, in seconds.")
    problem = key.problem("2 min")
    assert problem is not None
    assert problem.hint == "write `pause: 120`: it counts seconds"
