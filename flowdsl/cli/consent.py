"""What may be spent by the settings of a project and its user, and the question before a run that can cost more."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.errors import ConfigError, UsageError
from flowdsl.settings.files import Settings, project_file, user_file
from flowdsl.settings.origins import shown_path
from flowdsl.settings.values import usd, usd_by_name

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.day_budget import Most
    from flowdsl.journal.journal import Journal
    from flowdsl.limits import Budget
    from flowdsl.plan import Plan
    from flowdsl.plan.spending import Bounds

_ASK = "ask_above_usd"
_A_DAY = "max_usd_per_day"
_OF_SERVICES = "max_usd_per_day_by_service"


def budget_of(path: str, journal: Journal, project: Settings | None = None, called: str | None = None) -> Budget | None:
    """What the settings of a file's project, or of the user, let all runs spend in a day; of two sums the lower one
    counts. What is simulated costs nothing. `project`: the settings that are named in place of the project's own;
    `called`: what a file is called where somebody else is told of it (None: by its path).

    Raises:
        UsageError: it is no sum.
    """
    whole: list[tuple[float, str]] = []
    services: dict[str, list[tuple[float, str]]] = {}
    for file in _files(path, project):
        where = called or shown_path(file[0])
        if (most := usd(file, _A_DAY)) is not None:
            whole.append((most, where))
        for name, each in usd_by_name(file, _OF_SERVICES).items():
            services.setdefault(name, []).append((each, where))
    if journal.simulated or not (whole or services):
        return None
    from flowdsl.journal.day_budget import DayBudget, Most

    def lowest(said: list[tuple[float, str]]) -> Most:
        return Most(*min(said))

    own = {name: lowest(said) for name, said in services.items()}
    return DayBudget(journal.database, lowest(whole) if whole else None, own)


def check_uncounted(flow: Flow, path: str) -> None:
    """Looks whether a run without a journal is one of which the settings limit what is spent in a day: that is counted
    in the journal.

    Raises:
        UsageError: it is.
    """
    used = {row["service"] for row in flow.services()}
    for file in _files(path):
        limited = used & usd_by_name(file, _OF_SERVICES).keys()
        if (name := _A_DAY if usd(file, _A_DAY) is not None else _OF_SERVICES if limited else None) is not None:
            raise UsageError(
                f"--no-journal: `{name}` in {shown_path(file[0])} limits what is spent in a day, which is counted in "
                "the journal: leave --no-journal out, or that setting"
            )


def may_begin(
    flow: Flow,
    path: str,
    inputs: Mapping[str, Any],
    options: Namespace,
    *,
    records: Callable[[], tuple[int, Collection[str]]] | None = None,
    part: Callable[[Plan], Bounds] | None = None,
) -> bool:
    """Whether a run may begin, or a batch of so many `records`, which say these inputs themselves: asks where it can
    cost more than the settings let it without asking, or where nobody knows what it costs. `part` says what of the plan
    is bought, where that is not all of it.

    Raises:
        UsageError: nobody is there to ask.
    """
    if not options.quiet:
        warn_of_misspelt([flow], path)
    if options.simulate or options.yes or not flow.pays:
        return True
    text = cost_question(flow, path, inputs, records=records, part=part, batched=options.vendor_batch)
    if text is None:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        above = min(_asked_above(path))[0]
        raise UsageError(f"{text}: `--yes` goes on without asking, `--max-usd {above:g}` never spends more than that")
    sys.stderr.write(f"{text}; go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def cost_question(
    flow: Flow,
    path: str,
    inputs: Mapping[str, Any],
    *,
    records: Callable[[], tuple[int, Collection[str]]] | None = None,
    part: Callable[[Plan], Bounds] | None = None,
    batched: bool = False,
    project: Settings | None = None,
) -> str | None:
    """What is to be asked before a run, or a batch of so many `records`, that can cost more than the settings let it
    without asking, or of which nobody knows what it costs; None where nothing is. `part`: as in `may_begin`,
    `project`: as in `budget_of`."""
    said = _asked_above(path, project)
    if not said or not flow.pays:
        return None
    above, where = min(said)
    number, own = (1, ()) if records is None else records()
    most = _most(flow, inputs, number, own, part, batched=batched)
    if most is not None and most <= above:
        return None
    from flowdsl.engine.budget import in_usd

    what = "run" if records is None else f"batch of {number:,} record{'' if number == 1 else 's'}"
    cost = f"nobody knows what this {what} can cost"
    if most is not None:
        cost = f"this {what} can cost up to {in_usd(most)}"
    return f"{cost}, and `{_ASK}` in {where} is {in_usd(above)}"


def _asked_above(path: str, project: Settings | None = None) -> list[tuple[float, str]]:
    """The sums above which the settings of a file's project, and of the user, let somebody be asked."""
    return [(most, shown_path(file[0])) for file in _files(path, project) if (most := usd(file, _ASK)) is not None]


def warn_of_misspelt(flows: Iterable[Flow], path: str, project: Settings | None = None) -> None:
    """Says what settings limit of services that are not there."""
    for warning in dict.fromkeys(warning for flow in flows for warning in _misspelt(flow, path, project)):
        sys.stderr.write(f"flowdsl: warning: {warning}\n")


def _misspelt(flow: Flow, path: str, project: Settings | None) -> Iterator[str]:
    """What settings limit of services that are not there, where a service of the flow is called nearly so: others may
    be those of other flows."""
    limited = {name: file[0] for file in _files(path, project) for name in usd_by_name(file, _OF_SERVICES)}
    if not limited:
        return
    from flowdsl.nearest import nearest

    used = {row["service"] for row in flow.services()} - {None}
    known = {*used, *flow._settings.services.names(flow.document.services)}
    for name in sorted(limited.keys() - known):
        if meant := nearest(name, used - limited.keys()):
            where = f"`{name}` below `[{_OF_SERVICES}]` in {shown_path(limited[name])}"
            yield f"{where} limits nothing: there is no such service; did you mean `{meant}`?"


def _most(
    flow: Flow,
    inputs: Mapping[str, Any],
    records: int,
    unknown: Collection[str],
    part: Callable[[Plan], Bounds] | None,
    *,
    batched: bool,
) -> float | None:
    """The most that it can cost by the plan, or by the limit of what it may spend; None where nothing says it."""
    limit = flow._settings.limits.max_usd
    try:
        plan = flow.plan(inputs, unknown)
        bounds = plan.bounds if part is None else part(plan)
        most = (bounds.most_batch_usd if batched else bounds.most_usd).value({})
    except ConfigError:  # inputs that do not fit: the run will say so, and nothing is paid
        most = None
    whole = None if most is None else most * records
    known = [each for each in (limit, whole) if each is not None]
    return min(known) if known else None


def _files(path: str, project: Settings | None = None) -> list[Settings]:
    return [each for each in (project or project_file(path), user_file(os.environ)) if each is not None]
