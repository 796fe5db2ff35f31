"""Every path through a flow at once: an abstract run that knows of each FlowContext key its type and whether it is set.

What a step does to the state follows from its shape (`flowdsl.step.flow_shapes`), by the table that `analysis` hands
in. The package says how paths, loops and calls are followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flowdsl.checker.flow.state import Entry, State, Unset
from flowdsl.checker.names.name_resolution import Names
from flowdsl.checker.types.kinds import (
    ALL,
    ANY,
    BOOLEAN,
    ERROR,
    IMAGE,
    INTEGER,
    LIST,
    MAP,
    NULL,
    NUMBER,
    OF_NULL,
    OF_NUMBER,
    OF_TEXT,
    OTHER,
    PORT_TYPES,
    SECRET,
    TEXT,
    UNDEFINED,
    Type,
    join,
    of_value,
    without,
)
from flowdsl.document.document import Document, StepNode
from flowdsl.step.flow_shapes import Assign, FlowShape, Loop, Sequence
from flowdsl.step.spec import BLOCK_TYPES, Key
from flowdsl.template import parse, parse_expression

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.flow.mentions import Mentions
    from flowdsl.codes import Severity
    from flowdsl.syntax.node import Node

FITTING: Final = {
    "text": TEXT,
    "integer": INTEGER | NUMBER | TEXT,
    "number": INTEGER | NUMBER | TEXT,
    "boolean": BOOLEAN | TEXT,
    "list": LIST,
    "map": MAP | IMAGE | ERROR | OTHER,
}
"""The kinds that an option of a type takes; a text may spell a number or a boolean."""
Follow = Callable[["AbstractRun", "StepNode", State], None]
"""What a step of one shape does: it reads the step's options and changes the state to what is known after it."""


class Frame:
    """What a signal leaves to: the state it stands on, and what is known on each way out, as changes to that state.

    `wanted` limits what is kept to some keys. Where there are many ways out, `last` is what the latest one knew.
    """

    __slots__ = ("base", "exits", "last", "wanted")

    def __init__(self, base: State, wanted: frozenset[str] | None = None) -> None:
        self.base = base
        self.exits: list[tuple[dict[str, Entry], Unset]] = []
        self.last: dict[str, Entry] = {}
        self.wanted = wanted


