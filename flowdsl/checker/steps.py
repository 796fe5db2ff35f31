"""One step: its name, its keys, its options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flowdsl.checker.findings import MISSING, Findings
from flowdsl.checker.flow.jumps import check_jumps
from flowdsl.checker.judgements import problems_of
from flowdsl.checker.references import check_expression, resolved_value
from flowdsl.diagnostics import Diagnostic, Related
from flowdsl.document.document import BlockNode, Document, PortName, StepNode
from flowdsl.nearest import nearest
from flowdsl.source import Span
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.step.flow_shapes import Choice, FlowShape, Leaf, Loop, Try
from flowdsl.step.rules import UNKNOWN, Options, Problem, show
from flowdsl.step.spec import BLOCK_TYPES, IDENTIFIER, StepSpec
from flowdsl.syntax.scalars import span_in
from flowdsl.syntax.yaml_reader import Node

if TYPE_CHECKING:
    from flowdsl.step.registry import Registry
    from flowdsl.step.service import Service

_IDENTIFIER = re.compile(IDENTIFIER)


def make_steps(node: Node, path: str, findings: Findings) -> list[StepNode]:
    """The steps of a flow, with every mistake of their form reported."""
    steps = _list_of_steps(node, path, findings)
    check_jumps(steps, findings)
    return steps


def _list_of_steps(node: Node, path: str, findings: Findings) -> list[StepNode]:
    steps: list[StepNode] = []
    if node.kind != "list":
        findings.add(
            "wrong-type",
            f"a list of steps is needed here, not {show(node.plain())}",
            node,
            hint="start each step with `- step: NAME`",
        )
        return steps
    for index, item in enumerate(node.value):
        step = _step(item, f"{path}[{index}]", findings, steps[-1] if steps else None)
        if step is not None:
            steps.append(step)
    return steps


def _step(node: Node, path: str, findings: Findings, above: StepNode | None) -> StepNode | None:
    if node.kind != "map":
        name = node.value if isinstance(node.value, str) and findings.settings.registry.spec(node.value) else "NAME"
        findings.add("wrong-type", f"a step is a map, not {show(node.plain())}", node, hint=f"write `- step: {name}`")
        return None
    name_node = node.value.get("step")
    if name_node is None:
        _without_name(node, findings, above)
        return None
    name = name_node.value
    spec = findings.settings.registry.spec(name) if isinstance(name, str) else None
    if spec is None:
        _unknown_step(node, name_node, findings)
        return None
    if name != spec.name:
        findings.add(
            "deprecated-alias", f"`{name}` is an old name", name_node, hint=f"write `{spec.name}`", severity="note"
        )
    step = StepNode(spec, node, path)
    _sort_keys(step, findings)
    if not isinstance(spec.flow, Leaf):
        _make_blocks(step, findings)
    return step


OUTPUT_TYPES = ("text", "object", "list", "imageList", "image", "blob", "error")
"""What a step that is not known may write."""


def _unknown_step(node: Node, name_node: Node, findings: Findings) -> None:
    """Reports a step that does not exist; what it may write is not reported as undefined."""
    registry, name = findings.settings.registry, name_node.value
    near = registry.nearest(name) if isinstance(name, str) else None
    some = ", ".join(list(registry)[:8])
    hint = f"did you mean `{near}`?" if near else f"`flowdsl steps` lists them; there are {some}"
    shown = name if isinstance(name, str) else show(name_node.plain())
    findings.add("unknown-step", f"Step not found: {shown}", name_node, hint=hint)
    findings.maybe_written.update(node.value, OUTPUT_TYPES)


def _without_name(node: Node, findings: Findings, above: StepNode | None) -> None:
    """A list item without `step`: keys that belong to the step above, a misspelt `step`, or nothing we know."""
    keys = list(node.value)
    near = next((key for key in keys if key != "step" and nearest(key, ("step",))), None)
    if near:
        findings.add("unknown-key", f"`{near}` is not a key of a step", node.keys[near], hint="did you mean `step`?")
    elif (
        above is not None
        and keys
        and keys[0] in above.spec.keys
        and all(key in above.spec.keys or key in COMMON_KEYS for key in keys)
    ):
        findings.add(
            "misnested-key",
            f"`{keys[0]}` belongs inside the step above, and its dash makes it a step of its own",
            node.keys[keys[0]],
            hint="remove the dash and line it up with the keys of that step",
            related=(Related(above.name_node.span, "the step above"),),
        )
    else:
        at = node.keys[keys[0]] if keys else node
        registry = findings.settings.registry
        meant = next((name for key in keys if (name := _named(key, registry))), None)
        hint = f"write `- step: {meant}`, and its keys below `step`" if meant else "start it with `- step: NAME`"
        findings.add("missing-key", "a step needs `step: NAME`, and this one has none", at, hint=hint)


def _named(key: str, registry: Registry) -> str | None:
    """The step whose name, perhaps misspelt, stands in place of a key."""
    return key if registry.spec(key) else registry.nearest(key) if key.isupper() else None


def _sort_keys(step: StepNode, findings: Findings) -> None:
    """Sorts the keys of a step into common and own ones; reports those it does not have."""
    spec, node = step.spec, step.node
    for name, value in node.value.items():
        if name in spec.keys and name != "step":
            step.keys[name] = value
        elif name == "step":
            continue
        elif name == "monitorLabel":
            step.label = value
        elif name == "id":
            step.id = _identifier(value, "id", findings)
        elif name == "inputs":
            step.inputs = _ports(value, name, spec, findings)
        elif name == "outputs":
            step.outputs = _ports(value, name, spec, findings)
        elif name == "service" and spec.service is not None:
            step.service = value
            if not isinstance(value.value, str):
                findings.add(
                    "wrong-type", f"`service` takes the name of a service entry, not {show(value.plain())}", value
                )
        elif name == "options" and spec.service is not None:
            continue
        elif name in spec.deprecated_keys:
            _deprecated_key(step, name, value, findings)
        elif spec.sets_other_keys:
            step.keys[name] = value
            if not _IDENTIFIER.match(name):
                findings.add(
                    "wrong-pattern",
                    f"`{name}` cannot be the name of a variable",
                    node.keys[name],
                    hint="use letters, digits and _, and start with a letter or _",
                )
        elif (hint := _instead(name, findings)) is not None:
            findings.add("unknown-key", f"`{name}` is not a key of {spec.name}", node.keys[name], hint=hint)
        else:
            names = [*spec.keys, *COMMON_KEYS]
            step.misspelt |= findings.unknown_key(node.keys[name], names, spec.name, spec.deprecated_keys)
    _options(step, findings)


def _instead(name: str, findings: Findings) -> str | None:
    """What does the work of a key that other languages have and ours does not."""
    if name not in _OTHERS:
        return None
    what, fits = _OTHERS[name]
    hint, step = f"steps have no {what} of their own", findings.settings.registry.with_shape(fits)
    return f"{hint}: wrap the step in {step}" if step is not None else hint


def _decides(flow: FlowShape) -> bool:
    return isinstance(flow, Choice) and bool(flow.on)


def _catches(flow: FlowShape) -> bool:
    return isinstance(flow, Try)


def _walks(flow: FlowShape) -> bool:
    return isinstance(flow, Loop) and flow.items is not None


_OTHERS: dict[str, tuple[str, Callable[[FlowShape], bool]]] = {
    **dict.fromkeys(("if", "when", "unless", "condition"), ("condition", _decides)),
    **dict.fromkeys(("retry", "retries"), ("retry", _catches)),
    **dict.fromkeys(("catch", "onError", "on_error"), ("error handling", _catches)),
    **dict.fromkeys(("for", "foreach", "loop", "with_items"), ("loop", _walks)),
}
"""Keys of steps in other languages: what they are for, and the shape of the steps that do that here."""


def _options(step: StepNode, findings: Findings) -> None:
    """The keys under `options`: like the step's own, and weaker than those."""
    node = step.node.value.get("options")
    if node is None or step.spec.service is None:
        return
    if node.kind != "map":
        findings.add("wrong-type", f"`options` takes a map, not {show(node.plain())}", node)
        return
    for name, value in node.value.items():
        if name not in step.spec.keys:
            findings.unknown_key(node.keys[name], step.spec.keys, f"the options of {step.spec.name}")
        elif name not in step.keys:
            step.keys[name] = value
            step.node.keys[name] = node.keys[name]


