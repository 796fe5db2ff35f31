"""A run whose steps all failed and were caught does not look successful: it says so, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowdsl.cli import main

HEAD = """\
inputs:
  products: {type: array, items: {type: object}}
flow:
  - step: FOR
    var: product
    items: "{{ inputs.products }}"
    do:
"""
MAKE = (
    "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: 'a {{ flowContext.product.%s }}'}"
)
TAIL = """\
    collect: "{{ flowContext.imageList | default('none') }}"
    collectKey: shots
outputs: {shots: "{{ flowContext.shots }}"}
"""
CUPS = [{"name": "cup"}, {"name": "bowl"}]


def flow(attempt: str, catch: str | None = "[{step: CONTINUE}]") -> str:
    caught = f"\n        catch: {catch}" if catch is not None else ""
    return f"{HEAD}      - step: TRY\n        try: [{attempt}]{caught}\n{TAIL}"


def run(
    text: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    products: list[dict[str, str]] | None = None,
    *options: str,
) -> tuple[int, str, str]:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(text, encoding="utf-8")
    Path("inputs.json").write_text(json.dumps({"products": CUPS if products is None else products}), encoding="utf-8")
    code = main(["run", "a.flow.yaml", "--simulate", "--inputs", "inputs.json", *options])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize("catch", ["[{step: CONTINUE}]", "[{step: SET, note: failed}]", "[]", None])
def test_a_mistake_that_fails_every_iteration_fails_the_run(
    catch: str | None, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(flow(MAKE % "nmae", catch), capsys, tmp_path, monkeypatch)
    assert code == 4
    assert out.splitlines()[-1].startswith("nothing was made in ")
    assert "a.flow.yaml:9:" in err
    assert "error: `flowContext.product.nmae` is undefined [undefined-variable]" in err
    assert err.endswith("  in each of the 2 iterations of FOR (flow[0]), which went on: nothing was made\n")


def test_a_failure_that_only_follows_names_what_was_caught_before_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = flow(MAKE % "nmae", "[]").replace("default('none')", "default([]) | first")
    code, _, err = run(text, capsys, tmp_path, monkeypatch)
    assert code == 4
    assert "warning: 1 of 1 iteration of FOR came to nothing: `flowContext.product.nmae` is undefined" in err


@pytest.mark.parametrize("option", ["--quiet", "--json", "--events"])
def test_it_is_said_in_every_form(
    option: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(flow(MAKE % "nmae"), capsys, tmp_path, monkeypatch, None, option)
    assert code == 4
    assert err.endswith("which went on: nothing was made\n")


def test_a_mistake_in_some_iterations_is_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = [{"name": "cup"}, {"title": "bowl"}, {"name": "pot"}]
    code, out, _ = run(flow(MAKE % "name"), capsys, tmp_path, monkeypatch, products)
    assert code == 0
    warning = (
        "warning: 1 of 3 iterations of FOR came to nothing: `flowContext.product.name` is undefined (a.flow.yaml:9:"
    )
    assert warning in out
    assert "2 images in " in out


def test_a_key_that_the_service_refuses_fails_every_iteration_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = ("--fault", "OPENAI_IMAGE_GENERATION=auth:*")
    code, out, err = run(flow(MAKE % "name"), capsys, tmp_path, monkeypatch, None, *faults)
    assert code == 4
    assert "nothing was made in " in out
    assert "HTTP 401" in err


def test_what_may_pass_is_counted_and_is_no_failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = ("--fault", "OPENAI_IMAGE_GENERATION=moderation:*")
    code, out, _ = run(flow(MAKE % "name"), capsys, tmp_path, monkeypatch, None, *faults)
    assert code == 0
    assert "warning: 2 of 2 iterations of FOR came to nothing: " in out


def test_a_fallback_that_works_is_not_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallback = f"[{(MAKE % 'name').replace('quality: low', 'id: second')}]"
    attempt = (MAKE % "name").replace("quality", "id: first, quality")
    code, out, _ = run(flow(attempt, fallback), capsys, tmp_path, monkeypatch, None, "--fault", "first=moderation:*")
    assert code == 0
    assert "2 images in " in out
    assert "came to nothing" not in out


def test_a_mistake_outside_of_loops_that_is_caught_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "inputs: {product: {type: object, default: {name: cup}}, products: {type: array}}\nflow:\n  - step: TRY\n"
        "    try: [{step: SET, text: 'a {{ inputs.product.nmae }}'}]\n    catch: [{step: SET, text: a cup}]\n"
        "outputs: {text: '{{ flowContext.text }}'}\n"
    )
    code, out, _ = run(text, capsys, tmp_path, monkeypatch)
    assert code == 0
    assert "warning: a mistake was caught: `inputs.product.nmae` is undefined (a.flow.yaml:4:" in out


def test_values_that_are_set_in_place_of_what_failed_are_a_result(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = flow("{step: SET, name: '{{ flowContext.product.nmae }}'}", "[{step: SET, name: none}]")
    text = text.replace("flowContext.imageList | default('none')", "flowContext.name")
    code, out, _ = run(text, capsys, tmp_path, monkeypatch)
    assert code == 0
    assert "warning: 2 of 2 iterations of FOR went on after a mistake: `flowContext.product.nmae` is undefined" in out
