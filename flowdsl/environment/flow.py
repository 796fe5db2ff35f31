"""A flow that is checked, and runs."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from flowdsl.checker.inputs import input_values
from flowdsl.errors import UsageError
from flowdsl.host import Host, OpenTransport, Storage, expect, expect_doors, refuse_async
from flowdsl.image.own_models import counting
from flowdsl.limits import Limits, expect_limits
from flowdsl.values import copied

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from datetime import date

    from flowdsl.diagnostics import Diagnostic
    from flowdsl.document.document import Document
    from flowdsl.engine.effects import Effects, Journal
    from flowdsl.engine.frame import Frame
    from flowdsl.engine.program import Program
    from flowdsl.engine.resources import Resources
    from flowdsl.engine.result import Result
    from flowdsl.environment.plain_secrets import PlainSecrets
    from flowdsl.events import Event
    from flowdsl.plan import Plan
    from flowdsl.settings.layers import InForce
    from flowdsl.step.registry import Registry
    from flowdsl.step.step import Step
    from flowdsl.template.filters import Filters
    from flowdsl.template.limits import TemplateLimits

T = TypeVar("T")
OnEvent = Callable[["Event"], None]
"""Called with each event of a run as it happens, in the thread of the run."""
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""It is part of file names."""


class Surroundings(Protocol):
    """What a flow needs of the Environment that loaded it."""

    @property
    def host(self) -> Host:
        """What templates may read of the host."""
        ...

    @property
    def storage(self) -> Storage:
        """Where pictures and files go."""
        ...

    @property
    def steps(self) -> tuple[type[Step], ...]:
        """The steps of the host."""
        ...

    @property
    def registry(self) -> Registry:
        """The steps that flows may use."""
        ...

    @property
    def as_of(self) -> date | None:
        """The day to check life dates against."""
        ...

    @property
    def autoescape(self) -> bool:
        """Whether templates escape for HTML."""
        ...

    @property
    def template_filters(self) -> Filters:
        """The filters of the host."""
        ...

    @property
    def transport(self) -> OpenTransport | None:
        """What opens a transport of the host."""
        ...

    def resources_of(self, loop: AbstractEventLoop) -> Resources | None:
        """The connections that are open in a loop."""
        ...

    def run_in_own_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, outside of any event loop."""
        ...


class _Given(NamedTuple):
    """What one run is given beside its inputs."""

    limits: Limits
    run_id: str | None
    tags: dict[str, str]


class Flow:
    """A checked flow: `run` it as often as you like. `diagnostics` holds its warnings and notes."""

    def __init__(
        self,
        environment: Surroundings,
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
        self._plain: PlainSecrets | None = None
        self._programs: dict[tuple[bool, TemplateLimits], Program] = {}

    @property
    def title(self) -> str | None:
        """The flow's title."""
        return self.document.title

    def inputs_schema(self) -> dict[str, Any]:
        """The JSON Schema of the map of inputs: each with its own schema and default, and which must be given. A flow
        that declares none takes any."""
        head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
        if self.title:
            head["title"] = self.title
        declared = self.document.inputs
        if declared is None:
            return head
        properties = {
            name: {**each.schema, "default": each.default} if each.has_default else dict(each.schema)
            for name, each in declared.items()
        }
        required = [name for name, each in declared.items() if not each.has_default]
        return {**head, "properties": copied(properties), "required": required, "additionalProperties": False}

    @property
    def limits(self) -> Limits:
        """What a run may use, unless it is given other limits."""
        return self._settings.limits

    @property
    def pays(self) -> bool:
        """Whether a step of it asks a service that costs money: one that has a service entry, or says what it buys."""
        from flowdsl.step.step import Step

        registry, nothing = self.environment.registry, vars(Step)["buys"].__func__
        for spec in {step.spec.name: step.spec for step in self.document.every_step()}.values():
            if spec.service is not None or registry.step_class(spec.name).buys.__func__ is not nothing:  # type: ignore[attr-defined]
                return True
        return False

    def services(self) -> list[dict[str, Any]]:
        """Which services the flow can call, one map each: `service` (the entry), `vendor`, `endpoint` (None: the
        vendor's own), `models`, `secrets` (the names of those it takes, never a value; where there is no key yet,
        the variables that one may come from), `steps` (their places). What only the run decides is None, or stands
        there as the template that is written."""
        from flowdsl.environment.destinations import services_of

        return services_of(self.document, self._settings.services)

    def rehearsed(self, inputs: Mapping[str, Any] | None = None, unknown: Iterable[str] = ()) -> Frame:
        """What a run with these inputs would begin with, for looking at what it would do; an input that is missing is
        not known, and neither are those of `unknown`, defaults or not. Nothing is sent, and no secret is read.

        Raises:
            ConfigError: an input that the flow does not declare, or that does not fit its schema.
        """
        from flowdsl.engine.rehearsal import rehearsed

        given, declared = dict(inputs or {}), self.document.inputs or {}
        missing = [name for name, each in declared.items() if name not in given and not each.has_default]
        missing = list(dict.fromkeys((*missing, *unknown)))
        given = {name: value for name, value in given.items() if name not in missing}
        known = {name: each for name, each in declared.items() if name not in missing}
        if self.document.inputs is not None:
            wrong_names = [name for name in given if name not in declared]
            given = input_values(declared if wrong_names else known, given)
        return rehearsed(
            self._compiled(False, self._settings.limits),
            given,
            missing,
            host=self.environment.host,
            storage=self.environment.storage,
            layers=self._settings.services,
            limits=self._settings.limits,
            as_of=self.environment.as_of,
        )

    def plan(self, inputs: Mapping[str, Any] | None = None, unknown: Iterable[str] = ()) -> Plan:
        """What a run with these inputs pays for, at least and at most; an input that is missing is not known, and
        neither are those of `unknown`, which will have values of their own. Nothing is sent, and no secret is read.

        Raises:
            ConfigError: an input that the flow does not declare, or that does not fit its schema.
        """
        from flowdsl.environment.destinations import destinations
        from flowdsl.plan import planned

        with counting(self._settings.models):
            hosts = destinations([self.document], self._settings.services)
            return planned(self.rehearsed(inputs, unknown), hosts, self.document.title)

    def prepare(self) -> Flow:
        """Does now what the first run would do first, and gives the flow: imports what runs need and compiles the flow,
        a fifth of a second in which an event loop would do nothing else. Call it before the loop, or in a thread."""
        from importlib import import_module

        for module in ("execute", "resources"):
            import_module(f"flowdsl.engine.{module}")
        for step in self.document.every_step():
            self.environment.registry.step_class(step.spec.name)
        self._compiled(self._reads_secrets, self._settings.limits)
        self._plain_secrets()
        return self

    def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
        journal: Journal | None = None,
        limits: Limits | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Result:
        """Runs the flow to its end; `inputs` prefill the FlowContext, `on_event` is called with each event, `effects`
        is the door that everything paid or written to the outside goes through (default: it is just done), `journal`
        a `flowdsl.Journal`, which keeps what is paid for, so that the run can be resumed. `limits`
        stand in the place of the environment's for this run, and files lower them too; `run_id` is the run's id, which
        the host makes so that no other run has it (default: one is made); `tags` are texts by name that the result, the
        end's event, log records and the manifest of the pictures say.

        Raises:
            ConfigError: an input that the flow does not declare, or that does not fit its schema.
            RunError: the step that failed, with `.step`, `.path` and `.span`.
            UsageError: called while an event loop runs; use `arun` there.
        """
        import asyncio

        if asyncio._get_running_loop() is None:  # no exception, which would be the context of whatever the run raises
            return self.environment.run_in_own_loop(
                self.arun(
                    inputs, on_event=on_event, effects=effects, journal=journal, limits=limits, run_id=run_id, tags=tags
                )
            )
        raise UsageError("an event loop is running here: use `await flow.arun(...)`")

    async def arun(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        on_event: OnEvent | None = None,
        effects: Effects | None = None,
        journal: Journal | None = None,
        limits: Limits | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Result:
        """`run` for a running event loop. Cancelling it cancels the flow, and leaves nothing half-written."""
        import asyncio

        from flowdsl.engine.resources import Resources

        given = self._given(limits, run_id, tags)
        shared = self.environment.resources_of(asyncio.get_running_loop())
        if shared is not None:
            return await self._arun(inputs, on_event, effects, journal, given, shared)
        async with Resources() as resources:
            return await self._arun(inputs, on_event, effects, journal, given, resources)

    async def stream(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        effects: Effects | None = None,
        journal: Journal | None = None,
        limits: Limits | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Event | Result, None]:
        """The events of a run as they happen, and its Result as the last item.

        Raises:
            RunError: after the events, when the run fails.
        """
        import asyncio

        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(
            self.arun(
                inputs,
                on_event=queue.put_nowait,
                effects=effects,
                journal=journal,
                limits=limits,
                run_id=run_id,
                tags=tags,
            )
        )
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
        journal: Journal | None,
        given: _Given,
        resources: Resources,
    ) -> Result:
        from flowdsl.engine.execute import run_program
        from flowdsl.template.taint import holds_secret

        environment = self.environment
        expect("inputs", inputs, Mapping, "a dict")
        expect("on_event", on_event, Callable, "a function")
        if on_event is not None:
            refuse_async("on_event", on_event)
        expect_doors(journal, effects)
        with counting(self._settings.models):
            values = input_values(self.document.inputs, inputs or {})
            return await run_program(
                self._compiled(self._reads_secrets or holds_secret(values), given.limits),
                values,
                host=environment.host,
                storage=environment.storage,
                layers=self._settings.services,
                plain_secrets=self._plain_secrets().with_inputs(values),
                limits=given.limits,
                id=given.run_id,
                tags=given.tags,
                as_of=environment.as_of,
                resources=resources,
                transport=environment.transport,
                metadata=self._settings.metadata,
                policy=self._settings.policy,
                emit=on_event,
                effects=effects,
                journal=journal,
            )

    def _given(self, limits: Limits | None, run_id: str | None, tags: Mapping[str, str] | None) -> _Given:
        """What one run is given beside its inputs.

        Raises:
            UsageError: an argument that cannot be.
        """
        if limits is None and run_id is None and tags is None:
            return _Given(self._settings.limits, None, {})
        expect_limits(limits)
        expect("run_id", run_id, str, "a text")
        expect("tags", tags, Mapping, "a dict of texts")
        if run_id is not None and not _RUN_ID.fullmatch(run_id):
            raise UsageError(f"run_id takes 1 to 128 letters, digits, `.`, `_` and `-`, not {run_id!r}")
        for name, value in (tags or {}).items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise UsageError(f"tags takes a dict of texts: {name!r} is {type(value).__name__}")
        own = self._settings.limits if limits is None else self._settings.lowered(limits)
        return _Given(own, run_id, dict(tags or {}))

    def _plain_secrets(self) -> PlainSecrets:
        if self._plain is None:
            from flowdsl.environment.plain_secrets import plain_secrets_of

            self._plain = plain_secrets_of(self.document, self.environment.host, self._settings.services.environ)
        return self._plain

    def _compiled(self, marks: bool, limits: Limits) -> Program:
        """The program; with `marks` one whose templates keep the marks of secrets, which is slower."""
        key = (marks, limits.template)
        if key not in self._programs:
            from flowdsl.engine.compile import Compiler

            placeholders = [*self.environment.host.variables, *(self.document.inputs or ())]
            self._programs[key] = Compiler(
                self.document,
                self.environment.registry,
                limits,
                placeholders,
                autoescape=self.environment.autoescape,
                taint=marks,
                filters=self.environment.template_filters,
            ).program()
        return self._programs[key]