class AbstractRun:
    """An abstract run of one document."""

    def __init__(self, document: Document, findings: Findings, follow: Mapping[type[FlowShape], Follow]) -> None:
        self.document = document
        self.findings = findings
        self.follow = follow
        self.names = Names(document, findings)
        self.observers: list[dict[str, Type]] = []
        """What is written while somebody looks: for each, every key with the types it had."""
        self.loops: list[tuple[Frame, Frame]] = []
        """The ways out of BREAK and of CONTINUE, for each loop around."""
        self.returns: list[Frame] = []
        self.ends: list[Frame] = []
        self.heads: dict[int, dict[str, Entry]] = {}
        self.active: list[int] = []
        self.memo: dict[tuple[int, int], tuple[frozenset[str] | None, list[Any]]] = {}
        """For each called flow the keys it looks at, and what it came to from which state."""
        self.mentions: Mentions | None = None
        """What called flows look at, once one is called."""
        self.followed = 0
        self.analysed: set[int] = set()

    def steps(self, steps: Iterable[StepNode], state: State) -> None:
        """Follows steps in order, and changes `state` to what is known after them.

        What no path comes to is reported once.
        """
        for step in steps:
            if state.dead is not None:
                self.unreachable(step, state.dead)
                return
            self.names.at = step.node.start
            if step.label is not None:
                self.names.option(step.label, state)
            self.follow[type(step.spec.flow)](self, step, state)
            if step.spec.resolved_late and not isinstance(step.spec.flow, Loop):  # a loop has read them in its body
                self.late_options(step, state)
            if state.dead is None and (step.spec.inputs or step.inputs):
                from flowdsl.checker.flow.step_inputs import check_inputs  # a file that only computes needs none of it

                check_inputs(self.names, step, state)
            if state.dead is None and (step.spec.outputs or step.outputs):
                self.outputs(step, state)

    def outputs(self, step: StepNode, state: State) -> None:
        """Sets the FlowContext keys of a step's outputs in `state`."""
        ports = step.spec.outputs
        if step.outputs:
            of_type, types = {port.type: port for port in ports}, {port.name: port.type for port in step.outputs}
            written = [(each, types[each[0]], of_type.get(types[each[0]])) for each in step.written_outputs()]
        else:
            always = step.spec.always_written
            written = [(each, port.type, port) for each, port in zip(step.written_outputs(), always, strict=True)]
        for (key, node), name, port in written:
            type = PORT_TYPES.get(name, ANY)
            if port is not None and port.counted_by:
                from flowdsl.checker.flow.step_inputs import counted

                type = counted(step, port, type)
            self.write(state, key, type, node)

    def unreachable(self, step: StepNode, why: Unset) -> None:
        """Reports a step that never runs, and why."""
        from flowdsl.diagnostics import Related

        related = (Related(why.node.span, why.label),) if why.node is not None else ()
        message = f"this {step.spec.name} never runs: {why.text}"
        self.findings.add("unreachable-step", message, step.name_node, related=related)

    def write(
        self, state: State, key: str, type: Type, where: Node, *, always: bool = True, implied: bool = False
    ) -> None:
        """Sets a key in `state` to a value of a type; `where` is the node that says so.

        `always`: whether every path here does; `implied`: whether the language does it and not the author.
        """
        if type.kinds & UNDEFINED and not type.is_any:
            type = without(type, UNDEFINED)
            type = type if type.kinds & ALL else OF_TEXT
        entry = Entry(type, where, implied=implied)
        if not always:
            known = state.get(key)
            entry.always = known is not None and known.always
        state.changes[key] = entry
        if self.observers:
            self.observe(key, type)

    def observe(self, key: str, type: Type) -> None:
        """Adds a type to those that a key was given, for all `observers`."""
        for seen in self.observers:
            known = seen.get(key)
            seen[key] = type if known is None else join(known, type)

    def option(self, step: StepNode, name: str, node: Node, state: State) -> Type:
        """The type of an option of a step in a state.

        Reports what its templates read wrongly, and a value that cannot fit its key.
        """
        key = step.spec.keys.get(name)
        self.names.wanted = key.type if key is not None and node.kind == "scalar" else ""
        if key is None:
            return self.names.option(node, state)
        if key.verbatim:
            return of_value(node.plain())
        if key.reads:
            from flowdsl.checker.flow.step_inputs import source_type

            type = source_type(self.names, step, key, node, state)
            self._exposed(key, node, type)
            return type
        if key.expression:
            if not isinstance(node.value, str):
                return ANY
            return self.names.template(parse_expression(node.value), node, state, key.condition)
        if node.kind == "scalar" and not (isinstance(node.value, str) and "{" in node.value):
            return OF_TEXT if node.value.__class__ is str else of_value(node.value)
        if key.names:
            outside = self.names.names
            self.names.names = outside | frozenset(key.names)
            type = self.names.option(node, state, key.condition)
            self.names.names = outside
        else:
            type = self.names.option(node, state, key.condition)
        if key.type in FITTING and node.kind == "scalar":
            self._fits(key, node, type)
        self._exposed(key, node, type)
        return type

    def _exposed(self, key: Key, node: Node, type: Type) -> None:
        """Reports a secret that an option sends to a model, or writes into a file."""
        if type.kinds & SECRET and (key.prompt or key.file):
            from flowdsl.checker.flow.step_inputs import FILE_PARTS

            self.leaks(node, FILE_PARTS[key.file] if key.file else "the prompt")

    def leaks(self, node: Node, where: str) -> None:
        """Reports that a secret can come to `where`, a word such as `the prompt`."""
        from flowdsl.checker.flow.step_inputs import leaks

        leaks(self.findings, node, where)

    def _fits(self, key: Key, node: Node, type: Type) -> None:
        kinds = type.kinds & ALL & ~(UNDEFINED | NULL)
        if type.is_any or not kinds or not kinds & ~FITTING[key.type]:
            return
        from flowdsl.checker.types.kinds import describe
        from flowdsl.step.key import ARTICLES

        template = parse(node.value)
        if not template.is_native and not key.expression:
            return
        sure = not kinds & FITTING[key.type]
        found, wanted = describe(without(type, UNDEFINED | NULL)), ARTICLES[key.type]
        shown = _shown(template.text)
        message = f"`{key.name}` takes {wanted}, and {shown} {'is' if sure else 'may be'} {found}"
        hint = fix = None
        if key.type == "text" and sure:
            from flowdsl.syntax.fixes import piped

            hint, fix = f"make it a text: `{{{{ {shown.strip('`')} | string }}}}`", piped(node, "string")
        elif key.type == "list" and kinds & TEXT:
            hint = "split it into items, for example `| split(',')`"
        severity: Severity | None = None if sure else "warning"
        self.findings.add("wrong-type", message, node, hint=hint, severity=severity, fixes=[fix])

    def options(self, step: StepNode, state: State, but: frozenset[str] = frozenset()) -> None:
        """Reads the options of a step in `state`, without its blocks, those in `but` and those that are read late."""
        spec = step.spec
        if spec.resolved_late:
            but = but.union(spec.resolved_late)
        for name, node in step.keys.items():
            if node.kind == "scalar" and not (isinstance(node.value, str) and "{" in node.value):
                if name not in spec.read_plain:
                    continue
            elif name in spec.keys and spec.keys[name].type in BLOCK_TYPES:
                continue
            if name not in but:
                self.option(step, name, node, state)

    def late_options(self, step: StepNode, state: State) -> None:
        """Reads the options that a step with blocks resolves when it likes. Nowhere is more set than after its blocks:
        what is undefined there is undefined whenever it is read."""
        for name in step.spec.resolved_late:
            if name in step.keys:
                self.option(step, name, step.keys[name], state)


