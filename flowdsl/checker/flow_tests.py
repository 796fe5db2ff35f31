"""A file of flow tests beside the flow it is about: what it gives that the flow does not take, and what it expects
that cannot come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flowdsl.checker.findings import Findings
from flowdsl.checker.inputs import MISSING, wrong_inputs
from flowdsl.document.actions import chosen
from flowdsl.document.document import Document
from flowdsl.document.flow_file import FlowFile
from flowdsl.document.flow_tests import MATCHERS, Case, FlowTests, matcher
from flowdsl.document.step_names import nearest_names, steps_named
from flowdsl.errors import ConfigError, UsageError
from flowdsl.nearest import nearest
from flowdsl.source import Span
from flowdsl.step.problem import show
from flowdsl.syntax.node import Node

_LAST_STATUS = 599


def check_flow_tests(tests: FlowTests, findings: Findings) -> None:
    """Adds to `findings` what is wrong with a file of tests beyond its form; the flow itself is not checked."""
    file = _flow_of(tests, findings)
    before = len(findings.diagnostics)
    for case in tests.cases:
        document = None if file is None else _document(case, file, findings)
        _check_expectations(case, document, findings)
        _check_values(case, findings)
        if document is not None:
            _check_inputs(case, document, findings)
            _check_faults(case, document, findings)
            _check_ran(case, document, findings)
    # What stands in the file for all cases is found once for each.
    own = {(found.span.start, found.code, found.message): found for found in findings.diagnostics[before:]}
    findings.diagnostics[before:] = own.values()


def flow_path(tests: FlowTests) -> str:
    """The path of the flow that tests are about, as `Files.resolve` takes it: from the folder of their file."""
    return tests.flow if tests.flow.startswith(("/", "./", "../")) else f"./{tests.flow}"


def _flow_of(tests: FlowTests, findings: Findings) -> FlowFile | None:
    """What the flow's file holds; None, which is reported, where nothing can be made of it."""
    from flowdsl.document.build import build
    from flowdsl.document.dialects import lowered
    from flowdsl.document.files import Files

    files, at = Files(tests.source), tests.at
    real, problem = files.resolve(flow_path(tests), at.span)
    if real is None:
        if problem is not None:
            findings.add(problem.code, problem.message, at, hint=problem.hint)
        return None
    source, mistakes = files.open(real, at.span)
    nodes, _ = lowered(source, files.include) if not mistakes else (None, [])
    file = build(nodes, findings.settings.registry, files) if nodes is not None else None
    if file is None or file.kind in ("module", "tests"):
        named = files.shown(real)
        is_other = file is not None
        message = f"`{named}` is no flow" if is_other else f"`{named}` cannot be read as a flow"
        hint = "name a flow or a kit" if is_other else f"`flowdsl validate {named}` says why"
        findings.add("not-a-flow", message, at, hint=hint)
        return None
    return file


def _document(case: Case, file: FlowFile, findings: Findings) -> Document | None:
    action = case.get("action")
    try:
        return chosen(file, action.value if action is not None and isinstance(action.value, str) else None)
    except UsageError as error:
        at = case.node if action is None else action
        findings.add("not-a-choice", str(error), at, hint="write `action: NAME`" if action is None else None)
        return None


def _check_inputs(case: Case, document: Document, findings: Findings) -> None:
    if document.inputs is None:
        return
    given = case.entries("inputs")
    try:
        wrong = wrong_inputs(document.inputs, {name: node.plain() for name, node in given.items()}, _giving)
    except ConfigError:  # a schema of the flow is none, which is reported there
        return
    for each in wrong:
        node = given.get(each.name)
        at = case.node.span if node is None else _place(node, each.path, case, each.name, each.error.code)
        findings.add(each.error.code, each.error.message, at, hint=each.error.hint)


def _giving(name: str, schema: Mapping[str, Any], value: Any) -> str | None:
    return f"give it: `inputs: {{{name}: …}}`" if value is MISSING else None


def _place(node: Node, path: Iterable[str | int], case: Case, name: str, code: str) -> Span:
    if code == "undefined-input":
        for holder in (case.own.get("inputs"), case.shared.get("inputs")):
            if holder is not None and name in holder.keys:
                return holder.keys[name].span
    for part in path:
        in_map = node.kind == "map" and part in node.value
        if in_map or (node.kind == "list" and isinstance(part, int) and part < len(node.value)):
            node = node.value[part]
    return node.span


