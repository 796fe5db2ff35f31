"""The host's side: an Environment that never changes, and loads flows."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from flowdsl.checker import CheckSettings, in_order
from flowdsl.checker import check as check_file
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.document.build import build
from flowdsl.document.dialects import lowered, worded
from flowdsl.document.files import Files
from flowdsl.environment.wanted import wanted
from flowdsl.errors import FlowCheckError, FlowSyntaxError, PluginError, UsageError
from flowdsl.host import Host, OpenTransport, Storage, expect, frozen, refuse_async
from flowdsl.image.own_models import counting
from flowdsl.limits import Limits, expect_limits
from flowdsl.record import Record, Unchanging
from flowdsl.settings.entries import checked_settings
from flowdsl.settings.layers import InForce, in_force
from flowdsl.settings.places import PROJECT_FILE
from flowdsl.source import Source
from flowdsl.step.problem import show
from flowdsl.step.registry import Registry, installed
from flowdsl.syntax.yaml_reader import source_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from datetime import date

    from flowdsl.document.flow_file import FlowFile
    from flowdsl.engine.effects import Effects, Journal
    from flowdsl.engine.own_loop import KeptLoops
    from flowdsl.engine.resources import Resources
    from flowdsl.engine.result import Result
    from flowdsl.environment.flow import Flow, OnEvent
    from flowdsl.step.step import Step
    from flowdsl.template.filters import Filters

T = TypeVar("T")
FlowText = str | os.PathLike[str] | Source
"""A flow: a path, or its text when it is a str with a line break, or a Source."""


class Examined(Record):
    """A flow (None when it is none at all), its findings, the settings that count for it, and the files it reads."""

    file: FlowFile | None
    diagnostics: list[Diagnostic]
    settings: InForce
    files: Files


class Environment(Unchanging):
    """Everything a host adds to the language; it never changes, and runs in any number of threads may share it.

    `steps` are step classes beyond the installed ones; `services` entry name → settings; `host` what templates may read
    of the host, and its sink; `storage` the folders that pictures and files go to; `limits` the limits of runs; `as_of`
    the day to check life dates of models against (default: today); `overrides` provider → settings that win over all
    others; `autoescape` makes templates escape for HTML what they print, except what `safe` marks; `allow_endpoints`
    are addresses that keys which no file names may go to; `settings` is the settings file (default: the nearest
    `flowdsl.toml` of the project and the user's own; None: no file is read); `environ` holds the environment variables
    (default: those of the process; `{}`: none counts); `severities` gives findings another severity: code → `error`,
    `warning`, `note` or `off`. What is an error stays one. `transport` is a function that opens a transport of httpx,
    by which every request of the steps is sent (default: one of the steps). `filters` are filters for templates, name →
    function; its annotations are what it takes and gives.

    `async with Environment(...) as environment:` keeps connections open over several runs. They belong to the event
    loop they were opened in; a run in another loop, such as `Flow.run` in a thread, opens its own and closes them.
    `with Environment(...) as environment:` keeps them for `run` in any number of threads; when it has ended, runs are
    refused until the next.

    Raises:
        PluginError: a class among `steps` is not a step.
        UsageError: an entry in `services`, `overrides` or `filters` that cannot be, or an argument of the wrong kind.
    """

    __slots__ = (
        "_kept",
        "_opened",
        "_registry",
        "allow_endpoints",
        "as_of",
        "autoescape",
        "environ",
        "filters",
        "host",
        "limits",
        "overrides",
        "services",
        "settings",
        "severities",
        "steps",
        "storage",
        "template_filters",
        "transport",
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
    severities: Mapping[str, str]
    transport: OpenTransport | None
    filters: Mapping[str, Callable[..., Any]]
    template_filters: Filters
    _registry: Registry | None
    _opened: dict[AbstractEventLoop, Resources]
    _kept: KeptLoops | None

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
        severities: Mapping[str, str] | None = None,
        transport: OpenTransport | None = None,
        filters: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        if isinstance(steps, type):
            raise PluginError(f"steps takes a list of classes: steps=[{steps.__name__}]")
        expect("overrides", overrides, Mapping, "a dict")
        expect("host", host, Host, "flowdsl.Host(…)")
        expect("storage", storage, Storage, "flowdsl.Storage(…)")
        expect_limits(limits)
        if isinstance(as_of, str):
            raise UsageError("as_of takes a datetime.date, not str")
        self._set(steps=tuple(steps), host=host or Host(), storage=storage or Storage(), limits=limits or Limits())
        self._set(services=_settings(checked_settings("Environment: services", services or {})))
        self._set(overrides=_settings(checked_settings("Environment: overrides", overrides or {}, templated=False)))
        expect("settings", settings, (str, os.PathLike), "the path of a file, or None for no file")
        expect("environ", environ, Mapping, "a dict")
        if isinstance(allow_endpoints, str):
            raise UsageError(f"allow_endpoints takes a list of addresses: allow_endpoints=[{allow_endpoints!r}]")
        self._set(
            allow_endpoints=tuple(allow_endpoints), environ=None if environ is None else _texts("environ", environ)
        )
        self._set(settings=None if settings is None else os.fspath(settings))
        expect("severities", severities, Mapping, "a dict")
        if severities:
            from flowdsl.settings.severities import checked_severities

            checked_severities("Environment", severities)
        expect(
            "transport", transport, Callable, "a function that opens one, such as `lambda tls: httpx.MockTransport(…)`"
        )
        refuse_async("transport", transport)
        self._set(severities=frozen(severities or {}), transport=transport)
        expect("filters", filters, Mapping, "a dict")
        if filters:
            from flowdsl.template.filters.of_host import host_filters

            for name, function in filters.items():
                refuse_async(f"filters[{name!r}]", function)
        self._set(filters=frozen(filters), template_filters=host_filters(filters) if filters else ())
        self._set(as_of=as_of, autoescape=autoescape, _registry=None, _opened={}, _kept=None)
        if any(entry.get("options") for entry in self.services.values()):
            from flowdsl.step.entry_options import check_entry_options

            check_entry_options("Environment: services", self.services, self.registry)

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
            UsageError: a settings file has a mistake.
        """
        return [finding.hidden() for finding in self.examined(flow, declare).diagnostics]

    def load(self, flow: FlowText, *, action: str | None = None, declare: Iterable[str] = ()) -> Flow:
        """A flow that is ready to run; `action` names, by id or title, the action of a kit.

        Raises:
            FlowCheckError: the flow has errors; `.diagnostics` holds them all.
            UsageError: the file is a kit and `action` names none of its actions, or the file is a module; a settings
                file has a mistake.
            OSError: the file cannot be read.
            PluginError: the steps cannot be loaded.
        """
        from flowdsl.document.actions import chosen
        from flowdsl.environment.flow import Flow
        from flowdsl.secrets.mentions import may_mention, may_read_secrets

        examined = self.examined(flow, declare)
        file, settings = examined.file, examined.settings
        diagnostics = [finding.hidden() for finding in examined.diagnostics]
        if file is None:
            raise FlowSyntaxError(diagnostics)
        if has_errors(diagnostics):
            raise FlowCheckError(diagnostics)
        texts = (file.source.text, *examined.files.texts())
        # A filter of the host may give a secret that it was not handed.
        marks = may_read_secrets(*texts) or may_mention(self.filters, *texts)
        return Flow(self, chosen(file, action), diagnostics, settings, marks)

    def run(
        self,
        flow: FlowText,
        inputs: Mapping[str, Any] | None = None,
        *,
        action: str | None = None,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
        journal: Journal | None = None,
        limits: Limits | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Result:
        """Loads and runs a flow; see `Flow.run`. The names of `inputs` count as declared."""
        expect("inputs", inputs, Mapping, "a dict")
        loaded = self.load(flow, action=action, declare=inputs or ())
        return loaded.run(
            inputs, on_event=on_event, effects=effects, journal=journal, limits=limits, run_id=run_id, tags=tags
        )

    async def arun(
        self,
        flow: FlowText,
        inputs: Mapping[str, Any] | None = None,
        *,
        action: str | None = None,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
        journal: Journal | None = None,
        limits: Limits | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Result:
        """Loads and runs a flow in the running event loop; see `Flow.arun`."""
        expect("inputs", inputs, Mapping, "a dict")
        loaded = self.load(flow, action=action, declare=inputs or ())
        return await loaded.arun(
            inputs, on_event=on_event, effects=effects, journal=journal, limits=limits, run_id=run_id, tags=tags
        )

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

    def __enter__(self) -> Environment:
        import asyncio

        from flowdsl.engine.own_loop import KeptLoops

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise UsageError("an event loop is running here: use `async with Environment(…)`")
        if self._kept is not None and not self._kept.is_closed:
            raise UsageError("this Environment is open already")
        self._set(_kept=KeptLoops())
        return self

    def __exit__(self, *exc: object) -> None:
        if self._kept is not None:
            self._kept.close()

    def resources_of(self, loop: AbstractEventLoop) -> Resources | None:
        """The connections that are open in a loop; None when it opened none.

        Raises:
            UsageError: the `with` of this environment has ended.
        """
        found = self._opened.get(loop)
        if found is None and self._kept is not None:
            found = self._kept.resources_of(loop)
            if found is None and self._kept.is_closed:
                raise UsageError("this Environment is closed: run flows inside its `with`, or take one without it")
        return found

    def run_in_own_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, in an event loop that is kept while this environment is open."""
        from flowdsl.engine.own_loop import run_in_own_loop

        kept = self._kept
        return run_in_own_loop(coroutine) if kept is None or kept.is_closed else kept.run(coroutine)

    def examined(self, flow: FlowText, declare: Iterable[str] = (), settings: InForce | None = None) -> Examined:
        """What a flow is, and what is found in it, where keys that stand in the file are not hidden yet.

        `settings` are those of its folder, where they are known already.
        """
        examined = self._examined(flow, declare, settings)
        return examined._replace(diagnostics=wanted(examined.file, examined.diagnostics, examined.settings))

    def _examined(self, flow: FlowText, declare: Iterable[str], settings: InForce | None) -> Examined:
        source, diagnostics = source_of(flow)
        settings, files = settings or self.settings_for(source), Files(source)
        if diagnostics:
            return Examined(None, diagnostics, settings, files)
        nodes, mistakes = lowered(source, files.include)
        if nodes is None:
            return Examined(None, in_order(mistakes), settings, files)
        file = build(nodes, self.registry, files)
        if file is None:
            return Examined(None, in_order(worded(nodes, nodes.findings.diagnostics)), settings, files)
        against = CheckSettings(
            self.registry,
            services=settings.services,
            objects=self.host.objects,
            variables=self.host.variables,
            context=declare,
            env=self.host.env,
            as_of=self.as_of,
            filters=self.template_filters,
        )
        with counting(settings.models):
            found = check_file(file, against)
        if (settings.policy or not settings.limits.standard_input) and not has_errors(found):
            from flowdsl.environment.not_allowed import not_allowed

            found = in_order([*found, *not_allowed(self, file.documents, settings)])
        own = settings.findings_for(self.registry, file.named_services)
        return Examined(file, [*own, *worded(nodes, found)], settings, files)

    def settings_for(self, source: Source) -> InForce:
        """The settings and limits that count for a flow."""
        return in_force(
            source.path,
            self.settings,
            services=self.services,
            overrides=self.overrides,
            environ=self.environ,
            endpoints=self.allow_endpoints,
            limits=self.limits,
            given_severities=self.severities,
            registry=lambda: self.registry,
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Environment holds keys, and is not pickled: make another one where it is needed")


def _texts(name: str, values: Mapping[str, Any]) -> Mapping[str, str]:
    """A map of texts that cannot be changed: plain ones, as a text of a kind of its own may show itself as another.

    Raises:
        UsageError: a name or a value that is no text; it may be a key, and is not shown.
    """
    for key, value in values.items():
        for each in (key, value):
            if not isinstance(each, str):
                raise UsageError(f"{name} takes a dict of texts: {show(key)} is {type(each).__name__}")
    return frozen({str.__str__(key): str.__str__(value) for key, value in values.items()})


def _settings(entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    return frozen({name: frozen(entry) for name, entry in entries.items()})
