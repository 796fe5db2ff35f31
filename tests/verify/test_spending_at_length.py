"""Random flows that buy pictures, up to 64 at once: by the service's own bill, no limit of spending is ever passed.

`FLOWDSL_FLOWS=2000` is the full count.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from billing_service import BillingService

from flowdsl import Environment, Limits, Storage
from flowdsl.errors import LimitExceeded, RunError

FLOWS = int(os.environ.get("FLOWDSL_FLOWS", "100"))
PARTS = 10
MODELS = ({"model": "dall-e-3", "quality": "standard"}, {"model": "gpt-image-2", "quality": "low"})
MODELS += ({"model": "gpt-image-2", "quality": "medium"}, {"model": "gpt-image-2"})


class Shopping:
    """Grows a flow of loops, branches and attempts whose leaves buy pictures."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.names = 0
        self.left = random.randint(2, 9)

    def steps(self, depth: int) -> list[Any]:
        return [self.step(depth) for _ in range(self.random.randint(1, 3))]

    def step(self, depth: int) -> dict[str, Any]:
        self.left -= 1
        if depth > 3 or self.left < 0:
            return self.picture()
        makers = (self.picture, self.each, self.each, self.attempt, self.split, self.repeat)
        made = self.random.choice(makers)
        return self.picture() if made == self.picture else made(depth)  # type: ignore[operator]  # the rest take it

    def picture(self) -> dict[str, Any]:
        prompt = "p" * self.random.randint(1, 9)
        prompt += "{{ flowContext.i }}" if self.random.random() < 0.3 else ""
        step = {"step": "OPENAI_IMAGE_GENERATION", "instruction": prompt, "size": "1024x1024"}
        return {**step, **self.random.choice(MODELS), "n": self.random.choice((1, 1, 2)), "maxRetries": 1}

    def each(self, depth: int) -> dict[str, Any]:
        end = self.random.choice((2, 3, 64 if depth < 2 else 4))
        return {
            "step": "FOR",
            "var": "i",
            "start": 1,
            "end": end,
            "concurrency": self.random.choice((1, 2, 64)),
            "do": self.steps(depth + 1),
        }

    def attempt(self, depth: int) -> dict[str, Any]:
        retry = {"max": self.random.randint(0, 2), "delayMs": 0, "paid": self.random.choice(("once", "again"))}
        found = {"step": "TRY", "try": self.steps(depth + 1), "retry": retry}
        if self.random.random() < 0.7:
            found["catch"] = self.steps(depth + 1)
        if self.random.random() < 0.3:
            found["try"].append({"step": "RAISE", "message": "not good enough"})
        return found

    def split(self, depth: int) -> dict[str, Any]:
        return {"step": "PARALLEL", "steps": [self.steps(depth + 1) for _ in range(self.random.randint(2, 4))]}

    def repeat(self, depth: int) -> dict[str, Any]:
        self.names += 1
        count = f"c{self.names}"
        reading = f"{{{{ (flowContext.{count} or 0) + 1 }}}}"
        body = [{"step": "SET", count: reading}, *self.steps(depth + 1)]
        condition = f"{{{{ (flowContext.{count} or 0) < {self.random.choice((2, 5, 50))} }}}}"
        return {"step": "WHILE", "condition": condition, "do": body}


def flow_of(random: Random) -> str:
    grown = Shopping(random)
    steps = [{"step": "SET", "i": 0}, *grown.steps(0)]
    return yaml.safe_dump({"undefined": "lenient", "flow": steps}, sort_keys=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_limit_of_spending_is_passed_by_the_bill_of_the_service(part: int, tmp_path: Path) -> None:
    stopped = 0
    random = Random(part)
    with BillingService(random) as service:
        for number in range(part, FLOWS, PARTS):
            flow = flow_of(random)
            requests, usd = random.choice((None, 0, 1, 5, 20, 60)), random.choice((0.0, 0.05, 0.3, 1.5, 6.0))
            entry = {"endpoint": service.url, "apiKey": "k", "onUnknown": random.choice(("fail", "resend"))}
            environment = Environment(
                services={"OPENAI_IMAGE_GENERATION": entry},
                storage=Storage(images=tmp_path),
                limits=Limits(max_requests=requests, max_usd=usd),
            )
            service.begin()
            try:
                environment.run(flow)
            except LimitExceeded:
                stopped += 1
            except RunError:
                pass  # a picture that failed, or a RAISE
            told = f"flow {number}: {service.requests} of {requests} requests, ${service.usd:.4f} of ${usd}\n{flow}"
            assert requests is None or service.requests <= requests, told
            assert service.usd <= usd + 1e-9, told
    print(f"{service.reached} requests, {stopped} runs stopped at a limit")
    assert stopped > 0
    assert service.reached > 0
