"""Every path through a flow at once: an abstract run that knows of each FlowContext key its type and whether it is set.

What a step does to the state follows from its shape; the parts of a shape with blocks are in `branching`, `repeating`
and `calling`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flowdsl.checker.state import Entry, State, Unset
from flowdsl.checker.types import (
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
from flowdsl.checker.uses import Names
from flowdsl.document.document import LEGACY_SOURCES, Document, StepNode
from flowdsl.step.spec import BLOCK_TYPES, Key
from flowdsl.template import parse, parse_expression

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.syntax.yaml_reader import Node

FITTING: Final = {
    "text": TEXT,
    "integer": INTEGER | NUMBER | TEXT,
    "number": INTEGER | NUMBER | TEXT,
    "boolean": BOOLEAN | TEXT,
    "list": LIST,
    "map": MAP | IMAGE | ERROR | OTHER,
}
"""The kinds that an option of a type takes; a text may spell a number or a boolean."""
PROMPTS: Final = frozenset({"instruction", "prompt"})


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


class Paths:
    """An abstract run of one document."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self.document = document
        self.findings = findings
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
        self.followed = 0
        self.analysed: set[int] = set()

    def steps(self, steps: list[StepNode], state: State) -> None:
        """Follows steps in order; what no path comes to is reported once."""
        for step in steps:
            if state.dead is not None:
                self.unreachable(step, state.dead)
                return
            self.names.at = step.node.start
            if step.label is not None:
                self.names.option(step.label, state)
            if step.inputs:
                self._inputs(step, state)
            SHAPES[step.spec.shape](self, step, state)

    def unreachable(self, step: StepNode, why: Unset) -> None:
        """Reports a step that never runs."""
        from flowdsl.diagnostics import Related

        related = (Related(why.node.span, why.label),) if why.node is not None else ()
        message = f"this {step.spec.name} never runs: {why.text}"
        self.findings.add("unreachable-step", message, step.name_node, severity="warning", related=related)

    def write(
        self, state: State, key: str, type: Type, where: Node, *, always: bool = True, implied: bool = False
    ) -> None:
        """Sets a key."""
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
        """Tells those who look that a key is written."""
        for seen in self.observers:
            known = seen.get(key)
            seen[key] = type if known is None else join(known, type)

    def option(self, step: StepNode, name: str, node: Node, state: State) -> Type:
        """The type of an option at its place; reports a value that cannot fit its key."""
        key = step.spec.keys.get(name)
        if key is None:
            return self.names.option(node, state)
        if key.verbatim:
            return of_value(node.plain())
        if key.expression:
            if not isinstance(node.value, str):
                return ANY
            return self.names.template(parse_expression(node.value), node, state, key.condition)
        if node.kind == "scalar" and not (node.value.__class__ is str and "{" in node.value):
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
        if type.kinds & SECRET and name in PROMPTS:
            self.leaks(node, "the prompt")
        return type

    def leaks(self, node: Node, where: str) -> None:
        """Reports a secret that can come to where it is shown."""
        hint = "a secret belongs into a service entry or a header"
        self.findings.add("secret-leak", f"a secret can reach {where}", node, hint=hint, severity="warning")

    def _fits(self, key: Key, node: Node, type: Type) -> None:
        kinds = type.kinds & ALL & ~(UNDEFINED | NULL)
        if type.is_any or not kinds or not kinds & ~FITTING[key.type]:
            return
        from flowdsl.checker.types import describe
        from flowdsl.step.key import ARTICLES

        template = parse(node.value)
        if not template.is_native and not key.expression:
            return
        sure = not kinds & FITTING[key.type]
        found, wanted = describe(without(type, UNDEFINED | NULL)), ARTICLES[key.type]
        shown = _shown(template.text)
        message = f"`{key.name}` takes {wanted}, and {shown} {'is' if sure else 'may be'} {found}"
        hint = None
        if key.type == "text":
            hint = f"make it a text: `{{{{ {shown.strip('`')} | string }}}}`" if sure else None
        elif key.type == "list" and kinds & TEXT:
            hint = "split it into items, for example `| split(',')`"
        self.findings.add("wrong-type", message, node, hint=hint, severity="error" if sure else "warning")

    def options(self, step: StepNode, state: State, but: frozenset[str] = frozenset()) -> None:
        """Reads the options of a step, without its blocks and those that are read elsewhere."""
        for name, node in step.keys.items():
            if name in but or (node.kind == "scalar" and not (node.value.__class__ is str and "{" in node.value)):
                key = step.spec.keys.get(name)
                if key is None or not key.expression or name in but:
                    continue
            key = step.spec.keys.get(name)
            if key is None or key.type not in BLOCK_TYPES:
                self.option(step, name, node, state)

    def _inputs(self, step: StepNode, state: State) -> None:
        for port in step.inputs:
            first = port.name.partition(".")[0]
            if first == "flowContext" and "." in port.name:
                first = port.name.split(".")[1]
            entry = state.get(first)
            if entry is None:
                if not state.open:
                    self._no_input(port.name, port.node, state)
            elif not entry.always:
                self.names.maybe(port.name, entry, port.node.span)

    def _no_input(self, name: str, node: Node, state: State) -> None:
        from flowdsl.nearest import nearest

        near = nearest(name, list(state.known_keys()))
        hint = f"did you mean `{near}`?" if near else "set it in a SET step before, or declare it under `inputs:`"
        message = f"`{name}` is not set by any step before this one"
        self.findings.add("undefined-variable", message, node, hint=hint)

    def text_input(self, step: StepNode, state: State) -> None:
        """Looks at the `text` that a step reads when the author names no other source."""
        spec = step.spec
        if not any(port.type == "text" for port in spec.inputs) or any(port.type == "text" for port in step.inputs):
            return
        if any(step.keys.get(key) is not None for key in ("instruction", "prompt", "in", "text", "message")):
            return
        entry = state.get("text")
        if spec.service is None:
            return
        if entry is None:
            if not state.open:
                from flowdsl.checker.steps import without_text

                without_text(step, self.document, self.findings)
        elif not entry.always:
            self.names.maybe("text", entry, step.name_node.span)
        elif entry.type.kinds & SECRET:
            self.leaks(step.name_node, "the prompt")


