"""One case of a file of flow tests: run without a service, and compared with what it expects."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from flowdsl.checker.flow_tests import flow_path
from flowdsl.document.files import Files
from flowdsl.engine.own_loop import run_in_own_loop
from flowdsl.environment import Environment
from flowdsl.errors import FlowCheckError, FlowError, RunError, in_words
from flowdsl.flowtest.coverage import Point, Tracker, points
from flowdsl.flowtest.doubles import Door, Mocks
from flowdsl.flowtest.expectations import Came, compared
from flowdsl.flowtest.matching import Difference
from flowdsl.host import Host, Storage
from flowdsl.limits import Limits
from flowdsl.rewriting.temporary import temporary_folder
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from flowdsl.document.flow_tests import Case, FlowTests
    from flowdsl.engine.effects import Effects
    from flowdsl.engine.result import Result
    from flowdsl.environment.flow import Flow
    from flowdsl.events import Event
    from flowdsl.syntax.node import Node

T = TypeVar("T")
TIMEOUT_S = 30.0
"""The deadline of a case, unless it has one of its own."""
MAX_REQUESTS = 200
"""How many paid requests a case may send: a loop that never ends is found out by then."""


class Simulation(Protocol):
    """What stands in for the services of flows: the command line gives it."""

    NOWHERE: str

    def overrides(self, url: str, key: str) -> dict[str, dict[str, Any]]:
        """The settings that send the requests of all services to one address."""
        ...

    def placeholder_secret(self, name: str) -> str:
        """What every secret is that a test does not give."""
        ...

    def running_simulator(
        self, flow: Flow, faults: Sequence[str] = (), *, plain: bool = False
    ) -> AbstractContextManager[dict[str, dict[str, Any]]]:
        """The overrides for a simulator that runs as long as the context."""
        ...

    def fault_problem(self, text: str) -> str | None:
        """What is wrong with a fault, `KIND[:TIMES]`."""
        ...

    def simulator_url(self, overrides: Mapping[str, Mapping[str, Any]]) -> str:
        """The address of the simulator that overrides lead to."""
        ...

    def step_marks(self, flow: Flow) -> Effects:
        """A door through which each request says of which step it is."""
        ...


class Outcome(NamedTuple):
    """What came of one case. It passed when nothing in `differences` and no `error` (a report that is shown as it is)
    says otherwise. `could_hit` are the points of its flow, and `hit` those it came to; `prompts` are those of its
    requests, in order, or None where its run never began."""

    file: str
    line: int
    name: str
    differences: tuple[Difference, ...]
    error: str | None
    seconds: float
    could_hit: frozenset[Point]
    hit: frozenset[Point]
    prompts: tuple[str, ...] | None

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return self.error is None and not self.differences

    @property
    def shown_name(self) -> str:
        """The name without what looks like a secret in it."""
        return without_keys(self.name)


class Halt:
    """Ends the runs of other threads: what they have begun is cancelled, and cleans up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = set()
        self.is_set = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, in a loop of this thread.

        Raises:
            asyncio.CancelledError: everything is to end.
        """
        return run_in_own_loop(self._kept(work))

    async def _kept(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        entry = (asyncio.get_running_loop(), task)
        with self._lock:
            self._running.add(entry)
            if self.is_set:
                task.cancel()
        try:
            return await task
        finally:
            with self._lock:
                self._running.discard(entry)

    def now(self) -> None:
        """Ends them."""
        with self._lock:
            self.is_set = True
            for loop, task in self._running:
                loop.call_soon_threadsafe(task.cancel)


def run_case(
    tests: FlowTests,
    case: Case,
    simulation: Simulation,
    snapshot: Sequence[str] | None = None,
    halt: Halt | None = None,
) -> Outcome:
    """Runs a case; `snapshot` are the prompts of its snapshot, None where there is none. Nothing is raised for what is
    wrong with the case or its flow.

    Raises:
        asyncio.CancelledError: `halt` ends it.
    """
    began = time.perf_counter()
    place = case.node.span
    found: tuple[Difference, ...] = ()
    could: frozenset[Point] = frozenset()
    hit: frozenset[Point] = frozenset()
    prompts = error = None
    sources = [tests.source]

    def hidden(text: str) -> str:
        for source in sources:
            text = source.hide(text)
        return without_keys(text)

    with temporary_folder("flowdsl-test-") as folder:
        try:
            came, tracker = _run(tests, case, simulation, Path(folder), halt or Halt())
            sources.append(came.document.source)
            could, hit = frozenset(points(came.document)), frozenset(tracker.hit)
            prompts = tuple(map(without_keys, came.prompts))
            found = tuple(compared(case, came, snapshot))
        except FlowCheckError as wrong:
            from flowdsl.diagnostics import render

            error = render([each for each in wrong.diagnostics if each.severity == "error"])
        except (FlowError, OSError) as wrong:
            error = str(wrong)
        except Exception as crash:  # noqa: BLE001  one case must not end the others
            error = f"the test itself failed: {in_words(crash)}"
    found = tuple(
        each._replace(at=hidden(each.at), expected=hidden(each.expected), found=hidden(each.found)) for each in found
    )
    error = error and hidden(error)
    seconds = time.perf_counter() - began
    return Outcome(place.path, place.first.line, case.name, found, error, seconds, could, hit, prompts)


def tested_flow(tests: FlowTests) -> str:
    """The path of the flow that tests are about.

    Raises:
        FlowCheckError: there is no such file in the project.
    """
    real, problem = Files(tests.source).resolve(flow_path(tests), tests.at.span)
    if real is None:
        raise FlowCheckError([problem] if problem is not None else [])
    return os.path.relpath(real)


def _run(tests: FlowTests, case: Case, simulation: Simulation, folder: Path, halt: Halt) -> tuple[Came, Tracker]:
    inputs = {name: node.plain() for name, node in case.entries("inputs").items()}
    action = case.get("action")
    named = None if action is None else str(action.value)
    mocks, path = Mocks(case.mocks()), Path(tested_flow(tests))
    settings = _settings(case, simulation, folder, mocks)
    seen = Environment(**settings).load(path, action=named, declare=inputs)
    with simulation.running_simulator(seen, _faults(case), plain=True) as overrides:
        mocks.simulator = simulation.simulator_url(overrides)
        flow = Environment(**{**settings, "overrides": overrides}).load(path, action=named, declare=inputs)
        door, tracker = Door(flow.document, simulation.step_marks(flow), case.name), Tracker(flow.document)
        events: list[Event] = []

        def listen(event: Event) -> None:
            events.append(event)
            tracker(event)

        result: Result | None
        failure: RunError | None = None
        try:
            result = halt.run(flow.arun(inputs, on_event=listen, effects=door))
        except RunError as error:
            failure, result = error, error.result
    return Came(flow.document, result, failure, events, door.requests, mocks, str(folder / "files")), tracker


def _settings(case: Case, simulation: Simulation, folder: Path, mocks: Mocks) -> dict[str, Any]:
    """What an Environment is made of for a case."""
    secrets = {name: str(node.plain()) for name, node in case.entries("secrets").items()}
    env = {name: str(node.plain()) for name, node in case.entries("env").items()}
    timeout = case.get("timeout")
    return {
        "host": Host(
            secrets=lambda name: secrets.get(name, simulation.placeholder_secret(name)),
            env=env,
            kv={name: node.plain() for name, node in case.entries("kv").items()},
            sink=lambda name, payload: None,
        ),
        "storage": Storage(images=folder / "images", output=folder / "files"),
        "limits": Limits(
            timeout_s=TIMEOUT_S if timeout is None else float(timeout.value),
            private_addresses=True,  # nothing is sent to any address
            max_requests=MAX_REQUESTS,
            fixed=frozenset({"private_addresses", "max_requests", "max_usd"}),
        ),
        "as_of": _day(case.get("asOf")),
        "environ": env,
        "overrides": simulation.overrides(simulation.NOWHERE, ""),
        "transport": mocks.open,
    }


def _day(node: Node | None) -> Any:
    from datetime import date

    return None if node is None else date.fromisoformat(str(node.value))


def _faults(case: Case) -> list[str]:
    found = []
    for name, node in case.entries("faults").items():
        texts = node.value if node.kind == "list" else [node]
        found += [f"{name}={_quick(str(text.value))}" for text in texts]
    return found


def _quick(fault: str) -> str:
    """A fault whose server asks for the shortest pause before the request is sent again, unless it says more."""
    return fault if "," in fault else f"{fault},retry_after=1ms"
