"""What one execution of a step buys: asked of its class, with what is known of its options there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from flowdsl.engine.resolvers import is_constant
from flowdsl.errors import FlowError
from flowdsl.plan.amount import NOTHING, amount
from flowdsl.plan.longest import longest
from flowdsl.plan.prompts import shown_prompt
from flowdsl.plan.spending import Bounds, Request, Row, Spending, Ways, then
from flowdsl.step.purchase import Expected
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.step.step import Step
from flowdsl.template import parse

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.plan.ground import Ground
    from flowdsl.step.purchase import Purchase
    from flowdsl.step.service import Service
    from flowdsl.syntax.node import Node

MOST_REQUESTS = 10_000
"""So many requests are kept for a list."""


class Buying:
    """Asks the steps of a walk what they buy. `requests` has it in the order of the walk, `reasons` why something is
    not known, each with its places, `assumed` what the most takes for granted."""

    def __init__(self, walk: Ground) -> None:
        self._walk = walk
        self.requests: list[Request] = []
        self.reasons: dict[str, dict[str, None]] = {}
        self.assumed: dict[str, None] = {}
        self.each: dict[Row, tuple[float, float] | None] = {}
        """What a picture costs at least and at most, by kind of request."""
        self._services: dict[int, Service | None] = {}
        self._is_same = True

    def bought(self, step: StepNode) -> Spending:
        """What one execution of a step spends."""
        if step.spec.service is None and step.spec.qualname is None:
            return {}
        cls = self._walk.run.program.step_class(step.spec.name)
        if cls.buys.__func__ is Step.buys.__func__:  # type: ignore[attr-defined]  # a bound class method
            return {}
        expected = self._expected(step)
        if any(value is UNKNOWN for value in (*expected.options.given.values(), *expected.inputs.values())):
            self._is_same = False
        found: Spending = {}
        for purchase in cls.buys(expected):
            found = then(found, self._spending(step, purchase))
            self._list(step, purchase, expected)
        return found

    def watched(self, follow: Callable[[], Ways]) -> tuple[bool, Ways]:
        """What a function gives that follows steps; and whether all that they buy is known, so that a repetition asks
        for the same."""
        outside, self._is_same = self._is_same, True
        ways = follow()
        is_same, self._is_same = self._is_same, outside and self._is_same
        return is_same, ways

    def endless(self, step: StepNode, ways: Ways, most: int | None) -> None:
        """Takes note of a loop that buys, and of which nobody knows when it ends."""
        if not any(ways.values()) or most is not None:
            return
        flow: Any = step.spec.flow
        bound = f"write `{flow.most}: N` to bound it" if flow.most is not None else "nothing bounds it"
        self._say(step, f"{step.spec.name} buys as long as a condition holds that only the run knows; {bound}")

    def open_retry(self, step: StepNode, ways: Ways) -> None:
        """Takes note of steps that buy, and are repeated as often as only the run knows."""
        if any(ways.values()):
            self._say(step, "how often it is tried again is not known")

    def uncounted(self, step: StepNode, ways: Ways, name: str, *, counted: bool) -> None:
        """Takes note of a loop that buys as often as only the run knows."""
        if any(ways.values()):
            why = "the list is not known" if counted else f"{step.spec.name} decides by itself how often"
            self._say(step, f"`{name}` is open: {why}")

    def recursion(self, step: StepNode) -> Ways:
        """The ways through a flow that calls itself again, and buys."""
        self._say(step, "the flow calls itself, and buys: nothing bounds how often")
        return {"on": {None: Bounds(most=amount(None), most_usd=amount(None), most_batch_usd=amount(None))}}

    def _say(self, step: StepNode, why: str) -> None:
        self.reasons.setdefault(step.node.source.without_keys(why), {}).setdefault(place_of(step))

    def _spending(self, step: StepNode, purchase: Purchase) -> Spending:
        hide = partial(_without_keys, step)
        row = Row(
            place_of(step),
            step.spec.name,
            hide(purchase.service),
            purchase.vendor,
            hide(purchase.host),
            hide(purchase.model),
            hide(purchase.size),
            hide(purchase.quality),
        )
        least_usd, most_usd = amount(purchase.least_usd), amount(purchase.most_usd)
        share = 1 - purchase.batch_discount
        bounds = Bounds(
            amount(purchase.least),
            amount(purchase.most),
            least_usd,
            most_usd,
            least_usd.times(share),
            most_usd.times(share),
        )
        for why in purchase.unknown:
            self._say(step, why)
        if bounds.most is NOTHING:
            return {}
        self.assumed.update(dict.fromkeys(purchase.assumed))
        known, each = self.each.get(row), purchase.usd_each
        if row not in self.each or each is None:
            self.each[row] = each
        elif known is not None:
            self.each[row] = (min(known[0], each[0]), max(known[1], each[1]))
        return {None: bounds, row: bounds}

    def _list(self, step: StepNode, purchase: Purchase, expected: Expected) -> None:
        if len(self.requests) >= MOST_REQUESTS:
            return
        hide = partial(_without_keys, step)
        prompt = purchase.prompt
        asked = {"size": hide(purchase.size), "quality": hide(purchase.quality)}
        self.requests.append(
            Request(
                step.spec.name,
                step.name_node.span,
                tuple(self._walk.around),
                hide(purchase.service),
                purchase.vendor,
                hide(purchase.host),
                hide(purchase.model),
                {name: value for name, value in asked.items() if value is not None},
                hide(shown_prompt(step, self._walk.known) if prompt is None else prompt),
                (purchase.least, purchase.most),
                purchase.most_usd,
                not self._walk.uncertain,
                " × ".join(self._walk.often) or None,
                _facts(step, purchase, expected),
                purchase.asked,
            )
        )

    def _expected(self, step: StepNode) -> Expected:
        given: dict[str, Any] = {}
        counts: dict[str, int] = {}
        most_bytes: dict[str, int] = {}
        for name, node in step.keys.items():
            key = step.spec.keys.get(name)
            if key is None or key.type in BLOCK_TYPES:
                given[name] = UNKNOWN
            elif key.verbatim or is_constant(node):
                given[name] = node.plain()
            else:
                given[name] = self._walk.value(step, name)
                if given[name] is UNKNOWN and (count := self._count(node)) is not None:
                    counts[name] = count
                if given[name] is UNKNOWN and key.prompt and (size := longest(node, self._walk.known)) is not None:
                    most_bytes[name] = size
        inputs: dict[str, Any] = {}
        named = {port.type: port.name for port in step.inputs}
        for port in step.spec.inputs:
            if step.given(port.instead) is not None:
                continue
            name = named.get(port.type, port.type)
            inputs[port.type] = self._walk.known.context.get(name, UNKNOWN)
            if (count := self._walk.known.count(name)) is not None:
                counts[port.type] = count
        run = self._walk.run
        options = Options(step.spec.name, given, step.spec.defaults, self._service(step, given), run.as_of)
        if step.spec.reads_files:
            options.project_file = partial(run.project_file, at=step.node.span)
        return Expected(options, inputs, counts, most_bytes)

    def _count(self, node: Node) -> int | None:
        """How many items there will be in what a template gives that names one key, or one of its items."""
        parsed = parse(node.value) if isinstance(node.value, str) else None
        if parsed is None or not parsed.is_native or len(parsed.references) != 1:
            return None
        reference = parsed.references[0]
        bare = node.value.strip()[2:-2].strip("- ")
        if reference.root != "flowContext" or not reference.path:
            return None
        name = reference.path[0]
        if bare == f"flowContext.{name}":
            return self._walk.known.count(name)
        return (
            1
            if bare.startswith(f"flowContext.{name}[") and bare.endswith("]") and bare[:-1].split("[")[-1].isdecimal()
            else None
        )

    def _service(self, step: StepNode, given: Mapping[str, Any]) -> Service | None:
        """The service entry of a step, its settings resolved as far as they are known; nobody's secret is read."""
        spec, run = step.spec, self._walk.run
        if spec.service is None:
            return None
        if id(step) in self._services and not spec.holds_settings:
            return self._services[id(step)]

        def resolve(value: Any) -> Any:
            try:
                return run._resolve_setting(value)
            except FlowError:
                return UNKNOWN

        name = str(step.service.value if step.service is not None else spec.service)
        service = run.layers.service(name, spec, run.program.document.services, resolve, given)
        self._services[id(step)] = service
        return service


