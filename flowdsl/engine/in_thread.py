"""A step that says `blocking=True`: its `run` waits in a thread, and the event loop goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, cast

from flowdsl.errors import StepError, UsageError

if TYPE_CHECKING:
    from flowdsl.step.step import Step, Written
    from flowdsl.step.step_context import StepContext

_ON_THE_LOOP = frozenset(
    {
        "progress",
        "begin",
        "paid_before",
        "note",
        "spend",
        "reserve",
        "share",
        "write",
        "emit",
        "input",
        "evaluate",
        "partial_image",
        "finished_image",
        "allow",
        "request_started",
        "request_finished",
    }
)


async def in_thread(step: Step, context: StepContext) -> Written:
    """What the plain `run` of a step returns, run in a thread of its own turn; a cancelled run does not wait for it."""
    loop = asyncio.get_running_loop()
    seen: Any = _OverLoop(context, loop)
    done: asyncio.Future[Any] = loop.create_future()

    def tell(error: BaseException | None, written: Any) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(written)
        else:
            done.set_exception(error)

    def call() -> None:
        error: BaseException | None = None
        written = None
        try:
            written = step.run(seen)
        except (StopIteration, GeneratorExit) as odd:  # nothing that is awaited can raise them
            error = RuntimeError(f"run raised {type(odd).__name__}")
            error.__cause__ = odd
        except BaseException as raised:  # noqa: BLE001  it is raised where the step is awaited
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, error, written)

    # Not a thread of asyncio's own: closing the loop, and Python, would wait for one that cannot be stopped.
    threading.Thread(target=copy_context().run, args=(call,), name=f"flowdsl {context.step}", daemon=True).start()
    try:
        written = await done
    finally:
        seen._is_over = True
    if hasattr(written, "__await__"):
        if isinstance(written, CoroutineType):
            written.close()
        raise UsageError(
            f"{context.step}: `run` is an async function and the class says blocking=True; drop one of them"
        )
    return cast("Written", written)


class _OverLoop:
    """The context of a step as a thread may use it: what changes the run, or calls the host, happens on the loop, so
    that the host's listener stays in its thread. A thread that goes on when nobody waits for it any more changes
    nothing; it can still store a picture that it has paid for."""

    def __init__(self, context: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop
        self._is_over = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._context, name)
        return self._over(found) if name in _ON_THE_LOOP else found

    def _over(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            done: Future[Any] = Future()

            def act() -> None:
                try:
                    if self._is_over:
                        name = self._context.step
                        raise StepError(f"{name} goes on in its thread, but nobody waits for it any more")
                    done.set_result(method(*arguments, **named))
                except BaseException as error:  # noqa: BLE001  it is raised in the thread
                    done.set_exception(error)

            self._loop.call_soon_threadsafe(act)
            return done.result()

        return call
