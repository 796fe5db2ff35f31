"""Flows as tools of agents, by the Model Context Protocol: their inputs as schemas, their pictures as content.

`mcp` is imported here and nowhere else. Its low-level server hands schemas on as they are and checks nothing, which is
what a flow needs: it checks its inputs itself, and says what would be right.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError, NoBackChannelError

from flowdsl import __version__
from flowdsl.checker.inputs import input_values
from flowdsl.environment.flow import Flow
from flowdsl.errors import RunError, UsageError
from flowdsl.events import Event, FlowFinished, Progress, StepStarted
from flowdsl.image.image import Image
from flowdsl.image.own_addresses import OwnAddresses, knowing
from flowdsl.nearest import nearest
from flowdsl.serve.asked import Asked, AskedHere
from flowdsl.serve.fields import MOST_UNKNOWN
from flowdsl.serve.hints import hint_of
from flowdsl.serve.json_hints import in_arguments
from flowdsl.serve.keyed_calls import KeyedCall, keyed_call
from flowdsl.serve.metrics import Bought, counted
from flowdsl.serve.purchases import Purchases
from flowdsl.serve.warned import warn

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from flowdsl.engine.result import Result
    from flowdsl.journal.journal import Journal

OWNER_TAG = "token"
ASKS_BY_RESULT = "2026-07-28"
"""The first version of the protocol in which a server asks by its response, and the client calls again."""
MOST_SHOWN = 8
MOST_BYTES = 6 * 1024 * 1024
"""So much of pictures is handed over at once; of what is more, the address is said."""
_ASKED = "spend"
_ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {"confirm": {"type": "boolean", "title": "Go on and spend that?"}},
    "required": ["confirm"],
}
Question = Callable[[Flow, Mapping[str, Any]], "str | None"]
"""What is to be asked before a run of a flow with these inputs; None where nothing is."""


class Purse(NamedTuple):
    """What pays for a call: the journal of its run, the tags of that, the flows that it may run (None: all), what is
    told of pictures that are bought, and of what knows of the purchases of the call."""

    journal: Journal | None
    tags: Mapping[str, str]
    flows: tuple[str, ...] | None = None
    bought: Bought = lambda model, images, usd: None
    buys: Callable[[Purchases], object] = lambda purchases: None

    @property
    def owner(self) -> str:
        """Whose token it is; empty where there is none."""
        return self.tags.get(OWNER_TAG, "")

    @property
    def is_simulated(self) -> bool:
        """Whether nothing is paid for really."""
        return self.journal is not None and self.journal.simulated

    def may_run(self, id: str) -> bool:
        """Whether it may run a flow."""
        return self.flows is None or id in self.flows


class Shared(NamedTuple):
    """What the tools of one server share: what pays for a call by its HTTP request (None: there is none), what is asked
    before, how JSON values are said to whoever called, with the pictures of these SHA-256, what the journal keeps of a
    run of a flow, so that it can be resumed, what tells whoever runs the server of calls that were given up, the
    addresses of pictures that the server gives out, and the questions that wait (None: in this process)."""

    purse: Callable[[Any], Purse]
    question: Question
    said: Callable[[Any, Any, Container[str]], Any] = lambda request, value, known: value
    given: Callable[[Flow], Mapping[str, Any]] = lambda flow: {}
    tell: Callable[[str], None] = lambda text: None
    own: OwnAddresses | None = None
    asked: Asked | None = None


class Tools:
    """The tools of a server: a flow each."""

    def __init__(self, flows: Mapping[str, Flow], shared: Shared) -> None:
        self._flows = flows
        self._shared = shared
        self._asked: Asked = AskedHere() if shared.asked is None else shared.asked
        self._is_cut_off = False
        self._running = set[asyncio.Task[Any] | None]()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self.server: Server[Any] = Server(
            "flowdsl", version=__version__, on_list_tools=self._list, on_call_tool=self._call
        )

    @property
    def in_flight(self) -> int:
        """How many flows run."""
        return len(self._running)

    def cut_off(self) -> int:
        """Has what runs ended, and not finished; gives how many flows that are."""
        self._is_cut_off = True
        for task in self._running:
            if task is not None:
                task.cancel()
        return len(self._running)

    async def idle(self) -> None:
        """Returns when no flow runs."""
        await self._is_idle.wait()

    async def _list(self, ctx: ServerRequestContext[Any], params: Any) -> types.ListToolsResult:
        purse = self._shared.purse(ctx.request)
        tools = [
            types.Tool(name=id, title=flow.title, description=_description(id, flow, purse), input_schema=_schema(flow))
            for id, flow in self._flows.items()
            if purse.may_run(id)
        ]
        return types.ListToolsResult(tools=tools)

    async def _call(
        self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        purse = self._shared.purse(ctx.request)
        flow = self._flows.get(params.name) if purse.may_run(params.name) else None
        if flow is None:
            names = [id for id in self._flows if purse.may_run(id)]
            near = nearest(params.name, names)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(names) or 'none that you may use'}"
            raise MCPError(code=types.INVALID_PARAMS, message=f"there is no tool `{params.name}`; {hint}")
        inputs = dict(params.arguments or {})
        try:
            _check(flow, inputs)  # before anybody is asked
            keyed = keyed_call(params.meta, purse.owner, params.name, inputs, purse.journal)
            is_bought = keyed is not None and keyed.is_bought()
            question = None if is_bought else self._shared.question(flow, inputs)
            if question is not None:
                answer = await self._answered(ctx, params, question, purse.owner)
                if not isinstance(answer, bool):
                    return answer
                if not answer:
                    return _failed(f"nothing was run: {question}, and nobody agreed to that")
            result = await self._run(ctx, flow, inputs, purse, keyed)
        except RunError as error:
            charge = "; the service may have done, and billed, the work" if error.charge_possible else ""
            remedy = hint_of(error, options=ctx.request is None)
            hint = f": {remedy}" if remedy else ""
            return self._failed(ctx, f"{error.message}{hint}{charge} [{error.code}]", error.result, purse)
        except UsageError as error:
            return _failed(str(error))
        except asyncio.CancelledError:
            if self._is_cut_off:
                await asyncio.Event().wait()  # whoever serves responds by HTTP, and ends this
            raise
        return self._result(ctx, result, purse)

    async def _answered(
        self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams, question: str, owner: str
    ) -> bool | types.InputRequiredResult:
        """Whether somebody agrees; or the question, which the client answers by calling again."""
        able = ctx.session.client_capabilities
        if able is not None and able.elicitation is None:  # else it would fail there, with an error of its own
            raise UsageError(f"nothing was run: {question}, and this client cannot ask anybody (it has no elicitation)")
        message = f"{question[:1].upper()}{question[1:]}. Go on?"
        if ctx.protocol_version < ASKS_BY_RESULT:
            try:
                return _agrees(await ctx.session.elicit_form(message, _ANSWER))
            except NoBackChannelError as error:
                raise UsageError(
                    f"nothing was run: {question}, and this server, of several processes, can ask only clients of "
                    f"version {ASKS_BY_RESULT} of the protocol"
                ) from error
            except MCPError as error:
                raise UsageError(f"nothing was run: {question}, and this client cannot ask: {error}") from error
        asked = [params.name, params.arguments, question]  # whoever agreed to one sum has agreed to no other
        call = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        if params.request_state and self._asked.take(params.request_state, owner) == call:
            return _agrees((params.input_responses or {}).get(_ASKED))
        try:
            id = self._asked.put(call, owner)
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(
                f"nothing was run: {question}, and this server cannot keep that question: {why}"
            ) from error
        form = types.ElicitRequestFormParams(message=message, requested_schema=_ANSWER)
        return types.InputRequiredResult(input_requests={_ASKED: types.ElicitRequest(params=form)}, request_state=id)

    async def _run(
        self,
        ctx: ServerRequestContext[Any],
        flow: Flow,
        inputs: Mapping[str, Any],
        purse: Purse,
        keyed: KeyedCall | None,
    ) -> Result:
        """Runs a flow, and tells of its progress while it goes on."""
        told: asyncio.Queue[str | None] = asyncio.Queue()

        count, purchases = counted(purse.bought), Purchases()
        purse.buys(purchases)

        def hear(event: Event) -> None:
            count(event)
            purchases.hear(event)
            if isinstance(event, StepStarted):
                told.put_nowait(event.label or event.step)
            elif isinstance(event, Progress):
                told.put_nowait(f"{event.step}: {event.text}")
            elif isinstance(event, FlowFinished) and event.status == "cancelled":
                self._shared.tell(_given_up(flow, event, purse))

        async def tell() -> None:
            number = 0
            while (text := await told.get()) is not None:
                number += 1
                with suppress(MCPError):  # whoever asked listens no more
                    await ctx.session.report_progress(number, None, text)

        journal = None if purse.journal is None else purse.journal.giving(self._shared.given(flow))
        telling = asyncio.create_task(tell())
        self._running.add(task := asyncio.current_task())
        self._is_idle.clear()
        try:
            with knowing(self._shared.own):
                if keyed is None or journal is None:
                    result = await flow.arun(inputs, on_event=hear, journal=journal, tags=purse.tags)
                else:
                    async with keyed.alone(journal) as tags:
                        tags = {**purse.tags, **tags}
                        result = await flow.arun(inputs, on_event=hear, journal=journal, tags=tags, run_id=keyed.run)
            await warn(result, journal, self._shared.tell)
            return result
        except RunError as error:
            await warn(error.result, journal, self._shared.tell)
            raise
        finally:
            self._running.discard(task)
            if not self._running:
                self._is_idle.set()
            told.put_nowait(None)
            await asyncio.wait({telling}, timeout=5)
            telling.cancel()

    def _result(self, ctx: ServerRequestContext[Any], result: Result, purse: Purse) -> types.CallToolResult:
        """What a call brings: the pictures of the outputs, or all that were made where no output holds one."""
        known = {image.sha256 for image in (*result.images, *result.made)}
        outputs = self._shared.said(ctx.request, result.to_json(), known)
        bought = _bought(result.made, result.cost_usd, purse)
        text = f"{json.dumps(outputs, ensure_ascii=False)}\n{bought}; run {result.run}"
        if result.made and not result.images:
            made = self._shared.said(ctx.request, [image.to_json() for image in result.made], known)
            text = f"{text}\n{json.dumps(made, ensure_ascii=False)}"
        content = [types.TextContent(type="text", text=text), *_shown(result.images or result.made)]
        return types.CallToolResult(content=content, structured_content=outputs)

    def _failed(
        self, ctx: ServerRequestContext[Any], text: str, result: Result | None, purse: Purse
    ) -> types.CallToolResult:
        """What a call brings that failed, with what its run had bought by then."""
        text = self._shared.said(ctx.request, text, ())
        if result is None or not result.made:
            return _failed(text)
        known = {image.sha256 for image in result.made}
        images = self._shared.said(ctx.request, [image.to_json() for image in result.made], known)
        bought = f"what had come before that is kept: {_bought(result.made, result.cost_usd, purse)}; run {result.run}"
        said = types.TextContent(type="text", text=f"{text}\n{bought}\n{json.dumps(images, ensure_ascii=False)}")
        return types.CallToolResult(content=[said, *_shown(result.made)], is_error=True)


def _check(flow: Flow, inputs: Mapping[str, Any]) -> None:
    """Raises for inputs that do not fit, in words of JSON. Of very many that there are not it says the first."""
    declared = flow.document.inputs
    if declared is not None:
        unknown = islice((name for name in inputs if name not in declared), MOST_UNKNOWN)
        inputs = {
            **{name: inputs[name] for name in unknown},
            **{name: value for name, value in inputs.items() if name in declared},
        }
    input_values(declared, inputs, in_arguments)


def _shown(images: Sequence[Image]) -> Iterator[types.ImageContent]:
    """Pictures as content, as many as are handed over at once."""
    left = MOST_BYTES
    for image in images[:MOST_SHOWN]:
        left -= image.bytes
        if left < 0:
            return
        data = base64.b64encode(image.read()).decode("ascii")
        yield types.ImageContent(type="image", data=data, mime_type=image.mime)


def _bought(images: Sequence[Any], usd: float | None, purse: Purse) -> str:
    number = "1 picture" if len(images) == 1 else f"{len(images)} pictures"
    if purse.is_simulated:
        return f"{number}, simulated, {'cost unknown' if usd is None else f'would cost about ${usd:.4f}'}"
    return f"{number} at a cost that nobody knows" if usd is None else f"{number} for ${usd:.4f}"


def _given_up(flow: Flow, event: FlowFinished, purse: Purse) -> str:
    """What a call has bought that was given up: nobody waits for its response."""
    name = flow.title or flow.document.source.path
    doubt = f"; {event.in_doubt} in doubt" if event.in_doubt else ""
    bought = _bought(event.images, event.cost_usd, purse)
    is_kept = purse.journal is not None and (event.images or event.in_doubt)  # else no command knows of the run
    more = f"; `flowdsl runs show {event.run}` says more" if is_kept else ""
    return f"a call of {name} was given up: {bought}{doubt}{more}"


def _description(id: str, flow: Flow, purse: Purse) -> str:
    named = flow.title or f"The flow {id}"
    cost = "it is simulated, and costs nothing" if purse.is_simulated else "it may cost money"
    return f"{named}. Runs a flow that makes pictures and gives its outputs; {cost}."


def _schema(flow: Flow) -> dict[str, Any]:
    return {name: value for name, value in flow.inputs_schema().items() if name not in ("$schema", "title")}


def _agrees(answer: Any) -> bool:
    return (
        isinstance(answer, types.ElicitResult)
        and answer.action == "accept"
        and (answer.content or {}).get("confirm") is True
    )


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
