"""The logger `flowdsl`: quiet unless the host listens, with the id of the run, and without secrets."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys

import pytest

import flowdsl

FLOW = """\
- step: SET
  text: "{{ secret('KEY') }}"
- step: SHOW_NOTIFICATION
  message: "done with {{ flowContext.text }}"
  monitorLabel: telling {{ flowContext.text }}
"""
KEY = "harbour-key-0123456789"
HOST = flowdsl.Host(secrets={"KEY": KEY}.get)


def test_a_host_that_listens_hears_a_run_with_its_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="flowdsl"):
        result = flowdsl.Environment(host=HOST).run(FLOW)
    records = [record for record in caplog.records if record.name == "flowdsl"]
    assert {record.__dict__["run"] for record in records} == {result.run}
    assert all(record.getMessage().startswith(f"run {result.run}: ") for record in records)
    texts = [record.getMessage().partition(": ")[2] for record in records]
    assert texts[0] == "begins"
    assert texts[1] == "SET (flow[0]) begins"
    assert texts[-1].startswith("done in ")
    assert texts[-1].endswith(": 2 steps, 0 images, cost $0.0000")
    assert (records[1].__dict__["step"], records[1].__dict__["path"]) == ("SET", "flow[0]")
    assert KEY not in caplog.text
    assert "***" in caplog.text


def test_tags_that_repeat_a_secret_are_hidden_in_records_too(caplog: pytest.LogCaptureFixture) -> None:
    fails = "- {step: SET, a: \"{{ secret('KEY') }}\"}\n- {step: RAISE, message: no}\n"
    for flow, tags in ((FLOW, {"order": f"of {KEY}"}), (fails, {KEY: "order"})):
        caplog.clear()
        environment = flowdsl.Environment(host=HOST)
        with caplog.at_level(logging.DEBUG, logger="flowdsl"), contextlib.suppress(flowdsl.RunError):
            environment.run(flow, tags=tags)
        said = [record.__dict__["tags"] for record in caplog.records if record.name == "flowdsl"]
        assert len(said) >= 4
        assert KEY not in str(said[2:])  # until a step reads it, nobody knows that it is one


def test_a_failed_run_is_an_error_even_where_only_errors_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="flowdsl"), pytest.raises(flowdsl.RunError) as raised:
        flowdsl.run("- {step: RAISE, message: no paper}\n")
    (record,) = [record for record in caplog.records if record.name == "flowdsl"]
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"run {raised.value.result.run}: failed: no paper [{raised.value.code}]"


def test_steps_are_not_heard_above_their_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="flowdsl"):
        flowdsl.run("- {step: SET, a: b}\n")
    assert [record.levelname for record in caplog.records if record.name == "flowdsl"] == ["INFO", "INFO"]


def test_what_flows_emit_still_goes_to_standard_error_beside_a_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="flowdsl"):
        flowdsl.run("- {step: SHOW_NOTIFICATION, message: ahoy}\n")
    assert "ahoy" in capsys.readouterr().err


def test_without_a_handler_nothing_is_printed() -> None:
    program = """
import flowdsl
try:
    flowdsl.run("- {step: RAISE, message: no paper}\\n")
except flowdsl.RunError:
    pass
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


class Full(logging.Handler):
    """A handler that fails, as those of other packages can."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the disk is full")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR], ids=["all", "errors"])
def test_a_handler_that_fails_costs_a_run_neither_its_result_nor_its_error(
    level: int, caplog: pytest.LogCaptureFixture
) -> None:
    logger, full = logging.getLogger("flowdsl"), Full()
    logger.addHandler(full)
    try:
        with caplog.at_level(level, logger="flowdsl"):
            assert flowdsl.run("- {step: SET, a: b}\n").outputs == {"a": "b"}
            with pytest.raises(flowdsl.StepError, match="no paper") as raised:
                flowdsl.run("- {step: RAISE, message: no paper}\n")
    finally:
        logger.removeHandler(full)
    assert raised.value.result.steps == 0
