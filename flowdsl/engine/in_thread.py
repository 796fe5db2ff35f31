"""A step that says `blocking=True`: its `run` waits in a thread, and the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.step.step import Step, StepContext, Written

_ON_THE_LOOP = frozenset(
    {
        "progress",
        "note",
        "spend",
        "reserve",
        "write",
        "emit",
        "input",
        "evaluate",
        "partial_image",
        "request_started",
        "request_finished",
    }
)


async def in_thread(step: Step, context: StepContext) -> Written:
    """What the plain `run` of a step returns, run in a thread of its own turn; a cancelled run does not wait for it."""
    seen: Any = _OverLoop(context, asyncio.get_running_loop())
    written: Any = await asyncio.to_thread(step.run, seen)
    if hasattr(written, "__await__"):
        written.close()
        raise UsageError(
            f"{context.step}: `run` is an async function and the class says blocking=True; drop one of them"
        )
    return written  # type: ignore[no-any-return]


class _OverLoop:
    """The context of a step as a thread may use it: what changes the run, or calls the host, happens on the loop, so
    that the host's listener stays in its thread."""

    def __init__(self, context: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._context, name)
        return self._over(found) if name in _ON_THE_LOOP else found

    def _over(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            done: Future[Any] = Future()

            def act() -> None:
                try:
                    done.set_result(method(*arguments, **named))
                except BaseException as error:  # noqa: BLE001  it is raised in the thread
                    done.set_exception(error)

            self._loop.call_soon_threadsafe(act)
            return done.result()

        return call
