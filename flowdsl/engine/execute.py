"""A run from its first step to its outputs: within the deadline, with `onError` behind it."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from flowdsl.document.root_keys import ERROR
from flowdsl.engine.deadline import PastDeadline, within
from flowdsl.engine.effects import Effect, Effects, Journal
from flowdsl.engine.failures import (
    EXITS,
    ODD,
    Ending,
    check_output_folder,
    completed,
    crashed,
    ending_the_run,
    free_causes,
    too_late,
    with_result,
)
from flowdsl.engine.frame import Frame, run_steps
from flowdsl.engine.iterations import Around, around
from flowdsl.engine.journaled import began, kept
from flowdsl.engine.log import listens, log_begin, log_failure, logging_events
from flowdsl.engine.paid import Paid
from flowdsl.engine.pictures import Pictures
from flowdsl.engine.result import Result
from flowdsl.engine.secrets import Secrets, allowed
from flowdsl.engine.state import Run, new_run_id
from flowdsl.errors import LimitExceeded, RunError, UsageError, in_words
from flowdsl.events import Event, FlowFinished, Note
from flowdsl.step.signals import Signal
from flowdsl.template import UNDEFINED
from flowdsl.template.chance import GENERATOR
from flowdsl.values import ErrorValue, copied
from flowdsl.walks import unwalkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from random import Random

    from flowdsl.engine.program import Program
    from flowdsl.engine.resources import Resources
    from flowdsl.engine.state import Emit
    from flowdsl.host import Host, OpenTransport, Storage
    from flowdsl.limits import Limits
    from flowdsl.services import ServiceLayers
    from flowdsl.settings.policy import PolicyRule


async def run_program(
    program: Program,
    inputs: dict[str, Any],
    *,
    host: Host,
    storage: Storage,
    layers: ServiceLayers,
    limits: Limits,
    as_of: date | None,
    resources: Resources,
    metadata: str | None = None,
    policy: Sequence[PolicyRule] = (),
    emit: Emit | None = None,
    effects: Effects | None = None,
    id: str | None = None,
    tags: Mapping[str, str] | None = None,
    transport: OpenTransport | None = None,
    journal: Journal | None = None,
    plain_secrets: Iterable[str] = (),
) -> Result:
    """One run of a program; the FlowContext begins with the `inputs`. `id` is the run's, when the host has made one.
    `plain_secrets` are those that nobody marked.

    Raises:
        RunError: as `execute`.
    """
    secrets = Secrets(
        host.secrets or layers.environ.get,
        watching=program.marks,
        hint=None if host.secrets is None else "the host's `secrets` gives None for it",
    )
    inputs = _own("inputs", inputs)
    if program.marks:  # else they hold no secret
        secrets.notice(inputs)
    for secret in plain_secrets:
        secrets.add(secret)
    id = id or new_run_id()
    tags = tags or {}
    pictures = Pictures(storage.images, storage.metadata or metadata, id, program.document, secrets, tags)
    door = None if journal is None else journal.door(began(program.document, id, inputs, secrets, tags, as_of), effects)
    if door is not None:
        pictures.is_simulated = getattr(journal, "simulated", False) is True
        pictures.on_named, pictures.on_listed = door.named, door.listed
    logged = listens(logging.INFO)
    listener = logging_events(emit, tags, secrets) if logged else emit
    run = Run(
        program,
        id=id,
        pictures=pictures,
        host=host,
        names=names_of(inputs, host, layers, secrets),
        secrets=secrets,
        layers=layers,
        limits=limits,
        store=pictures.store,
        resources=resources,
        transport=transport,
        as_of=as_of if door is None else door.as_of,
        policy=policy,
        output=storage.output,
        emit=None if listener is None else ending_the_run(listener),
        heard=emit is not None,
        effects=effects if door is None else door,
        tags=tags,
        journal=door,
    )
    if logged:
        log_begin(run.id, tags, secrets)
    frame = Frame(run, dict(inputs))
    try:
        outputs = await (execute(frame) if door is None else kept(execute(frame), door))
        return _result(frame, outputs)
    except RunError as error:
        error.charge_possible = error.charge_possible or bool(run.in_doubt)
        error.result = _result(frame, {}, around(error).failed(error.step, error.path))
        log_failure(run.id, error, tags, secrets, charge_possible=error.charge_possible)
        raise
    except BaseException as error:  # a cancellation, an exit, what a listener raised: it may have paid
        with_result(error, _result(frame, {}, _where(run)))
        raise


def _result(frame: Frame, outputs: dict[str, Any], failed: dict[str, Any] | None = None) -> Result:
    run = frame.run
    return Result(
        outputs,
        frame.context,
        run.cost,
        run.now(),
        run.steps,
        run.secrets.hide_in,
        run=run.id,
        made=run.store.made,
        in_doubt=run.in_doubt,
        reused=run.totals.reused,
        recovered=run.totals.recovered,
        failed=failed,
        notes=run.notes,
        files=run.files,
        tags=run.tags,
    )


def names_of(inputs: dict[str, Any], host: Host, layers: ServiceLayers, secrets: Secrets) -> dict[str, Any]:
    """What templates can read beside the FlowContext; the host's lists and maps are copies, as steps change them."""
    kv: dict[str, Any] = {}

    def kv_value(name: str) -> Any:
        if name not in kv and name in host.kv:
            kv[name] = _own(f"kv({name!r})", host.kv[name])
        return kv.get(name, UNDEFINED)

    names: dict[str, Any] = {}
    for name, value in inputs.items():
        names[f"{{{name}}}"] = value
    for name, value in host.variables.items():
        names[f"{{{name}}}"] = _own(f"variables[{name!r}]", value)
    names["inputs"] = inputs
    names["env"] = allowed(layers.environ, host.env) if host.env else {}
    names["secret"] = secrets.secret
    names["kv"] = kv_value
    for name, value in host.objects.items():
        names[name] = _own(f"objects[{name!r}]", value)
    return names


