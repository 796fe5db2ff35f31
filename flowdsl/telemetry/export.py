"""Sends spans and metrics of a command to a collector, by OTLP over HTTP, as the variables of OpenTelemetry say."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from flowdsl.events import Event
from flowdsl.telemetry.spans import OpenTelemetry

_PATIENCE_S = 2.0
"""So long an export may take, unless the environment says otherwise: a command does not hang for who watches it."""


@contextmanager
def exported(
    workflow: str | None, *, simulated: bool, environ: Mapping[str, str], warn: Callable[[str], object]
) -> Iterator[Callable[[Event], None]]:
    """A listener whose spans and metrics are sent, at the latest when the block ends. The span of the run belongs to
    the one that the variable TRACEPARENT names. What cannot be sent is said once."""
    failed = _Failed()
    logger = logging.getLogger("opentelemetry")
    before = logger.propagate
    logger.addHandler(failed)
    logger.propagate = False
    patience_s = None if any("OTLP" in name and "TIMEOUT" in name for name in environ) else _PATIENCE_S
    resource = Resource.create() if "OTEL_SERVICE_NAME" in os.environ else Resource.create({SERVICE_NAME: "flowdsl"})
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=patience_s)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(timeout=patience_s))
    meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    carrier = {"traceparent": environ.get("TRACEPARENT", ""), "tracestate": environ.get("TRACESTATE", "")}
    context = TraceContextTextMapPropagator().extract(carrier)
    try:
        yield OpenTelemetry(tracers, meters, workflow=workflow, simulated=simulated, context=context)
    finally:
        try:
            other = Thread(target=meters.shutdown)  # side by side: one that is not reached is waited for
            other.start()
            tracers.shutdown()
            other.join()
        finally:
            logger.removeHandler(failed)
            logger.propagate = before
        if failed.said is not None:
            warn(f"what OpenTelemetry was to be told did not reach it: {failed.said}")


class _Failed(logging.Handler):
    """Keeps the first thing that an exporter complains of, on one line."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record."""
        if self.said is None:
            self.said = " ".join(record.getMessage().split())
