"""The form of steps: their names, and the steps inside them. Nothing here checks the values of options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.diagnostics import Related
from flowdsl.document.builder import Builder
from flowdsl.document.document import BlockNode, StepNode, Steps
from flowdsl.document.step_keys import StepKeys
from flowdsl.nearest import nearest
from flowdsl.step.common_keys import COMMON_KEYS
from flowdsl.step.flow_shapes import Leaf
from flowdsl.step.problem import show
from flowdsl.step.spec import StepSpec
from flowdsl.syntax import fixes
from flowdsl.syntax.node import Node

if TYPE_CHECKING:
    from flowdsl.step.registry import Registry


def build_steps(node: Node, path: str, builder: Builder) -> Steps:
    """The steps that a node holds, whose places begin with `path`; every mistake of their form is reported.

    What is no step is left out.
    """
    steps: list[StepNode] = []
    for index, item in enumerate(node.value if node.kind == "list" else _no_list(node, path, builder)):
        step = _step(item, f"{path}[{index}]", builder, steps[-1] if steps else None)
        if step is not None:
            steps.append(step)
    return tuple(steps)


def _no_list(node: Node, path: str, builder: Builder) -> list[Node]:
    """Reports what stands in place of a list of steps, and gives the steps that are meant."""
    from flowdsl.document.step_forms import as_steps, form_fix, form_hint, in_a_word, meant_steps

    meant = meant_steps(node, builder) if node.kind == "map" else None
    hint, fix = "start each step with `- step: NAME`", None
    if meant is not None:
        hint, fix = form_hint(meant), form_fix(node, meant, builder, dashes=True)
    elif isinstance(node.value, str) and builder.registry.spec(node.value) is not None:
        hint = f"write `[{{step: {node.value}}}]`"
        fix = fixes.enclosed(node, "[{step: ", "}]", title=hint)
    elif node.kind == "scalar" and (found := in_a_word(node, path, builder.registry)) is not None:
        hint, fix = found
    message = f"a list of steps is needed here, not {show(node.plain())}"
    builder.findings.add("wrong-type", message, node, hint=hint, fixes=[fix])
    return as_steps(node, meant, builder) if meant is not None else []


def _step(node: Node, path: str, builder: Builder, above: StepNode | None) -> StepNode | None:
    if node.kind != "map":
        _no_map(node, builder)
        return None
    if "step" not in node.value:
        named = _without_name(node, builder, above)
        if named is None:
            return None
        node = named
    name_node = node.value["step"]
    name = name_node.value
    spec = builder.registry.spec(name) if isinstance(name, str) else None
    if spec is None:
        _unknown_step(node, name_node, builder)
        return None
    if name != spec.name:
        hint, fix = f"write `{spec.name}`", fixes.renamed(name_node, spec.name, safe=True)
        message = f"`{name}` is an old name"
        builder.findings.add("deprecated-alias", message, name_node, hint=hint, fixes=[fix])
    sorted_keys = StepKeys(spec, node, builder)
    return StepNode(
        spec,
        node,
        path,
        keys=sorted_keys.keys,
        key_nodes=sorted_keys.key_nodes,
        blocks=() if isinstance(spec.flow, Leaf) else _blocks(spec, sorted_keys.keys, path, builder),
        id=sorted_keys.id,
        label=sorted_keys.label,
        inputs=sorted_keys.inputs,
        outputs=sorted_keys.outputs,
        service=sorted_keys.service,
        misspelt=sorted_keys.misspelt,
    )


def _blocks(spec: StepSpec, keys: dict[str, Node], path: str, builder: Builder) -> tuple[BlockNode, ...]:
    """The steps that stand inside the options of a step."""
    blocks: list[BlockNode] = []

    def add(key: str, name: str | int | None, place: str, node: Node) -> None:
        blocks.append(BlockNode(key, name, place, build_steps(node, place, builder), node))

    for key, node in keys.items():
        kind = spec.keys[key].type if key in spec.keys else ""
        place = f"{path}.{key}"
        if kind == "steps" and (node.kind != "scalar" or node.value is not None):
            add(key, None, place, node)
        elif kind == "cases" and node.kind == "map":
            for case, steps in node.value.items():
                add(key, case, f"{place}.{case}", steps)
        elif kind == "branches" and node.kind == "list" and node.value and all(map(_is_step, node.value)):
            _one_dash(spec, key, node, builder)
            for index, step in enumerate(node.value):
                at = f"{place}[{index}]"
                blocks.append(BlockNode(key, index, at, _alone(step, at, builder), step))
        elif kind == "branches" and node.kind == "list":
            for index, steps in enumerate(node.value):
                add(key, index, f"{place}[{index}]", steps)
    return tuple(blocks)


def _is_step(node: Node) -> bool:
    return node.kind == "map" and "step" in node.value


def _alone(node: Node, path: str, builder: Builder) -> Steps:
    step = _step(node, path, builder, None)
    return (step,) if step is not None else ()


def _one_dash(spec: StepSpec, key: str, node: Node, builder: Builder) -> None:
    """Reports branches of which each is a step, and no list of steps; fixed, each is a list of one step."""
    edits = [fixes.in_a_list(item) for item in node.value]
    fix = fixes.together(edits, title="write `- - step: …` for each")
    message = f"`{key}` of {spec.name} takes a list of lists of steps, and this is one list of steps"
    hint = "write `- - step: …`: each item is a list of the steps that run one after another"
    builder.findings.add("wrong-type", message, node, hint=hint, fixes=[fix])


OUTPUT_TYPES = ("text", "object", "list", "imageList", "image", "blob", "error")
"""What a step that is not known may write."""


def _no_map(node: Node, builder: Builder) -> None:
    """Reports a list item that is no map: most often the name of a step without its key."""
    known = isinstance(node.value, str) and builder.registry.spec(node.value) is not None
    name = node.value if known else "NAME"
    fix = fixes.put_before(node, "step: ") if known else None
    message = f"a step is a map, not {show(node.plain())}"
    builder.findings.add("wrong-type", message, node, hint=f"write `- step: {name}`", fixes=[fix])


def _unknown_step(node: Node, name_node: Node, builder: Builder) -> None:
    """Reports a step that does not exist; what it may write is not reported as undefined."""
    from flowdsl.document.step_forms import nearest_step
    from flowdsl.step.foreign import key_word, step_word

    registry, name = builder.registry, name_node.value
    word = step_word(name) if isinstance(name, str) else None
    near = nearest_step(name, node, registry) if isinstance(name, str) and word is None else None
    if word is not None and word.name is not None and registry.spec(word.name) is not None:
        near = word.name
    if near:
        hint = f"did you mean `{near}`?"
    elif word is not None and word.hint is not None:
        hint = word.hint
    else:
        alike = _alike(name, registry) if isinstance(name, str) else []
        hint = f"`flowdsl steps` lists them; the nearest {'is' if len(alike) == 1 else 'are'} {', '.join(alike)}"
        hint = hint if alike else "`flowdsl steps` lists them"
    shown = name if isinstance(name, str) else show(name_node.plain())
    fix = fixes.renamed(name_node, near) if near else None
    if near and word is not None and word.beside and not any(key_word(near, key, None) for key in node.value):
        hint = f"did you mean `{near}`, with `{word.beside}`?"
        fix = fixes.together((fix, fixes.added(node, word.beside)), title=f"write `{near}`, with `{word.beside}`")
    builder.findings.add("unknown-step", f"Step not found: {shown}", name_node, hint=hint, fixes=[fix])
    builder.findings.maybe_written.update(node.value, OUTPUT_TYPES)


def _alike(name: str, registry: Registry) -> list[str]:
    """Steps that have a word of a name in theirs, at most four."""
    words = {word for word in name.upper().split("_") if len(word) > 2}
    found = [(-len(words & set(step.split("_"))), step) for step in registry if words & set(step.split("_"))]
    return [step for _, step in sorted(found)[:4]]


def _without_name(node: Node, builder: Builder, above: StepNode | None) -> Node | None:
    """Reports a list item without `step`: keys that belong to the step above, a misspelt `step`, or nothing we know.

    The step that is meant, where that is plain.
    """
    keys, findings = list(node.value), builder.findings
    near = next((key for key in keys if key != "step" and nearest(key, ("step",))), None)
    if near:
        fix = fixes.renamed(node.keys[near], "step")
        message = f"`{near}` is not a key of a step"
        findings.add("unknown-key", message, node.keys[near], hint="did you mean `step`?", fixes=[fix])
        from flowdsl.document.step_forms import with_key

        return with_key(node, near, "step")
    if (
        above is not None
        and keys
        and keys[0] in above.spec.keys
        and all(key in above.spec.keys or key in COMMON_KEYS for key in keys)
    ):
        hint = "remove the dash and line it up with the keys of that step"
        message = f"`{keys[0]}` belongs inside the step above, and its dash makes it a step of its own"
        related = (Related(above.name_node.span, "the step above"),)
        fix = fixes.undashed(node, title=hint)
        findings.add("misnested-key", message, node.keys[keys[0]], hint=hint, related=related, fixes=[fix])
    else:
        return _nameless(node, keys, builder)
    return None


def _nameless(node: Node, keys: list[str], builder: Builder) -> Node | None:
    from flowdsl.document.step_forms import as_steps, form_fix, form_hint, meant_steps

    at = node.keys[keys[0]] if keys else node
    meant = meant_steps(node, builder)
    if meant is None and {"flow", "title"} <= set(keys):
        hint = "actions stand in a kit, under `AI_KIT:` with `actions:`; a flow of its own is the value of `flow`"
        builder.findings.add("missing-key", "this is an action of a kit, and no step", at, hint=hint)
        builder.findings.maybe_written.update(OUTPUT_TYPES)
        return None
    message, hint, fix = "a step needs `step: NAME`, and this one has none", "start it with `- step: NAME`", None
    if meant is not None:
        hint, fix = form_hint(meant), form_fix(node, meant, builder, dashes=False) if len(meant) == 1 else None
    builder.findings.add("missing-key", message, at, hint=hint, fixes=[fix])
    return as_steps(node, meant, builder)[0] if meant is not None else None
