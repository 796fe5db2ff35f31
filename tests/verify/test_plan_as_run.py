"""Random flows, planned and then run against a service that fails as chance has it: what a run reports lies within its
plan, and so does the service's own bill.

`FLOWDSL_PLANNED=2000` is the full count.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from billing_service import BillingService

from flowdsl import Environment, Limits, RequestStarted, Storage
from flowdsl.errors import RunError
from flowdsl.plan import Plan

FLOWS = int(os.environ.get("FLOWDSL_PLANNED", "100"))
PARTS = 10
MODELS = ({"model": "dall-e-3", "quality": "standard"}, {"model": "gpt-image-2", "quality": "low"})
MODELS += ({"model": "gpt-image-2", "quality": "medium"}, {"model": "gpt-image-2"})


class Trade:
    """Grows a flow of loops, branches, jumps, calls and attempts whose leaves buy pictures."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.names = 0
        self.left = random.randint(3, 14)

    def steps(self, depth: int, *, inside: bool = False) -> list[Any]:
        return [self.step(depth, inside) for _ in range(self.random.randint(1, 3))]

    def step(self, depth: int, inside: bool) -> dict[str, Any]:
        self.left -= 1
        if depth > 3 or self.left < 0:
            return self.picture()
        makers: list[Any] = [self.picture, self.picture, self.each, self.attempt, self.split, self.repeat]
        makers += [self.branch, self.branch, self.case, self.jump, self.call, self.listed]
        made = self.random.choice(makers)
        if made == self.picture:
            return self.picture()
        found: dict[str, Any] = made(depth, inside)
        return found

    def picture(self) -> dict[str, Any]:
        prompt = "p" * self.random.randint(1, 9)
        prompt += self.random.choice(("", "", "{{ flowContext.i }}", "{{ inputs.city }}", "{{ flowContext.word }}"))
        found = {"step": "OPENAI_IMAGE_GENERATION", "instruction": prompt, "size": "1024x1024"}
        found |= {**self.random.choice(MODELS), "maxRetries": 1}
        found["n"] = self.random.choice((1, 1, 2, 3, "{{ inputs.count }}", "{{ inputs.open.length + 1 }}"))
        return found

    def condition(self) -> str:
        known = ("{{ inputs.count > 1 }}", "{{ flowContext.i == 2 }}", "{{ true }}")
        unknown = ("{{ inputs.open.length > 1 }}", "{{ (flowContext.imageList or []) | length > 1 }}")
        unknown += ("{{ (range(9) | random) > 4 }}", "{{ flowContext.word == 'b' }}")
        return self.random.choice((*known, *unknown))

    def each(self, depth: int, inside: bool) -> dict[str, Any]:
        concurrent = self.random.choice((1, 1, 2, 8))
        end = self.random.choice((0, 2, 3, 12 if depth < 2 else 4))
        loop = {"step": "FOR", "var": "i", "start": 1, "end": end, "by": 1, "concurrency": concurrent}
        return {**loop, "do": self.steps(depth + 1, inside=concurrent == 1)}

    def listed(self, depth: int, inside: bool) -> dict[str, Any]:
        items = self.random.choice(("{{ inputs.open }}", "{{ inputs.words }}", ["a", "b"]))
        return {"step": "FOR", "var": "word", "items": items, "do": self.steps(depth + 1, inside=True)}

    def attempt(self, depth: int, inside: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"step": "TRY", "try": self.steps(depth + 1, inside=inside)}
        if self.random.random() < 0.6:
            paid = self.random.choice(("once", "again"))
            found["retry"] = {"max": self.random.randint(0, 2), "delayMs": 0, "paid": paid}
        if self.random.random() < 0.7:
            found["catch"] = self.steps(depth + 1, inside=inside)
        if self.random.random() < 0.3:
            found["finally"] = [self.picture()]
        if self.random.random() < 0.3:
            found["try"].append({"step": "RAISE", "message": "not good enough"})
        return found

    def split(self, depth: int, inside: bool) -> dict[str, Any]:
        return {"step": "PARALLEL", "steps": [self.steps(depth + 1) for _ in range(self.random.randint(2, 4))]}

    def repeat(self, depth: int, inside: bool) -> dict[str, Any]:
        self.names += 1
        count = f"c{self.names}"
        body = [
            {"step": "SET", count: f"{{{{ (flowContext.{count} or 0) + 1 }}}}"},
            *self.steps(depth + 1, inside=True),
        ]
        condition = f"{{{{ (flowContext.{count} or 0) < {self.random.choice((2, 5, 9))} }}}}"
        found: dict[str, Any] = {"step": "WHILE", "condition": condition, "do": body}
        return {**found, "max": 12} if self.random.random() < 0.5 else found

    def branch(self, depth: int, inside: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"step": "IF", "condition": self.condition()}
        found["then"] = self.steps(depth + 1, inside=inside)
        if self.random.random() < 0.5:
            found["else"] = self.steps(depth + 1, inside=inside)
        return found

    def case(self, depth: int, inside: bool) -> dict[str, Any]:
        cases = {name: self.steps(depth + 1, inside=inside) for name in self.random.choice(("ab", "a", "abc"))}
        if self.random.random() < 0.5:
            cases["default"] = self.steps(depth + 1, inside=inside)
        return {"step": "SWITCH", "condition": "{{ flowContext.word }}", "cases": cases}

    def jump(self, depth: int, inside: bool) -> dict[str, Any]:
        names = ("CONTINUE", "BREAK", "END", "EXIT_") if inside else ("END",)
        name = self.random.choice(names).replace("EXIT_", "CONTINUE")
        return {"step": name, "condition": self.condition()} if name != "END" else self.ending()

    def ending(self) -> dict[str, Any]:
        return {"step": "END_IF", "condition": self.condition()}

    def call(self, depth: int, inside: bool) -> dict[str, Any]:
        return {"step": "CALL_FLOW", "ref": self.random.choice(("local.flows.one", "local.flows.two"))}