def _check_faults(case: Case, document: Document, findings: Findings) -> None:
    steps = list(document.every_step())
    asking = [step for step in steps if step.spec.service is not None]
    for name, key, value in _entries(case.own.get("faults"), case.shared.get("faults")):
        if not steps_named(name, asking):
            found = steps_named(name, steps)
            which = f"`{name}` asks no service, so that no fault of one can come" if found else _no_step(name)
            findings.add("no-such-step", which, key, hint=nearest_names(name, asking))
        for text in value.value if value.kind == "list" else [value]:
            if not isinstance(text.value, str):
                said = f"a fault is a text `KIND[:TIMES]`, not {show(text.plain())}"
                findings.add("wrong-type", said, text, hint="write for example `rate_limit:2`")


def _entries(*maps: Node | None) -> Iterator[tuple[str, Node, Node]]:
    """The entries of some maps: name, the node of the name, and value."""
    for node in maps:
        if node is not None and node.kind == "map":
            yield from ((name, node.keys[name], value) for name, value in node.value.items())


def _no_step(name: str) -> str:
    return f"the flow has no step `{name}`"


def _check_ran(case: Case, document: Document, findings: Findings) -> None:
    steps = list(document.every_step())
    for name, key, value in _entries(case.expect.get("ran")):
        if not steps_named(name, steps):
            findings.add("no-such-step", _no_step(name), key, hint=nearest_names(name, steps))
        if not _is_count(value.value):
            findings.add("wrong-type", f"`ran` takes how often the step runs, not {show(value.plain())}", value)


def _check_values(case: Case, findings: Findings) -> None:
    """Reports settings of a case that cannot be, and mocks."""
    for key in ("env", "secrets"):
        for name, node in case.entries(key).items():
            if not isinstance(node.value, str):
                findings.add("wrong-type", f"`{name}` in `{key}` takes a text, not {show(node.plain())}", node)
    day = case.get("asOf")
    if day is not None and isinstance(day.value, str):
        from datetime import date

        try:
            date.fromisoformat(day.value)
        except ValueError:
            findings.add("wrong-pattern", f"`{day.value}` is not a day", day, hint="write it like `2026-11-21`")
    for mock in case.mocks():
        answers = [mock, *_items(mock.value.get("responses"))] if mock.kind == "map" else []
        for answer in answers:
            _check_response(answer, findings)


def _check_response(node: Node, findings: Findings) -> None:
    if node.kind != "map":
        return
    status, file = node.value.get("status"), node.value.get("file")
    if status is not None and isinstance(status.value, int) and not 100 <= status.value <= _LAST_STATUS:
        findings.add("out-of-range", f"{status.value} is no status of HTTP", status, hint="it is from 100 to 599")
    if file is not None and isinstance(file.value, str):
        from flowdsl.document.files import Files

        named = file.value if file.value.startswith(("/", "./", "../")) else f"./{file.value}"
        real, problem = Files(node.source).resolve(named, file.span)
        if real is None and problem is not None:
            findings.add(problem.code, problem.message, file, hint=problem.hint)


def _check_expectations(case: Case, document: Document | None, findings: Findings) -> None:
    expect = case.expect
    fails = expect.get("fails")
    if fails is not None:
        _check_failure(fails, expect, findings)
    for key in ("images", "cost_usd"):
        node = expect.get(key)
        if node is not None and matcher(node) is None and not _is_number(node.value):
            message = f"`{key}` takes a number, or how it is compared, not {show(node.plain())}"
            findings.add("wrong-type", message, node)
        elif node is not None and _is_number(node.value) and node.value < 0:
            findings.add("impossible-expectation", f"`{key}` is never less than 0", node)
    if document is not None and document.outputs is not None:
        for name, at, _ in _entries(expect.get("outputs")):
            if name not in document.outputs:
                near = nearest(name, document.outputs)
                hint = f"did you mean `{near}`?" if near else f"it has {', '.join(document.outputs) or 'none'}"
                findings.add("impossible-expectation", f"the flow has no output `{name}`", at, hint=hint)
    prompts = expect.get("prompts")
    if prompts is not None and prompts.kind != "list" and prompts.value != "snapshot":
        hint = "write `prompts: snapshot`, or a list of texts"
        findings.add("wrong-type", f"`prompts` is {show(prompts.plain())}", prompts, hint=hint)
    for event in _items(expect.get("events")):
        _check_event(event, findings)
    for request in _items(expect.get("requests")):
        if request.kind != "map":
            said = f"a request is a map of the facts that count, not {show(request.plain())}"
            findings.add("wrong-type", said, request, hint="write `- {prompt: …}` or `- {url: …}`")
    for key, node in expect.items():
        if key not in ("fails", "ran"):
            _check_matchers(node, findings)


