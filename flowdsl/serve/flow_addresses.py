"""The addresses of flows: what there is, a run of one, its events, its end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flowdsl.nearest import nearest
from flowdsl.serve.access import Access
from flowdsl.serve.bodies import held_of, json_object
from flowdsl.serve.content import note_inputs, note_revised
from flowdsl.serve.elsewhere import end, place_of
from flowdsl.serve.fields import shown
from flowdsl.serve.flow_runs import FlowRun, FlowRuns
from flowdsl.serve.given_inputs import given_inputs
from flowdsl.serve.headers import NO_STORE, check_room, key_of
from flowdsl.serve.json_hints import INPUTS
from flowdsl.serve.metrics import Metrics
from flowdsl.serve.pictures import Pictures
from flowdsl.serve.refusal import Refusal

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow

_EVENTS = "text/event-stream"


class FlowAddresses:
    """What an application has for flows."""

    def __init__(self, runs: FlowRuns, access: Access, pictures: Pictures, metrics: Metrics) -> None:
        self._runs = runs
        self._access = access
        self._pictures = pictures
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """The addresses."""
        return [
            Route("/flows", self._flows),
            Route("/flows/{id}/runs", self._start, methods=["POST"]),
            Route("/runs/{id}", self._run),
            Route("/runs/{id}/events", self._events),
            Route("/runs/{id}/cancel", self._cancel, methods=["POST"]),
        ]

    def schemas(self) -> dict[str, dict[str, Any]]:
        """The schemas of the inputs of flows, by id."""
        return {id: flow.inputs_schema() for id, flow in self._runs.flows.items()}

    async def _flows(self, request: Request) -> Response:
        token = self._access.token(request)
        flows = [
            {"id": id, "title": flow.title, "inputs": flow.inputs_schema()}
            for id, flow in self._runs.flows.items()
            if token is None or token.may_use(id)
        ]
        return JSONResponse({"object": "list", "data": flows})

    async def _start(self, request: Request) -> Response:
        token = self._access.token(request)
        await self._access.count(token)
        id = request.path_params["id"]
        if id not in self._runs.flows:
            near = nearest(id, self._runs.flows)
            hint = f"did you mean '{near}'?" if near else "GET /flows lists those that are served."
            raise Refusal(404, f"There is no flow {shown(id)}; {hint}", param="id", code="flow_not_found")
        self._access.check_flow(token, id)
        flow, state = self._runs.flows[id], request.scope["state"]
        body = await json_object(request)
        note_inputs(state, body.get(INPUTS), _secret(flow, body.get(INPUTS)))
        inputs = given_inputs(flow, body)
        check_room(self._runs.in_flight)
        owner = "" if token is None else token.name
        key, bought = key_of(request), self._metrics.and_in(state)
        run = self._runs.start(id, inputs, owner, self._access.journal(token), key, bought)
        if run.task is not None:
            held_of(request).kept_by(run.task)
            run.task.add_done_callback(lambda _: note_revised(state, run.revised_prompts()))
        where = {"location": f"/runs/{run.id}", **NO_STORE}
        if _EVENTS in request.headers.get("accept", ""):
            return StreamingResponse(self._told(request, run, 0), media_type=_EVENTS, headers=where)
        if "respond-async" in request.headers.get("prefer", ""):
            return JSONResponse(self._said(request, run), 202, where)
        await run.ended()
        if run.refusal is not None:
            raise run.refusal
        return JSONResponse(self._said(request, run), headers=where)

    async def _run(self, request: Request) -> Response:
        """A run of this process, else what the journal knows of it."""
        token = self._access.token(request)
        owner = "" if token is None else token.name
        id, journal = request.path_params["id"], self._access.journal(token)
        found = self._runs.kept(id, owner, journal, self._pictures)
        if found is None and self._runs.is_elsewhere(id, owner, journal):
            found = {"run": id, "status": "running"}
        if found is None:
            return JSONResponse(self._said(request, self._found(request)), headers=NO_STORE)
        return JSONResponse(self._kept(request, found), headers=NO_STORE)

    async def _events(self, request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        first = int(last) + 1 if last.isascii() and last.isdigit() and len(last) < 10 else 0
        return StreamingResponse(self._told(request, self._found(request), first), media_type=_EVENTS, headers=NO_STORE)

    async def _cancel(self, request: Request) -> Response:
        token = self._access.token(request)
        owner, id, journal = "" if token is None else token.name, request.path_params["id"], self._access.journal(token)
        if self._runs.is_elsewhere(id, owner, journal):
            if not await end(journal, place_of(id, owner)):
                raise _other_process(503)
            kept = self._runs.kept(id, owner, journal, self._pictures) or {"run": id, "status": "cancelled"}
            return JSONResponse(self._kept(request, kept), headers=NO_STORE)
        over = self._runs.kept(id, owner, journal, self._pictures)
        if over is not None:  # in a process that has ended, or in another one
            return JSONResponse(self._kept(request, over), headers=NO_STORE)
        run = self._found(request)
        if run.task is not None and run.status == "running":
            run.task.cancel()
            await run.ended()
            if journal.running.goes_on(run.place) and not await end(journal, run.place):  # it waited for another one
                raise _other_process(503)
        return JSONResponse(self._said(request, run), headers=NO_STORE)

    def _found(self, request: Request) -> FlowRun:
        token = self._access.token(request)
        id = request.path_params["id"]
        owner = "" if token is None else token.name
        found, journal = self._runs.find(id, owner), self._access.journal(token)
        if found is None and self._runs.is_elsewhere(id, owner, journal):
            raise _other_process(409)
        if found is None and self._runs.kept(id, owner, journal, self._pictures) is not None:
            raise _other_process(
                409, "The events of this run are in the process that made it, and gone once that has ended"
            )
        if found is None:
            message = f"There is no run {shown(id)}; one that is long over is forgotten."
            raise Refusal(404, message, code="run_not_found")
        return found

    def _said(self, request: Request, run: FlowRun, value: Any = None) -> Any:
        """What a run says of itself, or one of its events, with addresses of its own pictures and no others."""
        found = run.to_dict() if value is None else value
        return self._pictures.published(found, str(request.base_url), run.pictures)

    def _kept(self, request: Request, found: dict[str, Any]) -> Any:
        return self._pictures.published(found, str(request.base_url))

    async def _told(self, request: Request, run: FlowRun, first: int) -> AsyncIterator[bytes]:
        """The events of a run, and how it ended."""
        async for number, event in run.follow(first):
            yield _event(number, str(event.get("event")), self._said(request, run, event))
        yield _event(None, "result", self._said(request, run))


def _secret(flow: Flow, given: Any) -> frozenset[str]:
    """The inputs given that are secrets of a flow; where it has some, also those that it does not know: such a name may
    be that of a secret, misspelt."""
    properties: Mapping[str, Any] = flow.inputs_schema().get("properties", {})
    secret = {name for name, schema in properties.items() if schema.get("writeOnly") is True}
    if secret and isinstance(given, Mapping):
        secret |= {name for name in given if name not in properties}
    return frozenset(secret)


def _other_process(status: int, what: str = "Another process of this gateway works on this run") -> Refusal:
    message = f"{what}; GET /runs/RUN says how it stands."
    return Refusal(status, message, code="run_of_another_process", headers={"x-should-retry": "false"})


def _event(number: int | None, kind: str, said: dict[str, Any]) -> bytes:
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(said, ensure_ascii=False)}\n\n".encode()
