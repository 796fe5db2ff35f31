"""Control steps of somebody else that run blocks as they must not: a clear error, and nothing paid for is lost."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

import flowdsl
from flowdsl import Block, Environment, Image, Signal, Step, StepContext, StepError
from flowdsl.engine import deadline
from flowdsl.events import StepFailed, StepFinished, StepStarted
from flowdsl.testing import Recorder

Run = Callable[[Any, StepContext], Any]
KEPT: dict[str, Any] = {}


def picture(number: int) -> bytes:
    content = io.BytesIO()
    Pillow.new("RGB", (2, 2), (number, 7, 7)).save(content, "PNG")
    return content.getvalue()


class Buy(Step, name="BUY", outputs=("imageList",)):
    """Pays for a picture."""

    seconds: float = 0.02
    """How long it takes."""

    async def run(self, ctx: StepContext) -> flowdsl.Written:
        KEPT["bought"] = number = KEPT["bought"] + 1

        async def perform() -> Image:
            KEPT.get("begun", lambda: None)()
            await asyncio.sleep(self.seconds)
            return ctx.store.add(picture(number))

        image = await ctx.effect("image", {"number": number}, perform)
        ctx.spend(0.25)
        return {"imageList": [image]}


class Nap(Step, name="NAP"):
    """Waits for long."""

    async def run(self, ctx: StepContext) -> None:
        await asyncio.sleep(30)


class Fail(Step, name="FAIL"):
    """Raises."""

    how: str = "step"
    """What."""

    async def run(self, ctx: StepContext) -> None:
        raise {
            "step": StepError("no paper"),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "limit": flowdsl.LimitExceeded("enough"),
        }[self.how]


def control(run: Run, flow: Any = None, **declared: Any) -> type[Step]:
    """A step DO of two blocks, `body` and `other`; as a loop of `body` alone."""
    fields: dict[str, Any] = {"body": Block}
    if not isinstance(flow, flowdsl.Loop):
        fields["other"] = Block | None
        flow = flow or flowdsl.Sequence(blocks=("body", "other"))
    namespace = {"__annotations__": fields, "run": run, "__module__": __name__, "__doc__": "Runs blocks."}
    if "other" in fields:
        namespace["other"] = None
    return type(Step)("Do", (Step,), namespace, name="DO", flow=flow, **declared)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    KEPT.clear()
    KEPT["bought"] = 0
    monkeypatch.setattr(deadline, "AGAIN_S", 0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


class Ended:
    """How a run ended: its result, the error if it failed, and its events."""

    def __init__(self, result: flowdsl.Result, error: BaseException | None, recorder: Recorder) -> None:
        self.result, self.error, self.events = result, error, recorder.events

    @property
    def account(self) -> tuple[int, float | None, int]:
        """Pictures made, cost, requests in doubt."""
        return len(self.result.made), self.result.cost_usd, len(self.result.in_doubt)

    def open_steps(self) -> list[str]:
        ended = {event.invocation.id for event in self.events if isinstance(event, (StepFinished, StepFailed))}
        return [event.path for event in self.events if isinstance(event, StepStarted) and event.id not in ended]


def ended(
    run: Run,
    text: str,
    folder: Path,
    flow: Any = None,
    timeout_s: float | None = None,
    after: Callable[[], Awaitable[None]] | None = None,
    **declared: Any,
) -> Ended:
    """Runs a flow in a loop of its host, which goes on for a while after it."""
    environment = Environment(
        settings=None,
        steps=[control(run, flow, **declared), Buy, Nap, Fail],
        storage=flowdsl.Storage(images=str(folder), metadata="none"),
        limits=flowdsl.Limits(timeout_s=timeout_s),
    )
    recorder = Recorder()

    async def main() -> tuple[Any, BaseException | None]:
        error: BaseException | None = None
        try:
            result = await environment.load(text).arun(on_event=recorder)
        except BaseException as raised:  # noqa: BLE001  it is looked at
            error, result = raised, raised.result  # type: ignore[attr-defined]
        count = len(recorder.events)
        await (after() if after is not None else asyncio.sleep(0.05))
        assert len(recorder.events) == count, "something happened after the end"
        return result, error

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result, error = asyncio.run(asyncio.wait_for(main(), 30))
    return Ended(result, error, recorder)


BUY = "- step: DO\n  body: [{step: BUY}]\n  other: [{step: BUY}]\n- {step: SET, after: 1}\n"


async def gathered(self: Any, ctx: StepContext) -> None:
    await asyncio.gather(ctx.run_block(self.body), ctx.run_block(self.other))


async def grouped(self: Any, ctx: StepContext) -> None:
    async with asyncio.TaskGroup() as group:
        for block in (self.body, self.other):
            group.create_task(ctx.run_block(block))  # type: ignore[arg-type]


async def one_block(self: Any, ctx: StepContext) -> None:
    await asyncio.gather(ctx.run_block(self.body), ctx.run_block(self.body))


async def on_one_branch(self: Any, ctx: StepContext) -> None:
    branch = ctx.branch().context
    await asyncio.gather(branch.run_block(self.body), branch.run_block(self.other))


@pytest.mark.parametrize("run", [gathered, grouped, one_block, on_one_branch])
def test_two_blocks_at_once_on_one_flow_context_are_refused_before_either_is_paid(run: Run, folder: Path) -> None:
    end = ended(run, BUY, folder)
    assert isinstance(end.error, StepError) and end.error.code == "step-crashed"
    assert str(end.error) == "DO runs a block while another one on the same FlowContext has not ended"
    assert "ctx.branch()" in (end.error.hint or "")
    assert KEPT["bought"] == 0 and end.open_steps() == []


def test_a_block_may_run_twice_in_a_row(folder: Path) -> None:
    async def run(self: Any, ctx: StepContext) -> None:
        await ctx.run_block(self.body)
        await ctx.run_block(self.body)

    assert ended(run, BUY, folder).account == (2, 0.5, 0)


async def left_in_a_task(self: Any, ctx: StepContext) -> None:
    KEPT["task"] = asyncio.create_task(ctx.run_block(self.body))  # type: ignore[arg-type]


def left_by_a_plain_run(self: Any, ctx: StepContext) -> None:
    KEPT["task"] = asyncio.create_task(ctx.run_block(self.body))  # type: ignore[arg-type]


async def raced(self: Any, ctx: StepContext) -> None:
    tasks = [asyncio.create_task(ctx.branch().context.run_block(block)) for block in (self.body, self.other)]  # type: ignore[arg-type]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def left_within_a_task(self: Any, ctx: StepContext) -> None:
    async def work() -> None:
        await ctx.run_block(self.body)
        await asyncio.sleep(30)

    KEPT["task"] = asyncio.create_task(work())
    await asyncio.sleep(0.005)


async def effect_left_in_a_task(self: Any, ctx: StepContext) -> None:
    async def perform() -> Image:
        await asyncio.sleep(0.02)
        ctx.spend(0.25)
        return ctx.store.add(picture(1))

    KEPT["task"] = asyncio.create_task(ctx.effect("image", {}, perform))
    await asyncio.sleep(0.005)


@pytest.mark.parametrize("run", [left_in_a_task, left_by_a_plain_run, raced, left_within_a_task, effect_left_in_a_task])
def test_what_a_step_leaves_running_is_waited_for_and_a_picture_paid_in_it_is_kept(run: Run, folder: Path) -> None:
    text = "- step: DO\n  body: [{step: BUY}]\n  other: [{step: SET, a: 1}]\n- {step: SET, after: 1}\n"
    end = ended(run, text, folder)
    assert str(end.error) == "DO ended while something that it began, such as a block, was not done"
    assert end.account == (1, 0.25, 0)
    assert end.open_steps() == []


def test_a_step_that_fails_while_its_block_runs_waits_for_it(folder: Path) -> None:
    async def run(self: Any, ctx: StepContext) -> None:
        KEPT["task"] = asyncio.create_task(ctx.run_block(self.body))  # type: ignore[arg-type]
        await asyncio.sleep(0.005)
        raise StepError("no ink")

    end = ended(run, BUY, folder)
    assert str(end.error) == "no ink"
    assert end.account == (1, 0.25, 0)


def test_a_block_left_running_is_cancelled_with_the_run_and_its_purchase_in_doubt(folder: Path) -> None:
    async def run(self: Any, ctx: StepContext) -> None:
        KEPT["task"] = asyncio.create_task(ctx.run_block(self.body))  # type: ignore[arg-type]
        await asyncio.sleep(30)

    end = ended(run, "- step: DO\n  body: [{step: BUY, seconds: 30}]\n", folder, timeout_s=0.3)  # time to begin
    assert isinstance(end.error, flowdsl.LimitExceeded) and end.error.charge_possible
    assert end.account == (0, None, 1)


def test_a_block_that_nobody_awaits_is_an_error_and_no_warning_of_python(folder: Path) -> None:
    async def run(self: Any, ctx: StepContext) -> None:
        ctx.run_block(self.body)

    end = ended(run, BUY, folder)
    assert str(end.error) == "DO ended while something that it began, such as a block, was not done"
    assert KEPT["bought"] == 0


def test_nothing_of_a_step_works_after_the_run_has_ended(folder: Path) -> None:
    said: list[str] = []

    async def run(self: Any, ctx: StepContext) -> None:
        branch = ctx.branch().context
        KEPT["calls"] = {
            "block": lambda: ctx.run_block(self.body),
            "block on a branch": lambda: branch.run_block(self.body),
            "effect": lambda: ctx.effect("image", {}, lambda: asyncio.sleep(0)),
            "write": lambda: ctx.write("late", 1),
            "note": lambda: ctx.note("late", "late"),
            "progress": lambda: ctx.progress("late"),
            "emit": lambda: ctx.emit("late", 1),
            "spend": lambda: ctx.spend(1),
            "reserve": lambda: ctx.reserve(1),
            "branch": ctx.branch,
        }

    async def later() -> None:
        for name, call in KEPT["calls"].items():
            with pytest.raises(StepError, match=r"DO .*, but has ended"):
                given = call()
                await given
            said.append(name)

    end = ended(run, BUY, folder, after=later)
    assert said == list(KEPT["calls"])
    assert end.account == (0, 0.0, 0) and "late" not in end.result.context


async def in_a_thread(self: Any, ctx: StepContext) -> None:
    await asyncio.to_thread(asyncio.run, ctx.run_block(self.body))  # type: ignore[arg-type]


def blocking(self: Any, ctx: StepContext) -> None:
    asyncio.run(ctx.run_block(self.body))  # type: ignore[arg-type]


@pytest.mark.parametrize(("run", "is_blocking"), [(in_a_thread, None), (blocking, True)])
def test_a_block_in_another_thread_is_refused(run: Run, is_blocking: bool | None, folder: Path) -> None:
    end = ended(run, BUY, folder, blocking=is_blocking)
    assert str(end.error).startswith("DO runs a block after its run has ended, or in a thread of its own")
    assert KEPT["bought"] == 0


async def side_by_side(self: Any, ctx: StepContext) -> None:
    async with asyncio.TaskGroup() as group:
        for block in (self.body, self.other):
            group.create_task(ctx.branch().context.run_block(block))  # type: ignore[arg-type]


PARALLEL = flowdsl.Parallel(blocks=("body", "other"))


@pytest.mark.parametrize(
    ("how", "error"),
    [("step", StepError), ("limit", flowdsl.LimitExceeded), ("exit", SystemExit), ("interrupt", KeyboardInterrupt)],
)
def test_a_group_of_errors_is_the_error_that_it_is_about(how: str, error: type[BaseException], folder: Path) -> None:
    text = f"- step: DO\n  body: [{{step: BUY}}]\n  other: [{{step: FAIL, how: {how}}}]\n"
    if error in (SystemExit, KeyboardInterrupt):
        environment = Environment(settings=None, steps=[control(side_by_side, PARALLEL), Buy, Fail])
        with pytest.raises(error) as raised:
            environment.run(text)
        assert len(raised.value.result.in_doubt) == 1  # type: ignore[attr-defined]
        return
    end = ended(side_by_side, text, folder, PARALLEL)
    assert type(end.error) is error and str(end.error) in ("no paper", "enough")
    assert end.error.charge_possible and end.error.path == "flow[0].other[0]"  # type: ignore[attr-defined]
    assert end.account == (0, None, 1)


def caught(error: type[BaseException]) -> Run:
    async def run(self: Any, ctx: StepContext) -> None:
        with suppress(error):
            await ctx.run_block(self.body)

    return run


async def made_a_step_error(self: Any, ctx: StepContext) -> None:
    try:
        await ctx.run_block(self.body)
    except BaseException as error:
        raise StepError("something went wrong") from error


TRIED = "- step: TRY\n  try:\n    - step: DO\n      body: [{step: FAIL, how: %s}]\n- {step: BUY}\n"


@pytest.mark.parametrize("run", [caught(BaseException), made_a_step_error], ids=["swallowed", "another error"])
@pytest.mark.parametrize(("how", "error"), [("exit", SystemExit), ("interrupt", KeyboardInterrupt)])
def test_an_exit_that_a_step_keeps_back_ends_the_run_all_the_same(
    run: Run, how: str, error: type[BaseException]
) -> None:
    with pytest.raises(error) as raised:
        Environment(settings=None, steps=[control(run), Buy, Fail]).run(TRIED % how)
    assert KEPT["bought"] == 0 and raised.value.result.failed["path"] == "flow[0].try[0].body[0]"  # type: ignore[attr-defined]


@pytest.mark.parametrize("run", [caught(flowdsl.RunError), made_a_step_error], ids=["swallowed", "another error"])
def test_a_limit_that_a_step_keeps_back_ends_the_run_all_the_same(run: Run, folder: Path) -> None:
    end = ended(run, TRIED % "limit", folder)
    assert (str(end.error), KEPT["bought"]) == ("enough", 0)
    limited = Environment(settings=None, steps=[control(run)], limits=flowdsl.Limits(steps=2))
    with pytest.raises(flowdsl.LimitExceeded, match="more than 2 steps"):
        limited.run("- step: DO\n  body: [{step: SET, a: 1}, {step: SET, a: 2}, {step: SET, a: 3}]\n")


@pytest.mark.parametrize("run", [caught(BaseException), made_a_step_error], ids=["swallowed", "another error"])
def test_what_a_listener_raises_to_refuse_a_request_is_not_kept_back(run: Run) -> None:
    class TooDear(Exception):
        """No credit left."""

    def listen(event: flowdsl.Event) -> None:
        if isinstance(event, StepStarted) and event.step == "BUY":
            raise TooDear

    environment = Environment(settings=None, steps=[control(run), Buy])
    with pytest.raises(TooDear):
        environment.run("- step: DO\n  body: [{step: BUY}]\n- {step: SET, after: 1}\n", on_event=listen)
    assert KEPT["bought"] == 0


@pytest.mark.parametrize("run", [caught(asyncio.CancelledError), made_a_step_error], ids=["swallowed", "another error"])
def test_a_cancellation_by_the_host_is_not_kept_back(run: Run) -> None:
    environment = Environment(settings=None, steps=[control(run), Buy, Nap])

    async def main() -> None:
        begun = asyncio.Event()
        flow = environment.load("- step: TRY\n  try:\n  - step: DO\n    body: [{step: NAP}]\n- {step: BUY}\n")

        def listen(event: flowdsl.Event) -> None:
            if isinstance(event, StepStarted) and event.step == "NAP":
                begun.set()

        task = asyncio.create_task(flow.arun(on_event=listen))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(main(), 30))
    assert KEPT["bought"] == 0


async def sleeps_again(self: Any, ctx: StepContext) -> None:
    try:
        await ctx.run_block(self.body)
    except BaseException:  # noqa: BLE001  what it must not do
        await asyncio.sleep(30)


async def sleeps_for_ever(self: Any, ctx: StepContext) -> None:
    while True:
        with suppress(BaseException):
            await asyncio.sleep(30)


async def repeats_for_ever(self: Any, ctx: StepContext) -> None:
    while True:
        with suppress(BaseException):
            await ctx.run_block(self.body)


async def side_by_side_for_ever(self: Any, ctx: StepContext) -> None:
    await flowdsl.gather(ctx, 2, lambda branch, index: sleeps_for_ever(self, branch), concurrency=2)


def waits_in_a_thread(self: Any, ctx: StepContext) -> None:
    KEPT["stop"].wait(10)


@pytest.mark.parametrize("alone", [True, False], ids=["run", "arun"])
@pytest.mark.parametrize("run", [sleeps_again, sleeps_for_ever, repeats_for_ever, side_by_side_for_ever])
def test_no_step_goes_on_past_the_deadline(run: Run, alone: bool, folder: Path) -> None:
    text = "- step: DO\n  body: [{step: NAP}]\n- {step: BUY}\n"
    if alone:
        limits = flowdsl.Limits(timeout_s=0.05)
        with pytest.raises(flowdsl.LimitExceeded, match=r"longer than 0.05 s"):
            Environment(settings=None, steps=[control(run), Buy, Nap], limits=limits).run(text)
    elif run is not side_by_side_for_ever:  # whose tasks the loop of its host would wait for
        assert str(ended(run, text, folder, timeout_s=0.05).error) == "the run took longer than 0.05 s"
    assert KEPT["bought"] == 0


def test_a_run_waits_for_no_thread_past_its_deadline(folder: Path) -> None:
    import threading

    KEPT["stop"] = stop = threading.Event()
    limits = flowdsl.Limits(timeout_s=0.05)
    environment = Environment(settings=None, steps=[control(waits_in_a_thread, blocking=True)], limits=limits)
    try:
        with pytest.raises(flowdsl.LimitExceeded):
            environment.run("- step: DO\n  body: []\n")
        assert not stop.is_set()
        assert any(thread.name == "flowdsl DO" for thread in threading.enumerate())
    finally:
        stop.set()


async def own_timeout(self: Any, ctx: StepContext) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as limit:
            KEPT["begun"] = lambda: limit.reschedule(asyncio.get_running_loop().time())
            await ctx.run_block(self.body)


async def own_wait(self: Any, ctx: StepContext) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(ctx.run_block(self.body), 0.2)  # time to begin


@pytest.mark.parametrize("run", [own_timeout, own_wait])
def test_a_step_may_end_its_own_block_and_the_run_forgets_that(run: Run, folder: Path) -> None:
    text = "- step: DO\n  body: [{step: SET, steps: [{step: BUY, seconds: 30}]}]\n- {step: SET, after: 1}\n"
    end = ended(run, text, folder)
    assert end.error is None and end.result.outputs["after"] == 1
    assert end.account == (0, None, 1) and end.open_steps() == []
    failed = [event for event in end.events if isinstance(event, StepFailed)]
    assert [str(event.error) for event in failed][:1] == ["BUY was interrupted by the step around it"]
    late = ended(run, text + "- {step: NAP}\n", folder, timeout_s=0.5)
    assert isinstance(late.error, flowdsl.LimitExceeded) and late.error.path == "flow[2]"


@pytest.mark.parametrize(
    ("signal", "flow", "said"),
    [
        (Signal.BREAK, None, "DO gave BREAK, and no loop is around it"),
        (Signal.CONTINUE, None, "DO gave CONTINUE, and no loop is around it"),
        (Signal.BREAK, flowdsl.Loop(body="body"), "DO gave BREAK, which ends at the loop itself"),
        (Signal.CONTINUE, flowdsl.Loop(body="body"), "DO gave CONTINUE, which ends at the loop itself"),
    ],
)
def test_a_signal_that_no_loop_takes_does_not_end_a_flow_without_a_word(
    signal: Signal, flow: Any, said: str, folder: Path
) -> None:
    async def run(self: Any, ctx: StepContext) -> Signal:
        return signal

    called = "blocks: {flows: {it: [{step: DO, body: []}]}}\nflow: [{step: CALL_FLOW, ref: local.flows.it}]\n"
    for text in ("- {step: DO, body: []}\n- {step: SET, after: 1}\n", called):
        end = ended(run, text, folder, flow)
        assert (str(end.error), end.error.step) == (said, "DO")  # type: ignore[union-attr]
    end = ended(run, "- step: FOR\n  var: i\n  items: [1, 2]\n  do: [{step: DO, body: []}]\n", folder, flow)
    assert str(end.error) == (said if flow is not None else "None")


def test_a_compiled_step_that_gives_no_signal_does_not_end_a_flow_without_a_word() -> None:
    class Compiled(Step, name="COMPILED", flow=flowdsl.Sequence(blocks=("body",))):
        """Runs a block."""

        body: Block

        @classmethod
        def compile(cls, compiler: flowdsl.StepCompiler) -> flowdsl.Execute:
            block = compiler.blocks("body")

            async def execute(frame: flowdsl.Frame) -> Any:
                await frame.run_block(block)
                return {"text": "a"}

            return execute

    with pytest.raises(StepError, match=r"COMPILED gave a value of type dict; give a flowdsl.Signal, or None"):
        Environment(settings=None, steps=[Compiled]).run("- step: COMPILED\n  body: []\n- {step: SET, after: 1}\n")


@pytest.mark.parametrize("given", [5, "body", ["body"]])
def test_what_is_no_block_is_named(given: Any, folder: Path) -> None:
    async def run(self: Any, ctx: StepContext) -> None:
        await ctx.run_block(given)

    kind = type(given).__name__
    assert str(ended(run, BUY, folder).error) == f"DO runs a {kind}, which is no block"


@pytest.mark.parametrize("usd", [-1, float("nan"), float("inf"), "1"])
def test_no_step_spends_what_is_no_sum(usd: Any, folder: Path) -> None:
    async def run(self: Any, ctx: StepContext) -> None:
        ctx.spend(usd)

    end = ended(run, BUY, folder)
    assert str(end.error) == f"DO spends {usd!r}"
    assert end.account == (0, 0.0, 0)


LOOP = flowdsl.Loop(body="body")


def looped(work: Callable[[Any, StepContext, int], Any], **options: Any) -> Run:
    async def run(self: Any, ctx: StepContext) -> None:
        found = await flowdsl.gather(
            ctx, 3, lambda branch, index: work(self, branch, index), **{"concurrency": 3, **options}
        )
        found.merge(ctx)

    return run


async def mistaken(self: Any, branch: StepContext, index: int) -> None:
    if index == 1:
        raise KeyError("mine")
    await branch.run_block(self.body)


async def wrong_kind(self: Any, branch: StepContext, index: int) -> Any:
    await branch.run_block(self.body)
    return {"text": "a"}


async def cancelled_by_itself(self: Any, branch: StepContext, index: int) -> None:
    await branch.run_block(self.body)
    if index == 0:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future


@pytest.mark.parametrize(
    ("work", "options", "said", "made"),
    [
        (mistaken, {}, "DO failed: KeyError: 'mine'", 2),
        (wrong_kind, {}, "DO failed: UsageError: gather: `work` gave a value of type dict; give a flowdsl.Signal, ", 3),
        (cancelled_by_itself, {"concurrency": 1}, "DO failed: CancelledError", 3),
        (wrong_kind, {"concurrency": 0}, "DO failed: UsageError: gather: concurrency is 0, and must be a whole ", 0),
        (wrong_kind, {"concurrency": None}, "DO failed: UsageError: gather: concurrency is None, and must be a ", 0),
    ],
    ids=["a mistake", "a wrong kind", "cancelled by itself", "no concurrency", "no number"],
)
def test_a_mistake_in_one_iteration_loses_no_picture_that_another_one_pays_for(
    work: Any, options: dict[str, Any], said: str, made: int, folder: Path
) -> None:
    end = ended(looped(work, **options), "- step: DO\n  body: [{step: BUY}]\n", folder, LOOP)
    assert str(end.error).startswith(said)
    assert end.account == (made, made * 0.25, 0)


def test_continue_in_one_iteration_side_by_side_does_not_stop_the_others(folder: Path) -> None:
    seen: list[int] = []

    async def work(self: Any, branch: StepContext, index: int) -> Signal | None:
        seen.append(index)
        return await branch.run_block(self.body)

    run = looped(work, concurrency=1, stop=True)
    assert ended(run, "- step: DO\n  body: [{step: CONTINUE}]\n", folder, LOOP).error is None
    assert seen == [0, 1, 2]


def test_blocks_of_a_parallel_step_that_runs_them_in_order_name_their_pictures_in_order(folder: Path) -> None:
    async def run(self: Any, ctx: StepContext) -> None:
        await ctx.run_block(self.body)
        await ctx.run_block(self.other)

    end = ended(run, BUY + "- {step: BUY}\n", folder, PARALLEL)
    assert [Path(image.path).name for image in end.result.made] == ["image-1-1.png", "image-1-2.png", "image-1.png"]