def flow_of(random: Random) -> str:
    grown = Trade(random)
    inputs = {
        "count": {"type": "integer", "default": random.choice((1, 2))},
        "city": {"type": "string"},
        "words": {"type": "array", "default": ["a", "b", "c"][: random.randint(0, 3)]},
        "open": {"type": "array"},
    }
    blocks = {"flows": {"one": [grown.picture()], "two": Trade(random).steps(3)}}
    steps = [{"step": "SET", "i": 0, "word": "{{ inputs.city }}"}, *grown.steps(0)]
    flow: dict[str, Any] = {"undefined": "lenient", "inputs": inputs, "blocks": blocks, "flow": steps}
    if random.random() < 0.2:
        flow["onError"] = [grown.picture(), {"step": "END"}]
    return yaml.safe_dump(flow, sort_keys=False)


def within(plan: Plan, lists: dict[str, int]) -> tuple[float, float, float, float]:
    """The bounds of a plan when the lists of a run are so long."""
    least, most, least_usd, most_usd = plan.bounds[:4]
    infinite = float("inf")
    found = [each.value(lists) for each in (most, most_usd)]
    low = [each.value(lists) for each in (least, least_usd)]
    assert None not in low, plan.bounds
    return (
        low[0] or 0,
        infinite if found[0] is None else found[0],
        low[1] or 0,
        infinite if found[1] is None else found[1],
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_stays_within_its_plan_whatever_fails(part: int, tmp_path: Path) -> None:
    ended = bounded = 0
    random = Random(part)
    with BillingService(random) as service:
        for number in range(part, FLOWS, PARTS):
            text = flow_of(random)
            entry = {"endpoint": service.url, "apiKey": "k", "onUnknown": random.choice(("fail", "resend"))}
            environment = Environment(
                services={"OPENAI_IMAGE_GENERATION": entry},
                storage=Storage(images=tmp_path),
                limits=Limits(max_requests=5_000),
                settings=None,
            )
            flow = environment.load(text)
            known = {"city": random.choice("ab")} if random.random() < 0.3 else {}
            plan = flow.plan(known)
            for _ in range(3):
                given = {"city": random.choice("abz"), **known, "open": ["x"] * random.randint(0, 4)}
                service.begin()
                events: list[Any] = []
                try:
                    result, well = flow.run(given, on_event=events.append), True
                except RunError as error:
                    assert error.code != "too-many-requests"
                    assert error.result is not None
                    result, well = error.result, False
                sent = sum(isinstance(event, RequestStarted) for event in events)
                least, most, least_usd, most_usd = within(plan, {"len(open)": len(given["open"])})
                said = (
                    f"flow {number}, inputs {given}, ended well: {well}\n{sent} requests, {service.requests} billed, "
                )
                said += f"${service.usd:.4f} by the bill, {result.cost_usd} by the run\n{plan.bounds}\n{text}"
                assert max(sent, service.requests) <= most, said
                assert max(result.cost_usd or 0, service.usd) <= most_usd + 1e-9, said
                if well:
                    ended += 1
                    assert sent >= least, said
                    assert result.cost_usd is None or result.cost_usd >= least_usd - 1e-9, said
                bounded += most_usd != float("inf")
    print(f"{ended} runs ended well, {bounded} had a bound of money")
    assert ended > 0
    assert bounded > FLOWS // PARTS
