"""Errors of a run, completed with their place and freed of secrets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from flowdsl.engine.program import CompiledStep
from flowdsl.engine.secrets import Secrets
from flowdsl.errors import LimitExceeded, PluginError, RunError, StepError, in_words
from flowdsl.events import Event
from flowdsl.source import Span
from flowdsl.template.taint import PLAIN

EXITS = (SystemExit, KeyboardInterrupt)
"""What ends the process, whoever raises it: a step, a function of the host, a handler of a signal at any place."""
ODD = (Exception, asyncio.CancelledError, GeneratorExit)
"""What a plain function of the host fails with: nobody can cancel or close one, so these are failures like any."""


class Ending(BaseException):
    """What ends a run although no step failed: what the host's listener raised at an event, or an exit. No TRY catches
    it. An exit in a task would stop the event loop at once, with the run half done; so it travels in this, up to the
    end of the run."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(in_words(error))
        self.error = error


PLACE = ("code", "step", "path")
"""What of an error never holds a secret, and stays as it is whatever the secrets of a run are."""


def ending_the_run(emit: Callable[[Event], None]) -> Callable[[Event], None]:
    """A listener; what it raises at an event ends the run, whatever is around the step that emits it."""

    def tell(event: Event) -> None:
        try:
            emit(event)
        except (asyncio.CancelledError, GeneratorExit, StopIteration) as error:  # else asyncio takes it for its own
            odd = RunError(f"the listener failed: {in_words(error)}", code="listener-failed")
            odd.__cause__ = error
            raise Ending(odd) from error
        except BaseException as error:
            raise Ending(error) from error

    return tell


def is_closed() -> bool:
    """Whether nobody runs what runs here any more: a coroutine that was left in the middle is closed."""
    loop = asyncio._get_running_loop()
    return loop is None or asyncio.current_task(loop) is None


def is_cancelled() -> bool:
    """Whether somebody cancels the task that runs."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def first_of(error: BaseException) -> BaseException:
    """What a group of errors is about, such as that of a TaskGroup in a step: what ends the run, or else the first
    failure."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    errors = [first_of(each) for each in error.exceptions]
    for kind in ((*EXITS, Ending), LimitExceeded, RunError, Exception):
        for each in errors:
            if isinstance(each, kind):
                return each
    return errors[0]


def with_result(error: BaseException, result: Any) -> None:
    """Gives what ends a run the result as far as it came, unless it is of a kind that takes nothing."""
    with suppress(Exception):
        error.result = result  # type: ignore[attr-defined]  # also an exception of Python's


def limit_exceeded(message: str, step: CompiledStep | None, *, code: str) -> LimitExceeded:
    """The error of a limit, with the place of the step that met it."""
    error = LimitExceeded(message, code=code)
    if step is not None:
        error.step, error.path, error.span = step.name, step.path, step.span
    return error


def too_late(timeout_s: float | None, step: CompiledStep | None) -> LimitExceeded:
    """The error of a run that is not done by its deadline."""
    return limit_exceeded(f"the run took longer than {timeout_s:g} s", step, code="deadline")


def check_output_folder(path: str) -> None:
    """Finds out before anything is paid for that a step could not write its files.

    Raises:
        StepError: the folder, or the nearest one above it that exists, cannot be written to.
    """
    folder = os.path.abspath(path)  # noqa: PTH100  pathlib is slow to import
    while not os.path.lexists(folder) and folder != os.path.dirname(folder):  # noqa: PTH120
        folder = os.path.dirname(folder)  # noqa: PTH120
    if not os.path.isdir(folder):  # noqa: PTH112
        problem = "it is a file" if folder == os.path.abspath(path) else f"{folder} is a file"  # noqa: PTH100
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = "Permission denied"
    else:
        return
    raise StepError(f"the output folder {path} cannot be written to: {problem}", code="output-unwritable")


def crashed(step: str, error: BaseException) -> RunError:
    """The error of a step for an exception that it did not foresee: its own, or that of a function of the host."""
    from flowdsl.engine.resolvers import of_host

    crash: RunError | None = of_host(error)
    if crash is None and isinstance(error, PluginError):  # it says itself whose code it is
        crash = StepError(str(error), code="plugin-failed")
        crash.__cause__ = error
    if crash is None:
        crash = StepError(f"{step} failed: {in_words(error)}", code="step-crashed")
        crash.__cause__ = error
    return crash


def completed(
    error: RunError, step: str, path: str, span: Span | None, secrets: Secrets, context: Mapping[str, Any]
) -> None:
    """Gives an error its place, unless a step inside gave it one, and takes every secret out of it."""
    if error.step is None:
        error.step, error.path = step, path
    error.span = error.span or span
    if not secrets.seen:
        return
    secrets.notice(context)
    for name, value in vars(error).items():
        if name not in (*PLACE, "span", "around", "result") and (
            value.__class__ is str or value.__class__ not in PLAIN
        ):
            setattr(error, name, secrets.hide_in(value))
    error.args = (error.message,)
    free_causes(error, secrets)


def free_causes(error: BaseException, secrets: Secrets) -> None:
    """Takes from an error what it came of, which a traceback shows too, when anything of that shows a secret."""
    if any(secrets.hide(text) != text for cause in _causes(error) for text in _texts(cause)):
        error.__cause__ = error.__context__ = None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What a traceback shows below an error, each once: the code of a step can chain errors in a circle."""
    seen = {id(error)}
    waiting = _beneath(error)
    while waiting:
        cause = waiting.pop()
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += _beneath(cause)


def _beneath(error: BaseException) -> list[BaseException]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [*members] if cause is None else [cause, *members]


def _texts(error: BaseException) -> list[str]:
    """What a traceback says of one error: its text, and the notes that were added to it."""
    return [in_words(error), *map(str, getattr(error, "__notes__", ()))]
