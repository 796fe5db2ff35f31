"""Scenarios: one YAML file says a flow, how it is run, and what comes of it. `golden/run/README.md` lists the keys."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any

from scenario_steps import STEPS, repeat
from web_server import Routes, Seen, Web, response

import flowdsl
from flowdsl.syntax.yaml_reader import read
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.record import RecordedRequest

AS_OF = date(2026, 11, 21)
"""The day that scenarios check life dates against."""
KEYS = {"title", "shows", "files", "flow", "kit", "action", "inputs", "host", "expect"}
KEYS |= {"cancel_at", "source", "differs"}
EXPECTED = {"outputs", "context", "absent", "error", "usage", "findings", "events", "emitted", "requests", "saved"}
EXPECTED |= {"cancelled", "headers", "hints", "sent"}


class Scenario:
    """One scenario file, read and checked for its form."""

    def __init__(self, path: Path) -> None:
        root, mistakes = read(flowdsl.Source(path.read_text(encoding="utf-8"), path.name))
        assert root is not None and not mistakes, flowdsl.render(mistakes)
        self.values: dict[str, Any] = root.plain()
        self.name = path.stem
        assert set(self.values) <= KEYS, f"{path.name}: unknown keys {set(self.values) - KEYS}"
        assert set(self.expected) <= EXPECTED, f"{path.name}: unknown keys {set(self.expected) - EXPECTED}"
        assert self.values["title"] and self.values["shows"], f"{path.name}: `title` and `shows` are needed"
        assert ("flow" in self.values) != ("kit" in self.values), f"{path.name}: either `flow` or `kit`"

    @property
    def expected(self) -> dict[str, Any]:
        """What the scenario expects."""
        return dict(self.values["expect"])

    def write(self, folder: Path) -> Path:
        """Writes the files of the scenario into a folder; gives the path of its flow."""
        files = {"flowdsl.toml": "", **self.values.get("files", {})}
        name = "kit.ai-kit.yaml" if "kit" in self.values else "main.flow.yaml"
        files[name] = self.values.get("kit") or self.values["flow"]
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return folder / name

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables of the host."""
        return dict(self.values.get("host", {}).get("environ", {}))

    @contextmanager
    def simulator(self) -> Iterator[Simulator | None]:
        """A running simulator, when the scenario asks for it."""
        asked = self.values.get("host", {}).get("simulator")
        if not asked:
            yield None
            return
        with Simulator(as_of=date(2026, 1, 1), faults=asked.get("faults", ()) if asked is not True else ()) as running:
            yield running

    def services(self, simulator: Simulator | None) -> dict[str, Any]:
        """The service entries of the host: those of the scenario, else that of the step."""
        if simulator is None:
            return {}
        asked = self.values["host"]["simulator"]
        entries = {} if asked is True else asked.get("services", {})
        return {
            name: {"endpoint": self.endpoint(simulator, name), "apiKey": simulator.key, **settings}
            for name, settings in (entries or {"OPENAI_IMAGE_GENERATION": {}}).items()
        }

    def endpoint(self, simulator: Simulator, service: str) -> str:
        """The address of the simulator as the vendor of a service has it."""
        return simulator.azure_endpoint if service.startswith("AZURE") else simulator.openai_base_url

    @contextmanager
    def web(self) -> Iterator[Web | None]:
        """The web server of the host, when the scenario has one."""
        responses = self.values.get("host", {}).get("web")
        if responses is None:
            yield None
            return
        routes = {
            route: [answered(**given) for given in (values if isinstance(values, list) else [values])]
            for route, values in responses.items()
        }
        with Web(routes=Routes(routes)) as web:
            yield web

    def run(self, environment: flowdsl.Environment, path: Path, on_event: flowdsl.OnEvent) -> flowdsl.Result:
        """Runs the flow; cancels it at an event when the scenario says so."""
        inputs, action = self.values.get("inputs"), self.values.get("action")
        if "cancel_at" not in self.values:
            return environment.run(path, inputs, action=action, on_event=on_event)

        async def cancelled() -> flowdsl.Result:
            def watch(event: flowdsl.Event) -> None:
                on_event(event)
                if shown_event(event) == self.values["cancel_at"]:
                    task.cancel()

            task = asyncio.ensure_future(environment.arun(path, inputs, action=action, on_event=watch))
            return await task

        return asyncio.run(cancelled())

    def environment(
        self, folder: Path, emitted: list[dict[str, Any]], services: dict[str, Any], web: Web | None
    ) -> flowdsl.Environment:
        """The host of the scenario: `host` gives the settings of its Environment."""
        settings = dict(self.values.get("host", {}))
        given = {
            name: settings.pop(name) for name in ("env", "kv", "objects", "secrets", "variables") if name in settings
        }
        for own in ("environ", "simulator", "web"):
            settings.pop(own, None)
        if web is not None:
            given["variables"] = {"web": web.url, **given.get("variables", {})}
        given["objects"] = {"repeat": repeat, **given.get("objects", {})}
        if "secrets" in given:
            given["secrets"] = given["secrets"].get
        if "limits" in settings:
            settings["limits"] = flowdsl.Limits(**settings["limits"])

        def sink(name: str, payload: Any) -> None:
            emitted.append({"name": name, "payload": plain(payload)})

        return flowdsl.Environment(
            steps=STEPS,
            as_of=AS_OF,
            services=services,
            host=flowdsl.Host(sink=sink, **given),
            storage=flowdsl.Storage(images=folder / "images", output=folder / "output"),
            **settings,
        )