def _deprecated_key(step: StepNode, old: str, value: Node, findings: Findings) -> None:
    present = step.spec.deprecated_keys[old]
    key = step.node.keys[old]
    if present in step.node.value:
        related = (Related(step.node.keys[present].span, "conflicts with this"),)
        findings.add(
            "conflicting-keys",
            f"`{old}` is the old name of `{present}`, and both are given",
            key,
            hint=f"keep `{present}`",
            related=related,
        )
        return
    findings.add("deprecated-key", f"`{old}` is an old name", key, hint=f"write `{present}`", severity="warning")
    step.keys[present] = value
    step.node.keys.setdefault(present, key)


def _identifier(node: Node, key: str, findings: Findings) -> str | None:
    if isinstance(node.value, str) and re.fullmatch(r"[A-Za-z_][\w.-]*", node.value):
        return node.value
    findings.add(
        "wrong-pattern",
        f"`{key}` is {show(node.plain())}, and must be a plain name",
        node,
        hint="use letters, digits, _, . and -",
    )
    return None


def _ports(node: Node, key: str, spec: StepSpec, findings: Findings) -> tuple[PortName, ...]:
    """The entries of `inputs` or `outputs`: a list of maps with `type` and `name`."""
    offered = [port.type for port in (spec.inputs if key == "inputs" else spec.outputs)]
    items = node.value if node.kind == "list" else None
    if items is None:
        findings.add(
            "wrong-type",
            f"`{key}` takes a list, not {show(node.plain())}",
            node,
            hint=f"write `{key}: [{{type: {offered[0] if offered else 'text'}, name: my_key}}]`",
        )
        return ()
    ports = []
    for item in items:
        values = item.plain()
        if not (
            isinstance(values, dict)
            and set(values) == {"type", "name"}
            and all(isinstance(v, str) for v in values.values())
        ):
            findings.add("wrong-type", f"an entry of `{key}` is a map with `type` and `name`", item)
            continue
        if values["type"] not in offered:
            near = nearest(values["type"], offered)
            hint = f"did you mean `{near}`?" if near else f"it has {', '.join(offered)}" if offered else None
            findings.add(
                "unknown-port",
                f"{spec.name} has no {key[:-1]} of type `{values['type']}`",
                item.value["type"],
                hint=hint,
            )
        pattern = IDENTIFIER if key == "outputs" else r"^[A-Za-z_]\w*(\.\w+)*$"
        if not re.match(pattern, values["name"]):
            wanted = "a plain identifier" if key == "outputs" else "a FlowContext path such as `selected.title`"
            findings.add("wrong-pattern", f"`name` is {show(values['name'])}, and must be {wanted}", item.value["name"])
        ports.append(PortName(values["type"], values["name"], item.value["name"]))
    return tuple(ports)