def _facts(step: StepNode, purchase: Purchase, expected: Expected) -> dict[str, Any]:
    """What a rule of the house can say of a purchase; UNKNOWN where only the run knows it."""
    number = expected.options.value("n")
    return {
        "step": step.spec.name,
        "service": purchase.service,
        "vendor": purchase.vendor,
        "host": purchase.host,
        "model": UNKNOWN if purchase.model is None else purchase.model,
        "size": UNKNOWN if purchase.size == "?" else purchase.size,
        "quality": UNKNOWN if purchase.quality == "?" else purchase.quality,
        "n": UNKNOWN if number is UNKNOWN or purchase.images is None else purchase.images,
        "prompt": UNKNOWN if purchase.prompt is None else purchase.prompt,
        "cost": UNKNOWN if purchase.unknown or purchase.most_usd is None else purchase.most_usd,
    }


@overload
def _without_keys(step: StepNode, text: str) -> str: ...


@overload
def _without_keys(step: StepNode, text: None) -> None: ...


def _without_keys(step: StepNode, text: str | None) -> str | None:
    """A text that a plan shows, without the secrets that stand in the file or in the text in plain text."""
    return text if text is None else step.node.source.without_keys(text)


def place_of(step: StepNode) -> str:
    """Where a step stands: file and line."""
    span = step.name_node.span
    return f"{span.path}:{span.first.line}"
