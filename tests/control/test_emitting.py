"""What flows emit: to the host's sink, as events, and without a host to standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flowdsl

FLOW = """
- step: SET
  key: "{{ secret('MY_KEY') }}"
- step: EMIT_EVENT
  name: ready
  payload: {count: 2, key: "{{ flowContext.key }}"}
- step: EMIT_EVENT
  name: plain
  payload: a text
- step: END
  notification: {message: All painted}
"""


def host(sink: Callable[[str, Any], None] | None = None) -> flowdsl.Environment:
    """A host with one secret."""
    return flowdsl.Environment(host=flowdsl.Host(secrets={"MY_KEY": "s3cr3t"}.get, sink=sink))


def test_without_a_host_it_is_printed_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    host().run(FLOW)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == 'ready: {"count":2,"key":"***"}\nplain: a text\nSHOW_NOTIFICATION: All painted\n'


def test_with_a_sink_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    emitted: list[tuple[str, object]] = []
    host(sink=lambda name, payload: emitted.append((name, payload))).run(FLOW)
    assert emitted == [
        ("ready", {"count": 2, "key": "***"}),
        ("plain", "a text"),
        ("SHOW_NOTIFICATION", {"message": "All painted", "notificationType": "info"}),
    ]
    assert capsys.readouterr() == ("", "")


def test_what_is_emitted_is_an_event_too(capsys: pytest.CaptureFixture[str]) -> None:
    events: list[flowdsl.Event] = []
    host().run(FLOW, on_event=events.append)
    emitted = [(event.path, event.name) for event in events if isinstance(event, flowdsl.Emitted)]
    assert emitted == [("flow[1]", "ready"), ("flow[2]", "plain"), ("flow[3]", "SHOW_NOTIFICATION")]
    assert capsys.readouterr() == ("", "")
