"""Notifications and progress: the host's sink, events, and print when nobody listens."""

from __future__ import annotations

from typing import Any

import pytest

import flowdsl
from flowdsl.testing import Recorder

FLOW = """
- step: SHOW_PROGRESS
  status: Painting
  position: top
  autoHide: true
- step: UPDATE_PROGRESS
  percentage: "{{ 25 * 2 }}"
- step: SHOW_NOTIFICATION
  title: Pictures
  message: "{{ flowContext.count }}"
  notificationType: success
- step: HIDE_PROGRESS
- step: SHOW_RESPONSE
  inlineSteps:
    - step: SET
      text: "# Ready"
  mode: markdown
"""
EMITTED: list[tuple[str, Any]] = [
    ("SHOW_PROGRESS", {"status": "Painting", "position": "top", "autoHide": True}),
    ("UPDATE_PROGRESS", {"percentage": 50}),
    ("SHOW_NOTIFICATION", {"message": "3", "notificationType": "success", "title": "Pictures"}),
    ("HIDE_PROGRESS", {}),
    ("SHOW_RESPONSE", {"message": "# Ready", "mode": "markdown"}),
]


def test_the_sink_of_the_host_gets_all_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    emitted: list[tuple[str, Any]] = []
    environment = flowdsl.Environment(host=flowdsl.Host(sink=lambda name, payload: emitted.append((name, payload))))
    flowdsl.run(FLOW, {"count": 3}, environment=environment)
    assert emitted == EMITTED
    assert capsys.readouterr() == ("", "")


def test_the_events_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    flowdsl.run(FLOW, {"count": 3}, on_event=recorder)
    emitted = [event for event in recorder.events if isinstance(event, flowdsl.Emitted)]
    assert [(event.name, event.payload) for event in emitted] == EMITTED
    assert [event.path for event in emitted] == [f"flow[{index}]" for index in range(5)]
    assert capsys.readouterr() == ("", "")


def test_without_anybody_to_tell_it_is_printed_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    flowdsl.run(FLOW, {"count": 3})
    assert capsys.readouterr() == (
        "",
        'SHOW_PROGRESS: {"status":"Painting","position":"top","autoHide":true}\n'
        'UPDATE_PROGRESS: {"percentage":50}\n'
        "SHOW_NOTIFICATION: 3\n"
        "HIDE_PROGRESS: {}\n"
        "SHOW_RESPONSE: # Ready\n",
    )


def test_what_is_printed_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    flowdsl.run("- step: SHOW_NOTIFICATION\n  message: '{{ flowContext.m }}'\n", {"m": "a\x1b[2Jb\r\tc\nd"})
    assert capsys.readouterr().err == "SHOW_NOTIFICATION: a\\u001b[2Jb\\u000d\tc\nd\n"


def test_a_secret_in_a_message_reaches_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    emitted: list[Any] = []
    flow = "- step: SHOW_NOTIFICATION\n  message: \"key {{ secret('K') }}\"\n"
    secrets = {"K": "topsecret"}.get
    recorder = Recorder()
    environment = flowdsl.Environment(
        host=flowdsl.Host(secrets=secrets, sink=lambda name, payload: emitted.append(payload))
    )
    flowdsl.run(flow, environment=environment, on_event=recorder)
    flowdsl.run(flow, environment=flowdsl.Environment(host=flowdsl.Host(secrets=secrets)))
    seen = (
        f"{emitted} {[e.payload for e in recorder.events if isinstance(e, flowdsl.Emitted)]} {capsys.readouterr().err}"
    )
    assert "topsecret" not in seen
    assert "***" in seen


def test_a_signal_inside_a_response_goes_on_and_nothing_is_shown() -> None:
    emitted: list[Any] = []
    flow = """
- step: SHOW_RESPONSE
  inlineSteps:
    - step: SET
      text: never shown
    - step: END
- step: SET
  after: 1
"""
    environment = flowdsl.Environment(host=flowdsl.Host(sink=lambda name, payload: emitted.append(payload)))
    result = flowdsl.run(flow, environment=environment)
    assert (emitted, result.context) == ([], {"text": "never shown"})


def test_a_response_needs_a_text() -> None:
    found = flowdsl.check("- step: SHOW_RESPONSE\n")
    assert [finding.message for finding in found] == [
        "SHOW_RESPONSE has nothing to work on: no step before it sets `text`"
    ]


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ("- step: SHOW_NOTIFICATION\n  message: ''\n", "`message` is empty, and needs at least 1 character"),
        (
            "- step: SHOW_NOTIFICATION\n  message: a\n  notificationType: loud\n",
            "`notificationType` is `loud`, which is not one of info, warning, error, message, task, success",
        ),
        ("- step: UPDATE_PROGRESS\n  percentage: 101\n", "`percentage` is 101, and must be from 0 to 100"),
        ("- step: UPDATE_PROGRESS\n", "UPDATE_PROGRESS needs `percentage`"),
        (
            "- step: SHOW_RESPONSE\n  mode: loud\n  inputs: [{type: text, name: x}]\n",
            "`mode` is `loud`, which is not one of html, markdown, text",
        ),
    ],
)
def test_a_wrong_option_is_found_before_the_run(flow: str, message: str) -> None:
    found = flowdsl.check(flow, declare=["x", "text"])
    assert [finding.message for finding in found if finding.severity == "error"] == [message]
