"""`flowdsl test`: what it runs, what it says of what differs, and what it writes."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from flowdsl.cli import main

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "flow_tests"
FLOW = """\
inputs: {name: {type: string, default: Ada}, loud: {type: boolean, default: false}}
flow:
  - step: IF
    condition: "{{ inputs.loud }}"
    then:
      - {step: SET, text: "{{ inputs.name | upper }}!"}
    else:
      - {step: SET, text: "{{ inputs.name }}"}
outputs: {said: "{{ flowContext.text }}"}
"""
IMAGE = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: A kite}\n"
TESTS = """\
tests:
  - name: quiet
    expect: {outputs: {said: Ada}}
  - name: loud
    inputs: {loud: true}
    expect: {outputs: {said: ADA!}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a flow and its tests, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowdsl.toml").touch()
    (tmp_path / "greet.flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "greet.test.yaml").write_text(TESTS, encoding="utf-8")
    return tmp_path


def normal(text: str) -> str:
    return re.sub(r"\b\d+\.\d s\b", "0.0 s", text)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `flowdsl test`."""
    code = main(["test", *arguments])
    printed = capsys.readouterr()
    return code, normal(printed.out), printed.err


def test_all_tests_of_a_folder_run_and_one_line_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == (0, "2 tests, all passed in 0.0 s\n", "")
    assert run(capsys, "--quiet") == (0, "", "")
    _, out, _ = run(capsys, "-v", "-j", "1")
    assert out.splitlines()[:2] == ["✓ greet.test.yaml:2  quiet", "✓ greet.test.yaml:4  loud"]


def test_a_broken_flow_fails_with_a_difference_that_a_person_understands(
    folder: Path, capsys: pytest.CaptureFixture[str], update_golden: bool
) -> None:
    for name in ("postcard", "gentle-prompt"):
        text = (ROOT / "examples" / f"{name}.flow.yaml").read_text(encoding="utf-8")
        text = text.replace("'crisp' if inputs.season == 'winter'", "'crisp' if inputs.season == 'Winter'")
        text = text.replace("'tired') }}", "'sleepy') }}").replace('{{ inputs.harmless }}", outcome', '", outcome')
        (folder / f"{name}.flow.yaml").write_text(text, encoding="utf-8")
        (folder / "tests").mkdir(exist_ok=True)
        tests = (ROOT / "examples" / "tests" / f"{name}.test.yaml").read_text(encoding="utf-8")
        (folder / "tests" / f"{name}.test.yaml").write_text(tests, encoding="utf-8")
    code, out, err = run(capsys, "tests")
    if update_golden:
        (GOLDEN / "broken_flows.txt").write_text(out, encoding="utf-8")
    assert out == (GOLDEN / "broken_flows.txt").read_text(encoding="utf-8")
    assert (code, err) == (1, "")


def test_coverage_names_what_did_not_run_and_fails_under_a_share(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "other.flow.yaml").write_text("- {step: SET, a: 1}\n", encoding="utf-8")
    code, out, _ = run(capsys, ".", "--coverage", "--fail-under", "90", "--coverage-json", "out/coverage.json")
    assert code == 1
    assert "greet.flow.yaml        3/3        2/2          -           -" in out
    assert "no test runs other.flow.yaml\n83.3 % of steps" in out
    found = json.loads((folder / "out/coverage.json").read_text(encoding="utf-8"))
    assert found["totals"]["branches"] == {"ran": 2, "all": 2}
    assert found["untested"] == ["other.flow.yaml"]
    code, out, err = run(capsys, "greet.test.yaml", "-k", "QUIET", "--coverage", "--fail-under", "99")
    assert "not run: 3 IF: then\n  not run: 6 SET\n" in out
    assert (code, err) == (1, "flowdsl: 60.0 % ran, and --fail-under asks for 99 %\n")


def test_no_case_at_a_time_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-j", "0") == (2, "", "flowdsl: -j 0 lets no case run: write a number from 1 on\n")


def test_junit_says_what_failed_and_what_could_not_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = TESTS.replace("said: ADA!", 'said: "<b>\\"&\\x07"').replace("- name: quiet", "- name: a & <b>")
    (folder / "greet.test.yaml").write_text(wrong, encoding="utf-8")
    (folder / "bad.test.yaml").write_text("flow: greet.flow.yaml\ntest: []\n", encoding="utf-8")
    code, out, _ = run(capsys, "--junit", "out/junit.xml")
    assert code == 1
    assert out.endswith("2 tests, 1 failed; 1 file with mistakes in 0.0 s\n")
    root = ElementTree.parse(folder / "out/junit.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    cases = {str(case.get("name")): case for case in root.iter("testcase")}
    assert set(cases) == {"a & <b>", "loud", "the file"}
    failure = cases["loud"].find("failure")
    assert failure is not None
    assert failure.get("message") == r'outputs.said: expected "<b>\"&\u0007", found "ADA!"'
    error = cases["the file"].find("error")
    assert error is not None and "needs `tests`" in str(error.text)


@pytest.mark.long
def test_snapshots_are_written_on_request_and_compared_from_then_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = IMAGE.replace("A kite", '"A kite\\nover {{ flowContext.at }}"')
    tests = "tests:\n  - {name: at sea, inputs: {at: the sea}, expect: {prompts: snapshot}}\n"
    tests += "  - {name: any, inputs: {at: home}}\n"
    (folder / "kite.flow.yaml").write_text(flow, encoding="utf-8")
    (folder / "kite.test.yaml").write_text(tests, encoding="utf-8")
    code, out, _ = run(capsys, "kite.test.yaml")
    assert code == 1
    assert "a snapshot; `flowdsl test --update-snapshots` writes it" in out
    assert run(capsys, "kite.test.yaml", "--update-snapshots")[:2] == (
        0,
        "kite.snapshots.yaml written\n2 tests, all passed in 0.0 s\n",
    )
    assert (
        (folder / "kite.snapshots.yaml")
        .read_text(encoding="utf-8")
        .endswith("at sea:\n  - |-\n    A kite\n    over the sea\n")
    )
    assert run(capsys, "kite.test.yaml")[0] == 0
    (folder / "kite.flow.yaml").write_text(flow.replace("over", "above"), encoding="utf-8")
    code, out, _ = run(capsys, "kite.test.yaml")
    assert code == 1
    assert '  expected  "A kite\\nover the sea" (snapshot)\n' in out
    (folder / "kite.snapshots.yaml").write_text("at sea: 3\n", encoding="utf-8")
    code, _, err = run(capsys, "kite.test.yaml")
    assert (code, err) == (
        2,
        "flowdsl: kite.test.yaml: kite.snapshots.yaml holds no snapshots: remove it, and write it anew with "
        "--update-snapshots\n",
    )


@pytest.mark.long
def test_a_request_that_no_mock_is_for_is_not_sent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "get.flow.yaml").write_text("- {step: REST, url: 'https://example.com/a?b=1'}\n", encoding="utf-8")
    tests = (
        "tests:\n  - {name: none}\n  - name: unused\n"
        "    mocks: [{url: 'https://example.com/*', text: hello}, {url: 'x'}]\n"
        "    expect: {outputs: {text: hello}, requests: [{method: GET, url: 'https://example.com/a?b=1'}]}\n"
    )
    (folder / "get.test.yaml").write_text(tests, encoding="utf-8")
    code, out, _ = run(capsys, "get.test.yaml")
    assert code == 1
    assert "found     none is for GET https://example.com/a?b=1" in out
    assert "expected  a request for this mock" in out
    assert out.count("✗") == 2


@pytest.mark.long
def test_pauses_are_skipped_and_a_case_has_a_deadline(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "slow.flow.yaml").write_text("- {step: SLEEP, delay: 600000}\n- {step: SET, a: 1}\n", encoding="utf-8")
    (folder / "slow.test.yaml").write_text("tests: [{name: waits, expect: {ran: {SLEEP: 1}}}]\n", encoding="utf-8")
    assert run(capsys, "slow.test.yaml")[0] == 0
    (folder / "slow.flow.yaml").write_text(IMAGE, encoding="utf-8")
    tests = "tests: [{name: waits, timeout: 0.3, faults: {OPENAI_IMAGE_GENERATION: hang}}]\n"
    (folder / "slow.test.yaml").write_text(tests, encoding="utf-8")
    code, out, _ = run(capsys, "slow.test.yaml")
    assert code == 1
    assert "the run took longer than 0.0 s [deadline]" in out


WRONG = [
    (["nowhere.test.yaml"], "flowdsl: there is no file or folder `nowhere.test.yaml`\n"),
    (["-k", "nothing"], "flowdsl: there is no test whose path or name holds `nothing`\n"),
    (["empty"], "flowdsl: the folder `empty` holds no tests: no file in it ends in .test.yaml\n"),
    (["--fail-under", "120"], "`120` is not a share in per cent, such as 90"),
    (["--coverag"], "unknown argument `--coverag`; did you mean `--coverage`?"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=["no file", "no case", "no tests", "no share", "no option"])
def test_wrong_use_is_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (folder / "empty").mkdir()
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_flow_with_mistakes_and_a_fault_that_is_none_are_told_in_their_own_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "greet.flow.yaml").write_text(FLOW.replace("upper", "uper"), encoding="utf-8")
    code, out, _ = run(capsys)
    assert code == 1
    assert "there is no filter named `uper`" in out
    tests = f"{TESTS}    faults: {{greet.flow.yaml:6: quota}}\n"
    (folder / "greet.test.yaml").write_text(tests, encoding="utf-8")
    assert "`greet.flow.yaml:6` asks no service, so that no fault of one can come" in run(capsys)[1]
    (folder / "slow.flow.yaml").write_text(IMAGE, encoding="utf-8")
    tests = "tests: [{name: fails, faults: {OPENAI_IMAGE_GENERATION: moderatoin}}]\n"
    (folder / "slow.test.yaml").write_text(tests, encoding="utf-8")
    said = "slow.test.yaml:1:57: error: Unknown fault 'moderatoin'. Did you mean 'moderation'? [not-a-choice]\n"
    assert run(capsys, "slow.test.yaml")[1].startswith(said)
    said = run(capsys, "greet.flow.yaml")[1]
    assert said.startswith("greet.flow.yaml:1:1: error: this file holds no flow tests")
    assert "hint: its tests stand in `greet.test.yaml`: name that file" in said
    (folder / "slow.test.yaml").unlink()
    assert "hint: they stand under `tests:`" in run(capsys, "slow.flow.yaml")[1]


def test_mistakes_in_a_flow_are_shown_once_for_all_its_cases(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong.flow.yaml").write_text("- step: SETT\n", encoding="utf-8")
    Path("wrong.test.yaml").write_text("flow: wrong.flow.yaml\ntests: [{name: one}, {name: two}]\n", encoding="utf-8")
    code, out, _ = run(capsys, "wrong.test.yaml", "-j", "1", "--junit", "told.xml")
    assert (code, out.count("Step not found: SETT")) == (1, 1)
    assert "✗ wrong.test.yaml:2  two\n    the same as for one, wrong.test.yaml:2\n" in out
    assert Path("told.xml").read_text(encoding="utf-8").count("Step not found: SETT") == 2


def test_tests_are_checked_with_the_flows_and_are_no_flow(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "."]) == 0
    assert capsys.readouterr().out == "2 files, no findings\n"
    assert main(["run", "greet.test.yaml"]) == 2
    assert capsys.readouterr().err == "flowdsl: this file holds flow tests: `flowdsl test` runs them\n"


def test_names_of_tests_steer_no_terminal_and_colours_do(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TESTS.replace("name: quiet", 'name: "a\\e[2Jb"').replace("ADA!", "x")
    (folder / "greet.test.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("flowdsl.cli.test.colors", lambda stream: True)
    _, out, _ = run(capsys, "-v")
    assert "\x1b[32m✓\x1b[0m greet.test.yaml:2  a\\u001b[2Jb\n" in out
    assert "\x1b[1;31m✗\x1b[0m greet.test.yaml:4  loud\n" in out


def test_a_flow_that_changes_shows_in_its_tests_whatever_was_clean_before(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    assert main(["validate", ".", "-q"]) == 0
    (folder / "greet.flow.yaml").write_text(FLOW.replace("loud", "noisy"), encoding="utf-8")
    assert main(["validate", ".", "-q"]) == 1
    assert "the flow declares no input `loud`" in capsys.readouterr().out
