"""What one step costs: a chain of steps that each set a text from a template, here and in graph libraries."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, TypedDict

from benchmarks.table import Row, best, duration, show

STEPS = 1_000
TURNS = 5
"""Both sides of the ratio that counts are measured in turns, so that a busy moment hits both."""
HAYSTACK_COMPONENTS = 100
"""Haystack's cost of a component grows with their number, and 1,000 take seconds a run: fewer flatter it."""
STEP = '- step: SET\n  text: "hello {{ flowContext.name }}"\n'
EXPECTED = "hello Ada"


def main() -> None:
    """Measures every contestant and prints the cost of a step."""
    turns = [(closures(_written), closures(_formatted), flowdsl_steps()) for _ in range(TURNS)]
    limit, formatted, ours = (min(costs) for costs in zip(*turns, strict=True))
    ratio = f"{ours / limit:.1f} x the closure, {ours / formatted:.1f} x the one with a template text"
    rows = [
        Row("plain closures over a dict", (str(STEPS), duration(limit)), "1.0"),
        Row(
            "closures with a template text", (str(STEPS), duration(formatted)), f"{formatted / limit:.1f} x the closure"
        ),
        Row("flowdsl, events on", (str(STEPS), duration(ours)), ratio, "at most 15"),
    ]
    for name, module, steps, measure in (
        ("LangGraph", "langgraph", STEPS, langgraph),
        ("Haystack", "haystack", HAYSTACK_COMPONENTS, haystack),
    ):
        if find_spec(module) is None:
            rows.append(Row(name, (str(steps), "not installed")))
            continue
        cost = measure()
        rows.append(
            Row(name, (str(steps), duration(cost)), f"{cost / limit:,.0f} x the closure, {cost / ours:.0f} x flowdsl")
        )
    show("One step: set a text from a template", ("steps", "per step"), rows)


def _written() -> Callable[[dict[str, Any]], None]:
    """The least a step can be: a function, written by hand, that sets a key of a dict from an f-string."""

    def set_text(context: dict[str, Any]) -> None:
        context["text"] = f"hello {context['name']}"

    return set_text


def _formatted(key: str = "text", template: str = "hello {name}") -> Callable[[dict[str, Any]], None]:
    """The least an interpreter of steps can be: key and template are data, and the text is formatted in each run."""

    def set_text(context: dict[str, Any]) -> None:
        context[key] = template.format_map(context)

    return set_text


def closures(closure: Callable[[], Callable[[dict[str, Any]], None]]) -> float:
    """Seconds a step of a list of closures."""
    steps = [closure() for _ in range(STEPS)]

    def run() -> None:
        context: dict[str, Any] = {"name": "Ada"}
        for step in steps:
            step(context)
        assert context["text"] == EXPECTED

    return best(run, 50) / STEPS


def flowdsl_steps() -> float:
    """Seconds a step of a whole `Flow.run`, the start of its event loop included, with every event kept in a list."""
    import flowdsl

    flow = flowdsl.load(STEP * STEPS, declare=["name"])

    def run() -> None:
        events: list[flowdsl.Event] = []
        result = flow.run({"name": "Ada"}, on_event=events.append)
        assert result.outputs["text"] == EXPECTED
        assert len(events) == 2 * STEPS + 1

    run()
    return best(run, 50) / STEPS


class _State(TypedDict):
    name: str
    text: str


def langgraph() -> float:
    """Seconds a step of a compiled linear graph, one node a step, as its documentation builds them."""
    from langgraph.graph import END, START, StateGraph

    def set_text(state: _State) -> dict[str, str]:
        return {"text": f"hello {state['name']}"}

    builder = StateGraph(_State)
    names = [f"step{index}" for index in range(STEPS)]
    for name in names:
        builder.add_node(name, set_text)
    for first, second in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(first, second)
    graph = builder.compile()

    def run() -> None:
        state = graph.invoke({"name": "Ada", "text": ""}, {"recursion_limit": STEPS + 2})
        assert state["text"] == EXPECTED

    return best(run, 3) / STEPS


def haystack() -> float:
    """Seconds a component of a linear pipeline that hands the text on."""
    from haystack import Pipeline, component

    @component
    class SetText:
        @component.output_types(name=str, text=str)
        def run(self, name: str) -> dict[str, str]:
            return {"name": name, "text": f"hello {name}"}

    pipeline = Pipeline()
    names = [f"step{index}" for index in range(HAYSTACK_COMPONENTS)]
    for name in names:
        pipeline.add_component(name, SetText())
    for first, second in pairwise(names):
        pipeline.connect(f"{first}.name", f"{second}.name")

    def run() -> None:
        found = pipeline.run({names[0]: {"name": "Ada"}})
        assert found[names[-1]]["text"] == EXPECTED

    return best(run, 5) / HAYSTACK_COMPONENTS


if __name__ == "__main__":
    main()
