"""What a case expects beside what its run left: every difference, in the order in which a case says it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.document.step_names import steps_named
from flowdsl.events import StepStarted
from flowdsl.flowtest.matching import Difference, difference, differences, facts, shown
from flowdsl.secrets.plain import without_keys
from flowdsl.template.json_values import to_json

if TYPE_CHECKING:
    from flowdsl.document.document import Document
    from flowdsl.document.flow_tests import Case
    from flowdsl.engine.result import Result
    from flowdsl.errors import RunError
    from flowdsl.events import Event
    from flowdsl.flowtest.doubles import Mocks
    from flowdsl.syntax.node import Node


_TELLING = ("step", "prompt", "model", "method", "url")
"""The facts by which a person knows a request."""


class Came(NamedTuple):
    """What the run of a case left: its flow, its result (None where a run that failed has none), its error, its events,
    its requests, its mocks, and the folder of its files."""

    document: Document
    result: Result | None
    error: RunError | None
    events: list[Event]
    requests: list[dict[str, Any]]
    mocks: Mocks
    folder: str

    @property
    def prompts(self) -> list[str]:
        """The prompts of the requests, in order."""
        return [str(each["prompt"]) for each in self.requests if "prompt" in each]


def compared(case: Case, came: Came, snapshot: Sequence[str] | None) -> Iterator[Difference]:
    """Where a run differs from what its case expects; `snapshot` are the prompts of its snapshot, if it has one."""
    yield from _compared(case, came, snapshot)
    yield from _mocked(case, came.mocks)


def _mocked(case: Case, mocks: Mocks) -> Iterator[Difference]:
    for text in dict.fromkeys(mocks.unmocked):
        yield difference(case.node, "mocks", "a mock for each request", f"none is for {text}")
    for node in mocks.unused():
        if node in _own(case):
            yield difference(node, "mocks", "a request for this mock", "none")


def _own(case: Case) -> list[Node]:
    own = case.own.get("mocks")
    return own.value if own is not None and own.kind == "list" else []


def _compared(case: Case, came: Came, snapshot: Sequence[str] | None) -> Iterator[Difference]:
    expect = case.expect
    yield from _failure(case, came)
    if came.error is not None and "fails" not in expect:
        return  # whatever else is missing follows from that
    result = came.result
    outputs = {} if result is None else result.to_json()
    context = {} if result is None else _hidden(result, to_json(result.context))
    if "outputs" in expect:
        yield from facts(expect["outputs"], outputs, "outputs")
    if "context" in expect:
        yield from facts(expect["context"], context, "context")
    simple: list[tuple[str, Callable[[], Any]]] = [
        ("images", lambda: 0 if result is None else len(result.made)),
        ("cost_usd", lambda: 0.0 if result is None else result.cost_usd),
        ("files", lambda: [] if result is None else [_within(path, came.folder) for path in result.files]),
    ]
    for key, value in simple:
        if key in expect:
            yield from differences(expect[key], value(), key)
    if "requests" in expect:
        yield from _requests(expect["requests"], came.requests)
    if "prompts" in expect:
        yield from _prompts(expect["prompts"], came.prompts, snapshot)
    if "events" in expect:
        yield from _events(expect["events"].value, [to_json(event.to_dict()) for event in came.events])
    if "ran" in expect:
        yield from _ran(expect["ran"], came)
    if "notes" in expect:
        codes = sorted(code for code, _ in result.notes) if result is not None else []
        if sorted(map(str, expect["notes"].plain())) != codes:
            yield difference(expect["notes"], "notes", shown(sorted(expect["notes"].plain())), shown(codes))


def _hidden(result: Result, value: Any) -> Any:
    return value if result._hide is None else result._hide(value)


def _within(path: str, folder: str) -> str:
    return os.path.relpath(os.path.realpath(path), os.path.realpath(folder)).replace(os.sep, "/")


def _failure(case: Case, came: Came) -> Iterator[Difference]:
    node, error = case.expect.get("fails"), came.error
    if error is None:
        if node is not None and node.value is not False:
            code = node.value if isinstance(node.value, str) else "an error"
            yield difference(node, "fails", f"the run to fail: {code}", "it ended successfully")
        return
    place = f" ({error.span.path}:{error.span.first.line})" if error.span is not None else ""
    said = f"it failed at {error.step or 'the flow'}{place}: {error.message} [{error.code}]"
    if node is None or node.value is False:
        yield difference(case.node if node is None else node, "run", "the run to end successfully", said)
    elif isinstance(node.value, str) and node.value != error.code:
        yield difference(node, "fails", f"the run to fail: {node.value}", said)
    elif node.kind == "map":
        yield from facts(node, error.to_dict(), "fails")


def _requests(node: Node, found: list[dict[str, Any]]) -> Iterator[Difference]:
    wanted: list[Node] = node.value
    for index, request in enumerate(wanted):
        if index < len(found):
            yield from facts(request, to_json(found[index]), f"requests[{index}]")
        else:
            sent = f"{len(found)} request{'' if len(found) == 1 else 's'} in all"
            yield difference(request, f"requests[{index}]", shown(request.plain()), sent)
    for index in range(len(wanted), len(found)):
        extra = {
            key: value for key, value in found[index].items() if key in ("step", "prompt", "model", "method", "url")
        }
        yield difference(node, f"requests[{index}]", "no more requests", shown(extra))


def _prompts(node: Node, found: list[str], snapshot: Sequence[str] | None) -> Iterator[Difference]:
    if node.kind == "list":
        yield from differences(node, found, "prompts")
    else:
        for each in _beside_snapshot(node, found, snapshot):
            yield each._replace(is_snapshot=True)


def _beside_snapshot(node: Node, found: list[str], snapshot: Sequence[str] | None) -> Iterator[Difference]:
    found, snapshot = list(map(without_keys, found)), snapshot and list(map(without_keys, snapshot))
    if snapshot is None:
        yield difference(node, "prompts", "a snapshot; `flowdsl test --update-snapshots` writes it", shown(found))
        return
    for index, text in enumerate(snapshot):
        now = found[index] if index < len(found) else None
        if now != text:
            came = "no such prompt" if now is None else _changed(text, now)
            yield difference(node, f"prompts[{index}]", f"{shown(text)} (snapshot)", came)
    for index in range(len(snapshot), len(found)):
        yield difference(node, f"prompts[{index}]", "no more prompts (snapshot)", shown(found[index]))


def _changed(before: str, now: str) -> str:
    begin = next((at for at, (one, other) in enumerate(zip(before, now, strict=False)) if one != other), None)
    begin = min(len(before), len(now)) if begin is None else begin
    return f"{shown(now)}; it differs from character {begin + 1} on"


def _events(wanted: list[Node], found: list[dict[str, Any]]) -> Iterator[Difference]:
    """The first event that does not come behind those before it."""
    at = 0
    for index, node in enumerate(wanted):
        begin = at
        while at < len(found) and not _is_event(node, found[at]):
            at += 1
        if at == len(found):
            near = [each for each in found[begin:] if each.get("event") == _kind(node)][:3]
            said = f"after {begin} events none such" + (
                f"; of its kind {shown([_brief(each) for each in near])}" if near else ""
            )
            yield difference(node, f"events[{index}]", shown(node.plain()), said)
            return
        at += 1


def _kind(node: Node) -> Any:
    return node.value["event"].value if node.kind == "map" and "event" in node.value else node.value


def _brief(event: dict[str, Any]) -> dict[str, Any]:
    beside = ("v", "run", "invocation", "parent", "at_s", "elapsed_s", "event")
    return {key: value for key, value in event.items() if key not in beside and value is not None}


def _is_event(node: Node, event: dict[str, Any]) -> bool:
    if node.kind != "map":
        return bool(event["event"] == node.value)
    return not any(facts(node, event, ""))


def _ran(node: Node, came: Came) -> Iterator[Difference]:
    started: dict[str, int] = {}
    for event in came.events:
        if isinstance(event, StepStarted):
            started[event.path] = started.get(event.path, 0) + 1
    for name, times in node.value.items():
        paths = {step.path for step in steps_named(name, came.document.every_step())}
        count = sum(started.get(path, 0) for path in paths)
        if count != times.value:
            yield difference(times, f"ran.{name}", _times(times.value), _times(count))


def _times(number: Any) -> str:
    return "once" if number == 1 else f"{number} times" if number else "not at all"
