"""The logger `flowdsl`: what runs do, for hosts that listen. Nobody who does not pays for it.

Each record has `run`, the id of the run, with which its text begins, and `tags`, what the host calls the
run; those of a step have `step` and `path` too.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flowdsl.engine.failures import ODD
from flowdsl.events import (
    Emitted,
    Event,
    FinishedImage,
    FlowFinished,
    Note,
    PartialImage,
    Progress,
    RequestFinished,
    RequestStarted,
    StepFailed,
    StepFinished,
    StepStarted,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowdsl.engine.secrets import Secrets
    from flowdsl.engine.state import Emit

LOGGER = logging.getLogger("flowdsl")
LOGGER.addHandler(logging.NullHandler())  # without it Python prints warnings of libraries that nobody asked for


def listens(level: int) -> bool:
    """Whether somebody hears records of a level: the logger lets them through, and a handler is there."""
    if not LOGGER.isEnabledFor(level):
        return False
    logger: logging.Logger | None = LOGGER
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def log_begin(run: str, tags: Mapping[str, str], secrets: Secrets) -> None:
    """Logs that a run begins."""
    with suppress(*ODD):  # a handler of the host
        LOGGER.info("run %s: begins", run, extra=_facts(run, tags, secrets))


def logging_events(emit: Emit | None, tags: Mapping[str, str], secrets: Secrets) -> Emit:
    """An event callback that logs each event and hands it on."""

    def log(event: Event) -> None:
        level, text = _line(event)
        if LOGGER.isEnabledFor(level):
            place = {"step": event.invocation.step, "path": event.invocation.path} if event.invocation.step else {}
            facts = _facts(event.run, tags, secrets)
            # A handler of the host: no run, and no picture, depends on its log.
            with suppress(*ODD):
                LOGGER.log(level, "run %s: %s", event.run, _whole(text), extra={**facts, **place})
        if emit is not None:
            emit(event)

    return log


def log_failure(
    run: str, error: BaseException, tags: Mapping[str, str], secrets: Secrets, *, charge_possible: bool
) -> None:
    """Logs a run that failed."""
    if listens(logging.ERROR):
        billed = "; the service may have done, and billed, the work" if charge_possible else ""
        code = getattr(error, "code", type(error).__name__)
        with suppress(*ODD):  # it would take the place of the error, which has the result
            LOGGER.error(
                "run %s: failed: %s [%s]%s", run, _whole(str(error)), code, billed, extra=_facts(run, tags, secrets)
            )


def _whole(text: str) -> str:
    """A text that any handler can write: half a character, which a service may say, stands as JSON has it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _facts(run: str, tags: Mapping[str, str], secrets: Secrets) -> dict[str, Any]:
    """What every record has: tags can repeat a secret of the host's."""
    return {"run": run, "tags": secrets.hide_in(dict(tags))}


def _line(event: Event) -> tuple[int, str]:
    """The level and the text of an event."""
    where = f"{event.invocation.step} ({event.invocation.path})"
    match event:
        case StepStarted(label=label):
            return logging.DEBUG, f"{where} begins{f': {label}' if label else ''}"
        case StepFinished(elapsed_s=elapsed):
            return logging.DEBUG, f"{where} is done in {elapsed:.3f} s"
        case StepFailed(elapsed_s=elapsed, error=error):
            return logging.WARNING, f"{where} failed in {elapsed:.3f} s: {error} [{error.code}]"
        case Progress(text=text, done=done, total=total):
            return logging.DEBUG, f"{where}: {text}" + (f" ({done}/{total})" if total is not None else "")
        case Note(code=code, text=text):
            return logging.WARNING, f"{where}: {text} [{code}]"
        case Emitted(name=name):
            return logging.DEBUG, f"{where} emits {name}"
        case PartialImage(index=index, image=image):
            return logging.DEBUG, f"{where}: partial image {index + 1} is {image['path']}"
        case FinishedImage(request=request, image=image):
            return logging.DEBUG, f"{where}: a picture of request {request} is {image['path']}"
        case RequestStarted():
            return logging.INFO, f"{where} {_asked(event)}"
        case RequestFinished(outcome=outcome):
            return logging.INFO if outcome == "done" else logging.WARNING, f"{where} {_answered(event)}"
        case FlowFinished():
            return logging.INFO, _end(event)


def _asked(event: RequestStarted) -> str:
    pictures = "one picture" if event.images == 1 else f"{event.images} pictures"
    most = "at an unknown price" if event.most_usd is None else f"for at most ${event.most_usd:.4f}"
    return f"sends request {event.request} to {event.service}: {pictures} of {event.model}, {most}"


def _answered(event: RequestFinished) -> str:
    facts: list[Any] = [f"{len(event.images)} images"]
    facts += ["cost unknown"] if event.cost_usd is None and event.outcome != "refused" else []
    facts += [] if event.cost_usd is None else [f"cost ${event.cost_usd:.4f}"]
    facts += [f"request id {event.request_id}"] if event.request_id else []
    code = f" [{event.code}]" if event.code else ""
    return f"request {event.request} is {event.outcome} in {event.elapsed_s:.3f} s: {', '.join(facts)}{code}"


def _end(event: FlowFinished) -> str:
    facts: list[Any] = [f"{event.steps} steps", f"{len(event.images)} images"]
    facts.append("cost unknown" if event.cost_usd is None else f"cost ${event.cost_usd:.4f}")
    facts += [f"{event.in_doubt} requests in doubt"] if event.in_doubt else []
    return f"{event.status} in {event.at_s:.3f} s: {', '.join(facts)}"