def check_form(steps: Iterable[StepNode], document: Document, findings: Findings) -> None:
    """Checks the options of steps and of those inside them: what is wrong wherever the steps stand."""
    for step in steps:
        _check_options(step, document, findings)
        if step.label is not None:
            resolved_value(step.label, findings)
        for block in step.blocks:
            check_form(block.steps, document, findings)


def _check_options(step: StepNode, document: Document, findings: Findings) -> None:
    spec = step.spec
    given = {name: _given(step, name, node, findings) for name, node in step.keys.items()}
    if not (spec.rules or spec.service is not None or spec.keys):
        return
    options = Options(spec.name, given, spec.defaults)
    if spec.service is not None:
        options = _with_service(options, step, document, findings)
    for problem in problems_of(spec, options):
        if not (problem.code in MISSING and (step.misspelt or findings.slipped)):
            findings.diagnostics.append(_diagnostic(problem, step))


def without_text(step: StepNode, document: Document, findings: Findings) -> None:
    """Reports what is missing in a step because no path sets the `text` it would read."""
    if step.misspelt or findings.slipped:
        return
    quiet = Findings(findings.settings)
    given = {name: _given(step, name, node, quiet) for name, node in step.keys.items()}
    options = Options(
        step.spec.name,
        given,
        step.spec.defaults,
        _service(step, document, findings),
        findings.settings.as_of,
        reads_text=False,
    )
    for problem in step.spec.problems(options):
        if problem.code in MISSING and problem.code != "missing-key":
            findings.diagnostics.append(_diagnostic(problem, step))


