"""The state of one run: what all its branches share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flowdsl.document.files import is_within, project_file
from flowdsl.engine.budget import BothBudgets, RunBudget
from flowdsl.engine.context_size import ContextSize
from flowdsl.errors import ConfigError
from flowdsl.events import Event, Invocation
from flowdsl.services import KEYS
from flowdsl.step.problem import show
from flowdsl.step.service import Service, check_key

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.document.document import StepNode
    from flowdsl.engine.effects import Effects, Journaling, Recovered
    from flowdsl.engine.iterations import Around
    from flowdsl.engine.pictures import Pictures
    from flowdsl.engine.program import CompiledStep, Program
    from flowdsl.engine.resources import Resources
    from flowdsl.engine.secrets import Secrets
    from flowdsl.errors import RunError
    from flowdsl.host import Host, OpenTransport
    from flowdsl.image.store import ImageStore
    from flowdsl.limits import Budget, Limits
    from flowdsl.services import ServiceLayers
    from flowdsl.settings.policy import PolicyRule
    from flowdsl.source import Span

Emit = Callable[[Event], None]
MOST_NOTES = 1000
"""So many notes are kept for the result of a run."""


def new_run_id() -> str:
    """The id of a run: ids sort by the time they were made. A UUID of version 7 (RFC 9562, 6.2 method 3)."""
    milliseconds, rest = divmod(time.time_ns(), 10**6)
    chance = int.from_bytes(os.urandom(8))
    first, second, fraction = milliseconds >> 16, milliseconds & 0xFFFF, rest * 4096 // 10**6
    return f"{first:08x}-{second:04x}-7{fraction:03x}-{chance >> 50 | 0x8000:04x}-{chance & 0xFFFF_FFFF_FFFF:012x}"


class Totals:
    """What a run and its branches add up: steps, iterations without any, invocations, cost, paid requests, and those
    whose result was used again."""

    __slots__ = (
        "cost_known",
        "cost_usd",
        "empty_iterations",
        "invocations",
        "recovered",
        "requests",
        "reused",
        "steps",
    )

    def __init__(self) -> None:
        self.steps = 0
        self.invocations = 0
        self.requests = 0
        self.empty_iterations = 0
        self.cost_usd = 0.0
        self.cost_known = True
        self.reused = 0
        self.recovered = 0


class Run:
    """The state of one run, which all its branches share.

    `names` is what templates read beside the FlowContext, without the namespaces of blocks. `root` is the invocation of
    the flow itself; only a run that is `observed`, by a listener or by a door for effects, makes further ones.
    `heard` is whether the host hears events; a log is not the host. `foreseen` is what is wrong with a step still to
    come, when that was found before the first that is paid. `thread` is where it runs, 0 when it has ended;
    `left_open` are the steps that were interrupted, each with its frame, whose end no event tells.
    """

    __slots__ = (
        "_as_of",
        "budget",
        "effects",
        "emit",
        "files",
        "foreseen",
        "heard",
        "held",
        "host",
        "id",
        "in_doubt",
        "interrupted",
        "is_ended_by_listener",
        "journal",
        "layers",
        "left_open",
        "limits",
        "looked_ahead",
        "names",
        "notes",
        "observed",
        "output",
        "pictures",
        "policy",
        "program",
        "resources",
        "root",
        "secrets",
        "size",
        "started",
        "store",
        "tags",
        "thread",
        "totals",
        "transport",
    )

    def __init__(
        self,
        program: Program,
        *,
        host: Host,
        names: Mapping[str, Any],
        secrets: Secrets,
        layers: ServiceLayers,
        limits: Limits,
        store: ImageStore,
        resources: Resources,
        as_of: date | None,
        output: str,
        emit: Emit | None = None,
        heard: bool | None = None,
        effects: Effects | None = None,
        id: str | None = None,
        pictures: Pictures | None = None,
        tags: Mapping[str, str] | None = None,
        transport: OpenTransport | None = None,
        policy: Sequence[PolicyRule] = (),
        journal: Journaling | None = None,
    ) -> None:
        self.journal = journal
        self.id = id or new_run_id()
        self.pictures = pictures
        self.tags = tags or {}
        self.transport = transport
        self.policy = policy
        self.program = program
        self.host = host
        self.names = names
        self.secrets = secrets
        self.layers = layers
        self.limits = limits
        self.size = ContextSize(limits.context_bytes)
        self.looked_ahead = False
        self.foreseen: RunError | None = None
        self.store = store
        self.resources = resources
        self._as_of = as_of
        self.output = output
        self.emit = emit
        self.heard = emit is not None if heard is None else heard
        self.effects = effects
        self.observed = emit is not None or effects is not None
        self.root = _ROOT
        self.started = perf_counter()
        self.totals = Totals()
        self.thread = get_ident()
        self.left_open: list[tuple[Any, Invocation, float]] = []
        self.interrupted: tuple[CompiledStep, Around] | None = None
        self.is_ended_by_listener = False
        self.in_doubt: list[Invocation] = []
        self.held: set[str] = set()
        self.files: list[str] = []
        self.notes: list[tuple[str, str]] = []
        spent = journal.spent() if journal is not None else (0, 0.0)
        shared = None if journal is None else journal.budget
        own = RunBudget(limits.max_requests, limits.max_usd, *spent)
        self.budget: Budget = own if shared is None else BothBudgets(own, shared)

    @property
    def as_of(self) -> date:
        """The day that life dates of models are compared with."""
        if self._as_of is None:
            from datetime import date

            self._as_of = date.today()
        return self._as_of

    @property
    def steps(self) -> int:
        """How many steps ran."""
        return self.totals.steps

    @property
    def cost(self) -> float | None:
        """What the run cost so far in USD, None when a part is not known."""
        return self.totals.cost_usd if self.totals.cost_known else None

    def now(self) -> float:
        """Seconds since the run started."""
        return perf_counter() - self.started

    def check_time(self) -> None:
        """Finds out that the run is past its deadline between two things of one step, which the event loop cannot end.

        Raises:
            LimitExceeded: it is.
        """
        timeout_s = self.limits.timeout_s
        if timeout_s is not None and self.now() > timeout_s:
            from flowdsl.engine.failures import too_late

            raise too_late(timeout_s, None)

    def spend(self, usd: float | None) -> None:
        """Adds to the cost; None makes it unknown."""
        if usd is None:
            self.totals.cost_known = False
        else:
            self.totals.cost_usd += usd

    def recover(self, recovered: Recovered) -> None:
        """Takes what an earlier attempt of this run has bought among what it made and paid for."""
        if recovered.is_shared:
            self.totals.reused += 1
        else:
            self.totals.recovered += 1
        self.spend(recovered.cost_usd)
        if self.pictures is not None:
            self.pictures.recover(recovered.files, recovered.listed)

    def doubt(self, invocation: Invocation) -> None:
        """Takes note of a paid request whose outcome is unknown: it may be done and billed, so the cost is unknown."""
        self.in_doubt.append(invocation)
        self.spend(None)

    def keep_note(self, code: str, text: str) -> None:
        """Keeps a note, its secrets hidden, for the result."""
        if len(self.notes) < MOST_NOTES:
            self.notes.append((code, text))

    def keep_files(self, paths: Any) -> None:
        """Keeps the paths of files that a step wrote, for the result; the step of a host may give anything."""
        if isinstance(paths, list):
            self.files += [self.secrets.hide(path) for path in paths if isinstance(path, str)]

    def emit_to_host(self, name: str, payload: Any) -> None:
        """Emits to the host's sink; without a sink and without an event callback it is printed to standard error, which
        a process without a terminal may not have."""
        if self.host.sink is not None:
            self.host.sink(name, payload)
        elif not self.heard and sys.stderr is not None:
            from flowdsl.display.visible import visible, visible_line

            sys.stderr.write(f"{visible_line(name)}: {visible(self.secrets.hide(_printed(payload)))}\n")

    def project_file(self, name: str, at: Span) -> str:
        """The path of a file of the project that a step names, which stands at a place; what the run made is found
        where it lies.

        Raises:
            ConfigError: there is no such file in the project, or nobody but the flow may name it.
        """
        self.check_file_name(name)
        if os.path.isabs(name) and os.path.isfile(name):  # noqa: PTH113, PTH117  pathlib is slow to import
            from flowdsl.image.shelf import ORIGINALS

            pictures = str(self.store.folder).removesuffix(f"{os.sep}{ORIGINALS}")
            if any(is_within(name, folder) for folder in (pictures, self.output)):
                return os.path.realpath(name)
        return project_file(name, at)

    def check_file_name(self, name: str) -> None:
        """Looks whether the name of a file may come from where it does, before anything is said of that file.

        Raises:
            ConfigError: a value names it, and neither the flow nor what the run made.
        """
        if self.limits.files_by_value or name in self.files or any(image.path == name for image in self.store.made):
            return
        from flowdsl.document.own_words import says

        if not says(self.program.document, name):
            raise ConfigError(
                f"{show(name)} is the name of a file, and here files are named by the flow alone, not by its inputs",
                code="file-by-value",
                hint="a picture is given as a `data:` address or as a link; files that may be chosen stand in the "
                "flow, as an `enum` of the input",
            )

    def service(self, step: StepNode, given: Mapping[str, Any] | None = None) -> Service:
        """The service entry of a step, with its templates resolved and its secrets marked; `given` are the step's
        options, as far as they are known, where it holds settings itself.

        Raises:
            ConfigError: the service is not configured.
        """
        spec = step.spec
        name = str(step.service.value if step.service is not None else spec.service)
        services = self.program.document.services
        service = self.layers.service(name, spec, services, self._resolve_setting, given)
        try:
            self.layers.require(service, spec, services)
        except ConfigError as error:
            error.span = step.service.span if step.service is not None else None
            raise
        for key in service.secret:
            if isinstance(service.settings.get(key), str):
                service.settings[key] = self.secrets.add(service.settings[key])
                if key in KEYS:
                    service.settings[key] = self.secrets.add(service.settings[key].strip())
                    check_key(service, key)
        for value in service.settings.values():
            self.secrets.notice(value)
        return service

    def _resolve_setting(self, value: Any) -> Any:
        """A setting with its template resolved; it may read `env`, `secret` and `kv`, not the FlowContext."""
        if isinstance(value, dict):
            return {key: self._resolve_setting(item) for key, item in value.items()}
        if not isinstance(value, str) or "{" not in value:
            return value
        from flowdsl.template import compile, parse

        filters = self.program.filters
        return compile(parse(value), strict=True, native=True, taint=True, filters=filters)({}, self.names)


_ROOT = Invocation(id=0)


def _printed(payload: Any) -> str:
    """A payload for people: its message when it has one, else the payload as JSON."""
    from flowdsl.template.json_text import stringify

    if isinstance(payload, Mapping) and "message" in payload:
        payload = payload["message"]
    return payload if isinstance(payload, str) else str(stringify(payload))
