"""The host's side: an immutable Environment, the flows it loads, and the results of their runs."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.checker import Checked, CheckSettings
from flowdsl.checker import check as check_flow
from flowdsl.checker.actions import chosen
from flowdsl.checker.inputs import input_values
from flowdsl.diagnostics import Diagnostic, has_errors
from flowdsl.engine.result import Result
from flowdsl.errors import FlowCheckError, FlowSyntaxError, PluginError, UsageError
from flowdsl.events import Event
from flowdsl.limits import Limits
from flowdsl.services import (
    ServiceLayers,
    allows_private_addresses,
    checked_entries,
    checked_overrides,
    settings_file,
)
from flowdsl.source import Source
from flowdsl.step.registry import Registry, installed
from flowdsl.syntax.yaml_reader import read_bytes

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.document.document import Document
    from flowdsl.engine.execute import Resources
    from flowdsl.engine.program import Program
    from flowdsl.step.step import Step

FlowText = str | os.PathLike[str] | Source
"""A flow: a path, or its text when it is a str with a line break, or a Source."""
OnEvent = Callable[[Event], None]
"""Called with each event of a run as it happens, in the thread of the run."""


class Environment:
    """Everything a host adds to the language; immutable, and safe to share between runs.

    `steps` are step classes beyond the installed ones; `services` entry name → settings; `variables` the host variables
    of `{name}`; `objects` names in templates (values and functions); `limits` the limits of runs; `images` the folder
    that pictures are stored in; `secrets` name → value or None for `secret('NAME')` (default: the environment
    variables); `env` the environment variables that templates may read; `kv` the values of `kv('NAME')`; `as_of` the
    day that life dates of models are judged by (default: today); `overrides` provider → settings that win over all
    others; `sink` is called with name and payload of what flows tell people and programs (notifications, EMIT_EVENT);
    `output` is the folder that steps such as SAVE_IMAGES write to, and no file outside it; `autoescape` makes templates
    escape for HTML what they print, except what `safe` marks.

    `async with Environment(...) as environment:` keeps connections open over several runs.

    Raises:
        PluginError: a class among `steps` is not a step.
        UsageError: an entry in `services` or `overrides` that cannot be, or an argument of the wrong kind.
    """

    def __init__(
        self,
        *,
        steps: Iterable[type[Step]] = (),
        services: Mapping[str, Mapping[str, Any]] | None = None,
        variables: Mapping[str, Any] | None = None,
        objects: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        images: str | os.PathLike[str] = "flowdsl-images",
        secrets: Callable[[str], str | None] | None = None,
        env: Iterable[str] = (),
        kv: Mapping[str, Any] | None = None,
        as_of: date | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        sink: Callable[[str, Any], None] | None = None,
        output: str | os.PathLike[str] = "flowdsl-output",
        autoescape: bool = False,
    ) -> None:
        if isinstance(steps, type):
            raise PluginError(f"steps takes a list of classes: steps=[{steps.__name__}]")
        for name, value in (("variables", variables), ("objects", objects), ("kv", kv), ("overrides", overrides)):
            _expect(name, value, Mapping, "a dict")
        _expect("images", images, (str, os.PathLike), "the path of a folder")
        _expect("limits", limits, Limits, "flowdsl.Limits(…)")
        _expect("secrets", secrets, Callable, "a function from name to value, such as `values.get`")
        if isinstance(env, str):
            raise UsageError(f"env takes a list of names: env=[{env!r}]")
        if isinstance(as_of, str):
            raise UsageError("as_of takes a datetime.date, not str")
        self.steps = tuple(steps)
        self.services = checked_entries("Environment", {"services": services or {}})
        self.variables = dict(variables or {})
        self.objects = dict(objects or {})
        self.limits = limits or Limits()
        self.images = os.fspath(images)
        self.secrets = secrets
        self.env = frozenset(env)
        self.kv = dict(kv or {})
        self.as_of = as_of
        self.overrides = checked_overrides(overrides or {})
        self.sink = sink
        self.output = os.fspath(output)
        self.autoescape = autoescape
        self._registry: Registry | None = None
        self._resources: Resources | None = None

    @property
    def registry(self) -> Registry:
        """The steps that flows may use."""
        if self._registry is None:
            self._registry = installed().with_steps(self.steps) if self.steps else installed()
        return self._registry

    def check(self, flow: FlowText, *, declare: Iterable[str] = ()) -> list[Diagnostic]:
        """Every finding of a flow, in the order of the file; `declare` names FlowContext keys that the caller will set.

        Raises:
            OSError: the file cannot be read.
            PluginError: the steps cannot be loaded.
        """
        return self._check(flow, declare)[1]

    def load(self, flow: FlowText, *, action: str | None = None, declare: Iterable[str] = ()) -> Flow:
        """A flow that is ready to run; `action` names, by id or title, the action of a kit.

        Raises:
            FlowCheckError: the flow has errors; `.diagnostics` holds them all.
            UsageError: the file is a kit and `action` names none of its actions, or the file is a module.
            OSError: the file cannot be read.
            PluginError: the steps cannot be loaded.
        """
        checked, diagnostics, layers = self._check(flow, declare)
        if checked is None:
            raise FlowSyntaxError(diagnostics)
        if has_errors(diagnostics):
            raise FlowCheckError(diagnostics)
        return Flow(self, chosen(checked, action), diagnostics, layers)

    def run(
        self,
        flow: FlowText,
        inputs: Mapping[str, Any] | None = None,
        *,
        action: str | None = None,
        on_event: OnEvent | None = None,
    ) -> Result:
        """Loads and runs a flow; see `Flow.run`. The names of `inputs` count as declared."""
        _expect("inputs", inputs, Mapping, "a dict")
        return self.load(flow, action=action, declare=inputs or ()).run(inputs, on_event=on_event)

    async def arun(
        self,
        flow: FlowText,
        inputs: Mapping[str, Any] | None = None,
        *,
        action: str | None = None,
        on_event: OnEvent | None = None,
    ) -> Result:
        """Loads and runs a flow in the running event loop; see `Flow.arun`."""
        _expect("inputs", inputs, Mapping, "a dict")
        return await self.load(flow, action=action, declare=inputs or ()).arun(inputs, on_event=on_event)

    async def __aenter__(self) -> Environment:
        from flowdsl.engine.execute import Resources

        if self._resources is not None:
            raise UsageError("this Environment is open already")
        self._resources = Resources()
        return self

    async def __aexit__(self, *exc: object) -> None:
        resources, self._resources = self._resources, None
        if resources is not None:
            await resources.__aexit__(*exc)

    def _check(self, flow: FlowText, declare: Iterable[str]) -> tuple[Checked | None, list[Diagnostic], ServiceLayers]:
        source, diagnostics = _source(flow)
        layers = self._layers(source)
        if diagnostics:
            return None, diagnostics, layers
        settings = CheckSettings(
            self.registry,
            services=layers,
            objects=self.objects,
            variables=self.variables,
            context=declare,
            as_of=self.as_of or _today(),
        )
        return *check_flow(source, settings), layers

    def _layers(self, source: Source) -> ServiceLayers:
        layers: list[tuple[str, Mapping[str, Mapping[str, Any]]]] = []
        folder = os.path.dirname(source.path) if not source.path.startswith("<") else "."  # noqa: PTH120
        found = settings_file(folder)
        private = False
        if found is not None:
            layers.append((os.path.basename(found[0]), checked_entries(*found)))  # noqa: PTH119
            private = allows_private_addresses(*found)
        layers.append(("host", self.services))
        return ServiceLayers(layers, overrides=self.overrides, private_addresses=private)


class Flow:
    """A checked flow: `run` it as often as you like. `diagnostics` holds its warnings and notes."""

    def __init__(
        self, environment: Environment, document: Document, diagnostics: Iterable[Diagnostic], layers: ServiceLayers
    ) -> None:
        self.environment = environment
        self.document = document
        self.diagnostics = tuple(diagnostics)
        self._layers = layers
        self._program: Program | None = None

    @property
    def title(self) -> str | None:
        """The flow's title."""
        return self.document.title

    def run(self, inputs: Mapping[str, Any] | None = None, *, on_event: OnEvent | None = None) -> Result:
        """Runs the flow to its end; `inputs` prefill the FlowContext, `on_event` is called with each event.

        Raises:
            ConfigError: an input that the flow does not declare, or that does not fit its schema.
            RunError: the step that failed, with `.step`, `.path` and `.span`.
            UsageError: called while an event loop runs; use `arun` there.
        """
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.arun(inputs, on_event=on_event))
        raise UsageError("an event loop is running here: use `await flow.arun(...)`")

    async def arun(self, inputs: Mapping[str, Any] | None = None, *, on_event: OnEvent | None = None) -> Result:
        """`run` for a running event loop. Cancelling it cancels the flow, and leaves nothing half-written."""
        from flowdsl.engine.execute import Resources, execute

        shared = self.environment._resources
        if shared is not None:
            return await self._arun(inputs, on_event, shared, execute)
        async with Resources() as resources:
            return await self._arun(inputs, on_event, resources, execute)

    async def stream(self, inputs: Mapping[str, Any] | None = None) -> AsyncGenerator[Event | Result, None]:
        """The events of a run as they happen, and its Result as the last item.

        Raises:
            RunError: after the events, when the run fails.
        """
        import asyncio

        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(self.arun(inputs, on_event=queue.put_nowait))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            yield await task
        finally:
            task.cancel()  # the run of a stream that is closed early
            await asyncio.gather(task, return_exceptions=True)

    async def _arun(
        self, inputs: Mapping[str, Any] | None, on_event: OnEvent | None, resources: Resources, execute: Any
    ) -> Result:
        from flowdsl.engine.execute import Run
        from flowdsl.engine.secrets import Secrets
        from flowdsl.image.store import ImageStore

        environment = self.environment
        _expect("inputs", inputs, Mapping, "a dict")
        _expect("on_event", on_event, Callable, "a function")
        values = input_values(self.document.inputs, inputs or {})
        secrets = Secrets(environment.secrets or self._layers.environ.get)
        secrets.notice(values)
        run = Run(
            self._compiled(),
            context=dict(values),
            names=self._names(values, secrets),
            secrets=secrets,
            layers=self._layers,
            limits=self._limits(),
            store=ImageStore(environment.images),
            resources=resources,
            emit=on_event,
            as_of=environment.as_of or _today(),
            sink=environment.sink,
            output=environment.output,
        )
        outputs = await execute(run)
        return Result(outputs, run.context, run.cost, run.now(), run.steps, secrets.hide_in)

    def _limits(self) -> Limits:
        """The host's limits; the settings file of the project may allow private addresses too."""
        limits = self.environment.limits
        return limits._replace(private_addresses=limits.private_addresses or self._layers.private_addresses)

    def _compiled(self) -> Program:
        if self._program is None:
            from flowdsl.engine.compile import Compiler

            placeholders = [*self.environment.variables, *(self.document.inputs or ())]
            self._program = Compiler(
                self.document,
                self.environment.registry,
                self.environment.limits,
                placeholders,
                autoescape=self.environment.autoescape,
            ).program()
        return self._program

    def _names(self, values: dict[str, Any], secrets: Any) -> dict[str, Any]:
        """What templates can read beside the FlowContext."""
        from flowdsl.engine.secrets import allowed
        from flowdsl.template import UNDEFINED

        environment = self.environment
        kv = environment.kv
        return {
            **{f"{{{name}}}": value for name, value in values.items()},
            **{f"{{{name}}}": value for name, value in environment.variables.items()},
            "inputs": values,
            "env": allowed(self._layers.environ, environment.env),
            "secret": secrets.secret,
            "kv": lambda name: kv.get(name, UNDEFINED),
            **environment.objects,
        }


def _expect(name: str, value: Any, kind: Any, wanted: str) -> None:
    """Raises UsageError for an argument that is given and of another kind."""
    if value is not None and not isinstance(value, kind):
        raise UsageError(f"{name} takes {wanted}, not {type(value).__name__}")


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
    with open(path, "rb") as file:  # noqa: PTH123  pathlib is slow to import
        return read_bytes(file.read(), path)


def _today() -> date:
    from datetime import date

    return date.today()