def _own(name: str, value: Any) -> Any:
    """The value with lists and maps that the host does not see.

    Raises:
        UsageError: it is nested too deep.
    """
    try:
        return copied(value)
    except UsageError:
        raise UsageError(f"{name} {unwalkable(value) or 'is nested too deep'}") from None


async def execute(frame: Frame) -> dict[str, Any]:
    """The outputs of a program: runs its steps in order, within the deadline; emits each step and the end.

    Raises:
        RunError: the first step that fails, with `step`, `path` and `span` filled in.
        LimitExceeded: the run took too long or had too many steps.
    """
    if frame.run.effects is None:
        return await _executed(frame)
    token = GENERATOR.set(partial(_generator, frame.run, frame.run.effects, []))
    try:
        return await _executed(frame)
    finally:
        GENERATOR.reset(token)


def _generator(run: Run, effects: Effects, made: list[Random]) -> Random:
    """Where the templates of a run draw lots, made with the first: a recording of the run can give the same again."""
    if made:
        return made[0]
    from random import Random

    place: dict[str, Any] = {"run": run.id, "invocation": run.root, "store": run.store}
    effect = Effect(key="random", request=None, emit=lambda emission: None, hide=run.secrets.hide_in, **place)
    made.append(Random(effects.perform_now(effect, lambda: int.from_bytes(os.urandom(6)))))
    return made[0]


async def _executed(frame: Frame) -> dict[str, Any]:
    run = frame.run
    status = "failed"
    failure: RunError | None = None
    failed: dict[str, Any] | None = None
    is_closed = False
    try:
        if run.program.writes_files:
            check_output_folder(run.output)
        if run.limits.timeout_s is None:
            await _main(frame)
        else:
            await within(run.limits.timeout_s, _main(frame))
        outputs = _outputs(frame)
        status = "done"
        return outputs
    except PastDeadline as error:
        step, where = run.interrupted or (None, Around())
        failure = too_late(run.limits.timeout_s, step)
        failed = around(failure, where).failed(failure.step, failure.path)
        failure.__cause__ = error
        free_causes(failure, run.secrets)
        raise failure from failure.__cause__
    except (asyncio.CancelledError, GeneratorExit, *EXITS) as error:
        status = "cancelled"
        is_closed = isinstance(error, GeneratorExit)
        free_causes(error, run.secrets)
        failed = _where(run)
        raise
    except RunError as error:
        failure = error
        failed = around(error).failed(error.step, error.path)
        raise
    finally:
        try:
            await _name_pictures(run, at_once=is_closed)
        except asyncio.CancelledError:
            status = "cancelled" if status == "done" else status
            raise
        finally:
            run.thread = 0  # what a step has left behind runs no further block
            _finished(run, status, failure, failed)


