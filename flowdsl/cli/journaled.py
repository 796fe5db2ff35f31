"""The journal of runs on the command line: where it is, what is said of it before and after."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from flowdsl.cli.consent import budget_of, check_uncounted
from flowdsl.cli.kept_arguments import kept_arguments
from flowdsl.display.visible import visible_line
from flowdsl.errors import ConfigError, UsageError
from flowdsl.settings.files import project_file

if TYPE_CHECKING:
    from pathlib import Path

    from flowdsl.environment.flow import Flow
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.runs import KeptRun
    from flowdsl.source import Source

AGAIN = "`flowdsl resume` goes on from here: what is paid for is not bought again"
_CENT = 0.01
_MOST_SHOWN = 10


def state_of(path: str) -> Path:
    """The folder of the journal of the project of a file, or of the working folder for a text that has none."""
    from flowdsl.journal.place import state_folder

    settings = project_file(path, keys_are_checked=False)  # only where it stands counts
    return state_folder(os.environ, None if settings is None else settings[0])


def journal_of(flow: Flow, source: Source, options: Namespace, stack: ExitStack) -> Journal | None:
    """The journal of a run, which closes with the stack; None for a flow that pays for nothing, and where none is
    wanted. Says so on stderr when an earlier run of the same flow is not finished.

    Raises:
        UsageError: the run to be resumed goes on, or is done; or what is spent in a day is limited, and none is wanted.
        JournalError: the journal cannot be read.
    """
    if options.no_journal and flow.pays and not options.simulate:
        check_uncounted(flow, source.path)
    if options.no_journal or not flow.pays:
        return None
    from flowdsl.journal.journal import Journal

    argv, _ = kept_arguments(options, flow)
    given = {"argv": argv, "cwd": os.getcwd(), "action": options.action}  # noqa: PTH109
    own = {"simulated": options.simulate, "given": given, "cache": options.cache}
    journal = stack.enter_context(Journal(state_of(source.path), **own))
    journal.budget = budget_of(source.path, journal)
    if options.resume is not None:
        journal.resuming(options.resume.id)
        if options.resend:
            journal.runs.release(options.resume.id)
        return journal
    if journal.database.exists:  # read also by a quiet run: one that is damaged is found out before anything is done
        from flowdsl.journal.run_row import flow_path

        found = journal.runs.unfinished(flow_path(source.path), simulated=options.simulate)
        is_begun = found is not None and (found.paid or found.in_doubt or found.at_vendor)
        if found is not None and is_begun and not options.quiet and options.from_step is None:
            sys.stderr.write(f"flowdsl: an earlier run of this flow is not finished: {worth(found)}\n")
            then = f"  `flowdsl resume {found.id}` goes on with it; this run buys everything anew\n"
            sys.stderr.write(then + elsewhere(journal, then))
    return journal


def listed_later(journal: Journal, id: str, *, of: str = "batch") -> str:
    """What is said of pictures of a batch, or of one run (`of="id"`), that no manifest lists; empty where all are."""
    from flowdsl.journal.unlisted import unlisted

    number = len(unlisted(journal.database, id, of=of))
    if not number:
        return ""
    pictures = "1 picture is" if number == 1 else f"{number:,} pictures are"
    return f"{pictures} in no manifest.json, which took no line: `flowdsl resume {id[:13]}` lists them once it can\n"


def elsewhere(journal: Journal | None, said: str) -> str:
    """What is said where a text names commands that take a run, and they do not find its journal from here; empty where
    they do."""
    if journal is None or not any(f"`flowdsl {command}" in said for command in ("resume", "runs")):
        return ""
    if state_of("<elsewhere>") == journal.folder:
        return ""
    from shlex import quote

    folder = visible_line(quote(os.path.relpath(journal.folder)))
    return f"the journal is in {folder}: commands that take its runs find it from here with FLOWDSL_STATE={folder}\n"


@contextmanager
def naming_journal(journal: Journal) -> Iterator[None]:
    """Has a UsageError that names commands which take a run say where its journal is, where they do not find it.

    Raises:
        UsageError: as what is done inside.
    """
    try:
        yield
    except UsageError as error:
        if place := elsewhere(journal, str(error)):
            raise UsageError(f"{error}\n  {place.rstrip()}") from error
        raise


def behind(journal: Journal) -> str:
    """What is said where the journal has not taken how paid requests ended; empty where it has all of them."""
    journal.database.owed.settle()
    number = len(journal.database.owed)
    if not number:
        return ""
    ended, stand = (
        ("1 request ended: it stands", "that") if number == 1 else (f"{number} requests ended: they stand", "them")
    )
    return (
        f"the journal in {visible_line(str(journal.folder))} did not take how {ended} there as in doubt, and may be "
        f"billed; `--resend` would buy {stand} again\n"
    )


def worth(run: KeptRun) -> str:
    """What a run has paid for, in words."""
    paid = "1 request is" if run.paid == 1 else f"{run.paid} requests are"
    cost = "at a price that is not known" if run.cost_usd is None else sum_of(run.cost_usd)
    text = f"{paid} paid for, {cost}{', simulated' if run.simulated else ''}"
    text += f"; {run.at_vendor} at the vendor" if run.at_vendor else ""
    return f"{text}; {run.in_doubt} in doubt" if run.in_doubt else text


def sum_of(usd: float) -> str:
    """A sum in USD, with as many digits as show it."""
    return f"${usd:.2f}" if usd >= _CENT or not usd else f"${usd:.4f}"


def named(run: KeptRun) -> str:
    """A run as people know it: its flow and when it began."""
    from time import localtime, strftime

    path = run.flow if run.flow.startswith("<") else os.path.relpath(run.flow)
    action = f" ({run.action})" if run.action else ""
    return f"{visible_line(path)}{visible_line(action)}, {strftime('%Y-%m-%d %H:%M', localtime(run.began))}"


def changed_inputs(run: KeptRun, flow: Flow, inputs: Mapping[str, Any]) -> list[str]:
    """The inputs that have another value than when the run began; of those that held a secret nobody knows it."""
    from flowdsl.checker.inputs import input_values

    try:
        now = input_values(flow.document.inputs, dict(inputs))
    except ConfigError:  # which the run will say
        return []
    before, hidden = run.given.get("inputs", {}), run.given.get("hidden", [])
    names = [name for name in {**before, **now} if name not in hidden]
    return [name for name in names if _spelt(before.get(name)) != _spelt(now.get(name))]


def _spelt(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, default=str)


def announce(run: KeptRun, flow: Flow, inputs: Mapping[str, Any], options: Namespace) -> bool:
    """Says what is used again and what has changed since, and asks whether to go on; False when not.

    Raises:
        UsageError: nobody is there to ask.
    """
    from flowdsl.cli.used_again import used_again
    from flowdsl.journal.steps import changes, steps_of

    lines = [f"resume {run.id}: {named(run)}, {run.status}", f"  {worth(run)}; what asks for the same again uses it"]
    state = state_of(flow.document.source.path)
    if not options.quiet and (foreseen := used_again(run, flow, inputs, state, resend=options.resend)) is not None:
        lines.append(f"  {foreseen}")
    found = changes(run.given.get("steps", {}), steps_of(flow.document))
    for what, steps in (("changed", found.changed), ("new", found.new), ("gone", found.gone)):
        if steps:
            more = f" … {len(steps) - _MOST_SHOWN} more" if len(steps) > _MOST_SHOWN else ""
            lines.append(f"  {what}: {', '.join(map(visible_line, steps[:_MOST_SHOWN]))}{more}")
    if others := changed_inputs(run, flow, inputs):
        lines.append(f"  other inputs: {', '.join(map(visible_line, others))}")
    if not options.quiet:
        sys.stderr.write("".join(f"{line}\n" for line in lines))
    if options.yes or run.simulated:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("the rest of the run may cost money: `--yes` goes on without asking")
    sys.stderr.write("go on? [Y/n] ")
    sys.stderr.flush()
    said = sys.stdin.readline()  # without a line end where nobody answers any more
    return said.endswith("\n") and said.strip().lower() in ("", "y", "yes")
