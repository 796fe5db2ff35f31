"""`flowdsl run --from STEP`: what is before the step is taken from the last run of the flow, what follows is bought."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.bought_anew import bought_anew, of_places, places_of, runs_inside
from flowdsl.cli.journaled import named, state_of, sum_of
from flowdsl.display.visible import visible_line
from flowdsl.document.step_names import nearest_names, steps_named
from flowdsl.errors import ConfigError, UsageError
from flowdsl.secrets.plain import HIDDEN

if TYPE_CHECKING:
    from flowdsl.cli.arguments import Parser
    from flowdsl.document.document import Document, StepNode
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.rows import Row
    from flowdsl.journal.runs import KeptRun, Runs
    from flowdsl.plan import Plan
    from flowdsl.plan.spending import Bounds
    from flowdsl.source import Source

_MOST_SHOWN = 10


class Start:
    """A run that begins at a step: the earlier run, and the inputs that it was given."""

    def __init__(self, run: KeptRun, inputs: Mapping[str, Any]) -> None:
        self.run = run
        self.inputs = inputs

    def inputs_of(self, flow: Flow) -> Mapping[str, Any]:
        """The inputs as they were then, of those that the flow still takes."""
        declared = flow.document.inputs
        self.inputs = {name: each for name, each in self.inputs.items() if declared is None or name in declared}
        return self.inputs

    def bought(self, plan: Plan, flow: Flow, options: Namespace, inputs: Mapping[str, Any]) -> Bounds:
        """What of a plan of the whole flow this run buys."""
        return bought_anew(self.run, flow, _index(options.from_step, flow.document), inputs, plan)

    def begin(self, journal: Journal, flow: Flow, options: Namespace, inputs: Mapping[str, Any]) -> None:
        """Lets the run use what is before the step, and says on stderr what that is, and what the rest may cost.

        Raises:
            UsageError: the flow has no such step, or it stands in another one.
        """
        from flowdsl.journal.earlier import Earlier

        steps = flow.document.steps
        at = _index(options.from_step, flow.document)
        before = [step.path for step in steps[:at]]
        journal.beginning_at(self.run.id, before)
        if not options.quiet:
            bought = Earlier(journal.database, self.run.id, before).bought
            lines = [*self._lines(bought, flow, steps[at], before), _cost(flow, at, inputs)]
            sys.stderr.write("".join(f"{line}\n" for line in lines))

    def _lines(self, bought: Sequence[Row], flow: Flow, step: StepNode, before: Collection[str]) -> Iterator[str]:
        from flowdsl.journal.earlier import top_of, top_of_step
        from flowdsl.journal.steps import steps_of

        yield f"from {shown(step)}: run {self.run.id}, {named(self.run)}, {self.run.status}"
        then, now = self.run.given.get("steps", {}), steps_of(flow.document)
        places = {digest: _place(name) for name, digest in then.items()}
        now = {name: digest for name, digest in now.items() if top_of_step(_place(name)) in before}
        same = {top_of_step(places[digest]) for digest in now.values() if digest in places}
        found = [each for each in bought if top_of(each.place) in same]
        usd = None if any(each.cost_usd is None for each in found) else sum(each.cost_usd or 0.0 for each in found)
        cost = "at a price that is not known" if usd is None else sum_of(usd)
        requests = "1 request is" if len(found) == 1 else f"{len(found)} requests are"
        yield f"  before it {requests} paid for, {cost}: what asks for the same again uses it"
        if others := [name for name, digest in now.items() if digest not in places]:
            more = f" … {len(others) - _MOST_SHOWN} more" if len(others) > _MOST_SHOWN else ""
            names = ", ".join(map(visible_line, others[:_MOST_SHOWN]))
            yield f"  not as they were then, and bought anew: {names}{more}"
        if self.inputs:
            yield f"  inputs as they were then: {', '.join(map(visible_line, self.inputs))}"


def start_of(options: Namespace, source: Source, given: Collection[str], parser: Callable[[], Parser]) -> Start | None:
    """What a run goes out from that begins at a step; None for one that begins at its beginning. `given` are the
    inputs that are given now: the others are those of the earlier run, whose arguments the parser of the command reads.

    Raises:
        UsageError: there is no earlier run, it goes on, or an option does not go with that.
    """
    if options.from_step is None:
        return None
    if options.no_journal:
        raise UsageError("--from takes what is before the step from the journal: leave --no-journal out")
    if options.cache == "project":
        raise UsageError("--from buys what follows anew, and --cache project would not: leave one of them out")
    from flowdsl.journal.journal import Journal

    with Journal(state_of(source.path)) as journal:
        run = _earlier(journal.runs, options, source)
    return Start(run, _inputs(run, given, parser))


def _earlier(runs: Runs, options: Namespace, source: Source) -> KeptRun:
    if options.resume is not None:
        return runs.find(options.resume.given["from"]["run"])
    from flowdsl.journal.run_row import flow_path

    found = runs.last(flow_path(source.path), options.action, simulated=options.simulate)
    if found is None:
        kind = "simulated " if options.simulate else "real "
        raise UsageError(
            f"--from {options.from_step}: no {kind}run of {options.file} stands in the journal: "
            "leave --from out, and what it buys can be used the next time"
        )
    if found.status == "running":
        raise UsageError(
            f"--from {options.from_step}: the run {found.id} of this flow goes on: wait until it has ended"
        )
    return found


def _inputs(run: KeptRun, given: Collection[str], parser: Callable[[], Parser]) -> dict[str, Any]:
    """What an earlier run was given, but for what is given now.

    Raises:
        UsageError: an input held a secret, and is not given again.
    """
    command, *arguments = run.given.get("argv", ["", ""])
    values, hidden = run.given.get("inputs", {}), run.given.get("hidden", [])
    names = list(values)
    if command == "run":
        then = parser().parse(arguments)
        names = [name for name in values if then.inputs is not None or name in dict(then.input)]
    names = [name for name in names if name not in given]
    if lost := [name for name in names if name in hidden]:
        more = " ".join(f"-i {name}=…" for name in lost)
        raise UsageError(f"{', '.join(lost)} held a secret in the run {run.id[:13]}, and none is kept: add {more}")
    return {name: values[name] for name in names if values[name] != HIDDEN}


def _index(name: str, document: Document) -> int:
    """Which step at the top of a flow is meant.

    Raises:
        UsageError: there is none, there are several, or it stands in another step.
    """
    found = steps_named(name, document.every_step())
    tops = list(document.steps)
    if len(found) > 1:
        places = ", ".join(dict.fromkeys(each.path for each in found))
        raise UsageError(f"--from {name}: there are several: name one by its place, {places}, or by an `id`")
    if not found:
        raise UsageError(f"--from {name}: there is no such step; {nearest_names(name, tops)}")
    if found[0] in tops:
        return tops.index(found[0])
    around = next((top for top in tops if runs_inside(top, found[0], document)), None)
    if around is None:
        raise UsageError(f"--from {name}: {shown(found[0])} runs only after a failure; {nearest_names('', tops)}")
    how = around.id or around.path
    raise UsageError(f"--from {name}: {shown(found[0])} runs inside {shown(around)}: write `--from {how}`")


def _cost(flow: Flow, at: int, inputs: Mapping[str, Any]) -> str:
    """What the steps from one on can cost, by the plan."""
    from flowdsl.plan.shown import headline

    try:
        plan = flow.plan(inputs)
    except ConfigError:  # inputs that do not fit, which the run will say
        return "  from there on all is bought anew"
    bounds = of_places(plan, places_of(flow, flow.document.steps[at:]))
    return f"  from there on all is bought anew: {headline(bounds, plan.assumed)}"


def shown(step: StepNode) -> str:
    """A step as people find it."""
    return visible_line(f"{step.id or step.spec.name} ({step.path})")


def _place(name: str) -> str:
    """The place of a step in the list that a journal keeps."""
    return name.partition(" ")[2]