def _shown(text: str) -> str:
    inside = " ".join(text.strip().removeprefix("{{").removesuffix("}}").strip(" -").split())
    return f"`{inside}`"


def leaf(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step without blocks: reads its options."""
    run.options(step, state)


def sequence(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that runs its blocks once, in order: `state` goes through all of them."""
    flow = step.spec.flow
    assert isinstance(flow, Sequence)  # noqa: S101  the table of shapes says so
    run.options(step, state)
    for key in flow.blocks:
        for block in step.blocks:
            if block.key == key:
                run.steps(block.steps, state)


def assign(run: AbstractRun, step: StepNode, state: State) -> None:
    """A step that sets keys, in document order, so that later ones see earlier ones; a source sets the named key."""
    flow, own, run.names.wanted = step.spec.flow, step.spec.keys, ""
    assert isinstance(flow, Assign)  # noqa: S101  the table of shapes says so
    if own.keys().isdisjoint(step.keys):  # nothing but variables, as nearly always
        for name, value in step.keys.items():
            key = step.key_nodes.get(name, value)
            keep_spelling(run, key, value, state)
            run.write(state, name, run.names.option(value, state), key)
        return
    source = next((key for key in flow.sources if key in step.keys), None)
    named = step.named(flow.name)
    target = named[0] if named is not None else flow.target
    block = source is not None and own[source].type in BLOCK_TYPES
    if block and any(found.key == source for found in step.blocks):
        run.steps(step.block(source), state)
        if state.dead is not None:
            return
        entry = state.get(flow.result)
        type = ANY if entry is None else entry.type if entry.always else join(entry.type, OF_NULL)
        run.write(state, target, OF_NULL if entry is None and not state.open else type, step.key_nodes[source or ""])
    for name, value in step.keys.items():
        key = step.key_nodes.get(name, value)
        if name == source:
            if not block:
                type = run.option(step, name, value, state)
                run.write(state, target, _converted(type) if flow.convert in step.keys else type, key)
        elif flow.keys is not None and (name not in own or (name == flow.name and source is None)):
            run.names.wanted = ""
            type = run.names.option(value, state)
            keep_spelling(run, key, value, state)
            converts = source is None and flow.convert in step.keys
            run.write(state, name, _converted(type) if converts else type, key)
        elif name not in (flow.name, flow.convert) and own[name].type not in BLOCK_TYPES:
            run.option(step, name, value, state)


def keep_spelling(run: AbstractRun, holds: Node, value: Node, state: State) -> None:
    """Takes note of numbers that print otherwise than they are written; `holds` says which key they are in."""
    inner = value.value
    kind = inner.__class__
    if kind is str:
        told = run.names.spellings.some and "{" in inner
    elif kind is int:
        told = str(inner) != value.source.text[value.start : value.end]
    else:
        told = kind is float or kind is list or kind is dict
    if told:
        run.names.spellings.keep(holds, value, state)


def _converted(type: Type) -> Type:
    return join(type, OF_NUMBER) if type.kinds & TEXT else type


def line(step: StepNode) -> int:
    """The line a step begins at."""
    node = step.name_node
    return node.source.position(node.start).line
