"""Runs as spans and metrics of OpenTelemetry."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from flowdsl import Environment, Invocation, Limits, RequestFinished, RequestStarted, Storage
from flowdsl.cli import main
from flowdsl.errors import RunError
from flowdsl.telemetry.spans import OpenTelemetry
from flowdsl_steps.image.simulator import Simulator

IMAGE = '{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, size: 1024x1024, instruction: "Gran KEY"}'
LOOP = f"""\
- step: FOR
  var: n
  start: 1
  end: 2
  concurrency: 2
  do:
    - {IMAGE}
"""


class Watched:
    """What a run left: its spans by name, and the points of its metrics."""

    def __init__(self, folder: Path, text: str, fault: str = "") -> None:
        exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(exporter))
        listener = OpenTelemetry(tracers, meters, workflow="album")
        self.error: RunError | None = None
        with Simulator(plain=True) as simulator:
            if fault:
                simulator.faults.add(fault)
            self.key = simulator.key
            services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
            storage = Storage(images=folder / "pictures", output=folder / "out")
            environment = Environment(services=services, storage=storage, limits=Limits(private_addresses=True))
            try:
                environment.load(text).run(on_event=listener, tags={"team": "ads"}, run_id="run-1")
            except RunError as error:
                self.error = error
        self.all = exporter.get_finished_spans()
        self.points: dict[str, list[Any]] = {}
        data = reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                self.points[metric.name] = list(metric.data.data_points)
        tracers.shutdown()
        meters.shutdown()

    def spans(self, name: str) -> list[Any]:
        return [span for span in self.all if span.name == name]


def test_a_run_is_a_span_with_its_steps_and_requests_below_it(tmp_path: Path) -> None:
    seen = Watched(tmp_path, LOOP)
    (root,), (loop,) = seen.spans("invoke_workflow album"), seen.spans("FOR")
    steps, requests = seen.spans("OPENAI_IMAGE_GENERATION"), seen.spans("generate_content gpt-image-2")
    assert (len(steps), len(requests)) == (2, 2)
    assert loop.parent.span_id == root.context.span_id
    assert {step.parent.span_id for step in steps} == {loop.context.span_id}
    assert {each.parent.span_id for each in requests} == {step.context.span_id for step in steps}
    assert len({span.context.trace_id for span in seen.all}) == 1
    assert root.attributes["flowdsl.run"] == "run-1"
    assert root.attributes["flowdsl.tag.team"] == "ads"
    assert root.start_time <= min(span.start_time for span in seen.all)


def test_a_request_has_the_attributes_of_the_conventions(tmp_path: Path) -> None:
    (request,) = Watched(tmp_path, f"- {IMAGE}\n").spans("generate_content gpt-image-2")
    facts = dict(request.attributes)
    assert request.kind is SpanKind.CLIENT
    assert request.status.status_code is StatusCode.UNSET
    assert facts["gen_ai.operation.name"] == "generate_content"
    assert facts["gen_ai.provider.name"] == "openai"
    assert facts["gen_ai.request.model"] == "gpt-image-2"
    assert facts["gen_ai.output.type"] == "image"
    assert facts["gen_ai.usage.output_tokens"] > 0
    assert facts["flowdsl.cost_usd"] > 0


@pytest.mark.parametrize(
    ("vendor", "name"), [("azure", "azure.ai.openai"), ("bfl", "bfl"), ("unheard-of", "unheard-of")]
)
def test_vendors_have_the_names_of_the_conventions(vendor: str, name: str) -> None:
    exporter, tracers = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    listener, place = OpenTelemetry(tracers), Invocation(id=0)
    where: dict[str, Any] = {"run": "a", "invocation": place, "at_s": 0.0, "request": 1}
    listener(RequestStarted(**where, service="S", vendor=vendor, model=None, images=2, most_usd=None))
    listener(RequestFinished(**where, outcome="done", elapsed_s=1.0, attempts=1))
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.attributes["gen_ai.provider.name"]) == ("generate_content", name)
    assert span.attributes["gen_ai.request.choice.count"] == 2
    tracers.shutdown()


def test_metrics_count_time_tokens_cost_and_images(tmp_path: Path) -> None:
    points = Watched(tmp_path, LOOP).points
    (duration,) = points["gen_ai.client.operation.duration"]
    assert (duration.count, duration.attributes["gen_ai.provider.name"]) == (2, "openai")
    tokens = {point.attributes["gen_ai.token.type"]: point.count for point in points["gen_ai.client.token.usage"]}
    assert tokens == {"input": 2, "output": 2}
    assert points["flowdsl.images"][0].value == 2
    assert points["flowdsl.cost"][0].value > 0


def test_what_fails_says_so_by_its_code_and_every_span_ends(tmp_path: Path) -> None:
    seen = Watched(tmp_path, LOOP, fault="moderation")
    assert seen.error is not None
    failed = [span for span in seen.spans("generate_content gpt-image-2") if span.attributes.get("error.type")]
    assert len(failed) >= 1
    assert failed[0].attributes["error.type"] == seen.error.code
    (root,) = seen.spans("invoke_workflow album")
    assert root.status.status_code is StatusCode.ERROR
    assert root.attributes["flowdsl.status"] == "failed"
    assert all(span.end_time for span in seen.all)


def test_no_prompt_and_no_key_stands_in_them(tmp_path: Path) -> None:
    for fault in ("", "moderation"):
        seen = Watched(tmp_path, LOOP, fault)
        text = "".join(span.to_json() for span in seen.all) + repr(seen.points)
        assert "Gran" not in text
        assert seen.key not in text


class Collector:
    """What takes OTLP over HTTP, and keeps what came."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}


