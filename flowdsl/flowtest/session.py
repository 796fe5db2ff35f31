"""Many cases: found in files, run side by side, each to its deadline."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.document.flow_tests import ENDINGS
from flowdsl.environment import Environment
from flowdsl.errors import FlowError
from flowdsl.flowtest.run import TIMEOUT_S, Halt, Outcome, run_case, tested_flow
from flowdsl.flowtest.snapshots import snapshots
from flowdsl.source import Source, Span

if TYPE_CHECKING:
    from flowdsl.document.flow_tests import Case, FlowTests
    from flowdsl.flowtest.coverage import Coverage, Point
    from flowdsl.flowtest.run import Simulation

JOBS = 4
"""How many cases run at the same time. Most of their time they wait for a simulator, so that it is more than there are
processors, and threads do as well as processes."""
_PATIENCE_S = 5.0
"""So long cases that are cancelled may clean up."""
_GRACE_S = 10.0
"""So long behind its deadline a case is given up: a step holds its thread."""


class CaseFile(NamedTuple):
    """A file of tests as it was read: None, with the findings, where it has mistakes; `known` are its snapshots."""

    path: str
    tests: FlowTests | None
    findings: tuple[Diagnostic, ...]
    known: Mapping[str, Sequence[str]]


def case_file(source: Source, simulation: Simulation) -> CaseFile:
    """A file of tests, checked; its faults are looked at by who commits them.

    Raises:
        FlowError: settings, or snapshots, that cannot be read.
        OSError: a file cannot be read.
    """
    examined = Environment().examined(source)
    findings = tuple(finding.hidden() for finding in examined.diagnostics)
    tests = examined.file.tests if examined.file is not None else None
    if tests is None and examined.file is not None:
        start = Span(source, 0, 0)
        findings = (Diagnostic("not-a-flow", "this file holds no flow tests", start, hint=_where_tests_are(source)),)
    findings += tuple(_wrong_faults(tests, simulation)) if tests is not None else ()
    if tests is None or has_errors(findings):
        return CaseFile(source.path, None, findings, {})
    return CaseFile(source.path, tests, findings, snapshots(tests))


def _where_tests_are(source: Source) -> str:
    """Where the tests of a flow are that was taken for a file of tests: beside it, mostly."""
    start, is_flow, _ = source.path.rpartition(".flow.")
    found = [f"{start}{ending}" for ending in ENDINGS if is_flow and Path(f"{start}{ending}").is_file()]
    return f"its tests stand in `{found[0]}`: name that file" if found else "they stand under `tests:`"


def _wrong_faults(tests: FlowTests, simulation: Simulation) -> Iterator[Diagnostic]:
    texts = {
        text.start: text
        for case in tests.cases
        for key in (case.own.get("faults"), case.shared.get("faults"))
        for node in (key.value.values() if key is not None and key.kind == "map" else ())
        for text in (node.value if node.kind == "list" else [node])
        if isinstance(text.value, str)
    }
    for text in texts.values():
        problem = simulation.fault_problem(text.value)
        if problem is not None:
            yield Diagnostic("not-a-choice", problem, text.span)


class Work(NamedTuple):
    """One case that is to run."""

    file: CaseFile
    case: Case


def chosen_work(files: Iterable[CaseFile], wish: str | None) -> list[Work]:
    """The cases of files, in order; with a `wish` only those whose path or name holds it, whatever its case."""
    found = [Work(file, case) for file in files if file.tests is not None for case in file.tests.cases]
    if wish is None:
        return found
    low = wish.lower()
    return [work for work in found if low in f"{work.file.path}::{work.case.name}".lower()]


class Session:
    """Runs cases in threads of its own, as a context manager: when it is left early, what runs is cancelled and cleans
    up. A thread that a step holds nevertheless ends with the process."""

    def __init__(self, simulation: Simulation, jobs: int = JOBS) -> None:
        self._simulation = simulation
        self._jobs = max(1, jobs)
        self._running: dict[int, tuple[float, Work]] = {}
        self._threads: list[threading.Thread] = []
        self._halt = Halt()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            return
        self._halt.now()
        until = time.monotonic() + _PATIENCE_S
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))

    def outcomes(self, work: Sequence[Work]) -> Iterator[Outcome]:
        """The outcomes in the order of the cases, each as soon as those before it are there. A case that holds its
        thread beyond its deadline is given up."""
        came: dict[int, Outcome] = {}
        following = 0
        for number, outcome in self._as_they_come(work):
            came[number] = outcome
            while following in came:
                yield came.pop(following)
                following += 1

    def _as_they_come(self, work: Sequence[Work]) -> Iterator[tuple[int, Outcome]]:
        waiting: queue.SimpleQueue[tuple[int, Work]] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
        for each in enumerate(work):
            waiting.put(each)
        for _ in range(min(self._jobs, len(work))):
            self._start(waiting, done)
        left = set(range(len(work)))
        while left:
            try:
                number, outcome = done.get(timeout=0.5)
            except queue.Empty:
                for number, outcome in self._given_up():
                    left.discard(number)
                    self._start(waiting, done)
                    yield number, outcome
                continue
            left.discard(number)
            yield number, outcome

    def _start(
        self, waiting: queue.SimpleQueue[tuple[int, Work]], done: queue.SimpleQueue[tuple[int, Outcome]]
    ) -> None:
        def work_on() -> None:
            while True:
                try:
                    number, work = waiting.get_nowait()
                except queue.Empty:
                    return
                if self._halt.is_set:
                    return
                self._running[number] = (time.monotonic(), work)
                tests = work.file.tests
                assert tests is not None  # noqa: S101  else it has no cases
                known = work.file.known.get(work.case.name)
                try:
                    outcome = run_case(tests, work.case, self._simulation, known, self._halt)
                except asyncio.CancelledError:
                    return
                if self._running.pop(number, None) is None:
                    return  # it was given up, and another thread goes on
                done.put((number, outcome))

        thread = threading.Thread(target=work_on, name="flowdsl-test", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _given_up(self) -> Iterator[tuple[int, Outcome]]:
        now = time.monotonic()
        for number, (began, work) in list(self._running.items()):
            timeout = work.case.get("timeout")
            limit = TIMEOUT_S if timeout is None else float(timeout.value)
            if now - began > limit + _GRACE_S and self._running.pop(number, None) is not None:
                said = f"it did not end within its {limit:g} s, and was given up: a step holds its thread"
                place = work.case.node.span
                nothing: frozenset[Point] = frozenset()
                seconds, name = now - began, work.case.name
                yield number, Outcome(place.path, place.first.line, name, (), said, seconds, nothing, nothing, None)


def whole_flows(files: Iterable[CaseFile], more: Iterable[str], coverage: Coverage) -> list[str]:
    """Adds to a coverage all that the tested flows, and `more` of them, can come to; gives the flows among `more` that
    no file tests. A kit counts with all its actions."""
    from pathlib import Path

    from flowdsl.flowtest.coverage import points

    tested = dict.fromkeys(tested_flow(file.tests) for file in files if file.tests is not None)
    untested = [path for path in more if path not in tested]
    alone = []
    for path in (*tested, *untested):
        try:
            file = Environment().examined(Path(path)).file
        except (FlowError, OSError):
            continue
        documents = file.documents if file is not None else ()
        for document in documents:
            coverage.add(points(document))
        if documents and path not in tested:
            alone.append(path)
    return alone
