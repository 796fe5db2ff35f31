"""Files that would take for ever, or all memory, end with a finding or an error of the run instead."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import pytest

import flowdsl
from flowdsl.cli import main
from flowdsl.errors import LimitExceeded, RunError
from flowdsl.template.regex import compiled

SOON_S = 5.0
"""Far above what these files take now, and far below what they took."""


def codes(path: Path) -> list[str]:
    began = process_time()
    found = [finding.code for finding in flowdsl.check(path)]
    assert process_time() - began < SOON_S
    return found


def failure(flow: str, **limits: Any) -> RunError:
    began = process_time()
    with pytest.raises(RunError) as caught:
        flowdsl.Environment(limits=flowdsl.Limits(**limits)).load(flow).run()
    assert process_time() - began < SOON_S
    return caught.value


def test_files_that_include_the_next_twice_end(tmp_path: Path) -> None:
    for number in range(25):
        step = "- step: SET\n  text: a\n"
        next_twice = f"- !include ./{number + 1}.yaml\n" * 2
        (tmp_path / f"{number}.yaml").write_text(step if number == 24 else next_twice, encoding="utf-8")
    (tmp_path / "a.flow.yaml").write_text("flow: !include ./0.yaml\n", encoding="utf-8")
    assert codes(tmp_path / "a.flow.yaml").count("alias-bomb") == 1


def test_modules_that_import_the_next_twice_are_read_once_each(tmp_path: Path) -> None:
    for number in range(24):
        both = "".join(f"  - {{from: ./{number + 1}.module.yaml, as: {alias}}}\n" for alias in "ab")
        imports = f"imports:\n{both}" if number < 23 else ""
        text = f"{imports}blocks:\n  flows:\n    go:\n      - step: SET\n        text: a\n"
        (tmp_path / f"{number}.module.yaml").write_text(text, encoding="utf-8")
    flow = "imports:\n  - {from: ./0.module.yaml, as: m}\nflow:\n  - step: CALL_FLOW\n    ref: imports.m.flows.go\n"
    (tmp_path / "a.flow.yaml").write_text(flow, encoding="utf-8")
    codes(tmp_path / "a.flow.yaml")
    began = process_time()
    steps = list(flowdsl.load(tmp_path / "a.flow.yaml").document.every_step())
    assert len(steps) == 25
    assert process_time() - began < SOON_S


def test_a_module_under_two_aliases_keeps_both(tmp_path: Path) -> None:
    (tmp_path / "m.module.yaml").write_text("blocks:\n  constants:\n    x: 1\n", encoding="utf-8")
    flow = (
        "imports:\n  - {from: ./m.module.yaml, as: a}\n  - {from: ./m.module.yaml, as: b}\n"
        'flow:\n  - step: SET\n    text: "{{ imports.a.constants.x }} {{ imports.b.constants.x }}"\n'
    )
    (tmp_path / "a.flow.yaml").write_text(flow, encoding="utf-8")
    assert codes(tmp_path / "a.flow.yaml") == []
    assert flowdsl.load(tmp_path / "a.flow.yaml").run().context["text"] == "1 1"


def test_a_chain_of_600_includes_is_too_deep(tmp_path: Path) -> None:
    for number in range(600):
        rest = f"!include ./{number + 1}.yaml" if number < 599 else "1"
        (tmp_path / f"{number}.yaml").write_text(f"x: {rest}\n", encoding="utf-8")
    (tmp_path / "a.flow.yaml").write_text("- step: SET\n  a: !include ./0.yaml\n", encoding="utf-8")
    assert set(codes(tmp_path / "a.flow.yaml")) == {"too-deep"}


def test_a_chain_of_600_modules_is_too_deep(tmp_path: Path) -> None:
    for number in range(600):
        imports = f"imports: [{{from: ./{number + 1}.module.yaml, as: m}}]\n" if number < 599 else ""
        (tmp_path / f"{number}.module.yaml").write_text(f"{imports}blocks: {{constants: {{x: 1}}}}\n", encoding="utf-8")
    flow = "imports: [{from: ./0.module.yaml, as: m}]\nflow:\n  - step: SET\n    text: a\n"
    (tmp_path / "a.flow.yaml").write_text(flow, encoding="utf-8")
    assert "too-deep" in codes(tmp_path / "a.flow.yaml")


@pytest.mark.parametrize(
    "flow",
    [
        '- !include "a\\0b"\n',
        '- step: SET\n  text: !include "a\\0b"\n',
        'imports:\n  - {from: "a\\0b", as: m}\nflow:\n  - step: SET\n    text: a\n',
        '- !include "' + "a" * 5000 + '"\n',
    ],
)
def test_a_path_that_can_name_no_file_is_a_finding(flow: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.flow.yaml").write_text(flow, encoding="utf-8")
    assert main(["validate", str(tmp_path / "a.flow.yaml")]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("[missing-file]") == 1
    assert captured.err == ""


def doubling(first: str, levels: int = 40) -> str:
    each = "".join(
        f'    v{level}: "{{{{ local.vars.v{level - 1} }}}}{{{{ local.vars.v{level - 1} }}}}"\n'
        for level in range(1, levels + 1)
    )
    use = f"flow:\n  - step: SET\n    text: '{{{{ local.vars.v{levels} }}}}'\n"
    return f'blocks:\n  vars:\n    v0: "{first}"\n{each}{use}'


@pytest.mark.parametrize("first", ["x" * 10, ""], ids=["of-text", "of-nothing"])
def test_vars_that_read_the_one_before_twice_end(first: str, tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(doubling(first), encoding="utf-8")
    assert codes(tmp_path / "a.flow.yaml") == []
    assert failure(doubling(first)).code == "template-limit"


def test_a_few_vars_that_read_each_other_are_no_offence() -> None:
    assert flowdsl.run(doubling("x", 12)).context["text"] == "x" * 4096


def test_slow_vars_share_the_time_of_one_template() -> None:
    slow = "{% for i in range(40000) %}{{ i }}{% endfor %}"
    reads = "{{ local.vars.slow }}" * 200
    flow = (
        f"blocks:\n  vars:\n    slow: '{slow}'\n    all: '{reads}'\n"
        "flow:\n  - step: SET\n    text: '{{ local.vars.all }}'\n"
    )
    assert failure(flow, template=flowdsl.template.TemplateLimits(max_seconds=0.1)).code == "template-limit"


@pytest.mark.parametrize(
    "pattern",
    ["(?:(?:(?:a{1000}){1000}){100}b?){1000}", "(?:ab|cd){50000}", "(?:[ab]{300}){300,}", "((a{200}){200})*"],
)
def test_a_pattern_that_is_large_when_written_out_is_refused_before_it_is_compiled(pattern: str) -> None:
    began = process_time()
    with pytest.raises(flowdsl.errors.TemplateError, match="repetitions"):
        compiled(pattern, "g")
    assert process_time() - began < SOON_S


@pytest.mark.parametrize("pattern", [r"[{}]{3}", r"\d{1,100000}", "a{1000}", "(?:[a-z]{2,8}-){1,5}", r"\{9999999\}x"])
def test_usual_repetitions_are_patterns(pattern: str) -> None:
    assert compiled(pattern, "g") is not None


COLLECTING = """\
- step: FOR
  var: i
  start: 1
  end: 300
  {more}collect: "{{{{ 'x'.repeat(100000) }}}}{{{{ flowContext.i }}}}"
  collectKey: all
  do:
    - step: SET
      text: a
