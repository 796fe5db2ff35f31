"""A value of an earlier iteration that is read where the present one failed: warned of, and never where it is meant."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import flowdsl
from flowdsl import Diagnostic

MAKE = {"step": "OPENAI_IMAGE_GENERATION", "model": "gpt-image-2", "quality": "low", "instruction": "a cup"}
NAMED = {**MAKE, "instruction": "a {{ flowContext.name }}"}
FAILED = {"step": "SET", "failed": True}
ATTEMPT = {"step": "TRY", "try": [NAMED], "catch": [FAILED]}
SAVE = {"step": "SAVE_IMAGES", "filename": "{{ flowContext.name }}"}
FIRST = "{{ (flowContext.imageList | default('')) | first }}"


def stale(*body: dict[str, Any], before: tuple[dict[str, Any], ...] = (), **loop: Any) -> list[Diagnostic]:
    step = {"step": "FOR", "var": "name", "items": ["teapot", "cup"], "do": [*body], **loop}
    found = flowdsl.check(yaml.safe_dump([*before, step], sort_keys=False))
    return [each for each in found if each.code == "stale-value"]


WARNED: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any]]] = {
    "a default behind a catch": ((ATTEMPT,), {"collect": FIRST, "collectKey": "all"}),
    "a test whether it is defined": (
        (ATTEMPT, {"step": "IF", "condition": "{{ flowContext.imageList is defined }}", "then": [SAVE]}),
        {},
    ),
    "a picture from before the loop": ((ATTEMPT, SAVE), {"before": (MAKE,)}),
    "a picture that is named": ((ATTEMPT, {**SAVE, "in": "imageList"}), {"before": (MAKE,)}),
    "no catch": (({"step": "TRY", "try": [NAMED]}, SAVE), {"before": (MAKE,)}),
    "a catch that sets it on one path": (
        (
            {
                "step": "TRY",
                "try": [NAMED],
                "catch": [{"step": "IF", "condition": "{{ flowContext.name }}", "then": [MAKE]}],
            },
            SAVE,
        ),
        {"before": (MAKE,)},
    ),
    "a step that a condition leaves out": (
        ({"step": "IF", "condition": "{{ flowContext.name_index > 0 }}", "then": [NAMED]}, SAVE),
        {"before": (MAKE,)},
    ),
    "a value that is no picture": (
        (
            {
                "step": "TRY",
                "try": [{"step": "REST", "method": "GET", "url": "https://a.example"}, {"step": "SET", "price": 1}],
                "catch": [FAILED],
            },
        ),
        {"collect": "{{ flowContext.price | default(0) }}", "collectKey": "all"},
    ),
}
MEANT: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any]]] = {
    "an iteration that ends": (
        ({**ATTEMPT, "catch": [{"step": "CONTINUE"}]},),
        {"collect": FIRST, "collectKey": "all"},
    ),
    "a key that each iteration sets anew": (
        ({"step": "SET", "imageList": []}, ATTEMPT),
        {"collect": FIRST, "collectKey": "all"},
    ),
    "a fallback": (({**ATTEMPT, "catch": [MAKE]}, SAVE), {}),
    "a sum": (
        (
            {
                "step": "TRY",
                "try": [{"step": "SET", "sum": "{{ flowContext.sum | default(0) + 1 }}"}],
                "catch": [FAILED],
            },
        ),
        {"collect": "{{ flowContext.sum | default(0) }}", "collectKey": "all"},
    ),
    "a picture that is changed further": (
        (
            {
                "step": "TRY",
                "try": [
                    {
                        "step": "OPENAI_IMAGE_EDIT",
                        "model": "gpt-image-2",
                        "instruction": "more {{ flowContext.name }}",
                        "images": "{{ flowContext.imageList }}",
                    }
                ],
                "catch": [FAILED],
            },
            SAVE,
        ),
        {"before": (MAKE,)},
    ),
    "iterations side by side": ((ATTEMPT,), {"concurrency": 2, "collect": FIRST, "collectKey": "all"}),
    "a number that a condition raises": (
        ({"step": "IF", "condition": "{{ flowContext.name_index > 0 }}", "then": [{"step": "SET", "best": 1}]},),
        {"collect": "{{ flowContext.best | default(0) }}", "collectKey": "all"},
    ),
    "a loop without a body that fails": ((NAMED, SAVE), {}),
}


@pytest.mark.parametrize("case", WARNED)
def test_a_value_of_an_earlier_iteration_is_warned_of(case: str) -> None:
    body, loop = WARNED[case]
    (found,) = stale(*body, **loop)
    assert "may still hold what an earlier iteration set: " in found.message
    assert found.hint == (
        "set it in a SET step at the beginning of each iteration, or end the iteration with CONTINUE where the key is "
        "not set"
    )


@pytest.mark.parametrize("case", MEANT)
def test_a_value_that_is_carried_on_purpose_or_set_anew_is_not(case: str) -> None:
    body, loop = MEANT[case]
    assert stale(*body, **loop) == []


def test_what_the_loop_leaves_may_be_read_behind_it() -> None:
    loop = {"step": "FOR", "var": "name", "items": ["teapot", "cup"], "do": [ATTEMPT]}
    found = flowdsl.check(yaml.safe_dump([MAKE, loop, {"step": "SAVE_IMAGES"}], sort_keys=False))
    assert [each.code for each in found if each.code == "stale-value"] == []


def test_an_inner_loop_that_reads_what_the_outer_one_left_is_warned_of() -> None:
    inner = {"step": "FOR", "var": "size", "items": [1, 2], "do": [{**SAVE, "in": "imageList"}]}
    (found,) = stale(ATTEMPT, inner, before=(MAKE,))
    assert found.message.startswith("`imageList` may still hold")
