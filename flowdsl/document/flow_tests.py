"""A file of flow tests: which flow it is about, and what each case gives and expects. Only its form is looked at here;
`checker/flow_tests.py` compares it with the flow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.record import Record
from flowdsl.step.problem import show

if TYPE_CHECKING:
    from flowdsl.document.findings import Findings
    from flowdsl.source import Source
    from flowdsl.syntax.node import Node

ENDINGS = (".test.yaml", ".test.yml")
"""How the names of such files end."""
SHARED_KEYS: Mapping[str, tuple[str, str]] = {
    "action": ("text", "Which action of a kit runs: its title or its id."),
    "inputs": ("map", "The inputs of the run, name to value."),
    "mocks": ("list", "The responses of web services: a request that none of them is for fails."),
    "faults": ("map", "What goes wrong at a step: its id, name, place or line, to `KIND[:TIMES]`, or several of them."),
    "env": ("map", "The environment variables that templates may read, name to text."),
    "kv": ("map", "The values of `kv('NAME')`."),
    "secrets": ("map", "The values of `secret('NAME')`, name to text; every other one is a placeholder."),
    "timeout": ("number", "The deadline of the case in seconds."),
    "asOf": ("text", "The day against which the life days of models are checked, `2026-11-21`."),
}
"""The keys of the file that each case has too: kind and meaning. Those of a case win; its maps add to those of the
file, and its mocks are asked first."""
FILE_KEYS: Mapping[str, tuple[str, str]] = {
    "flow": ("text", "The flow or kit, from the folder of this file; without it NAME.flow.yaml beside NAME.test.yaml."),
    "description": ("text", "What the tests are about."),
    **SHARED_KEYS,
    "tests": ("list", "The cases. Each is a run of its own."),
}
CASE_KEYS: Mapping[str, tuple[str, str]] = {
    "name": ("text", "What the case shows; reports and `-k` know it by this."),
    "description": ("text", "More about it."),
    **SHARED_KEYS,
    "expect": ("map", "What must come of the run. A case without it must not fail."),
}
MOCK_KEYS: Mapping[str, tuple[str, str]] = {
    "url": ("text", "The address; `*` stands for any characters."),
    "method": ("text", "The method, such as GET; without it any."),
    "status": ("integer", "The status of the response; without it 200."),
    "headers": ("map", "The headers of the response, name to text."),
    "json": ("any", "The body: this value as JSON."),
    "text": ("text", "The body: this text."),
    "file": ("text", "The body: the bytes of a file, from the folder of this one."),
    "responses": ("list", "Responses in turn, each a map with the keys above; the last one is given again."),
}
RESPONSE_KEYS = ("status", "headers", "json", "text", "file")
EXPECT_KEYS: Mapping[str, tuple[str, str]] = {
    "outputs": ("map", "The outputs of the flow, name to what is expected; those that are not named may be anything."),
    "context": ("map", "Keys of the FlowContext at the end, name to what is expected."),
    "images": ("any", "How many pictures the run makes."),
    "requests": ("list", "Every request to a service or an address, in order, each with the facts that count."),
    "prompts": ("any", "The prompts, in order, or `snapshot`: what they were when the snapshot was written."),
    "events": ("list", "Events that come in this order, others between them, each with the facts that count."),
    "ran": ("map", "How often a step runs: its id, name, place or line, to a number."),
    "files": ("list", "The names of the files that steps write, in order."),
    "notes": ("list", "The codes of the notes, in any order."),
    "cost_usd": ("any", "What the run would cost."),
    "fails": ("any", "The run must fail: `true`, the code of its error, or facts of the error."),
}
MATCHERS: Mapping[str, str] = {
    "equals": "The value is this one.",
    "matches": "A text in which this regular expression is found.",
    "contains": "A text that holds this one, or a list with this item.",
    "has": "A map with these entries, among others.",
    "count": "A text, list or map of this length.",
    "schema": "A value that fits this JSON Schema.",
    "close": "A number near this one.",
    "within": "How far from `close` it may be; without it a millionth of it.",
    "not": "Anything but this.",
}
"""The words that say how a value is compared. A map with nothing but them is no value; any other is compared as it
is."""


class Case(Record):
    """One case: its own keys, those of the file beside them, and what it expects. `index` counts the cases of the file
    from 1, `node` is shown for the case as a whole."""

    name: str
    index: int
    node: Node
    own: Mapping[str, Node]
    shared: Mapping[str, Node]
    expect: Mapping[str, Node]

    def get(self, key: str) -> Node | None:
        """The value of a key, None where neither the case nor the file has it."""
        return self.own.get(key, self.shared.get(key))

    def entries(self, key: str) -> Mapping[str, Node]:
        """The entries of a map: those of the file, and over them those of the case."""
        return {**_map(self.shared.get(key)), **_map(self.own.get(key))}

    def mocks(self) -> list[Node]:
        """The mocks: those of the case, then those of the file."""
        return [*_list(self.own.get("mocks")), *_list(self.shared.get("mocks"))]


class FlowTests(Record):
    """A file of flow tests: the flow it names (`at` shows where), and its cases."""

    source: Source
    flow: str
    at: Node
    cases: tuple[Case, ...]


def is_flow_tests(source: Source, root: Node) -> bool:
    """Whether a root is that of flow tests: a map that has `tests`, or whose file is named so, and has no steps."""
    if root.kind != "map" or not ("tests" in root.value or source.path.endswith(ENDINGS)):
        return False
    flow = root.value.get("flow")
    return "AI_KIT" not in root.value and (flow is None or flow.kind != "list")


def build_flow_tests(source: Source, root: Node, findings: Findings) -> FlowTests:
    """What a file of tests says, with every mistake of its form reported."""
    _known(root, FILE_KEYS, "a file of flow tests", findings)
    shared = {key: root.value[key] for key in SHARED_KEYS if key in root.value}
    flow = root.value.get("flow")
    given = flow is not None and isinstance(flow.value, str)
    named: str = flow.value if flow is not None and given else _beside(source)
    at = next(iter(root.keys.values()), root) if flow is None else flow
    tests = root.value.get("tests")
    if tests is None:
        findings.add("missing-key", "a file of flow tests needs `tests`", at, hint="add `tests: [{name: …}]`")
    elif tests.kind == "list" and not tests.value:
        findings.add("wrong-length", "`tests` is empty", tests, hint="write a case: `- name: makes a picture`")
    cases = [_case(item, number, shared, findings) for number, item in enumerate(_list(tests), start=1)]
    found = tuple(case for case in cases if case is not None)
    _unique(found, findings)
    return FlowTests(source, named, at, found)


def _beside(source: Source) -> str:
    """The name of the flow beside a file of tests."""
    name = os.path.basename(source.path)  # noqa: PTH119  pathlib is slow to import
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return f"{name}.flow.yaml"


def _case(node: Node, number: int, shared: Mapping[str, Node], findings: Findings) -> Case | None:
    if node.kind != "map":
        message = f"a test is a map with `name` and `expect`, not {show(node.plain())}"
        findings.add("wrong-type", message, node, hint="write `- name: makes a picture`")
        return None
    _known(node, CASE_KEYS, "a test", findings)
    name = node.value.get("name")
    if name is None:
        place = next(iter(node.keys.values()), node)
        findings.add("missing-key", "a test needs `name`", place, hint="say in `name:` what it shows")
    for mock in (*_list(node.value.get("mocks")), *(_list(shared.get("mocks")) if number == 1 else ())):
        _mock(mock, findings)
    expect = node.value.get("expect")
    if expect is not None and expect.kind == "map":
        _known(expect, EXPECT_KEYS, "`expect`", findings)
    own = {key: node.value[key] for key in SHARED_KEYS if key in node.value}
    text = name.value if name is not None and isinstance(name.value, str) else f"test {number}"
    at = name if name is not None else node
    return Case(text, number, at, own, shared, _map(expect))


def _mock(node: Node, findings: Findings) -> None:
    if node.kind != "map":
        hint = "write `- {url: https://…, json: …}`"
        findings.add("wrong-type", f"a mock is a map with `url`, not {show(node.plain())}", node, hint=hint)
        return
    _known(node, MOCK_KEYS, "a mock", findings)
    if "url" not in node.value:
        place = next(iter(node.keys.values()), node)
        findings.add("missing-key", "a mock needs `url`", place, hint="`url: '*'` is for every address")
    bodies = [key for key in ("json", "text", "file") if key in node.value]
    if len(bodies) > 1:
        message = f"a response has one body, and `{bodies[0]}` and `{bodies[1]}` give two"
        findings.add("conflicting-keys", message, node.keys[bodies[1]])
    responses = node.value.get("responses")
    if responses is None:
        return
    for key in RESPONSE_KEYS:
        if key in node.value:
            message = f"`{key}` stands beside `responses`, which say it each for itself"
            findings.add("conflicting-keys", message, node.keys[key], hint=f"move `{key}` into the responses")
    if responses.kind == "list" and not responses.value:
        findings.add("wrong-length", "`responses` is empty", responses, hint="write `responses: [{status: 503}, …]`")
    for item in _list(responses):
        if item.kind == "map":
            _known(item, {key: MOCK_KEYS[key] for key in RESPONSE_KEYS}, "a response", findings)
        else:
            findings.add("wrong-type", f"a response is a map, not {show(item.plain())}", item)


def _known(node: Node, known: Mapping[str, tuple[str, str]], where: str, findings: Findings) -> None:
    """Reports keys that do not exist, and values of the wrong kind."""
    for name, value in node.value.items():
        if name not in known:
            findings.unknown_key(node.keys[name], known, where, beside=node.value)
        elif not _fits(value, known[name][0]):
            words = {"text": "a text", "map": "a map", "list": "a list", "number": "a number of seconds"}
            wanted = words.get(known[name][0], "a whole number")
            findings.add("wrong-type", f"`{name}` takes {wanted}, not {show(value.plain())}", value)


def _fits(node: Node, kind: str) -> bool:
    value: Any = node.value
    if kind in ("map", "list"):
        return node.kind == kind
    if kind == "text":
        return isinstance(value, str)
    if kind in ("number", "integer"):
        wanted = int if kind == "integer" else (int, float)
        return isinstance(value, wanted) and not isinstance(value, bool) and value > 0
    return True


def _unique(cases: tuple[Case, ...], findings: Findings) -> None:
    from flowdsl.diagnostics import Related

    first: dict[str, Case] = {}
    for case in cases:
        if case.name in first:
            related = (Related(first[case.name].node.span, "first used here"),)
            message = f"two tests have the name `{case.name}`"
            findings.add("duplicate-id", message, case.node, hint="give each its own", related=related)
        first.setdefault(case.name, case)


def matcher(node: Node) -> Mapping[str, Node] | None:
    """The words of a map that says how a value is compared; None of a value."""
    if node.kind == "map" and node.value and all(key in MATCHERS for key in node.value):
        found: Mapping[str, Node] = node.value
        return found
    return None


def _map(node: Node | None) -> Mapping[str, Node]:
    return node.value if node is not None and node.kind == "map" else {}


def _list(node: Node | None) -> list[Node]:
    return node.value if node is not None and node.kind == "list" else []
