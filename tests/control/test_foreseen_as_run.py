"""What is found before the first paid step is what the run would have failed of: random flows, followed and run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Annotated, Any

import pytest

from flowdsl import Environment, FlowCheckError, InFile, Options, Problem, RunError, Step, StepContext

PAID: list[str] = []


class Paint(Step, name="PAINT", service="PAINT", provider="openai", outputs=("made",)):
    """Buys something."""

    size: Any = None
    """Its size."""

    def run(self, ctx: StepContext) -> dict[str, Any]:
        """Pays."""
        assert ctx.service is not None
        PAID.append(ctx.path)
        return {"made": len(PAID)}


def check_keep(options: Options) -> Iterator[Problem]:
    """Refuses a bad folder."""
    if str(options.given.get("folder", "")).endswith("bad"):
        yield Problem("not-a-file-name", "bad folder", key="folder")


class Keep(Step, name="KEEP", check=check_keep):
    """Keeps what was bought."""

    folder: Annotated[Any, InFile("folder")] = None
    """Where."""

    def run(self, ctx: StepContext) -> None:
        """Does nothing with it."""


BEGIN = "  - {step: SET, a: one, b: two, all: [1, 2], i: x, i_index: 0, made: 0}\n"


class Flows:
    """Writes random flows."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.lines: list[str] = []
        self.loops = 0

    def text(self) -> str:
        """A flow."""
        self.lines = []
        self.steps(2, 0, loop=False)
        head = "undefined: lenient\ninputs: {n: {}, names: {}, empty: {}}\nblocks:\n  flows:\n    other:\n"
        body, self.lines = self.lines, []
        self.steps(6, 3, loop=False)
        return head + "\n".join(self.lines) + "\nflow:\n" + BEGIN + "\n".join(body) + "\n"

    def value(self) -> str:
        """A template."""
        chosen = [
            "{{ inputs.n }}",
            "{{ flowContext.a }}x",
            "{{ flowContext.b }}{{ inputs.n }}",
            "{{ inputs.names[1] }}",
            "{{ flowContext.i }}",
            "{{ flowContext.made }}",
            "{{ flowContext.i_index }}",
            "{{ flowContext.all | length }}",
            "constant",
        ]
        return f'"{self.random.choice(chosen)}"'

    def condition(self) -> str:
        """A template that is true or false."""
        chosen = ["flowContext.i == 'y'", "inputs.n > 1", "flowContext.made > 3", "flowContext.a == 'constant'"]
        chosen += ["flowContext.i_index == 1", "not flowContext.b", "flowContext.all | length == 2"]
        return f'"{{{{ {self.random.choice(chosen)} }}}}"'

    def add(self, by: int, text: str) -> None:
        """Adds a line."""
        self.lines.append(" " * by + text)

    def steps(self, by: int, depth: int, *, loop: bool) -> None:
        """Adds a list of steps."""
        for _ in range(self.random.randint(1, 4 if depth else 7)):
            self.step(by, depth, loop=loop)

    def step(self, by: int, depth: int, *, loop: bool) -> None:
        """Adds a step."""
        kinds = ["PAINT", "SET", "SET", "KEEP", "PAINT"]
        if depth < 3:
            kinds += ["FOR", "FOR", "IF", "TRY", "PARALLEL", "CALL_FLOW", "END", "SET_STEPS"]
        kind = self.random.choice(kinds + (["BREAK", "CONTINUE"] if loop else []))
        key = self.random.choice("ab")
        if kind == "PAINT":
            self.add(by, f"- {{step: PAINT, size: {self.value()}}}")
        elif kind == "SET":
            self.add(by, f"- {{step: SET, {key}: {self.value()}}}")
        elif kind == "KEEP":
            bad = self.random.choice(["", "", "bad", "{% if flowContext.i == 'z' %}bad{% endif %}"])
            self.add(by, f'- {{step: KEEP, folder: {self.value()[:-1]}{bad}"}}')
        elif kind in ("BREAK", "CONTINUE", "END"):
            self.add(by, f"- {{step: {kind}, condition: {self.condition()}}}")
        elif kind == "CALL_FLOW":
            self.add(by, "- {step: CALL_FLOW, ref: local.flows.other}")
        elif kind == "SET_STEPS":
            self.add(by, f"- step: SET\n{' ' * by}  name: {key}\n{' ' * by}  steps:")
            self.steps(by + 4, depth + 1, loop=False)
        elif kind == "PARALLEL":
            self.add(by, "- step: PARALLEL\n" + " " * by + "  steps:")
            for _ in range(2):
                self.add(by + 4, "-")
                self.steps(by + 6, depth + 1, loop=False)
        elif kind == "IF":
            self.add(by, f"- step: IF\n{' ' * by}  condition: {self.condition()}\n{' ' * by}  then:")
            self.steps(by + 4, depth + 1, loop=loop)
            self.add(by, "  else:")
            self.steps(by + 4, depth + 1, loop=loop)
        elif kind == "TRY":
            self.add(by, "- step: TRY\n" + " " * by + "  try:")
            self.steps(by + 4, depth + 1, loop=loop)
            for block in self.random.sample(["catch", "finally"], self.random.randint(0, 2)):
                self.add(by, f"  {block}:")
                self.steps(by + 4, depth + 1, loop=loop and block == "catch")
        else:
            items = self.random.choice(["inputs.names", "inputs.empty", "flowContext.all", "[1, 2]"])
            at_once = self.random.random() < 0.2
            self.add(by, f'- step: FOR\n{" " * by}  var: i\n{" " * by}  items: "{{{{ {items} }}}}"')
            if at_once:
                self.add(by, "  concurrency: 2")
            if self.random.random() < 0.4:
                self.add(by, f"  collect: {self.value()}\n{' ' * by}  collectKey: all")
            self.add(by, "  do:")
            self.steps(by + 4, depth + 1, loop=not at_once)


def outcome(flow: Any) -> tuple[Any, int]:
    """How a run ended, and how often it paid."""
    PAID.clear()
    try:
        result = flow.run({"n": 2, "names": ["x", "y", "z"], "empty": []})
    except RunError as error:
        return (error.code, error.path, error.result.failed), len(PAID)
    return result.outputs, len(PAID)


def compared(seed: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a random flow without looking ahead and with it: `found` where that kept it from paying for the same error,
    `another` where it found one that stands behind that of the run, which nobody could know."""
    services = {"PAINT": {"endpoint": "http://127.0.0.1:9/v1", "apiKey": "sk-x"}}
    try:
        flow = Environment(steps=[Paint, Keep], services=services).load(Flows(seed).text())
    except FlowCheckError:
        return "refused"
    with monkeypatch.context() as patched:
        patched.setattr("flowdsl.engine.look_ahead._look", lambda *_: None)
        then = outcome(flow)
    now = outcome(flow)
    if now == then:
        return "same"
    assert isinstance(then[0], tuple), f"seed {seed}: {now[0]}"
    assert now[1] < then[1], f"seed {seed}"
    return "found" if now[0][:2] == then[0][:2] else "another"


@pytest.mark.long
def test_what_is_found_is_what_the_run_would_have_failed_of(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Counter(compared(seed, monkeypatch) for seed in range(300))
    assert found["found"] > 20
    assert found["another"] < 5
