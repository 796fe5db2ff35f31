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

from flowdsl.errors import UsageError
from flowdsl.events import Event
from flowdsl.secrets.plain import HIDDEN
from flowdsl.telemetry.spans import OpenTelemetry

_PATIENCE_S = 2.0
"""So long an export may take, unless the environment says otherwise: a command does not hang for who watches it."""


@contextmanager
def exported(
    workflow: str | None, *, simulated: bool, environ: Mapping[str, str], warn: Callable[[str], object]
) -> Iterator[Callable[[Event], None]]:
    """A listener whose spans and metrics are sent, at the latest when the block ends. The span of the run belongs to
    the one that the variable TRACEPARENT names. What cannot be sent is said once.

    Raises:
        UsageError: a variable of OpenTelemetry has a value that cannot be.
    """
    failed = _Failed()
    logger = logging.getLogger("opentelemetry")
    before = logger.propagate
    logger.addHandler(failed)
    logger.propagate = False
    patience_s = None if any("OTLP" in name and "TIMEOUT" in name for name in environ) else _PATIENCE_S
    try:
        tracers, meters = _providers(patience_s)
    except (ValueError, OSError) as error:
        logger.removeHandler(failed)
        logger.propagate = before
        why = _without_login(" ".join(str(error).split()), environ)
        raise UsageError(
            f"OpenTelemetry cannot begin: {why}: set its variables right, or OTEL_SDK_DISABLED=true"
        ) from error
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
            warn(f"what OpenTelemetry was to be told did not reach it: {_without_login(failed.said, environ)}")


def _providers(patience_s: float | None) -> tuple[TracerProvider, MeterProvider]:
    """What sends spans, and what sends metrics."""
    resource = Resource.create() if "OTEL_SERVICE_NAME" in os.environ else Resource.create({SERVICE_NAME: "flowdsl"})
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=patience_s)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(timeout=patience_s))
    return tracers, MeterProvider([reader], resource=resource, shutdown_on_exit=False)


def _without_login(text: str, environ: Mapping[str, str]) -> str:
    """A text without the name and password of a collector's address, however that is written."""
    for name, value in environ.items():
        login, at, _ = value.rpartition("@")
        if at and name.startswith("OTEL_") and name.endswith("_ENDPOINT"):
            text = text.replace(login.rpartition("//")[2], HIDDEN)
    return text


class _Failed(logging.Handler):
    """Keeps the first thing that an exporter complains of, on one line."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record."""
        if self.said is None:
            self.said = " ".join(record.getMessage().split())
