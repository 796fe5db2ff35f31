"""How errors reach the user: short, with their place, and with a traceback for our own bugs only."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main
from flowdsl.errors import ServiceError
from flowdsl_steps.image.simulator import Simulator

FLOW = """\
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A harbour at dawn
"""


def run_against(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str] | None = None
) -> int:
    """The exit code of a run whose service is the simulator."""
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")
    monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
    monkeypatch.setenv("OPENAI_API_KEY", simulator.key)
    return main(["run", "a.flow.yaml", *(arguments or ["--quiet"])])


def test_a_service_that_may_have_billed_the_work_is_reported_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Simulator(faults=["reset"]) as simulator:
        code = run_against(simulator, tmp_path, monkeypatch)
    lines = capsys.readouterr().err.splitlines()
    assert code == 4
    assert lines[0].startswith("a.flow.yaml:1:9: error: ")
    assert lines[1:3] == ["   1 | - step: OPENAI_IMAGE_GENERATION", "     |         ^^^^^^^^^^^^^^^^^^^^^^^"]
    assert "  in OPENAI_IMAGE_GENERATION (flow[0])" in lines
    assert "  the service may have done, and billed, the work" in lines


def test_a_refusal_names_the_service_and_its_status_and_nothing_of_a_charge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Simulator(faults=["auth"]) as simulator:
        code = run_against(simulator, tmp_path, monkeypatch)
    printed = capsys.readouterr().err
    assert code == 4
    assert "  service OPENAI_IMAGE_GENERATION, HTTP 401" in printed
    assert "billed" not in printed


def test_events_of_a_failed_run_hold_the_error_as_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    with Simulator(faults=["quota"]) as simulator:
        code = run_against(simulator, tmp_path, monkeypatch, ["--events"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failed = next(event for event in events if event["event"] == "StepFailed")
    assert code == 4
    assert [event["event"] for event in events][-2:] == ["StepFailed", "FlowFinished"]
    assert failed["error"]["status"] == 429
    assert failed["error"]["vendor_code"] == "insufficient_quota"
    assert failed["error"]["charge_possible"] is False
    assert (failed["error"]["file"], failed["error"]["line"], failed["error"]["col"]) == ("a.flow.yaml", 1, 9)


def test_a_bug_of_ours_shows_its_traceback_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: list[str]) -> int:
        raise ZeroDivisionError("an invariant does not hold")

    monkeypatch.setattr("flowdsl.cli.steps.main", broken)
    code = main(["steps"])
    lines = capsys.readouterr().err.splitlines()
    assert code == 3
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2:] == [
        "ZeroDivisionError: an invariant does not hold",
        "this is a bug in flowdsl, please report it",
    ]


def test_a_failure_without_a_place_still_names_its_hint() -> None:
    from flowdsl.cli.failure import failed_run

    error = ServiceError("nothing came back", service="HUB", attempts=3, request_id="req_1", hint="ask the HUB")
    assert failed_run(error).splitlines() == [
        "flowdsl: error: nothing came back [service-failed]",
        "  hint: ask the HUB",
        "  service HUB, 3 requests, request id req_1",
    ]


def test_a_file_that_is_no_utf8_is_a_finding_and_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin.flow.yaml").write_bytes("- step: SET\n  text: Zürich\n".encode("latin-1"))
    codes = main(["run", "latin.flow.yaml"]), main(["validate", "latin.flow.yaml"])
    assert codes == (1, 1)
    assert "[not-utf8]" in capsys.readouterr().err


def test_an_unreadable_file_does_not_keep_the_others_from_being_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").symlink_to(tmp_path / "b.flow.yaml" / "c")
    Path("b.flow.yaml").write_text("- step: SETT\n", encoding="utf-8")
    code = main(["validate", "."])
    printed = capsys.readouterr()
    assert code == 2
    assert printed.err == "flowdsl: a.flow.yaml: Not a directory\n"
    assert "b.flow.yaml:1:9: error: Step not found: SETT [unknown-step]" in printed.out


def test_a_run_that_failed_ends_otherwise_than_one_that_never_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulator(faults=["moderation"]) as simulator:
        assert run_against(simulator, tmp_path, monkeypatch) == 4
        assert run_against(simulator, tmp_path, monkeypatch, ["--quiet", "-i", "flow"]) == 2
        Path("b.flow.yaml").write_text(f"inputs:\n  n: {{type: integer}}\nflow:\n{FLOW}", encoding="utf-8")
        assert main(["run", "b.flow.yaml", "--quiet", "-i", "n=many"]) == 1
        Path("b.flow.yaml").write_text("- step: SOT\n", encoding="utf-8")
        assert main(["run", "b.flow.yaml", "--quiet"]) == 1


@pytest.mark.parametrize("command", [["run"], ["run", "--dry-run"], ["plan"]], ids=" ".join)
def test_inputs_with_a_mistake_end_each_command_with_the_code_of_a_mistake(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = tmp_path / "a.flow.yaml"
    flow.write_text("inputs: {city: {type: string}}\nflow:\n- step: SET\n  text: a\n")
    assert main([command[0], str(flow), *command[1:], "-i", "citty=Rome"]) == 1
    assert "did you mean `city`?" in capsys.readouterr().err