def _shown(text: str) -> str:
    inside = " ".join(text.strip().removeprefix("{{").removesuffix("}}").strip(" -").split())
    return f"`{inside}`"


def leaf(paths: Paths, step: StepNode, state: State) -> None:
    """Reads the options, then writes the outputs."""
    paths.options(step, state)
    if step.spec.inputs:
        paths.text_input(step, state)
    ports = {port.name: port.type for port in step.outputs}
    types = [port.type for port in step.spec.outputs if not port.optional]
    for index, (key, node) in enumerate(step.writes()):
        port = ports.get(key) if step.outputs else types[index]
        paths.write(state, key, PORT_TYPES.get(port or "", ANY), node)


def variables(paths: Paths, step: StepNode, state: State) -> None:
    """SET: each key in document order; the older form sets one variable from one source."""
    source = next((key for key in LEGACY_SOURCES if key in step.keys), None)
    node = step.keys.get("name")
    target = node.value if node is not None and isinstance(node.value, str) else "text"
    if source == "steps" and source in step.blocks:
        paths.steps(step.blocks.get("steps", []), state)
        if state.dead is not None:
            return
        entry = state.get("text")
        type = ANY if entry is None else entry.type if entry.always else join(entry.type, OF_NULL)
        paths.write(state, target, OF_NULL if entry is None and not state.open else type, step.node.keys["steps"])
    for name, value in step.keys.items():
        key = step.node.keys.get(name, value)
        if name == source:
            if name != "steps":
                type = paths.option(step, name, value, state)
                paths.write(state, target, _converted(type) if "convertTo" in step.keys else type, key)
        elif name != "convertTo" and not (name == "name" and source is not None):
            paths.write(state, name, paths.names.option(value, state), key)


def _converted(type: Type) -> Type:
    return join(type, OF_NUMBER) if type.kinds & TEXT else type


def block(paths: Paths, step: StepNode, state: State) -> None:
    """Runs its blocks once, in order."""
    if step.spec.other_keys == "variables":
        variables(paths, step, state)
        return
    paths.options(step, state)
    for steps in step.blocks.values():
        paths.steps(steps, state)
    leaf_writes = step.writes()
    for key, node in leaf_writes:
        paths.write(state, key, ANY, node)


def _choice(paths: Paths, step: StepNode, state: State) -> None:
    from flowdsl.checker.branching import choice

    choice(paths, step, state)


def _try(paths: Paths, step: StepNode, state: State) -> None:
    from flowdsl.checker.branching import attempt

    attempt(paths, step, state)


def _parallel(paths: Paths, step: StepNode, state: State) -> None:
    from flowdsl.checker.branching import parallel

    parallel(paths, step, state)


def _loop(paths: Paths, step: StepNode, state: State) -> None:
    from flowdsl.checker.repeating import loop

    loop(paths, step, state)


def _call(paths: Paths, step: StepNode, state: State) -> None:
    from flowdsl.checker.calling import call

    call(paths, step, state)


def _signal(paths: Paths, step: StepNode, state: State) -> None:
    from flowdsl.checker.branching import signal

    signal(paths, step, state)


SHAPES: Final[dict[str, Callable[[Paths, StepNode, State], None]]] = {
    "leaf": leaf,
    "block": block,
    "choice": _choice,
    "loop": _loop,
    "try": _try,
    "parallel": _parallel,
    "call": _call,
    "signal": _signal,
}
"""What a step does to the state, by its shape; those with blocks are imported when a flow has them."""


def line(step: StepNode) -> int:
    """The line a step begins at."""
    return step.name_node.span.first.line
