"""`flowdsl plan`: what a run will cost, before it costs anything."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.absent_files import check_not_several_absent
from flowdsl.cli.arguments import (
    Parser,
    add_allow_endpoint,
    add_as_of,
    add_stdin_filename,
    check_stdin_filename,
    file_name,
    mapping,
    pair,
    usd,
)
from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.given_inputs import GivenInputs
from flowdsl.cli.plan_over import planned_over
from flowdsl.cli.variables import stored_values, variables
from flowdsl.diagnostics import has_errors, render
from flowdsl.display.visible import visible_line
from flowdsl.errors import ConfigError, FlowCheckError, FlowSyntaxError, UsageError
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from pathlib import Path

    from flowdsl.environment.flow import Flow
    from flowdsl.plan import Plan
    from flowdsl.plan.sharing import Shared
    from flowdsl.source import Source

EXAMPLES = (
    "flowdsl plan skyline.flow.yaml",
    "flowdsl plan avatars.flow.yaml --inputs people.yaml --max-usd 2",
    "flowdsl plan card.flow.yaml --over people.csv --map name=full_name",
    'flowdsl plan studio.ai-kit.yaml --action "Event poster"',
    "flowdsl plan skyline.flow.yaml --markdown --base main",
)
_ABOUT = """\
Follows every branch, sends nothing and reads no key. At least: what every run spends that ends well. At most: what \
no run exceeds, whatever fails in it. What only the run knows is named: `len(people) × $0.0063`."""
_OF_A_REAL_RUN = "retired-model"
"""A run of it is refused, and it is planned nevertheless, as it is simulated."""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when the file has mistakes, or the most is more than `--max-usd`."""
    options = parser().parse(arguments)
    check_stdin_filename(options.stdin_filename, [options.file])
    if options.base is not None and not options.markdown:
        raise UsageError("--base goes with --markdown, which shows the difference")
    if options.base is not None and options.file == "-":
        raise UsageError("--base takes a file: standard input has no other revision")
    if options.map and options.over is None:
        raise UsageError("--map goes with --over: it says which fields of the records the inputs are")
    check_not_several_absent(options)
    source = flow_source(options.file, options.stdin_filename)
    plans = plans_of(source, options)
    print(_printed(plans, options, {name: _shared(plan, source) for name, plan in plans.items()}))
    return _beyond(plans, options)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("plan", f"{COMMANDS['plan']} {_ABOUT}", EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the flow, kit or document of another system; - for stdin")
    parser.add_argument("--action", metavar="NAME", help="only of this action of a kit: its title or its id")
    repeated: dict[str, Any] = {"action": "append", "default": []}
    given = "an input; may be repeated; @FILE stands for what a file holds. One that is not given is not known"
    parser.add_argument("-i", dest="input", type=pair, metavar="NAME=VALUE", help=given, **repeated)
    parser.add_argument("--inputs", type=file_name, metavar="FILE", help="a YAML or JSON file of inputs")
    over = "the sum over the records of a .jsonl, .csv or .tsv file, as `flowdsl batch` runs over them"
    parser.add_argument("--over", metavar="FILE", help=over)
    mapped = "with --over: an input and the field that it comes from, where their names differ; may be repeated"
    parser.add_argument("--map", type=mapping, metavar="INPUT=FIELD", help=mapped, **repeated)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print it as JSON")
    shown.add_argument("--markdown", action="store_true", help="print it as Markdown, for a pull request")
    parser.add_argument("--base", metavar="REV", help="with --markdown: the difference to this revision of git")
    parser.add_argument(
        "--max-usd",
        type=usd,
        metavar="X",
        help="exit with 1 when a run, or with --over the batch, can cost more than X USD, or nobody knows",
    )
    parser.add_argument("--env", metavar="NAME", help="let templates read an environment variable", **repeated)
    parser.add_argument("--kv", type=pair, metavar="NAME=VALUE", help="a value for `kv('NAME')`", **repeated)
    add_allow_endpoint(parser)
    add_as_of(parser)
    add_stdin_filename(parser)
    return parser


def plans_of(source: Source, options: Namespace, *, quiet: bool = False) -> dict[str | None, Plan]:
    """The plan of a flow; of a kit that of each action, by its title or id.

    Raises:
        FlowCheckError: the file has mistakes.
        UsageError: it is a module, or there is no such action; an input does not fit.
    """
    found: dict[str | None, Plan] = {}
    flows = flows_of(source, options, quiet=quiet)
    if options.over is not None and len(flows) > 1:
        raise UsageError("--over takes one action of a kit: name it with --action")
    for flow, inputs in flows:
        name = flow.document.title or flow.document.id
        while name in found:
            name = f"{name} ({len(found) + 1})"
        found[name] = flow.plan(inputs) if options.over is None else planned_over(flow, inputs, options)
    return found


def flows_of(source: Source, options: Namespace, *, quiet: bool = False) -> list[tuple[Flow, dict[str, Any]]]:
    """The flows that are planned, each with the inputs that are given for it; see `plans_of`."""
    from flowdsl.document.actions import chosen
    from flowdsl.engine.rehearsal import PLACEHOLDER
    from flowdsl.environment.environment import Environment
    from flowdsl.environment.flow import Flow
    from flowdsl.host import Host

    given = GivenInputs()
    if options.inputs is not None:
        given.take_file(options.inputs)
    names = {**given.values, **dict(options.input)}
    host = Host(
        env=variables(source, options.env), kv=stored_values(source, options.kv), secrets=lambda name: PLACEHOLDER
    )
    environment = Environment(as_of=options.as_of, host=host, allow_endpoints=options.allow_endpoint)
    examined = environment.examined(source, names)
    file, settings = examined.file, examined.settings
    shown = [finding.hidden() for finding in examined.diagnostics]
    if file is None:
        raise FlowSyntaxError(shown)
    if has_errors(finding for finding in shown if finding.code != _OF_A_REAL_RUN):
        raise FlowCheckError(shown)
    refused = [finding for finding in shown if finding.code == _OF_A_REAL_RUN and finding.severity == "error"]
    if refused and not quiet:
        sys.stderr.write(render(refused, color=False) + "\n\n")
    is_kit = file.kind == "kit" and options.action is None and file.documents
    documents = file.documents if is_kit else (chosen(file, options.action),)
    flows = [Flow(environment, document, shown, settings, False) for document in documents]
    if len(flows) == 1:
        return [(flows[0], given.take_options(options.input, flows[0].document.inputs))]
    declared = {name for flow in flows for name in flow.document.inputs or ()}
    if unknown := [name for name in names if name not in declared]:
        raise UsageError(f"no action of the kit declares the input `{unknown[0]}`")
    found = []
    for flow in flows:
        own = flow.document.inputs or {}
        values = given.take_options([each for each in options.input if each[0] in own], None)
        found.append((flow, {name: value for name, value in values.items() if name in own}))
    return found


def _shared(plan: Plan, source: Source) -> dict[str, Shared]:
    """What each `--cache` would save, where it is anything."""
    from flowdsl.cli.journaled import state_of
    from flowdsl.plan.sharing import shared

    found = {"run": shared(plan)}
    folder = state_of(source.path)
    if folder.exists():
        from flowdsl.journal.journal import Journal

        with Journal(folder, cache="project") as journal:
            found["project"] = shared(plan, journal.knows)
    of_a_run = found["run"].requests
    return {cache: each for cache, each in found.items() if each.requests > (of_a_run if cache == "project" else 0)}


def _printed(plans: dict[str | None, Plan], options: Namespace, saved: dict[str | None, dict[str, Shared]]) -> str:
    from flowdsl.plan import sharing, shown

    name = options.stdin_filename or ("stdin" if options.file == "-" else options.file)
    if options.json:
        import json

        cached = {key: {"cache": sharing.to_json(found)} if found else {} for key, found in saved.items()}
        values = [{**shown.to_json(plan, name), **cached[key]} for key, plan in plans.items()]
        return json.dumps(values[0] if len(values) == 1 else values, indent=2, ensure_ascii=False)
    if options.markdown:
        before = _before(options) if options.base is not None else {}
        several = [(name, plan, before.pop(key, None)) for key, plan in plans.items()]
        gone = [(f"{name}, {without_keys(key)}" if key else name, None, plan) for key, plan in before.items()]
        return shown.markdown([*several, *gone], options.base)
    texts = [(shown.text(plan, name), "\n".join(sharing.lines(saved[key]))) for key, plan in plans.items()]
    return "\n\n".join(each for text in texts for each in text if each)


def _before(options: Namespace) -> dict[str | None, Plan]:
    """The plans as the base revision has them; none of a file that is new, or has mistakes there."""
    from flowdsl.plan.base import at_revision

    with at_revision(options.file, options.base) as path:
        if path is None:
            return {}
        try:
            source = flow_source(str(path))
            plans = plans_of(source, options, quiet=True)
            return {key: _placed(plan, path.parent, options.file) for key, plan in plans.items()}
        except FlowCheckError:
            sys.stderr.write(f"flowdsl: {options.file} has mistakes in {options.base}, so there is no plan of it\n")
            return {}
        except (ConfigError, UsageError) as error:  # an input or an action that it has not got there
            sys.stderr.write(f"flowdsl: there is no plan of {options.file} in {options.base}: {error}\n")
            return {}


def _placed(plan: Plan, copy: Path, file: str) -> Plan:
    """A plan of a copy, with the places that its files have in the working tree."""
    import os

    def moved(place: str) -> str:
        path, _, line = place.rpartition(":")
        inside = os.path.relpath(os.path.realpath(path), os.path.realpath(copy))
        return f"{os.path.normpath(os.path.join(os.path.dirname(file), inside))}:{line}"  # noqa: PTH118, PTH120

    places = {row: row._replace(place=moved(row.place)) for row in plan.rows}
    rows = {places[row]: bounds for row, bounds in plan.rows.items()}
    return plan._replace(rows=rows, each={places[row]: each for row, each in plan.each.items() if row in places})


def _beyond(plans: dict[str | None, Plan], options: Namespace) -> int:
    """Says which plans are beyond `--max-usd`; gives the exit code."""
    if options.max_usd is None:
        return 0
    code = 0
    for name, plan in plans.items():
        most = plan.most_usd
        if most is not None and most <= options.max_usd:
            continue
        code = 1
        what = "can cost any sum, as far as is known" if most is None else f"can cost ${most:,.4f}"
        which = f"{options.file}, {visible_line(without_keys(name))}" if name else options.file
        sys.stderr.write(f"flowdsl: {which} {what}; --max-usd allows ${options.max_usd:,.4f}\n")
    return code