def _given(step: StepNode, name: str, node: Node, findings: Findings) -> Any:
    """The value of an option as far as it is known."""
    key = step.spec.keys.get(name)
    if key is None:
        return resolved_value(node, findings)
    if key.type in BLOCK_TYPES:
        return node.value if key.type != "steps" or node.value is None else UNKNOWN
    if key.expression:
        check_expression(node, findings)
        return UNKNOWN if isinstance(node.value, str) else node.plain()
    if key.verbatim:
        return node.plain()
    return resolved_value(node, findings)


def _make_blocks(step: StepNode, findings: Findings) -> None:
    """Makes the steps that stand inside the options of a step."""
    for name, node in step.keys.items():
        kind = step.spec.keys[name].type if name in step.spec.keys else ""
        path = f"{step.path}.{name}"
        if kind == "steps" and (node.kind != "scalar" or node.value is not None):
            _add_block(step, name, None, path, node, findings)
        elif kind == "cases" and node.kind == "map":
            for case, steps in node.value.items():
                _add_block(step, name, case, f"{path}.{case}", steps, findings)
        elif kind == "branches" and node.kind == "list":
            for index, steps in enumerate(node.value):
                _add_block(step, name, index, f"{path}[{index}]", steps, findings)


def _add_block(step: StepNode, key: str, name: str | int | None, path: str, node: Node, findings: Findings) -> None:
    step.blocks.append(BlockNode(key, name, path, tuple(_list_of_steps(node, path, findings)), node))


def _service_name(step: StepNode) -> str:
    name = step.service.value if step.service is not None and isinstance(step.service.value, str) else None
    return str(name or step.spec.service)


def _service(step: StepNode, document: Document, findings: Findings) -> Service:
    """The service entry of a step as far as it is known before the run, merged once for a file."""
    name, spec = _service_name(step), step.spec
    service = findings.services.get((name, spec.name))
    if service is None:
        service = findings.settings.services.service(name, spec, document.services)
        findings.services[name, spec.name] = service
    return service


def _with_service(options: Options, step: StepNode, document: Document, findings: Findings) -> Options:
    """The options with their service entry, as far as it is known before the run, and the day."""
    settings = findings.settings
    name, service = _service_name(step), _service(step, document, findings)
    if step.service is not None and not settings.services.has(name, document.services):
        near = nearest(name, settings.services.names(document.services))
        hint = f"did you mean `{near}`?" if near else "add it under `services:`, or in flowdsl.toml"
        findings.add(
            "unknown-service", f"no service entry is called `{name}`", step.service, hint=hint, severity="warning"
        )
    return Options(step.spec.name, options.given, options.defaults, service, settings.as_of)


def _diagnostic(problem: Problem, step: StepNode) -> Diagnostic:
    """A problem with its place in the file."""
    related = tuple(Related(_key_node(step, key).span, text) for key, text in problem.related)
    return Diagnostic(problem.code, problem.message, _place(problem, step), problem.severity, problem.hint, related)


def _place(problem: Problem, step: StepNode) -> Span:
    if problem.key is None:
        return step.name_node.span
    node = step.keys.get(problem.key)
    if problem.on_key or node is None:
        return _key_node(step, problem.key).span
    for key in problem.inside:
        if (node.kind == "map" and key in node.value) or (
            node.kind == "list" and isinstance(key, int) and key < len(node.value)
        ):
            node = node.value[key]
    if node.kind == "scalar" and isinstance(node.value, str):
        return span_in(node, 0, len(node.value)) if node.style in ("|", ">") else node.span
    return node.span


def _key_node(step: StepNode, key: str) -> Node:
    return step.node.keys.get(key, step.name_node)