def _where(run: Run) -> dict[str, Any] | None:
    """Where a run was that something else than a failure ended."""
    if run.interrupted is None:
        return None
    step, left = run.interrupted
    return left.failed(step.name, step.path)


def _finished(run: Run, status: str, failure: RunError | None, failed: dict[str, Any] | None) -> None:
    """Emits the end of a run. What a listener raises at it goes to the event loop's handler: the run is over, its
    pictures are paid for, and nobody should lose its result, or the error that it failed with, for that."""
    if run.emit is None:
        return
    finished = FlowFinished(
        run=run.id,
        invocation=run.root,
        at_s=run.now(),
        status=status,
        steps=run.steps,
        cost_usd=run.cost,
        error=failure,
        images=tuple(run.store.made),
        in_doubt=len(run.in_doubt),
        reused=run.totals.reused,
        failed=failed,
        tags=run.secrets.hide_in(dict(run.tags)),
    )
    _emit_at_the_end(run, finished)


def _emit_at_the_end(run: Run, event: Event) -> None:
    if run.emit is None:
        return
    try:
        run.emit(event)
        return
    except Ending as ending:
        own = ending.error
    if isinstance(own, EXITS):
        raise own  # out here its context is not the exception that carried it
    loop = asyncio._get_running_loop()
    if loop is not None and not run.is_ended_by_listener:  # else the host hears of its failure already
        loop.call_exception_handler({"message": "a listener failed at the end of a run", "exception": own})


async def _name_pictures(run: Run, *, at_once: bool = False) -> None:
    """Names what was made and is not named yet, and tells what could not be named: the run does not fail of it. What is
    to be done `at_once` waits for nothing: the run is closed, and nobody goes on with it."""
    if run.pictures is None:
        return
    try:
        if at_once:
            run.pictures.finish_now()
        else:
            await run.pictures.finish()
    except Exception as error:  # noqa: BLE001  a mistake of ours, of which nobody should lose what is paid for
        run.pictures.problems.append(f"pictures stay without another name: {in_words(error)}")
    unnamed = [run.secrets.hide(text) for text in run.pictures.problems]
    run.notes += [("picture-unnamed", hidden) for hidden in unnamed]
    for hidden in unnamed:
        note = Note(run=run.id, invocation=run.root, at_s=run.now(), code="picture-unnamed", text=hidden)
        _emit_at_the_end(run, note)


async def _main(frame: Frame) -> None:
    """Runs the steps, and `onError` after a failure that is no limit."""
    run = frame.run
    try:
        try:
            if run.program.on_error is not None:
                frame.paid = Paid(frame)
            frame.check_taken(await run_steps(run.program.steps, frame, run.root))
        except LimitExceeded:
            raise
        except RunError as error:
            if not await _handled(error, frame):
                raise
        return
    except Ending as ending:
        own = ending.error
        run.is_ended_by_listener = not isinstance(own, EXITS)
    free_causes(own, run.secrets)
    raise own  # out here its context is not the exception that carried it


async def _handled(error: RunError, frame: Frame) -> bool:
    """Runs the flow's `onError` with the error in the FlowContext; whether it ended the run successfully."""
    run = frame.run
    if run.program.on_error is None:
        return False
    run.looked_ahead = True  # at steps that no longer come
    frame.context[ERROR] = ErrorValue(error)
    if frame.paid is not None:
        frame.paid.again()
    return await run_steps(run.program.on_error, frame, run.root) is Signal.END


def _outputs(frame: Frame) -> dict[str, Any]:
    """What the flow's `outputs` give at the end; the FlowContext when it has none."""
    run, context = frame.run, frame.context
    resolvers = run.program.outputs
    if resolvers is None:
        return dict(context)
    try:
        found = {}
        for name, resolve in resolvers.items():
            run.check_time()
            found[name] = resolve(context, frame.names)
        marked: dict[str, Any] = run.secrets.marked(found)
    except RunError as error:
        completed(error, "outputs", "outputs", None, run.secrets, context)
        raise
    except ODD as error:  # a function of the host
        crash = crashed("outputs", error)
        completed(crash, "outputs", "outputs", None, run.secrets, context)
        raise crash from crash.__cause__  # which is gone when it would show a secret
    return marked
