"""The keys of one step: which are common, which its own, and which it does not have."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Related
from flowdsl.document.builder import Builder
from flowdsl.document.document import PortName
from flowdsl.nearest import nearest
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.step.flow_shapes import Choice, FlowShape, Loop, Try
from flowdsl.step.key import CONTEXT_PATH, PLAIN_NAME, Key, is_templated, plain_name
from flowdsl.step.problem import show
from flowdsl.step.spec import IDENTIFIER, StepSpec
from flowdsl.syntax import fixes
from flowdsl.syntax.edits import line_end
from flowdsl.syntax.node import Node, content_start

if TYPE_CHECKING:
    from flowdsl.diagnostics import Fix
    from flowdsl.step.foreign import Word

_LETTERS = "use letters, digits and _, and start with a letter or _"


class StepKeys:
    """Sorts the keys of a step into common and own ones, and reports those it does not have."""

    id: str | None = None
    label: Node | None = None
    inputs: tuple[PortName, ...] = ()
    outputs: tuple[PortName, ...] = ()
    service: Node | None = None
    misspelt = False

    def __init__(self, spec: StepSpec, node: Node, builder: Builder) -> None:
        self.spec = spec
        self.node = node
        self.builder = builder
        self.findings = builder.findings
        self.keys: dict[str, Node] = {}
        self.key_nodes = node.keys
        own, keys = spec.keys, self.keys
        for name, value in node.value.items():
            if name in own and name != "step":
                keys[name] = value
            elif name != "step" and not self._common(name, value):
                self._other(name, value)
        if spec.service is not None and (options := node.value.get("options")) is not None:
            self._options(options)
        if self.outputs and spec.writes_to in keys:
            self._written_under(keys[spec.writes_to])

    def _common(self, name: str, value: Node) -> bool:
        """Takes a key that every step has; whether it is one."""
        if name == "monitorLabel":
            self.label = value
        elif name == "id":
            self.id = self._plain_name(value)
        elif name == "inputs":
            self.inputs = self._ports(value, name)
        elif name == "outputs":
            self.outputs = self._ports(value, name)
        elif name == "service" and self.spec.service is not None:
            self.service = value
            if not isinstance(value.value, str):
                message = f"`service` takes the name of a service entry, not {show(value.plain())}"
                self.findings.add("wrong-type", message, value)
        else:
            return name == "options" and self.spec.service is not None
        return True

    def _other(self, name: str, value: Node) -> None:
        """Takes a key that is neither common nor one of the step's present ones."""
        spec, key = self.spec, self.node.keys[name]
        if name in spec.deprecated_keys:
            self._deprecated(name, value)
        elif spec.sets_other_keys:
            self.keys[name] = value
            if not (name.isascii() and name.isidentifier()):
                self.findings.add("wrong-pattern", f"`{name}` cannot be the name of a variable", key, hint=_LETTERS)
        else:
            self._no_key(name, value)

    def _no_key(self, name: str, value: Node) -> None:
        """Reports a key that the step does not have."""
        from flowdsl.step.foreign import key_word

        spec, key = self.spec, self.node.keys[name]
        if (word := key_word(spec.name, name, value.value)) is not None:
            self._foreign(name, value, word)
        elif name in _OTHERS:
            hint, fix = self._instead(name, value)
            self.findings.add("unknown-key", f"`{name}` is not a key of {spec.name}", key, hint=hint, fixes=[fix])
        else:
            self._unknown(key)

    def _foreign(self, name: str, value: Node, word: Word) -> None:
        """Reports a key that other tools have, and takes it for what it is here, so that nothing else is missing."""
        spec, key, meant = self.spec, self.node.keys[name], word.name
        if meant is not None and word.times == 1:
            meant = self._fitting(name, meant, value)
        hint, fix = word.hint, fixes.removed(self.node, name) if word.goes else None
        if word.lifted:
            fix = fixes.lifted(self.node, name)
            inner = {each: it for each, it in value.value.items() if each in spec.keys} if value.kind == "map" else {}
            self.keys.update({each: it for each, it in inner.items() if each not in self.node.value})
            self.key_nodes = {**{each: value.keys[each] for each in inner}, **self.key_nodes}
        self.misspelt |= name == "<<"  # which may hold any key
        if meant is not None and meant not in spec.keys and meant not in COMMON_KEYS:
            return self._unknown(key)
        if meant is not None and meant in self.node.value:
            hint, fix = f"remove it: `{meant}` is given", fixes.removed(self.node, name)
        elif meant is not None:
            hint, fix = f"write `{meant}`", fixes.renamed(key, meant)
            if word.times != 1:
                number = value.value * word.times
                value_fix = fixes.renamed(value, number)
                hint = f"write `{meant}: {number}`: it counts milliseconds"
                fix = fixes.together((fix, value_fix), title=f"write `{meant}: {number}`")
            elif meant in spec.keys:
                self.keys[meant] = value
                self.key_nodes = {meant: key, **self.key_nodes}
        self.findings.add("unknown-key", f"`{name}` is not a key of {spec.name}", key, hint=hint, fixes=[fix])
        return None

    def _fitting(self, name: str, meant: str, value: Node) -> str:
        """The key that is meant: another one that is near, where that one is given already or does not take the value,
        as in `var: city` and `item: [Lisbon, Porto]`."""
        own = self.spec.keys
        if meant not in own or (meant not in self.node.value and _takes(own[meant], value)):
            return meant
        absent = [other for other in own if other not in self.node.value]
        return nearest(name, [other for other in absent if _takes(own[other], value)]) or nearest(name, absent) or meant

    def _unknown(self, key: Node) -> None:
        from flowdsl.document.misnested import owner

        outer = owner(key.span, self.builder.registry, around=True)
        if outer is not None:
            message = f"`{key.value}` is a key of {outer.name.text}, and its indentation puts it into {self.spec.name}"
            related = (Related(outer.name, f"this {outer.name.text}"),)
            self.findings.add(
                "misnested-key", message, key, hint=outer.hint, related=related, fixes=[outer.fix(key.span)]
            )
            return
        names = [*self.spec.keys, *COMMON_KEYS]
        spec = self.spec
        near = self.findings.unknown_key(key, names, spec.name, spec.deprecated_keys, beside=self.node.value)
        self.misspelt |= near is not None
        if near in spec.keys and near not in self.node.value:
            self.keys[near] = self.node.value[key.value]
            self.key_nodes = {near: key, **self.key_nodes}

    def _instead(self, name: str, value: Node) -> tuple[str, Fix | None]:
        """What does the work of a key that other languages have and ours does not, and the step wrapped in that where
        nothing else is needed for it."""
        what, fits = _OTHERS[name]
        hint, step = f"steps have no {what} of their own", self.builder.registry.with_shape(fits)
        if step is None:
            return hint, None
        spec = self.builder.registry.spec(step)
        head = None if spec is None or name in _OTHERWISE else _head(spec, value)
        title = f"wrap the step in {step}"
        return f"{hint}: {title}", None if head is None else fixes.wrapped(self.node, name, head, title=title)

    def _options(self, node: Node) -> None:
        """The keys under `options`: like the step's own, and weaker than those."""
        if node.kind != "map":
            self.findings.add("wrong-type", f"`options` takes a map, not {show(node.plain())}", node)
            return
        for name, value in node.value.items():
            if name not in self.spec.keys:
                where = f"the options of {self.spec.name}"
                self.findings.unknown_key(node.keys[name], self.spec.keys, where, beside=node.value)
            elif name not in self.keys:
                self.keys[name] = value
                self.key_nodes = {**self.key_nodes, name: node.keys[name]}

    def _written_under(self, named: Node) -> None:
        """Reports the key that names the first output where `outputs`, which comes before it, leaves that output out or
        gives it another name."""
        first, listed, key = self.spec.outputs[0].type, self.node.value["outputs"], str(self.spec.writes_to)
        types = {port.type for port in self.outputs}
        if len(self.outputs) < len(listed.value) or not types <= {port.type for port in self.spec.outputs}:
            return  # which is reported: what is wrong there may be meant as this output
        if not (isinstance(named.value, str) and named.value.isidentifier()):
            return  # as is this
        if first not in types:
            entry = f"{{type: {first}, name: {named.value}}}"
            message = f"`{key}` does nothing: `outputs` lists what is stored, and has no `{first}`"
            hint, fix = f"add `{entry}` to `outputs`", fixes.added_item(listed, entry)
            self.findings.add("no-effect", message, named, hint=hint, severity="error", fixes=[fix])
            self.findings.maybe_written.add(named.value)
        elif all(port.name != named.value for port in self.outputs if port.type == first):
            name = next(port.name for port in self.outputs if port.type == first)
            message = f"`{key}` does nothing: `outputs` names the `{first}` `{name}`"
            parents = (self.node, self.node.value.get("options"))
            parent = next((each for each in parents if each is not None and key in each.keys), None)
            if parent is not None:  # else it is misspelt, which is told first
                fix = fixes.removed(parent, key)
                self.findings.add("no-effect", message, named, hint=f"remove `{key}`", fixes=[fix])

    def _deprecated(self, old: str, value: Node) -> None:
        present, key = self.spec.deprecated_keys[old], self.node.keys[old]
        if present in self.node.value:
            related = (Related(self.node.keys[present].span, "conflicts with this"),)
            message = f"`{old}` is the old name of `{present}`, and both are given"
            fix = fixes.removed(self.node, old)
            hint = f"keep `{present}`"
            self.findings.add("conflicting-keys", message, key, hint=hint, related=related, fixes=[fix])
            return
        fix = fixes.renamed(key, present, safe=True)
        message, hint = f"`{old}` is an old name", f"write `{present}`"
        self.findings.add("deprecated-key", message, key, hint=hint, fixes=[fix])
        self.keys[present] = value
        self.key_nodes = {present: key, **self.key_nodes}

    def _plain_name(self, node: Node) -> str | None:
        if isinstance(node.value, str) and re.fullmatch(PLAIN_NAME, node.value):
            return node.value
        message = f"`id` is {show(node.plain())}, and must be a plain name"
        hint, fix = "use letters, digits, _, . and -, and begin with a letter or _", None
        if node.kind == "scalar" and (name := plain_name(node.source.text[content_start(node) : node.end])):
            hint, fix = f"{hint}, for example `{name}`", fixes.renamed(node, name)
        self.findings.add("wrong-pattern", message, node, hint=hint, fixes=[fix])
        return None

    def _ports(self, node: Node, key: str) -> tuple[PortName, ...]:
        """The entries of `inputs` or `outputs`: a list of maps with `type` and `name`."""
        ports = self.spec.inputs if key == "inputs" else self.spec.outputs
        offered = [port.type for port in ports]
        if node.kind != "list":
            message = f"`{key}` takes a list, not {show(node.plain())}"
            hint = f"write `{key}: [{{type: {offered[0] if offered else 'text'}, name: my_key}}]`"
            self.findings.add("wrong-type", message, node, hint=hint)
            return ()
        found = [self._port(item, key, offered) for item in node.value]
        return tuple(port for port in found if port is not None)

    def _port(self, item: Node, key: str, offered: list[str]) -> PortName | None:
        values = item.plain()
        is_port = isinstance(values, dict) and set(values) == {"type", "name"}
        if not is_port or not all(isinstance(value, str) for value in values.values()):
            self.findings.add("wrong-type", f"an entry of `{key}` is a map with `type` and `name`", item)
            return None
        type, name = item.value["type"], item.value["name"]
        if type.value not in offered:
            near = nearest(type.value, offered)
            hint = f"did you mean `{near}`?" if near else f"it has {', '.join(offered)}" if offered else None
            fix = fixes.renamed(type, near) if near else None
            message = f"{self.spec.name} has no {key[:-1]} of type `{type.value}`"
            self.findings.add("unknown-port", message, type, hint=hint, fixes=[fix])
        pattern = IDENTIFIER if key == "outputs" else CONTEXT_PATH
        if not re.match(pattern, name.value):
            wanted = "a plain identifier" if key == "outputs" else "a FlowContext path such as `selected.title`"
            self.findings.add("wrong-pattern", f"`name` is {show(name.value)}, and must be {wanted}", name)
        return PortName(type.value, name.value, name)


