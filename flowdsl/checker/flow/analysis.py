"""The data flow of a document: its steps, its `onError`, its outputs, and the flows that nobody calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from flowdsl.checker.findings import Findings
from flowdsl.checker.flow.abstract_run import AbstractRun, Follow, Frame, assign, leaf, sequence
from flowdsl.checker.flow.jumps import one_at_a_time
from flowdsl.checker.flow.state import Entry, State, Unset, merge
from flowdsl.checker.types.kinds import ANY, OF_ERROR, SECRET, Type
from flowdsl.diagnostics import Diagnostic, Related, gravity
from flowdsl.document.document import Document, StepNode
from flowdsl.document.root_keys import ERROR
from flowdsl.step import flow_shapes as shapes
from flowdsl.step.flow_shapes import FlowShape
from flowdsl.syntax.node import Node
from flowdsl.template import parse


class _Follow(dict[type[FlowShape], Follow]):
    """By shape, what follows it; shapes beside the usual line of steps are imported with the first of them."""

    def __missing__(self, shape: type[FlowShape]) -> Follow:
        from flowdsl.checker.flow import branching, calling, repeating

        self[shapes.Choice] = branching.choice
        self[shapes.Switch] = branching.switch
        self[shapes.Try] = branching.attempt
        self[shapes.Parallel] = branching.parallel
        self[shapes.Exit] = branching.exit_
        self[shapes.Loop] = repeating.loop
        self[shapes.Call] = calling.call
        return self[shape]


FOLLOW: Final = _Follow({shapes.Leaf: leaf, shapes.Sequence: sequence, shapes.Assign: assign})
"""What a step does to the state, by its shape: there is nothing else to know of it."""
CODES = frozenset(
    (
        "undefined-variable",
        "maybe-undefined",
        "unknown-member",
        "undefined-block",
        "undefined-input",
        "wrong-type",
        "constant-condition",
        "unreachable-step",
        "loop-never-runs",
        "loop-runs-once",
        "parallel-write-conflict",
        "secret-leak",
        "unknown-flow",
        "bare-name",
        "judged-purchase",
        "vars-cycle",
        "not-a-choice",
    )
)
"""The codes of findings that may be found more than once, as a step can be reached more than once."""


def check_paths(document: Document, findings: Findings) -> None:
    """Follows every path through a document; what goes wrong on one of them is added to `findings`."""
    run = AbstractRun(document, findings, FOLLOW)
    state = _start(run)
    failing: dict[str, Type] = {}
    if document.on_error is not None:
        run.observers.append(failing)
    end = Frame(state, _wanted(document))
    run.ends.append(end)
    whole = State(state)
    run.steps(document.steps, whole)
    run.observers.clear()
    if document.on_error is not None:
        _on_error(run, document.on_error, state, failing)
    if document.outputs is not None:
        after = _after(state, whole, end)
        if after.dead is None:
            for node in document.outputs.values():
                run.names.wanted = ""
                if run.names.option(node, after).kinds & SECRET:
                    run.leaks(node, "the outputs")
    for entry, key, span in run.names.rivals.values():
        _rival(findings, entry, key, Related(span, "read here"))
    _blocks(run)
    run.names.spellings.report(findings)
    if document.root.kind == "map" and (document.imports or document.outputs or "local" in document.scopes):
        from flowdsl.checker.flow.unused import check_unused

        check_unused(document, findings)


def check_open(flows: Iterable[Sequence[StepNode]], document: Document, findings: Findings) -> None:
    """Follows flows by themselves, and adds to `findings`: a caller may have set any key, and have any blocks."""
    run = AbstractRun(document, findings, FOLLOW)
    run.names.foreign = True
    for steps in flows:
        _open(run, steps)


def _open(run: AbstractRun, steps: Sequence[StepNode]) -> None:
    state = State()
    state.open = True
    run.ends, run.returns, run.loops = [Frame(state, frozenset())], [], []
    run.steps(steps, State(state))


def _start(run: AbstractRun) -> State:
    """The FlowContext before the first step: the inputs, and what the caller sets."""
    state = State()
    document, findings = run.document, run.findings
    for name in findings.settings.context:
        state.changes[name] = Entry(ANY, None)
    for name, declaration in (document.inputs or {}).items():
        state.changes[name] = Entry(run.names.inputs[name], declaration.node)
    for name in findings.maybe_written:
        state.changes[name] = Entry(ANY, None)
    return state


def _on_error(run: AbstractRun, steps: Sequence[StepNode], state: State, written: dict[str, Type]) -> None:
    """Follows `onError` from wherever the flow may fail."""
    begin = State(state)
    why = Unset("the flow can fail before it sets it")
    for key, type in written.items():
        known = state.get(key)
        begin.changes[key] = Entry(type, None, known is not None and known.always, why)
    run.write(begin, ERROR, OF_ERROR, run.document.root, implied=True)
    run.steps(steps, begin)


def _after(state: State, whole: State, end: Frame) -> State:
    """What is known when the outputs are resolved: after the last step, or after an END."""
    ways = [(whole, Unset(""))]
    for changes, why in end.exits:
        way = State(state)
        way.changes = {key: entry for key, entry in changes.items() if state.get(key) is not entry}
        ways.append((way, why))
    after = State(state)
    merge(after, ways)
    return after


def _wanted(document: Document) -> frozenset[str]:
    """The FlowContext keys that the outputs read."""
    found: set[str] = set()
    if document.outputs is not None:
        vars = [node for blocks in document.scopes.values() for node in blocks.vars.values()]
        for node in (*document.outputs.values(), *vars):
            for text in _texts(node):
                for reference in parse(text).references:
                    found.add(
                        reference.path[0] if reference.root == "flowContext" and reference.path else reference.root
                    )
    return frozenset(found)


def _texts(node: Node) -> Iterator[str]:
    if node.kind != "scalar":
        for child in node.value if node.kind == "list" else node.value.values():
            yield from _texts(child)
    elif isinstance(node.value, str) and "{" in node.value:
        yield node.value


def _rival(findings: Findings, entry: Entry, key: str, read: Related) -> None:
    where, loop = entry.where, entry.rivals
    if where is None or loop is None:
        return
    message = f"iterations that run side by side all set `{key}`, and only the last one's is read"
    flow = loop.spec.flow
    collects = isinstance(flow, shapes.Loop) and flow.collect
    hint = f"keep what each iteration gives with `{collects[0]}`" if collects else one_at_a_time(loop, "remove {}")
    findings.add("parallel-write-conflict", message, where, hint=hint, related=(read,))


def _blocks(run: AbstractRun) -> None:
    """Looks at the vars, and follows the flows of the document that nobody calls."""
    document = run.document
    blocks = document.scopes.get("local")
    imports = document.imports
    if any(found.vars for found in document.scopes.values()):
        from flowdsl.checker.names.block_references import check_cycles

        check_cycles(document.scopes, imports, run.findings)
    if blocks is not None:
        for steps in blocks.flows.values():
            if id(steps) not in run.analysed:
                _open(run, steps)


def without_repetitions(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """The findings in the order they came, of several about one name at one place only the worst: a step that is
    reached more than once is looked at more than once."""
    best: dict[tuple[str, int, int, str], Diagnostic] = {}
    kept: list[Diagnostic] = []
    for found in diagnostics:
        if found.code not in CODES:
            kept.append(found)
            continue
        word = "undefined" if found.code in ("undefined-variable", "maybe-undefined") else found.code
        key = (found.span.path, found.span.start, found.span.end, word)
        known = best.get(key)
        if known is None:
            best[key] = found
            kept.append(found)
        elif gravity(found.severity) < gravity(known.severity):
            kept[kept.index(known)] = best[key] = found
    return kept
