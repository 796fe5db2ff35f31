"""What the simulator reports of every example, every action of the kit and the documents of other systems lies within
the plan of it, with faults and without; and the plan is close where nothing that a service says decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from loopback_web import Web
from studio import EXAMPLES, Studio, png

import flowdsl
from flowdsl.environment.flow import Flow
from flowdsl.errors import RunError
from flowdsl_steps.image.simulator import Fault

pytestmark = pytest.mark.long

FLOWS = [path.name for path in sorted(EXAMPLES.glob("*.flow.yaml"))]
ACTIONS = ("Event poster", "Menu picture", "Icon")
SYSTEMS = [path.name for path in sorted((EXAMPLES / "systems").iterdir())]
GOLDEN = Path(__file__).parents[1] / "golden" / "systems"
RIGHT = [
    str(path.relative_to(GOLDEN))
    for path in sorted(GOLDEN.glob("*/right/*"))
    if path.suffix in (".yaml", ".yml", ".json")
]
CASES = [*((name, None) for name in FLOWS), *(("studio.ai-kit.yaml", action) for action in ACTIONS)]
FAULTS = ("moderation", "rate_limit", "server_error", "overloaded", "quota", "reset", "empty_data")
DECIDED_BY_A_VENDOR = {
    "newsletter.flow.yaml": "a loop over what a service sends",
    "gentle-prompt.flow.yaml": "a fallback after what moderation refuses",
    "product-shots.flow.yaml": "a fallback after what fails",
}
"""Examples of which a loop or a branch depends on what a service says, each with what it is."""


def served(web: Web) -> dict[str, dict[str, Any]]:
    """What the examples that read from the web find there, and the inputs that lead them to it."""
    web.responses["/feed.json"] = {"items": [{"title": title, "summary": "Short."} for title in ("a", "b", "c")]}
    works = [{"title": "Boats", "image_id": "a"}]
    web.responses["/v1/artworks/search"] = {"data": works, "config": {"iiif_url": f"{web.url}/iiif"}}
    web.responses["/iiif/a/full/843,/0/default.jpg"] = png("navy")
    web.responses["/repos/me/tool/releases/tags/2.0"] = {"name": "2.0", "html_url": "https://example.com"}
    return {
        "newsletter.flow.yaml": {"feed": f"{web.url}/feed.json", "count": 2},
        "museum.flow.yaml": {"api": f"{web.url}/v1"},
        "release-banner.flow.yaml": {"api": web.url, "repository": "me/tool", "tag": "2.0", "pause_ms": 1},
    }


def spent(flow: Flow, inputs: dict[str, Any]) -> tuple[int, float | None, bool]:
    """Requests, cost, and whether it ended well, of a run."""
    events: list[Any] = []
    try:
        result, well = flow.run(inputs, on_event=events.append), True
    except RunError as error:
        assert error.result is not None
        result, well = error.result, False
    return sum(isinstance(event, flowdsl.RequestStarted) for event in events), result.cost_usd, well


def check(flow: Flow, inputs: dict[str, Any], *, counts: dict[str, int] | None = None, close: bool = False) -> None:
    plan = flow.plan(inputs)
    requests, cost, well = spent(flow, inputs)
    known = counts or {}
    most, most_usd = plan.bounds.most.value(known), plan.bounds.most_usd.value(known)
    said = f"{requests} requests, {cost} USD, ended well: {well}: {plan.bounds}"
    assert most is None or requests <= most, said
    assert cost is None or most_usd is None or cost <= most_usd + 1e-9, said
    if well:
        assert requests >= (plan.bounds.least.value(known) or 0), said
        assert cost is None or cost >= (plan.bounds.least_usd.value(known) or 0) - 1e-9, said
    if close:
        assert well, said
        assert most is not None and most <= 1.2 * requests, said
        assert most_usd is not None and cost is not None and most_usd <= 1.2 * cost, said


@pytest.mark.parametrize(
    ("name", "action"), CASES, ids=[f"{name} {action or ''}".strip().replace(" ", "-") for name, action in CASES]
)
def test_an_example_spends_what_its_plan_says(studio: Studio, web: Web, name: str, action: str | None) -> None:
    flow = studio.environment.load(EXAMPLES / name, action=action)
    check(flow, served(web).get(name, {}), counts={"items(line 16)": 2}, close=name not in DECIDED_BY_A_VENDOR)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["avatars", "comic", "four-sizes", "gentle-prompt", "product-shots", "two-takes"])
def test_a_fault_does_not_lead_out_of_the_plan(studio: Studio, name: str, fault: str) -> None:
    flow = studio.environment.load(EXAMPLES / f"{name}.flow.yaml")
    studio.openai.faults.add(Fault(fault, times=2, retry_after=0 if fault in ("rate_limit", "overloaded") else None))
    check(flow, {})


def documents() -> Iterator[Path]:
    yield from (EXAMPLES / "systems" / name for name in SYSTEMS)
    yield from (GOLDEN / name for name in RIGHT)


@pytest.mark.parametrize("path", list(documents()), ids=lambda path: "-".join(path.parts[-3:]))
def test_a_document_of_another_system_spends_what_its_plan_says(studio: Studio, path: Path) -> None:
    environment = flowdsl.Environment(
        overrides=studio.environment.overrides,
        host=studio.environment.host,
        storage=studio.environment.storage,
        as_of=date(2025, 6, 1),
        environ={"OPENAI_API_KEY": "k"},
    )
    found = environment.examined(path)
    assert found.file is not None
    for document in found.file.documents:
        flow = Flow(environment, document, [], found.settings, False)
        plan = flow.plan()
        assert plan.bounds.most_usd.terms or plan.bounds.most_usd.unbounded or not plan.rows
        missing = [name for name, each in (document.inputs or {}).items() if not each.has_default]
        if not missing and not any(step.spec.name == "FOR_RECORDS" for step in document.every_step()):
            check(flow, {})