"""


@pytest.mark.parametrize("more", ["", "concurrency: 4\n  "], ids=["in-order", "side-by-side"])
def test_values_collected_in_a_loop_have_a_limit(more: str) -> None:
    error = failure(COLLECTING.format(more=more), context_bytes=5_000_000)
    assert isinstance(error, LimitExceeded)
    assert error.code == "context-too-large"


def test_a_text_that_grows_with_each_iteration_has_a_limit() -> None:
    flow = (
        "- step: SET\n  all: []\n- step: FOR\n  var: i\n  start: 1\n  end: 300\n  do:\n"
        "    - step: SET\n      all: \"{{ flowContext.all.concat(['x'.repeat(100000) ~ flowContext.i]) }}\"\n"
    )
    assert failure(flow, context_bytes=5_000_000).code == "context-too-large"


LOOP = "- step: FOR\n  var: i\n  start: 1\n  end: 60\n  collectKey: all\n  collect: "
SECRET_TEXT = "\"{{ secret('KEY') }}{{ inputs.big }}{{ flowContext.i }}\""
HELD = {
    "collected": f"{LOOP}{SECRET_TEXT}\n  do: []\n",
    "in a list": LOOP + '["{{ inputs.big }}{{ flowContext.i }}"]\n  do: []\n',
    "set": "- step: SET\n  i: 1\n" + "".join(f"- step: SET\n  text{i}: {SECRET_TEXT}\n" for i in range(60)),
    "bytes": "- step: SET\n  text: '{{ inputs.big }}'\n" + LOOP + "'{{ flowContext.blob }}'\n  do:\n"
    "    - step: BASE64_TO_BLOB\n      contentType: text/plain\n",
}


@pytest.mark.parametrize("name", HELD)
def test_secrets_and_bytes_and_few_large_items_count_as_plain_texts_do(name: str) -> None:
    environment = flowdsl.Environment(
        limits=flowdsl.Limits(context_bytes=5_000_000), host=flowdsl.Host(secrets=lambda name: "sk-secretsecret99")
    )
    with pytest.raises(LimitExceeded) as caught:
        environment.run("inputs: {big: {}}\nflow:\n" + HELD[name], {"big": "aaaa" * 40_000})
    assert caught.value.code == "context-too-large"


def test_values_that_are_replaced_take_no_room() -> None:
    step = "    - step: SET\n      text: '{{ \"x\".repeat(100000) }}'\n"
    flow = f"- step: FOR\n  var: i\n  start: 1\n  end: 300\n  do:\n{step}"
    result = flowdsl.Environment(limits=flowdsl.Limits(context_bytes=5_000_000)).load(flow).run()
    assert len(result.context["text"]) == 100_000


def test_iterations_without_steps_count_as_steps_do() -> None:
    flow = "- step: FOR\n  var: i\n  start: 1\n  end: 1000000000\n  do: []\n"
    assert failure(flow, steps=1000).code == "too-many-steps"
    assert failure(flow, timeout_s=0.2).code == "deadline"
    endless = "- step: WHILE\n  condition: true\n  max: 1000000000\n  do: []\n"
    assert failure(endless, steps=1000).code == "too-many-steps"


@pytest.mark.parametrize(
    "flow",
    [
        "- step: SLEEP\n  delay: 1e308\n",
        "- step: SLEEP\n  delay: 2147483648\n",
        "- step: TRY\n  retry: {maxDelayMs: 1e308}\n  do:\n    - step: SET\n      text: a\n",
    ],
)
def test_a_pause_without_end_is_a_finding(flow: str, tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(flow, encoding="utf-8")
    assert "out-of-range" in codes(tmp_path / "a.flow.yaml")


def test_a_pause_without_end_that_a_template_makes_is_refused() -> None:
    assert failure("- step: SLEEP\n  delay: '{{ 9999999999999 }}'\n").code in ("out-of-range", "invalid-option")