def _check_failure(fails: Node, expect: Mapping[str, Node], findings: Findings) -> None:
    outputs = expect.get("outputs")
    if fails.value is not False and outputs is not None:
        message = "a run that fails has no outputs, and both are expected"
        findings.add("impossible-expectation", message, outputs, hint="`context` is what the FlowContext holds then")
    code = fails.value.get("code") if fails.kind == "map" else fails
    if code is not None and isinstance(code.value, str):
        from flowdsl.codes import CODES

        near = nearest(code.value, CODES) if code.value not in CODES else None
        if near is not None:
            message = f"no error of the standard steps has the code `{code.value}`"
            findings.add("not-a-choice", message, code, hint=f"did you mean `{near}`?", severity="warning")
    elif fails.kind != "map" and not isinstance(fails.value, bool):
        said = f"`fails` takes `true`, a code, or facts of the error, not {show(fails.plain())}"
        findings.add("wrong-type", said, fails)
    if fails.kind == "map":
        for name, key in fails.keys.items():
            if name not in ERROR_FACTS and name not in MATCHERS:
                findings.unknown_key(key, ERROR_FACTS, "`fails`", beside=fails.value)
        for node in fails.value.values():
            _check_matchers(node, findings)


ERROR_FACTS = ("code", "message", "step", "path", "hint", "status", "service")
"""The facts of an error that a test can expect."""


def _check_event(node: Node, findings: Findings) -> None:
    from flowdsl.events import Event

    kinds = [kind.__name__ for kind in Event.__args__]
    kind = node.value.get("event") if node.kind == "map" else node
    if kind is None or not isinstance(kind.value, str):
        hint = "write `- {event: StepStarted, step: NAME}`"
        findings.add("wrong-type", "an event is the name of its kind, or a map with `event`", node, hint=hint)
    elif kind.value not in kinds:
        near = nearest(kind.value, kinds)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(kinds)}"
        findings.add("not-a-choice", f"no event is of the kind `{kind.value}`", kind, hint=hint)


def _check_matchers(node: Node, findings: Findings) -> None:
    """Reports what no value can be compared with."""
    words = matcher(node)
    if words is None:
        for inner in node.value.values() if node.kind == "map" else node.value if node.kind == "list" else ():
            _check_matchers(inner, findings)
        return
    for word, value in words.items():
        said = _wrong_word(word, value)
        if said is not None:
            findings.add(said[0], said[1], value)
        if word in ("has", "not", "contains"):
            inside: Iterator[Node] = iter(value.value.values() if value.kind == "map" and word == "has" else [value])
            for inner in inside:
                _check_matchers(inner, findings)
    if "within" in words and "close" not in words:
        findings.add("no-effect", "`within` does nothing without `close`", node.keys["within"])


def _wrong_word(word: str, value: Node) -> tuple[str, str] | None:
    plain = value.plain()
    if word == "matches":
        if not isinstance(plain, str):
            return "wrong-type", f"`matches` takes a regular expression, not {show(plain)}"
        try:
            re.compile(plain)
        except re.error as error:
            return "wrong-pattern", f"this is no regular expression: {error}"
    if word == "count" and not _is_count(plain):
        return (
            "impossible-expectation" if _is_number(plain) else "wrong-type"
        ), f"no value has the length {show(plain)}"
    if word in ("close", "within") and not _is_number(plain):
        return "wrong-type", f"`{word}` takes a number, not {show(plain)}"
    if word == "within" and plain < 0:
        return "impossible-expectation", "nothing is nearer than 0"
    if word == "has" and value.kind != "map":
        return "wrong-type", f"`has` takes a map, not {show(plain)}"
    return _wrong_schema(plain) if word == "schema" else None


def _wrong_schema(plain: Any) -> tuple[str, str] | None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(plain)
    except (SchemaError, RecursionError, re.error) as error:
        return "invalid-schema", f"this is not a JSON Schema: {getattr(error, 'message', error)}"
    return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and node.kind == "list" else []
