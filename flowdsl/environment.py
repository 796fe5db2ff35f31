"""The host's side: an Environment that never changes, the flows it loads, and the results of their runs."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from flowdsl.checker import CheckSettings, in_order
from flowdsl.checker import check as check_file
from flowdsl.checker.inputs import input_values
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.document.actions import chosen
from flowdsl.document.build import build
from flowdsl.document.dialects import lowered
from flowdsl.document.files import Files
from flowdsl.errors import FlowCheckError, FlowSyntaxError, PluginError, UsageError
from flowdsl.host import Host, Storage, expect, frozen, refuse_async
from flowdsl.limits import Limits
from flowdsl.record import Unchanging
from flowdsl.secrets.mentions import may_read_secrets
from flowdsl.services import checked_entries, checked_overrides
from flowdsl.settings.files import PROJECT_FILE
from flowdsl.settings.layers import InForce, in_force
from flowdsl.source import Source
from flowdsl.step.registry import Registry, installed
from flowdsl.syntax.opened import read_file
from flowdsl.syntax.yaml_reader import read_bytes

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from datetime import date

    from flowdsl.document.document import Document
    from flowdsl.document.flow_file import FlowFile
    from flowdsl.engine.effects import Effects
    from flowdsl.engine.program import Program
    from flowdsl.engine.resources import Resources
    from flowdsl.engine.result import Result
    from flowdsl.events import Event
    from flowdsl.step.step import Step

FlowText = str | os.PathLike[str] | Source
"""A flow: a path, or its text when it is a str with a line break, or a Source."""
OnEvent = Callable[["Event"], None]
"""Called with each event of a run as it happens, in the thread of the run."""


class Environment(Unchanging):
    """Everything a host adds to the language; it never changes, and runs in any number of threads may share it.

    `steps` are step classes beyond the installed ones; `services` entry name → settings; `host` what templates may read
    of the host, and its sink; `storage` the folders that pictures and files go to; `limits` the limits of runs; `as_of`
    the day to check life dates of models against (default: today); `overrides` provider → settings that win over all
    others; `autoescape` makes templates escape for HTML what they print, except what `safe` marks; `allow_endpoints`
    are addresses that keys which no file names may go to; `settings` is the settings file (default: the nearest
    `flowdsl.toml` of the project and the user's own; None: no file is read); `environ` holds the environment variables
    (default: those of the process; `{}`: none counts).

    `async with Environment(...) as environment:` keeps connections open over several runs. They belong to the event
    loop they were opened in; a run in another loop, such as `Flow.run` in a thread, opens its own and closes them.

    Raises:
        PluginError: a class among `steps` is not a step.
        UsageError: an entry in `services` or `overrides` that cannot be, or an argument of the wrong kind.
    """

    __slots__ = (
        "_opened",
        "_registry",
        "allow_endpoints",
        "as_of",
        "autoescape",
        "environ",
        "host",
        "limits",
        "overrides",
        "services",
        "settings",
        "steps",
        "storage",
    )

    steps: tuple[type[Step], ...]
    services: Mapping[str, Mapping[str, Any]]
    host: Host
    storage: Storage
    limits: Limits
    as_of: date | None
    overrides: Mapping[str, Mapping[str, Any]]
    autoescape: bool
    allow_endpoints: tuple[str, ...]
    settings: str | None
    environ: Mapping[str, str] | None
    _registry: Registry | None
    _opened: dict[AbstractEventLoop, Resources]

    def __init__(
        self,
        *,
        steps: Iterable[type[Step]] = (),
        services: Mapping[str, Mapping[str, Any]] | None = None,
        host: Host | None = None,
        storage: Storage | None = None,
        limits: Limits | None = None,
        as_of: date | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        autoescape: bool = False,
        allow_endpoints: Iterable[str] = (),
        settings: str | os.PathLike[str] | None = PROJECT_FILE,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(steps, type):
            raise PluginError(f"steps takes a list of classes: steps=[{steps.__name__}]")
        expect("overrides", overrides, Mapping, "a dict")
        expect("host", host, Host, "flowdsl.Host(…)")
        expect("storage", storage, Storage, "flowdsl.Storage(…)")
        expect("limits", limits, Limits, "flowdsl.Limits(…)")
        if isinstance(as_of, str):
            raise UsageError("as_of takes a datetime.date, not str")
        self._set(steps=tuple(steps), host=host or Host(), storage=storage or Storage(), limits=limits or Limits())
        self._set(services=_settings(checked_entries("Environment", {"services": services or {}})))
        self._set(overrides=_settings(checked_overrides(overrides or {})))
        expect("settings", settings, (str, os.PathLike), "the path of a file, or None for no file")
        expect("environ", environ, Mapping, "a dict")
        if isinstance(allow_endpoints, str):
            raise UsageError(f"allow_endpoints takes a list of addresses: allow_endpoints=[{allow_endpoints!r}]")
        self._set(allow_endpoints=tuple(allow_endpoints), environ=None if environ is None else frozen(environ))
        self._set(settings=None if settings is None else os.fspath(settings))
        self._set(as_of=as_of, autoescape=autoescape, _registry=None, _opened={})

    @property
    def registry(self) -> Registry:
        """The steps that flows may use."""
        registry = self._registry
        if registry is None:
            registry = installed().with_steps(self.steps) if self.steps else installed()
            self._set(_registry=registry)
        return registry

    def check(self, flow: FlowText, *, declare: Iterable[str] = ()) -> list[Diagnostic]:
        """Every finding of a flow, in the order of the file; `declare` names FlowContext keys that the caller will set.

        Raises:
            OSError: the file cannot be read.
            PluginError: the steps cannot be loaded.
        """
        return [finding.hidden() for finding in self._check(flow, declare)[1]]

    def load(self, flow: FlowText, *, action: str | None = None, declare: Iterable[str] = ()) -> Flow:
        """A flow that is ready to run; `action` names, by id or title, the action of a kit.

        Raises:
            FlowCheckError: the flow has errors; `.diagnostics` holds them all.
            UsageError: the file is a kit and `action` names none of its actions, or the file is a module.
            OSError: the file cannot be read.
            PluginError: the steps cannot be loaded.
        """
        file, found, settings, files = self._check(flow, declare)
        diagnostics = [finding.hidden() for finding in found]
        if file is None:
            raise FlowSyntaxError(diagnostics)
        if has_errors(diagnostics):
            raise FlowCheckError(diagnostics)
        return Flow(
            self, chosen(file, action), diagnostics, settings, may_read_secrets(file.source.text, *files.texts())
        )

    def run(
        self,
        flow: FlowText,
        inputs: Mapping[str, Any] | None = None,
        *,
        action: str | None = None,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
    ) -> Result:
        """Loads and runs a flow; see `Flow.run`. The names of `inputs` count as declared."""
        expect("inputs", inputs, Mapping, "a dict")
        return self.load(flow, action=action, declare=inputs or ()).run(inputs, on_event=on_event, effects=effects)

    async def arun(
        self,
        flow: FlowText,
        inputs: Mapping[str, Any] | None = None,
        *,
        action: str | None = None,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
    ) -> Result:
        """Loads and runs a flow in the running event loop; see `Flow.arun`."""
        expect("inputs", inputs, Mapping, "a dict")
        loaded = self.load(flow, action=action, declare=inputs or ())
        return await loaded.arun(inputs, on_event=on_event, effects=effects)

    async def __aenter__(self) -> Environment:
        import asyncio

        from flowdsl.engine.resources import Resources

        loop = asyncio.get_running_loop()
        if loop in self._opened:
            raise UsageError("this Environment is open already")
        self._opened[loop] = Resources()
        return self

    async def __aexit__(self, *exc: object) -> None:
        import asyncio

        resources = self._opened.pop(asyncio.get_running_loop(), None)
        if resources is not None:
            await resources.__aexit__(*exc)

    def _check(
        self, flow: FlowText, declare: Iterable[str]
    ) -> tuple[FlowFile | None, list[Diagnostic], InForce, Files]:
        source, diagnostics = _source(flow)
        settings, files = self._in_force(source), Files(source)
        if diagnostics:
            return None, diagnostics, settings, files
        nodes, mistakes = lowered(source, files.include)
        if nodes is None:
            return None, in_order(mistakes), settings, files
        file = build(nodes, self.registry, files)
        if file is None:
            return None, in_order(nodes.findings.diagnostics), settings, files
        against = CheckSettings(
            self.registry,
            services=settings.services,
            objects=self.host.objects,
            variables=self.host.variables,
            context=declare,
            env=self.host.env,
            as_of=self.as_of or _today(),
        )
        return file, [*settings.findings, *check_file(file, against)], settings, files

    def _in_force(self, source: Source) -> InForce:
        """The settings and limits that count for a flow."""
        return in_force(
            os.path.dirname(source.path) if not source.path.startswith("<") else ".",  # noqa: PTH120
            self.settings,
            services=self.services,
            overrides=self.overrides,
            environ=self.environ,
            endpoints=self.allow_endpoints,
            limits=self.limits,
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Environment holds keys, and is not pickled: make another one where it is needed")


class Flow:
    """A checked flow: `run` it as often as you like. `diagnostics` holds its warnings and notes."""

    def __init__(
        self,
        environment: Environment,
        document: Document,
        diagnostics: Iterable[Diagnostic],
        settings: InForce,
        reads_secrets: bool,
    ) -> None:
        self.environment = environment
        self.document = document
        self.diagnostics = tuple(diagnostics)
        self._settings = settings
        self._reads_secrets = reads_secrets or bool(environment.steps) or environment.host.may_give_secrets
        self._programs: dict[bool, Program] = {}

    @property
    def title(self) -> str | None:
        """The flow's title."""
        return self.document.title

    def prepare(self) -> Flow:
        """Does now what the first run would do first, and gives the flow: imports what runs need and compiles the flow,
        a fifth of a second in which an event loop would do nothing else. Call it before the loop, or in a thread."""
        from importlib import import_module

        for module in ("execute", "resources"):
            import_module(f"flowdsl.engine.{module}")
        for step in self.document.every_step():
            self.environment.registry.step_class(step.spec.name)
        self._compiled(self._reads_secrets)
        return self

    def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
    ) -> Result:
        """Runs the flow to its end; `inputs` prefill the FlowContext, `on_event` is called with each event, `effects`
        is the door that everything paid or written to the outside goes through (default: it is just done).

        Raises:
            ConfigError: an input that the flow does not declare, or that does not fit its schema.
            RunError: the step that failed, with `.step`, `.path` and `.span`.
            UsageError: called while an event loop runs; use `arun` there.
        """
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            from flowdsl.engine.own_loop import run_in_own_loop

            return run_in_own_loop(self.arun(inputs, on_event=on_event, effects=effects))
        raise UsageError("an event loop is running here: use `await flow.arun(...)`")

    async def arun(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
    ) -> Result:
        """`run` for a running event loop. Cancelling it cancels the flow, and leaves nothing half-written."""
        import asyncio

        from flowdsl.engine.resources import Resources

        shared = self.environment._opened.get(asyncio.get_running_loop())
        if shared is not None:
            return await self._arun(inputs, on_event, effects, shared)
        async with Resources() as resources:
            return await self._arun(inputs, on_event, effects, resources)

    async def stream(
        self, inputs: Mapping[str, Any] | None = None, *, effects: Effects | None = None
    ) -> AsyncGenerator[Event | Result, None]:
        """The events of a run as they happen, and its Result as the last item.

        Raises:
            RunError: after the events, when the run fails.
        """
        import asyncio

        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(self.arun(inputs, on_event=queue.put_nowait, effects=effects))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            yield await task
        finally:
            task.cancel()  # the run of a stream that is closed early
            await asyncio.gather(task, return_exceptions=True)

    async def _arun(
        self,
        inputs: Mapping[str, Any] | None,
        on_event: OnEvent | None,
        effects: Effects | None,
        resources: Resources,
    ) -> Result:
        from flowdsl.engine.execute import run_program
        from flowdsl.template import holds_secret

        environment = self.environment
        expect("inputs", inputs, Mapping, "a dict")
        expect("on_event", on_event, Callable, "a function")
        if on_event is not None:
            refuse_async("on_event", on_event)
        return await run_program(
            self._compiled(self._reads_secrets or holds_secret(inputs)),
            input_values(self.document.inputs, inputs or {}),
            host=environment.host,
            storage=environment.storage,
            layers=self._settings.services,
            limits=self._settings.limits,
            as_of=environment.as_of,
            resources=resources,
            metadata=self._settings.metadata,
            emit=on_event,
            effects=effects,
        )

    def _compiled(self, marks: bool) -> Program:
        """The program; with `marks` one whose templates keep the marks of secrets, which is slower."""
        if marks not in self._programs:
            from flowdsl.engine.compile import Compiler

            placeholders = [*self.environment.host.variables, *(self.document.inputs or ())]
            self._programs[marks] = Compiler(
                self.document,
                self.environment.registry,
                self.environment.limits,
                placeholders,
                autoescape=self.environment.autoescape,
                taint=marks,
            ).program()
        return self._programs[marks]


