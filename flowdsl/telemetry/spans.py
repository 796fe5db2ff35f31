"""Runs as spans and metrics of OpenTelemetry, by its semantic conventions for generative AI.

A run is a span, with one for each step and one for each paid request below it. Prompts, inputs and values of a flow are
in none of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from flowdsl.events import (
    Event,
    FlowFinished,
    Invocation,
    Note,
    RequestFinished,
    RequestStarted,
    StepFailed,
    StepFinished,
    StepStarted,
)
from flowdsl.services import provider

_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4.0**power for power in range(14)]
_TOKEN_TYPES = {"input_tokens": "input", "output_tokens": "output"}


class OpenTelemetry:
    """A listener that makes spans and metrics of runs: `flow.run(on_event=OpenTelemetry())`. It takes the providers
    that the program has set up, unless others are given; any number of runs may share it. `workflow` is what the flow
    is called, `simulated` marks what was not paid really, `context` is what the spans of runs belong to (None: the
    span that is current when a run begins). What fails in it fails no run."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        workflow: str | None = None,
        simulated: bool = False,
        context: Context | None = None,
    ) -> None:
        from flowdsl import __version__

        self._tracer = trace.get_tracer("flowdsl", __version__, tracer_provider)
        self._meters = _Meters(metrics.get_meter("flowdsl", __version__, meter_provider))
        self._workflow = workflow
        self._common: dict[str, Any] = {"flowdsl.simulated": True} if simulated else {}
        self._context = context
        self._runs: dict[str, _Run] = {}

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        try:
            self._take(event)
        except Exception:  # noqa: BLE001  whoever watches a run ends none
            self._runs.pop(event.run, None)

    def _take(self, event: Event) -> None:
        run = self._runs.get(event.run) or self._begun(event)
        if isinstance(event, StepStarted):
            run.spans[event.id] = self._tracer.start_span(
                event.step, run.around(event.parent), attributes=_place(event, self._common)
            )
        elif isinstance(event, (StepFinished, StepFailed)):
            span = run.spans.pop(event.invocation.id, None)
            if span is not None:
                _end(span, event.error.code if isinstance(event, StepFailed) else None)
        elif isinstance(event, RequestStarted):
            self._request(run, event)
        elif isinstance(event, RequestFinished):
            self._response(run, event)
        elif isinstance(event, Note):
            run.span(event.invocation).add_event("flowdsl.note", {"flowdsl.code": event.code})
        elif isinstance(event, FlowFinished):
            self._ended(run, event)

    def _begun(self, event: Event) -> _Run:
        name = "invoke_workflow" if self._workflow is None else f"invoke_workflow {self._workflow}"
        facts: dict[str, Any] = {"gen_ai.operation.name": "invoke_workflow", "flowdsl.run": event.run, **self._common}
        if self._workflow is not None:
            facts["gen_ai.workflow.name"] = self._workflow
        began = time.time_ns() - int(event.at_s * 1e9)
        run = self._runs[event.run] = _Run(
            self._tracer.start_span(name, self._context, attributes=facts, start_time=began)
        )
        return run

    def _request(self, run: _Run, event: RequestStarted) -> None:
        facts: dict[str, Any] = {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": _provider(event.vendor),
            **({} if event.model is None else {"gen_ai.request.model": event.model}),
            **self._common,
        }
        more: dict[str, Any] = {
            "gen_ai.output.type": "image",
            "flowdsl.service": event.service,
            "flowdsl.request": event.request,
        }
        if event.images != 1:
            more["gen_ai.request.choice.count"] = event.images
        span = self._tracer.start_span(
            f"generate_content {event.model}" if event.model else "generate_content",
            run.around(event.invocation),
            kind=SpanKind.CLIENT,
            attributes={**facts, **more},
        )
        run.requests[event.request] = span, facts

    def _response(self, run: _Run, event: RequestFinished) -> None:
        span, facts = run.requests.pop(event.request, (None, {}))
        if span is None:
            return
        failure = None if event.outcome == "done" else event.code or event.outcome
        tokens = _tokens(event.usage)
        more: dict[str, Any] = {f"gen_ai.usage.{name}": number for name, number in tokens.items()}
        more |= {"flowdsl.outcome": event.outcome, "flowdsl.attempts": event.attempts}
        more["flowdsl.images"] = len(event.images)
        more |= {} if event.cost_usd is None else {"flowdsl.cost_usd": event.cost_usd}
        more |= {} if event.request_id is None else {"gen_ai.response.id": event.request_id}
        span.set_attributes(more)
        _end(span, failure)
        measured = facts if failure is None else {**facts, "error.type": failure}
        self._meters.duration.record(event.elapsed_s, measured)
        for name, number in tokens.items():
            self._meters.tokens.record(number, {**facts, "gen_ai.token.type": _TOKEN_TYPES[name]})
        if event.cost_usd:
            self._meters.cost.add(event.cost_usd, facts)
        if event.images:
            self._meters.images.add(len(event.images), facts)

    def _ended(self, run: _Run, event: FlowFinished) -> None:
        del self._runs[event.run]
        for span in (*(span for span, _ in run.requests.values()), *reversed(run.spans.values())):
            _end(span, "interrupted")
        facts: dict[str, Any] = {"flowdsl.status": event.status, "flowdsl.steps": event.steps}
        facts |= {"flowdsl.in_doubt": event.in_doubt, "flowdsl.images": len(event.images)}
        facts |= {} if event.cost_usd is None else {"flowdsl.cost_usd": event.cost_usd}
        facts |= {f"flowdsl.tag.{name}": str(value) for name, value in event.tags.items()}
        run.root.set_attributes(facts)
        failure = None if event.status == "done" else event.status if event.error is None else event.error.code
        _end(run.root, failure)


class _Run:
    """The spans of a run that are not ended yet."""

    def __init__(self, root: Span) -> None:
        self.root = root
        self.spans: dict[int, Span] = {}
        self.requests: dict[int, tuple[Span, dict[str, Any]]] = {}

    def span(self, invocation: Invocation | None) -> Span:
        """The span of an invocation, or of the nearest one around it."""
        while invocation is not None:
            if (found := self.spans.get(invocation.id)) is not None:
                return found
            invocation = invocation.parent
        return self.root

    def around(self, invocation: Invocation | None) -> Context:
        """The context of what is inside of an invocation."""
        return trace.set_span_in_context(self.span(invocation), Context())


class _Meters:
    def __init__(self, meter: Meter) -> None:
        self.duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "How long paid requests take",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens that paid requests use",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self.cost = meter.create_counter("flowdsl.cost", "USD", "What paid requests cost, as far as it is known")
        self.images = meter.create_counter("flowdsl.images", "{image}", "Pictures that came")


def _provider(vendor: str) -> str:
    """What the conventions call a vendor."""
    return str(getattr(provider(vendor), "watched_as", None) or vendor)


def _place(event: StepStarted, common: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {"flowdsl.step": event.step, "flowdsl.path": event.path, **common}
    return facts if event.iteration is None else {**facts, "flowdsl.iteration": event.iteration}


def _end(span: Span, failure: str | None) -> None:
    if failure is not None:
        span.set_attribute("error.type", failure)
        span.set_status(Status(StatusCode.ERROR, failure))
    span.end()


def _tokens(usage: Mapping[str, Any] | None) -> dict[str, int]:
    found = {name: (usage or {}).get(name) for name in _TOKEN_TYPES}
    return {name: number for name, number in found.items() if type(number) is int and number >= 0}
