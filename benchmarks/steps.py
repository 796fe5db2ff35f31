"""What one step costs: a chain of steps that each set a text from a template, here and in graph libraries."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, TypedDict

import flowdsl
from benchmarks.table import Row, best, duration, show

OWN_KEYS = (100, 1_000, 10_000)
"""Numbers of steps that each set a key of their own."""
WIDE = 1_000
"""Keys of a FlowContext that is wide before the first step."""
STEPS = 1_000
TURNS = 5
"""Both sides of the ratio that counts are measured in turns, so that a busy moment hits both."""
HAYSTACK_COMPONENTS = 100
"""Haystack's cost of a component grows with their number, and 1,000 take seconds a run: fewer flatter it."""
STEP = '- step: SET\n  text: "hello {{ flowContext.name }}"\n'
EXPECTED = "hello Ada"


def main() -> None:
    """Measures every contestant and prints the cost of a step."""
    plain, templates = ([closure() for _ in range(STEPS)] for closure in (_written, _formatted))
    turns = [(closures(plain), closures(templates), flowdsl_steps()) for _ in range(TURNS)]
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
    own_keys()


def own_keys() -> None:
    """Measures steps that each set a key of their own, which is what flows look like."""
    rows = []
    for steps in OWN_KEYS:
        repeats = max(10, 20_000 // steps)
        closure, ours, heard = _turns(steps, 0, repeats)
        rows.append(Row(f"plain closures, {steps:,} keys", (str(steps), duration(closure)), "1.0"))
        rows.append(Row("flowdsl", (str(steps), duration(ours)), f"{ours / closure:.1f} x the closure", "at most 12"))
        rows.append(Row("flowdsl, events on", (str(steps), duration(heard)), f"{heard / closure:.1f} x the closure"))
    closure, ours, heard = _turns(STEPS, WIDE, 20)
    rows.append(
        Row(f"flowdsl, {WIDE:,} keys before", (str(STEPS), duration(ours)), f"{ours / closure:.1f} x the closure")
    )
    if find_spec("hamilton") is None:
        rows.append(Row("Hamilton", (str(STEPS), "not installed")))
    else:
        cost = hamilton()
        closure = closures(_own_keys_closures(STEPS))
        rows.append(Row("Hamilton", (str(STEPS), duration(cost)), f"{cost / closure:.1f} x the closure"))
    show("One step with a key of its own", ("steps", "per step"), rows)


def _turns(steps: int, wide: int, repeats: int) -> tuple[float, float, float]:
    """Seconds a step of closures, of flowdsl, and of flowdsl with events, measured in turns."""
    first = {"name": "Ada", **{f"wide{index}": index for index in range(wide)}}
    written = _own_keys_closures(steps)
    text = "".join(f'- step: SET\n  key{index}: "hello {{{{ flowContext.name }}}}"\n' for index in range(steps))
    flow = flowdsl.load(text, declare=list(first))

    def silent() -> None:
        assert flow.run(first).outputs[f"key{steps - 1}"] == EXPECTED

    def heard() -> None:
        events: list[flowdsl.Event] = []
        flow.run(first, on_event=events.append)
        assert len(events) == 2 * steps + 1

    def limit() -> None:
        context: dict[str, Any] = dict(first)
        for step in written:
            step(context)

    measured = (limit, silent, heard)
    turns = [[best(one, repeats) / steps for one in measured] for _ in range(TURNS)]
    closure, ours, loud = (min(costs) for costs in zip(*turns, strict=True))
    return closure, ours, loud


def _own_keys_closures(steps: int) -> list[Callable[[dict[str, Any]], None]]:
    """The least that steps with keys of their own can be."""

    def written(key: str) -> Callable[[dict[str, Any]], None]:
        def set_key(context: dict[str, Any]) -> None:
            context[key] = f"hello {context['name']}"

        return set_key

    return [written(f"key{index}") for index in range(steps)]


def hamilton() -> float:
    """Seconds a function of a driver with one function for each key, asked for all of them."""
    from hamilton import ad_hoc_utils, driver

    def greeting(key: str) -> Callable[[str], str]:
        def greet(name: str) -> str:
            return f"hello {name}"

        greet.__name__ = key
        return greet

    names = [f"key{index}" for index in range(STEPS)]
    module = ad_hoc_utils.create_temporary_module(*(greeting(name) for name in names), module_name="greetings")
    built = driver.Builder().with_modules(module).build()

    def run() -> None:
        assert built.execute(names, inputs={"name": "Ada"})[names[-1]] == EXPECTED

    run()
    return best(run, 5) / STEPS


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


def closures(steps: list[Callable[[dict[str, Any]], None]]) -> float:
    """Seconds a step of a list of closures."""

    def run() -> None:
        context: dict[str, Any] = {"name": "Ada"}
        for step in steps:
            step(context)
        assert EXPECTED in context.values()

    return best(run, 50) / len(steps)


def flowdsl_steps() -> float:
    """Seconds a step of a whole `Flow.run`, the start of its event loop included, with every event kept in a list."""
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