def check(flow: FlowText, *, environment: Environment | None = None, declare: Iterable[str] = ()) -> list[Diagnostic]:
    """Every finding of a flow: errors, warnings and notes, in the order of the file.

    Never raises for a mistake in it.
    """
    return (environment or Environment()).check(flow, declare=declare)


def load(
    flow: FlowText,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    declare: Iterable[str] = (),
) -> Flow:
    """A flow that is ready to run. Raises FlowCheckError, with all diagnostics, when it has errors."""
    return (environment or Environment()).load(flow, action=action, declare=declare)


def run(
    flow: FlowText,
    inputs: Mapping[str, Any] | None = None,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    on_event: OnEvent | None = None,
    effects: Effects | None = None,
) -> Result:
    """Loads and runs a flow. Raises FlowCheckError before anything runs, RunError for the step that fails."""
    return (environment or Environment()).run(flow, inputs, action=action, on_event=on_event, effects=effects)


async def arun(
    flow: FlowText,
    inputs: Mapping[str, Any] | None = None,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    on_event: OnEvent | None = None,
    effects: Effects | None = None,
) -> Result:
    """`run` for a running event loop."""
    return await (environment or Environment()).arun(flow, inputs, action=action, on_event=on_event, effects=effects)


def _settings(entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    return frozen({name: frozen(entry) for name, entry in entries.items()})


def _source(flow: FlowText) -> tuple[Source, list[Diagnostic]]:
    if isinstance(flow, Source):
        return flow, []
    if isinstance(flow, str) and ("\n" in flow or not flow.strip()):
        return Source(flow), []
    if not isinstance(flow, (str, os.PathLike)):
        raise UsageError(f"a flow is a path, a text or a flowdsl.Source, not {type(flow).__name__}")
    path = os.fspath(flow)
    if (path.lstrip().startswith(("- ", "flow:", "{", "[")) or ": " in path) and not os.path.exists(path):  # noqa: PTH110
        shown = path if len(path) <= 40 else f"{path[:39]}…"
        raise UsageError(f"a text without a line break is taken for a path; if this is a flow, write Source({shown!r})")
    return read_bytes(read_file(path), path)


def _today() -> date:
    from datetime import date

    return date.today()