@contextmanager
def collecting(status: int = 200) -> Iterator[tuple[str, Collector]]:
    collector = Collector()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.bodies[self.path] = collector.bodies.get(self.path, b"") + body
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("options", [[], ["--otel"]])
def test_the_command_sends_them_where_the_environment_says(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boat.flow.yaml").write_text(f"- {IMAGE}\n")
    with collecting() as (url, collector):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        monkeypatch.setenv("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        assert main(["run", "boat.flow.yaml", "--simulate", "--quiet", *options]) == 0
    spans, points = collector.bodies["/v1/traces"], collector.bodies["/v1/metrics"]
    assert b"invoke_workflow boat.flow.yaml" in spans
    assert bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736") in spans
    assert b"flowdsl.simulated" in spans
    assert b"gen_ai.client.operation.duration" in points
    assert capsys.readouterr().err == ""


def test_a_collector_that_refuses_ends_no_run_and_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boat.flow.yaml").write_text(f"- {IMAGE}\n")
    with collecting(400) as (url, _):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        assert main(["run", "boat.flow.yaml", "--simulate", "--quiet"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("flowdsl: warning: what OpenTelemetry was to be told did not reach it: ")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("endpoint", ["me:hidden-word@127.0.0.1:9", "ftp://me:hidden-word@127.0.0.1:9"])
def test_the_login_of_a_collector_is_in_no_warning(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boat.flow.yaml").write_text(f"- {IMAGE}\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    assert main(["run", "boat.flow.yaml", "--simulate", "--quiet"]) == 0
    said = capsys.readouterr().err
    assert "did not reach it: " in said
    assert "hidden-word" not in said


def test_a_variable_that_cannot_be_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boat.flow.yaml").write_text(f"- {IMAGE}\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "-1")
    assert main(["run", "boat.flow.yaml", "--simulate", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("flowdsl: OpenTelemetry cannot begin: interval value -1.0 is invalid")
    assert said.endswith("set its variables right, or OTEL_SDK_DISABLED=true\n")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert main(["run", "boat.flow.yaml", "--simulate", "--quiet"]) == 0


@pytest.mark.long
def test_nothing_of_it_is_imported_when_nobody_watches(tmp_path: Path) -> None:
    (tmp_path / "boat.flow.yaml").write_text(f"- {IMAGE}\n")
    program = (
        "import json, sys; from flowdsl.cli import main; main(['run', 'boat.flow.yaml', '--simulate', '--quiet']);"
        "print(json.dumps([name for name in sys.modules if 'opentelemetry' in name or 'flowdsl.telemetry' in name]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