def _takes(key: Key, value: Node) -> bool:
    """Whether a key takes a value, as far as that is known before the run."""
    plain = value.plain()
    if isinstance(plain, str) and is_templated(plain):
        return not key.verbatim
    return plain is None or key.problem(plain) is None


def _decides(flow: FlowShape) -> bool:
    return isinstance(flow, Choice) and bool(flow.on)


def _catches(flow: FlowShape) -> bool:
    return isinstance(flow, Try)


def _walks(flow: FlowShape) -> bool:
    return isinstance(flow, Loop) and flow.items is not None


def _head(spec: StepSpec, value: Node) -> list[str] | None:
    """The lines of a step that does with a block what a value says; None where it would need more than that."""
    text, flow = value.source.text, spec.flow
    said = text[value.start : line_end(text, value.start)].rstrip()  # with the comment behind it
    is_template = isinstance(value.value, str) and is_templated(value.value)
    if not is_template and not (isinstance(flow, Loop) and value.kind == "list"):
        return None
    if isinstance(flow, Choice) and flow.on:
        return [f"step: {spec.name}", f"{flow.on[0]}: {said}", f"{flow.then}:"]
    if isinstance(flow, Loop) and flow.items and flow.item:
        return [f"step: {spec.name}", f"{flow.item}: item", f"{flow.items}: {said}", f"{flow.body}:"]
    return None


_OTHERWISE = ("unless",)
"""Keys whose condition is that of the block which is left out."""
_OTHERS: dict[str, tuple[str, Callable[[FlowShape], bool]]] = {
    **dict.fromkeys(("if", "when", "unless", "condition"), ("condition", _decides)),
    **dict.fromkeys(("retry", "retries"), ("retry", _catches)),
    **dict.fromkeys(("catch", "onError", "on_error"), ("error handling", _catches)),
    **dict.fromkeys(("for", "foreach", "loop", "with_items"), ("loop", _walks)),
}
"""Keys of steps in other languages: what they are for, and the shape of the steps that do that here."""