def found(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """What comes of a scenario, in the form of its `expect`; only what it speaks about."""
    with scenario.simulator() as simulator, scenario.web() as web:
        report = _found(scenario, folder, scenario.services(simulator), web)
        if "sent" in scenario.expected:
            assert simulator is not None, "`sent` needs `host.simulator`"
            report["sent"] = [
                shown_sent(request, wanted)
                for request, wanted in zip_longest(simulator.requests, scenario.expected["sent"], fillvalue=None)
            ]
        if "requests" in scenario.expected:
            assert web is not None, "`requests` needs `host.web`"
            report["requests"] = [shown_request(seen) for seen in web.seen]
        if "headers" in scenario.expected:
            assert web is not None, "`headers` needs `host.web`"
            pairs = zip(web.seen, scenario.expected["headers"], strict=True)
            report["headers"] = [{name: seen.headers.get(name) for name in wanted} for seen, wanted in pairs]
        if "saved" in scenario.expected:
            report["saved"] = shown_files(folder / "output")
        return neutral(report, folder, web)


def neutral(report: dict[str, Any], folder: Path, web: Web | None) -> dict[str, Any]:
    """The report with `{folder}` and `{web}` for what differs from run to run."""
    text = json.dumps(report).replace(str(folder), "{folder}")
    found: dict[str, Any] = json.loads(text if web is None else text.replace(web.url, "{web}"))
    return found


def answered(status: int = 200, headers: dict[str, str] | None = None, text: str = "", json: Any = None) -> bytes:
    """A response of the web server as the scenario describes it."""
    from json import dumps

    lines = {"content-type": "text/plain" if json is None else "application/json", **(headers or {})}
    body = text if json is None else dumps(json, ensure_ascii=False)
    return response(body.encode(), f"{status} Said", "".join(f"{name}: {value}\r\n" for name, value in lines.items()))


def shown_request(seen: Seen) -> str:
    """`POST /a?b=1`, with the media type and the body behind it when there is one."""
    shown = f"{seen.method} {seen.target}"
    if not seen.body:
        return shown
    return f"{shown} {seen.headers.get('content-type', '')}: {seen.body.decode('utf-8', 'replace')}"


def shown_sent(request: RecordedRequest | None, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the simulator got of a request: of `address`, `headers`, `body` and `status` those that are wanted."""
    if request is None:
        return None
    wanted = wanted or {"body": None}
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    facts = {
        "address": request.path + (f"?{query}" if query else ""),
        "headers": {name: request.headers.get(name) for name in wanted.get("headers", ())},
        "body": request.json,
        "status": request.status,
    }
    return {name: facts[name] for name in wanted}


def shown_files(folder: Path) -> dict[str, str]:
    """Every file of the output folder: a picture by its format and size, any other by its text."""
    store = flowdsl.ImageStore(folder.parent / "shown")
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        try:
            image = store.add(content)
            found[name] = f"{image.mime} {image.width}x{image.height}"
        except flowdsl.StepError:
            found[name] = content.decode("utf-8", "replace")
    return found


def _found(scenario: Scenario, folder: Path, services: dict[str, Any], web: Web | None) -> dict[str, Any]:
    path = scenario.write(folder)
    emitted: list[dict[str, Any]] = []
    events: list[flowdsl.Event] = []
    environment = scenario.environment(folder, emitted, services, web)
    inputs = scenario.values.get("inputs")
    diagnostics = environment.check(path, declare=inputs or ())
    expected = scenario.expected
    report: dict[str, Any] = {}
    if "findings" in expected:
        named = {line.split(" ")[1] for line in expected["findings"]} or {"error", "warning", "note"}
        report["findings"] = [shown_finding(d) for d in diagnostics if d.severity in named]
    if "hints" in expected:
        report["hints"] = [diagnostic.hint for diagnostic in diagnostics if diagnostic.severity == "error"]
    if any(diagnostic.severity == "error" for diagnostic in diagnostics):
        report.setdefault("findings", [shown_finding(d) for d in diagnostics if d.severity == "error"])
        return report
    try:
        result = scenario.run(environment, path, events.append)
    except asyncio.CancelledError:
        report["cancelled"] = True
    except flowdsl.RunError as error:
        wanted = expected.get("error", {"code": None, "message": None})
        report["error"] = {key: shown_error(error)[key] for key in wanted}
    except flowdsl.UsageError as error:
        report["usage"] = str(error)
    else:
        report.update(shown_result(result, expected))
    if "events" in expected:
        kinds = {line.partition(" ")[0] for line in expected["events"]}
        report["events"] = [line for line in map(shown_event, events) if line.partition(" ")[0] in kinds]
    if "emitted" in expected:
        report["emitted"] = emitted
    return report


def shown_result(result: flowdsl.Result, expected: dict[str, Any]) -> dict[str, Any]:
    """The outputs, and of the FlowContext the keys that are expected to be there or not to be there."""
    report: dict[str, Any] = {}
    context = plain(result.context)
    if "outputs" in expected:
        report["outputs"] = result.to_json()
    if "context" in expected:
        report["context"] = {key: context[key] for key in expected["context"] if key in context}
    if "absent" in expected:
        report["absent"] = [key for key in expected["absent"] if key not in context]
    return report


def shown_finding(diagnostic: flowdsl.Diagnostic) -> str:
    """`main.flow.yaml:3:5 error out-of-range: message`."""
    span = diagnostic.span
    place = f"{Path(span.path).name}:{span.first.line}:{span.first.col}"
    return f"{place} {diagnostic.severity} {diagnostic.code}: {diagnostic.message}"


def shown_error(error: flowdsl.RunError) -> dict[str, Any]:
    """The facts of an error that a scenario can expect."""
    line = error.span.first.line if error.span is not None else None
    return {
        "name": type(error).__name__,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "step": error.step,
        "path": error.path,
        "line": line,
    }


def shown_event(event: flowdsl.Event) -> str:
    """`StepStarted flow[0] SET`, with the label, the error's code, what was noted, emitted or the status behind it."""
    kind = type(event).__name__
    if isinstance(event, flowdsl.FlowFinished):
        return f"{kind} {event.status}"
    extra = _extra(event)
    return f"{kind} {event.path} {event.step}" + (f": {extra}" if extra is not None else "")


def _extra(event: flowdsl.Event) -> str | None:
    match event:
        case flowdsl.StepStarted():
            return event.label
        case flowdsl.StepFailed():
            return event.error.code
        case flowdsl.Note():
            return f"{event.code}: {event.text}"
        case flowdsl.Progress():
            return event.text
        case flowdsl.Emitted():
            return event.name
        case _:
            return None


def plain(value: Any) -> Any:
    """A value as JSON values, by way of the public `Result.to_json`."""
    return flowdsl.Result({"value": value}, {}, None, 0.0, 0).to_json()["value"]


def difference(expected: dict[str, Any], got: dict[str, Any]) -> str:
    """The lines in which two reports differ, empty when they are equal."""
    if expected == got and repr(sorted(expected)) == repr(sorted(got)):
        return ""
    before, after = (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) for value in (expected, got))
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), "expected", "found", lineterm=""))
