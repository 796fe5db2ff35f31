"""A run from its first step to its outputs: within the deadline, with `onError` behind it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from flowdsl.document.root_keys import ERROR
from flowdsl.engine.effects import Effect, Effects
from flowdsl.engine.failures import check_output_folder, completed, too_late
from flowdsl.engine.frame import Frame, run_steps
from flowdsl.engine.pictures import Pictures
from flowdsl.engine.result import Result
from flowdsl.engine.secrets import Secrets, allowed
from flowdsl.engine.state import Run, new_run_id
from flowdsl.errors import LimitExceeded, RunError
from flowdsl.events import FlowFinished, Note
from flowdsl.step.signals import Signal
from flowdsl.template import UNDEFINED
from flowdsl.template.chance import GENERATOR
from flowdsl.values import ErrorValue

if TYPE_CHECKING:
    from datetime import date
    from random import Random

    from flowdsl.engine.program import Program
    from flowdsl.engine.resources import Resources
    from flowdsl.engine.state import Emit
    from flowdsl.host import Host, Storage
    from flowdsl.limits import Limits
    from flowdsl.services import ServiceLayers


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
    emit: Emit | None = None,
    effects: Effects | None = None,
) -> Result:
    """One run of a program; the FlowContext begins with the `inputs`. The settings file of the project may allow
    private addresses where `limits` do not, and fewer paid requests than they do.

    Raises:
        RunError: as `execute`.
    """
    secrets = Secrets(host.secrets or layers.environ.get)
    secrets.notice(inputs)
    if layers.private_addresses:
        limits = limits._replace(private_addresses=True)
    if layers.max_requests is not None and (limits.max_requests is None or layers.max_requests < limits.max_requests):
        limits = limits._replace(max_requests=layers.max_requests)
    id = new_run_id()
    pictures = Pictures(storage.images, storage.metadata or layers.metadata, id, program.document, secrets)
    run = Run(
        program,
        id=id,
        pictures=pictures,
        host=host,
        names=_names(inputs, host, layers, secrets),
        secrets=secrets,
        layers=layers,
        limits=limits,
        store=pictures.store,
        resources=resources,
        as_of=as_of,
        output=storage.output,
        emit=emit,
        effects=effects,
    )
    frame = Frame(run, dict(inputs))
    try:
        if program.writes_files:
            check_output_folder(storage.output)
        return _result(frame, await execute(frame))
    except RunError as error:
        error.charge_possible = error.charge_possible or bool(run.in_doubt)
        error.result = _result(frame, {})
        raise


def _result(frame: Frame, outputs: dict[str, Any]) -> Result:
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
        notes=run.notes,
    )


def _names(inputs: dict[str, Any], host: Host, layers: ServiceLayers, secrets: Secrets) -> dict[str, Any]:
    """What templates can read beside the FlowContext."""
    return {
        **{f"{{{name}}}": value for name, value in inputs.items()},
        **{f"{{{name}}}": value for name, value in host.variables.items()},
        "inputs": inputs,
        "env": allowed(layers.environ, host.env),
        "secret": secrets.secret,
        "kv": lambda name: host.kv.get(name, UNDEFINED),
        **host.objects,
    }


async def execute(frame: Frame) -> dict[str, Any]:
    """The outputs of a program: runs its steps in order, within the deadline; emits each step and the end.

    Raises:
        RunError: the first step that fails, with `step`, `path` and `span` filled in.
        LimitExceeded: the run took too long or had too many steps.
    """
    if frame.run.effects is None:
        return await _executed(frame)
    token = GENERATOR.set(_generator(frame.run, frame.run.effects))
    try:
        return await _executed(frame)
    finally:
        GENERATOR.reset(token)


def _generator(run: Run, effects: Effects) -> Random:
    """Where the templates of a run draw lots: a recording of the run can give the same lots again."""
    from random import Random

    effect = Effect(
        key="random", request=None, run=run.id, invocation=run.root, store=run.store, emit=lambda emission: None
    )
    return Random(effects.perform_now(effect, lambda: int.from_bytes(os.urandom(6))))


async def _executed(frame: Frame) -> dict[str, Any]:
    run = frame.run
    status = "failed"
    failure: RunError | None = None
    try:
        if run.limits.timeout_s is None:
            await _main(frame)
        else:
            async with asyncio.timeout(run.limits.timeout_s):
                await _main(frame)
        outputs = _outputs(frame)
        status = "done"
        return outputs
    except TimeoutError as error:
        failure = too_late(run.limits.timeout_s, run.interrupted)
        raise failure from error
    except asyncio.CancelledError:
        status = "cancelled"
        raise
    except RunError as error:
        failure = error
        raise
    finally:
        _name_pictures(run)
        if run.emit is not None:
            run.emit(
                FlowFinished(
                    run=run.id,
                    invocation=run.root,
                    at_s=run.now(),
                    status=status,
                    steps=run.steps,
                    cost_usd=run.cost,
                    error=failure,
                    images=tuple(run.store.made),
                    in_doubt=len(run.in_doubt),
                )
            )


def _name_pictures(run: Run) -> None:
    """Names what was made and is not named yet, and tells what could not be named: the run does not fail of it."""
    if run.pictures is None:
        return
    run.pictures.finish()
    if run.emit is None:
        return
    for text in run.pictures.problems:
        hidden = run.secrets.hide(text)
        run.emit(Note(run=run.id, invocation=run.root, at_s=run.now(), code="picture-unnamed", text=hidden))


async def _main(frame: Frame) -> None:
    """Runs the steps, and `onError` after a failure that is no limit."""
    run = frame.run
    try:
        await run_steps(run.program.steps, frame, run.root)
    except LimitExceeded:
        raise
    except RunError as error:
        if not await _handled(error, frame):
            raise


async def _handled(error: RunError, frame: Frame) -> bool:
    """Runs the flow's `onError` with the error in the FlowContext; whether it ended the run successfully."""
    run = frame.run
    if run.program.on_error is None:
        return False
    frame.context[ERROR] = ErrorValue(error)
    return await run_steps(run.program.on_error, frame, run.root) is Signal.END


def _outputs(frame: Frame) -> dict[str, Any]:
    """What the flow's `outputs` give at the end; the FlowContext when it has none."""
    run, context = frame.run, frame.context
    resolvers = run.program.outputs
    if resolvers is None:
        return context
    try:
        found = {name: resolve(context, frame.names) for name, resolve in resolvers.items()}
    except RunError as error:
        completed(error, "outputs", "outputs", None, run.secrets, context)
        raise
    marked: dict[str, Any] = run.secrets.marked(found)
    return marked
