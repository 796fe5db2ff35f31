"""Errors of a run, completed with their place and freed of secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.engine.program import CompiledStep
from flowdsl.engine.secrets import Secrets
from flowdsl.errors import LimitExceeded, RunError, StepError
from flowdsl.source import Span


class ListenerFailed(BaseException):
    """What the host's listener raised while a step emitted an event: it is no failure of the step, which TRY could
    catch, and ends the run."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


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


def crashed(step: str, error: Exception) -> RunError:
    """The error of a step for an exception that it did not foresee: its own, or that of a function of the host."""
    from flowdsl.engine.resolvers import of_host

    crash: RunError | None = of_host(error)
    if crash is None:
        crash = StepError(f"{step} failed: {type(error).__name__}: {error}", code="step-crashed")
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
        if name not in ("code", "step", "path") and isinstance(value, (str, dict, list)):
            setattr(error, name, secrets.hide_in(value))
    error.args = (error.message,)
    if any(secrets.hide(str(cause)) != str(cause) for cause in _causes(error)):
        error.__cause__ = None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The causes of an error, each once: the code of a step can chain errors in a circle."""
    seen = {id(error)}
    cause = error.__cause__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__
