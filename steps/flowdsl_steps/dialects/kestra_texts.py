"""The expressions of a Kestra flow: which names they can read where they stand, and what is said of others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.document.dialects import Findings, Node, made
from flowdsl.nearest import nearest
from flowdsl.step.spec import is_templated
from flowdsl.syntax.scalars import span_in
from flowdsl.template import Reference, parse
from flowdsl.template.foreign import ForeignText
from flowdsl.template.problems import Mistake
from flowdsl_steps.dialects.kestra_inputs import Declared
from flowdsl_steps.expressions.pebble import TEXT, Finish, Pebble, converted, names_in
from flowdsl_steps.expressions.pebble_names import ROOTS, output_key

_PARTS: Mapping[str, tuple[str, ...]] = {
    "flow": ("id", "namespace", "revision"),
    "execution": ("id", "startDate", "state"),
    "task": ("id", "type"),
}
_NOT_HERE: Mapping[str, str] = {
    "taskrun.id": "write `execution.id`, or `uuid()`",
    "taskrun.startDate": "write `now()`",
    "taskrun.attemptsCount": "take it out: a task knows nothing of its attempts here",
    "item.key": "of a map write `fromJson(item.value).key`",
    "item.parent": "give the values of the outer loop in those of the inner one",
    "item.parents": "give the values of the outer loop in those of the inner one",
}
"""What Kestra knows of a task or an item, and is not known here."""
_RENDER = re.compile(r"\brender(?:Once)?\(")
_RENDERED = re.compile(r"\brender(?:Once)?\(\s*vars\.(\w+)\s*\)")
NEUTRAL = "{{ ' ' }}"
"""A value that nobody knows before the run, in place of one with a mistake of its own: so it is told only once."""


class Scope:
    """What the expressions of a flow can read: it grows with each task. `inputs` and `vars` are those of the flow."""

    def __init__(self, findings: Findings, declared: Declared, vars: Mapping[str, Node]) -> None:
        self.findings = findings
        self.inputs = declared.inputs
        self.moved = declared.moved
        self.vars = vars
        self.labels: set[str] = set()
        self.ids: dict[str, Node] = {}
        """Every task of the flow by its id."""
        self.outputs: dict[str, tuple[str, ...] | None] = {}
        """The attributes of each task whose outputs are there by now; None where all are taken."""
        self.inner: dict[str, str] = {}
        """Tasks whose outputs ended with a Loop, each with the id of that."""
        self.loops: list[str] = []
        """The kinds of the loops around."""
        self.used: set[str] = set()
        """The names that are read."""
        self._known = 0

    def text(self, node: Node, finish: Finish | None = None) -> Node:
        """A property that may hold expressions; `finish` makes a value of its text, where it is no text."""
        if node.kind != "scalar":
            return self.inside(node)
        value = node.value
        if not isinstance(value, str) or not ("{" in value or finish is not None):
            return node
        if finish is not None and not is_templated(value):
            return made(finish.make(value), node.span)
        found = self.expression(node, self.language(finish))
        if found is not None:
            return found
        unknown = NEUTRAL if finish is None else ForeignText("{{ uuid() }}", self.language(finish))
        return made(unknown, node.span)

    def language(self, finish: Finish | None = None) -> Pebble:
        """The language of the flow's expressions."""
        return TEXT if finish is None and not self.moved else converted(finish, self.moved)

    def inside(self, node: Node) -> Node:
        """A list or map whose texts may hold expressions."""
        if node.kind == "scalar":
            return self.text(node)
        if node.kind == "list":
            return made([self.inside(item) for item in node.value], node.span)
        found = made({key: self.inside(item) for key, item in node.value.items()}, node.span)
        found.keys = dict(node.keys)
        return found

    def expression(self, node: Node, language: Pebble) -> Node | None:
        """The node of a text with expressions; None where it has mistakes, which are told."""
        text = ForeignText(node.value, language)
        template = parse(text)
        known = self._known = len(self.findings.diagnostics)
        for problem in template.problems:
            span = span_in(node, problem.start, problem.end)
            hint = problem.hint
            fix = None
            if hint is not None and (found := re.fullmatch(r"(?:did you mean|write) `(\w+)`\??", hint)) is not None:
                from flowdsl.syntax.edits import instead

                fix = instead(span, node.value[problem.start : problem.end], found[1], style=node.style)
            self.findings.add(problem.code, problem.message, span, hint=hint, fixes=[fix])
        for reference in names_in(node.value, self.moved) if not template.problems else ():
            self._read(reference, node)
        for name in _RENDERED.findall(node.value):
            if name in self.vars:
                self._rendered(self.vars[name])
        if len(self.findings.diagnostics) > known:
            return None
        return Node("scalar", text, node.source, node.start, node.end, node.style)

    def _rendered(self, node: Node) -> None:
        """Looks at the expressions of a variable that is rendered."""
        for each in _texts(node):
            self.expression(each, self.language())

    def _rendered_names(self, text: str) -> set[str]:
        """The names that `render` may come to in a text: all, unless it renders variables that read nothing but others
        and the flow's own names."""
        names, seen, waiting = {"vars"}, set[str](), _RENDERED.findall(text)
        if len(waiting) < len(_RENDER.findall(text)):
            return {*ROOTS}
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.vars:
                continue
            seen.add(name)
            for reference in (each for inner in _texts(self.vars[name]) for each in _names(inner.value)):
                if reference.root != "flowContext" or reference.path[:1] not in (("vars",), ("flow",)):
                    return {*ROOTS}
                names.add(reference.path[0])
                waiting += reference.path[1:2] if reference.path[0] == "vars" else ()
        return names

    def _read(self, reference: Reference, node: Node) -> None:
        """Looks whether what an expression reads will be there."""
        root, path = reference.root, reference.path
        if root == "inputs":
            self.used.add(root)
            if path and any(id.startswith(f"{path[0]}.") for id in self.inputs) and path[0] not in self.inputs:
                self._nested(reference, node, ".".join(path))
            elif path and path[0] not in self.inputs:
                self._missing(reference, node, f"inputs.{path[0]}", self.inputs, "inputs", path[0])
            return
        if not path:
            self.used |= self._rendered_names(node.value)
            return
        name, written = path[0], node.value[reference.start :]
        if written.startswith("outputs"):
            self._output(reference, node, name, path[1:])
            return
        self.used.add(name)
        if name not in ROOTS or name == "outputs":
            self._unknown_root(reference, node, name)
        elif name == "vars" and len(path) > 1:
            if path[1] not in self.vars:
                self._missing(reference, node, f"vars.{path[1]}", self.vars, "variables", path[1])
        elif name in _PARTS and len(path) > 1 and path[1] not in _PARTS[name]:
            self._missing(reference, node, f"{name}.{path[1]}", _PARTS[name], name, path[1])
        elif name == "envs" and not reference.guarded:
            hint = "declare an input, or write `kv('NAME')`, which reads the environment variable NAME"
            self._add(reference, node, f"`{'.'.join(path)}` is not known here", hint)
        elif name == "labels" and not self.labels and not reference.guarded:
            self._add(reference, node, "the flow has no `labels`", "write `labels:`, and a name and a value below it")
        elif name in ("taskrun", "parent", "parents", "item", "iteration"):
            self._loop_name(reference, node, name, path)

    def _nested(self, reference: Reference, node: Node, name: str) -> None:
        """Looks at an input that is read where there are some with dots in their ids."""
        inner = [id for id in self.inputs if id.startswith(f"{name}.")]
        if name in self.inputs or reference.guarded:
            return
        if inner:
            message, hint = f"`inputs.{name}` holds other inputs, and is none itself", f"write `inputs.{inner[0]}`"
            self._add(reference, node, message, hint)
            return
        self._missing(reference, node, f"inputs.{name}", self.inputs, "inputs", name)

    def _loop_name(self, reference: Reference, node: Node, name: str, path: tuple[str, ...]) -> None:
        if reference.guarded:
            return
        instead = _NOT_HERE.get(".".join(path[:2]))
        if instead is not None:
            self._add(reference, node, f"`{'.'.join(path[:2])}` is not known here", instead)
            return
        if name == "iteration":
            if "breakWhen" not in self.loops:
                self._add(reference, node, f"`{'.'.join(path)}` is there in `breakWhen` of a Loop alone", None)
            return
        wanted = {"item": "Loop"}.get(name, "ForEach")
        if wanted not in self.loops:
            message = f"`{'.'.join(path)}` is there inside a {wanted} alone"
            other = {"ForEach": "`taskrun.value`", "Loop": "`item.value`"}
            hint = f"in a {self.loops[-1]} write {other[self.loops[-1]]}" if self.loops else None
            self._add(reference, node, message, hint)

    def _output(self, reference: Reference, node: Node, key: str, rest: tuple[str, ...]) -> None:
        """Looks at the outputs of a task."""
        ids = {output_key(id): id for id in self.ids}
        id = ids.get(key)
        if id is None:
            if reference.guarded:
                return
            self._missing(reference, node, f"outputs.{key}", self.ids, "tasks", key)
            return
        if id not in self.outputs:
            if not reference.guarded and id in self.inner:
                loop = self.inner[id]
                message = f"the outputs of `{id}` end with the iterations of the Loop `{loop}`"
                hint = f"declare them in its `outputs`, and write `loopOutputs(outputs.{loop}.outputs, 'ID')`"
                self._add(reference, node, message, hint)
            elif not reference.guarded:
                self._add(reference, node, f"the task `{id}` has no outputs yet here", "it runs later, or side by side")
            return
        known = self.outputs[id]
        if known is not None and rest and rest[0] not in known and not reference.guarded:
            near = nearest(rest[0], known)
            hint = f"did you mean `{near}`?" if near else f"it has {', '.join(known) or 'none'}"
            self._add(reference, node, f"the task `{id}` has no output `{rest[0]}`", hint, rest[0], near)

    def _unknown_root(self, reference: Reference, node: Node, name: str) -> None:
        if reference.guarded:
            return
        if name == "trigger":
            self._add(reference, node, "no trigger starts this run", "write `trigger.date ?? now()`")
            return
        if node.value[: reference.start].endswith("-") and len(self.findings.diagnostics) > self._known:
            return  # the rest of a name with a dash, of which the beginning was told
        for where, names in (("inputs", self.inputs), ("vars", self.vars), ("outputs", self.ids)):
            if name in names:
                self._add(reference, node, f"there is no `{name}`", f"write `{where}.{name}`", name, f"{where}.{name}")
                return
        self._missing(reference, node, name, sorted(ROOTS), "names", name)

    def _missing(self, reference: Reference, node: Node, shown: str, names: Any, what: str, name: str) -> None:
        if reference.guarded:
            return
        whole = next((each for each in names if each.startswith(f"{name}-")), None)
        if node.value[reference.end : reference.end + 1] == "-" and whole is not None:
            hint = f"write `{shown.partition('.')[0]}['{whole}']`: a dash in a name subtracts"
            self._add(reference, node, f"there is no `{shown}`", hint)
            return
        near = nearest(name, names)
        listed = ", ".join(names)
        there = f"`{what}` has {listed}" if what in _PARTS else f"the {what} are {listed}"
        there = there if names else f"the flow has no {what}"
        self._add(reference, node, f"there is no `{shown}`", f"did you mean `{near}`?" if near else there, name, near)

    def _add(
        self,
        reference: Reference,
        node: Node,
        message: str,
        hint: str | None,
        old: str | None = None,
        new: str | None = None,
    ) -> None:
        span = span_in(node, reference.start, reference.end)
        fix = None
        if old is not None and new is not None and (at := node.value.find(old, reference.start)) >= 0:
            from flowdsl.syntax.edits import instead

            fix = instead(span_in(node, at, at + len(old)), old, new, style=node.style)
        self.findings.add("undefined-variable", message, span, hint=hint, fixes=[fix])


def _names(text: str) -> tuple[Reference, ...]:
    """The names that a text reads; none where it cannot be read, which is told elsewhere."""
    try:
        return names_in(text)
    except Mistake:
        return ()


def _texts(node: Node) -> Iterator[Node]:
    """The texts with expressions in a node."""
    if node.kind == "scalar":
        if isinstance(node.value, str) and is_templated(node.value):
            yield node
        return
    for child in node.value if node.kind == "list" else node.value.values():
        yield from _texts(child)
