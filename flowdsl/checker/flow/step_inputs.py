"""What a step works on: its inputs, and the options that hold it or the path to it. What is not there, or cannot be
worked on, is found here, before any step was paid for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from flowdsl.checker.flow.state import State
from flowdsl.checker.names.template_use import Part, Use
from flowdsl.checker.types.kinds import (
    ALL,
    BOOLEAN,
    ERROR,
    IMAGE,
    LIST,
    MAP,
    NULL,
    NUMERIC,
    OTHER,
    SECRET,
    TEXT,
    UNDEFINED,
    Type,
    describe,
    of_value,
    without,
)
from flowdsl.diagnostics import Related
from flowdsl.nearest import nearest
from flowdsl.step.key import CONTEXT_PATH, IDENTIFIER, Key
from flowdsl.step.problem import show
from flowdsl.step.spec import Port
from flowdsl.syntax import fixes

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.flow.state import Entry
    from flowdsl.checker.names.name_resolution import Names
    from flowdsl.codes import Severity
    from flowdsl.document.document import StepNode
    from flowdsl.source import Span
    from flowdsl.syntax.node import Node

READ: Final = {
    "text": (TEXT, "a text", 0),
    "number": (NUMERIC, "a number", 0),
    "boolean": (BOOLEAN, "a boolean", 0),
    "list": (LIST, "a list", 0),
    "map": (MAP | ERROR, "a map", 0),
    "image": (IMAGE, "an image", 0),
    "images": (LIST, "a list of images", IMAGE),
    "blob": (OTHER, "a blob", 0),
}
"""What a step can work on, as kinds and in words, and the kinds that items of a list must have."""
_PATH: Final = CONTEXT_PATH.replace("$", r"\Z")


FILE_PARTS: Final = {"content": "a file", "name": "the name of a file", "folder": "the name of a folder"}
"""What an option that is marked `InFile` becomes, in words."""


def check_inputs(names: Names, step: StepNode, state: State) -> None:
    """Looks at what a step reads from the FlowContext by itself: the inputs that the author names, and the others."""
    for port in step.inputs:
        entry = state.get(_first(port.name))
        if entry is None:
            if not state.open:
                _no_input(names, port.name, port.node, state)
        elif not entry.always:
            names.maybe(port.name, entry, port.node.span)
        elif entry.stale is not None:
            _stale(names, _first(port.name), port.name, entry, port.node.span)
    if step.spec.service is not None:
        _prompt(names, step, state)
        if len(step.spec.inputs) > 1:  # most read their prompt alone
            prompt = next((port for port in step.spec.inputs if port.instead), None)
            _ports(names, step, state, [port for port in step.spec.inputs if port is not prompt])
    else:
        _ports(names, step, state, step.spec.inputs)


def source_type(names: Names, step: StepNode, key: Key, node: Node, state: State) -> Type:
    """The type of an option that holds what the step works on, or the path to it; reports what cannot be that."""
    value = node.value
    if node.kind == "scalar" and isinstance(value, str) and "{" not in value:
        return _path(names, step, key, node, state)
    type = names.option(node, state)
    _fits(names, step, key, type, node, show(value) if node.kind == "scalar" else f"`{key.name}`", state)
    return type


def _stale(names: Names, key: str, shown: str, entry: Entry, span: Span) -> None:
    from flowdsl.checker.flow.stale import report

    report(names, key, shown, entry, span)


def _first(path: str) -> str:
    first, _, rest = path.partition(".")
    return rest.partition(".")[0] if first == "flowContext" and rest else first


def _path(names: Names, step: StepNode, key: Key, node: Node, state: State) -> Type:
    """The type of a text that may be a FlowContext path, and is itself when it is none."""
    text, takes_text = str(node.value), bool(_kinds(key) & TEXT)
    first, *rest = text.split(".")
    entry = state.get(first) if re.compile(_PATH).match(text) else None
    if entry is None:
        if not state.open:
            _no_path(names, step, key, node, state)
        return of_value(text)
    if not entry.always and not takes_text:
        names.maybe(first, entry, node.span)
    elif entry.stale is not None:
        _stale(names, first, first, entry, node.span)
    parts, at = [], len(first) + 1
    for part in rest:
        parts.append(Part(part, at, at + len(part)))
        at += len(part) + 1
    type = names.members(entry.type, parts, 0, first, Use(node, state, lax=False), takes_text)
    _fits(names, step, key, type, node, f"`{text}`", state)
    return type


def _no_path(names: Names, step: StepNode, key: Key, node: Node, state: State) -> None:
    """Reports a text that is no FlowContext path, where it cannot be anything else or a path is near."""
    text = str(node.value)
    first, _, rest = text.partition(".")
    fitting = [name for name in state.known_keys() if (entry := state.get(name)) and _is_any_of(key, entry.type)]
    near = nearest(text, fitting) if len(text.split()) == 1 else None
    if _kinds(key) & TEXT:
        if near is not None and re.compile(_PATH).match(text):
            message = f"nothing is called `{text}` here, so that {step.spec.name} works on this text itself"
            _undefined(names, message, node, near, warning=True)
        return
    if first == "flowContext" and state.get(_first(text)) is not None:
        near = rest
    elif first == "inputs" and rest:
        near = f"{{{{ {text} }}}}"
    message = f"nothing is called `{text}` at this step, and {step.spec.name} works on {_words(key)}"
    if near is None and (latest := _latest(key, state)) is not None:
        if "/" in text or "\\" in text or re.search(r"\.[A-Za-z0-9]{2,4}$", text):
            message = f"`{key.name}` names what a step before has set, and `{text}` is a file, which is not read"
        hint = f"write `{key.name}: {latest}`, which holds what a step before has made"
        names.findings.add("undefined-variable", message, node, hint=hint, fixes=[fixes.renamed(node, latest)])
    else:
        _undefined(names, message, node, near)


def _undefined(names: Names, message: str, node: Node, near: str | None, *, warning: bool = False) -> None:
    fix = fixes.renamed(node, near) if near else None
    hint = f"did you mean `{near}`?" if near else "name the FlowContext key that holds it"
    severity: Severity | None = "warning" if warning else None
    names.findings.add("undefined-variable", message, node, hint=hint, severity=severity, fixes=[fix])


def _listed(key: Key, node: Node, state: State) -> str | None:
    """What the only item of a list names that a step can work on: in brackets it is a list inside a list."""
    if len(node.value) != 1 or not isinstance(node.value[0].value, str):
        return None
    found = re.compile(_NAMED).fullmatch(node.value[0].value)
    entry = state.get(found[1]) if found is not None else None
    return found[1] if found is not None and entry is not None and _is_any_of(key, entry.type) else None


_NAMED: Final = r"(?:\{\{\s*)?(?:flowContext\.)?([A-Za-z_]\w*)(?:\s*\}\})?"


def _fits(names: Names, step: StepNode, key: Key, type: Type, node: Node, shown: str, state: State) -> None:
    kinds = type.kinds & ALL & ~(UNDEFINED | NULL)
    if type.is_any or not kinds or _is_any_of(key, type):
        return
    found = describe(without(type, UNDEFINED | NULL))
    if kinds == LIST and type.item is not None and type.item.kinds & ALL:
        found = f"a list, of which an item is {describe(type.item)}"
    message = f"{step.spec.name} works on {_words(key)}, and {shown} is {found}"
    hint = _unlike(key, type)
    fix = fixes.renamed(node, str(node.value)) if hint == _QUOTES and node.kind == "scalar" else None
    path = _listed(key, node, state) if node.kind == "list" else None
    inner = type.item.item if kinds == LIST and type.item is not None and type.item.kinds & ALL == LIST else None
    if hint == _OF_STEPS and inner is not None and inner.kinds & IMAGE and "images" in key.reads:
        hint = "each item is the pictures of one iteration: open these lists by `| flatten`"
        if isinstance(node.value, str) and re.fullmatch(IDENTIFIER, node.value):
            opened = f"{{{{ flowContext.{node.value} | flatten }}}}"
            hint, fix = f'write `{key.name}: "{opened}"`', fixes.renamed(node, opened)
    if path is None and hint == _OF_STEPS and step.keys.get(key.name) is node:
        path = _latest(key, state)
    if path is not None:
        hint = f"write `{key.name}: {path}`"
        fix = fixes.unlisted(node, path) if node.kind == "list" else fixes.renamed(node, path)
    names.findings.add("wrong-type", message, node, hint=hint, fixes=[fix])


def _is_any_of(key: Key, type: Type) -> bool:
    return any(_is_read(each, type) for each in key.reads)


def _is_read(name: str, type: Type) -> bool:
    """Whether a value of a type may be what this word of `Reads` says."""
    kinds, _, items = READ[name]
    if not type.kinds & kinds:
        return bool(kinds & IMAGE and type.kinds & MAP and type.open)  # a host may give a picture for any object
    item = type.item if items else None
    return item is None or not item.kinds & ALL or bool(item.kinds & items)


def _kinds(key: Key) -> int:
    found = 0
    for name in key.reads:
        found |= READ[name][0]
    return found


def _unlike(key: Key, type: Type) -> str | None:
    if _kinds(key) & TEXT and type.kinds & (LIST | MAP | IMAGE):
        return "name one of its members, or make it a text: `| json`"
    return _OF_STEPS if _kinds(key) & IMAGE else _QUOTES if type.kinds & NUMERIC else None


_OF_STEPS: Final = "image steps give images"
_QUOTES: Final = "put it in quotes"


def _words(key: Key) -> str:
    *most, last = [READ[name][1] for name in key.reads]
    return f"{', '.join(most)} or {last}" if most else last


def _latest(key: Key, state: State) -> str | None:
    """The key of the FlowContext that a step set last and the step can surely work on; one that holds images first,
    where it works on those."""
    found = [
        (_holds_images(key, entry.type), entry.where.start, name)
        for name in state.known_keys()
        if (entry := state.get(name)) is not None
        and entry.where is not None
        and entry.always
        and not entry.type.is_any
        and (entry.type.kinds & ALL == TEXT if _kinds(key) & TEXT else _is_any_of(key, entry.type))
    ]
    return max(found)[2] if found else None


def _holds_images(key: Key, type: Type) -> bool:
    item = type.item if type.kinds & LIST else type
    return bool(_kinds(key) & IMAGE) and item is not None and item.kinds & ALL == IMAGE


def leaks(findings: Findings, node: Node, where: str) -> None:
    """Reports that a secret can come to `where`, a word such as `the prompt`."""
    hint = "a secret belongs into a service entry or a header"
    findings.add("secret-leak", f"a secret can reach {where}", node, hint=hint)


def _no_input(names: Names, name: str, node: Node, state: State) -> None:
    near = nearest(name, list(state.known_keys()))
    hint = names.findings.how_to_set(" before, or declare it under `inputs:`")
    hint = f"did you mean `{near}`?" if near else hint
    fix = fixes.renamed(node, near) if near else None
    message = f"`{name}` is not set by any step before this one"
    names.findings.add("undefined-variable", message, node, hint=hint, fixes=[fix])


def _ports(names: Names, step: StepNode, state: State, inputs: Iterable[Port]) -> None:
    """Looks at the inputs that a step reads because no key says what it works on."""
    ports = [port for port in inputs if port.instead or port.needed]
    named = {port.type for port in step.inputs}
    if not ports or any(port.type in named for port in ports) or step.misspelt or names.findings.misindented:
        return
    if any(step.given(port.instead) for port in ports):
        return
    entries = [(port, entry) for port in ports if (entry := state.get(port.type)) is not None]
    if not entries:
        if not state.open:
            _nothing(names, step, ports, state)
        return
    if not any(entry.always for _, entry in entries):
        names.maybe(entries[0][0].type, entries[0][1], step.name_node.span)
    elif len(entries) == 1 and entries[0][1].stale is not None:
        _stale(names, entries[0][0].type, entries[0][0].type, entries[0][1], step.name_node.span)
    key = next((step.spec.keys[name] for port in ports for name in port.instead if name in step.spec.keys), None)
    if key is not None and key.file and any(entry.type.kinds & SECRET for _, entry in entries):
        leaks(names.findings, step.name_node, FILE_PARTS[key.file])
    if key is not None and key.reads and len(entries) == len(ports) == 1:
        _fits(names, step, key, entries[0][1].type, step.name_node, f"`{entries[0][0].type}`", state)


def _nothing(names: Names, step: StepNode, ports: list[Port], state: State) -> None:
    types = " or ".join(f"`{port.type}`" for port in ports)
    keys = list(dict.fromkeys(name for port in ports for name in port.instead))
    key = step.spec.keys.get(keys[0]) if keys else None
    without_key = f"no `{keys[0]}`, and " if keys else ""
    message = f"{step.spec.name} has nothing to work on: {without_key}no step before it sets {types}"
    near = _latest(key, state) if key is not None else None
    hint = names.findings.how_to_set(" before") if not keys else f"add `{keys[0]}:` with what it works on"
    fix = None
    if near is not None:
        hint, fix = f"did you mean `{keys[0]}: {near}`?", fixes.added(step.node, f"{keys[0]}: {near}")
    names.findings.add("missing-input", message, step.name_node, hint=hint, fixes=[fix])


def _prompt(names: Names, step: StepNode, state: State) -> None:
    """Looks at the input that a step of a service reads when the author gives no key that stands in for it."""
    for port in step.spec.inputs:
        if port.instead:
            break
    else:
        return
    for key in port.instead:
        if key in step.keys:
            return
    if step.inputs and any(named.type == port.type for named in step.inputs):
        return
    entry = state.get(port.type)
    if entry is None:
        if not state.open and not _named_otherwise(names, step, port, state):
            from flowdsl.checker.options import without_text

            without_text(step, names.document, names.findings)
    elif not entry.always:
        names.maybe(port.type, entry, step.name_node.span)
    elif entry.stale is not None:
        _stale(names, port.type, port.type, entry, step.name_node.span)
    elif entry.type.kinds & SECRET:
        leaks(names.findings, step.name_node, "the prompt")


def _named_otherwise(names: Names, step: StepNode, port: Port, state: State) -> bool:
    """Reports a missing prompt that a step above sets under another name, which the older form takes beside it."""
    for name in state.known_keys():
        entry = state.get(name)
        where = entry.where if entry is not None else None
        if where is not None and where.value == port.type != name:
            key, value = port.instead[0], f"{{{{ flowContext.{name} }}}}"
            message = f"no prompt: the step above sets `{name}` and not `{port.type}`, because `name` beside it says so"
            hint = f'write `{key}: "{value}"`, or leave `name` out above: that is the older form'
            related = (Related(where.span, f"sets `{name}`"),)
            fix = fixes.added(step.node, f'{key}: "{value}"')
            names.findings.add("missing-prompt", message, step.name_node, hint=hint, related=related, fixes=[fix])
            return True
    return False


def counted(step: StepNode, port: Port, type: Type) -> Type:
    """The type of an output whose items another key counts: with that number of items where it is known."""
    key = step.spec.keys.get(port.counted_by)
    if key is None or type.item is None:
        return type
    node = step.keys.get(port.counted_by)
    number = node.value if node is not None else key.default if key.default is not None else 1
    if number.__class__ is not int or not 0 < number <= _MOST:
        return type
    return Type(type.kinds, type.item, fixed=(type.item,) * number)


_MOST: Final = 16
