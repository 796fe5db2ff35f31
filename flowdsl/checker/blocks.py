"""Blocks (constants, vars, flows) and imports: what a document declares for its flows to reuse."""

from __future__ import annotations

import re
from typing import Any

from flowdsl.checker.files import Files
from flowdsl.checker.findings import Findings
from flowdsl.checker.references import resolved_value
from flowdsl.checker.reuse import check_module_flows
from flowdsl.checker.steps import make_steps
from flowdsl.diagnostics import Related
from flowdsl.document.document import BlockSet, Document, Module
from flowdsl.document.root_keys import BLOCK_KINDS, MODULE_KEYS
from flowdsl.source import Span
from flowdsl.step.rules import show
from flowdsl.step.spec import IDENTIFIER, is_templated
from flowdsl.syntax.yaml_reader import Node, read


def check_blocks(node: Node | None, path: str, findings: Findings) -> BlockSet:
    """The blocks of a mapping, with every mistake of their form reported."""
    blocks = BlockSet(node)
    if node is None or (node.kind == "scalar" and node.value is None):
        return blocks
    if node.kind != "map":
        findings.add(
            "wrong-type", f"`blocks` takes a map with constants, vars and flows, not {show(node.plain())}", node
        )
        return blocks
    for name, value in node.value.items():
        if name == "scripts":
            hint = "write it as expressions in templates, or as a step of the host"
            findings.add("scripts-refused", "JavaScript in `scripts` is not run", node.keys[name], hint=hint)
        elif name not in BLOCK_KINDS:
            findings.unknown_key(node.keys[name], BLOCK_KINDS, "blocks")
        elif value.kind == "map":
            _entries(name, value, blocks, path, findings)
        elif value.value is not None:
            findings.add("wrong-type", f"`{name}` takes a map from name to value, not {show(value.plain())}", value)
    return blocks


def _entries(kind: str, node: Node, blocks: BlockSet, path: str, findings: Findings) -> None:
    for name, value in node.value.items():
        key = node.keys[name]
        if not re.match(IDENTIFIER, name):
            hint = "use letters, digits and _, and start with a letter or _"
            findings.add("wrong-pattern", f"`{name}` cannot be a name in `{kind}`", key, hint=hint)
        blocks.keys[kind, name] = key
        if kind == "constants":
            blocks.constants[name] = value.plain()
            if value.kind == "scalar" and isinstance(value.value, str) and is_templated(value.value):
                hint = "move it to `vars` if the template is meant to be resolved"
                message = f"the constant `{name}` is taken as it stands, and it looks like a template"
                findings.add("template-in-constant", message, value, hint=hint, severity="warning")
        elif kind == "vars":
            if isinstance(value.value, str):
                blocks.vars[name] = value
                resolved_value(value, findings)
            else:
                hint = "put it under `constants`"
                findings.add(
                    "wrong-type", f"a var is a text with templates, not {show(value.plain())}", value, hint=hint
                )
        else:
            blocks.flows[name] = make_steps(value, f"{path}.flows.{name}", findings)


def check_imports(
    node: Node | None, constants: dict[str, Any], files: Files, findings: Findings, chain: tuple[str, ...] = ()
) -> dict[str, Module]:
    """The modules of an `imports` list by alias; `constants` are the names that `from` may read."""
    modules: dict[str, Module] = {}
    if node is None or (node.kind == "scalar" and node.value is None):
        return modules
    if node.kind != "list":
        hint = "write `imports: [{from: ./shared.module.yaml, as: shared}]`"
        findings.add("wrong-type", f"`imports` takes a list, not {show(node.plain())}", node, hint=hint)
        return modules
    for item in node.value:
        entry = _import_entry(item, findings)
        if entry is None:
            continue
        alias, source = entry
        if alias.value in modules:
            related = (Related(modules[alias.value].at, "first defined here"),)
            message = f"Import alias collision: '{alias.value}' is already defined in this scope"
            findings.add("import-collision", message, alias, hint="give each import its own alias", related=related)
            continue
        module = _module(source, alias, constants, files, findings, chain)
        if module is not None:
            modules[alias.value] = module
    return modules


def _import_entry(item: Node, findings: Findings) -> tuple[Node, Node] | None:
    values = item.value if item.kind == "map" else {}
    alias, source = values.get("as"), values.get("from")
    for name in values:
        if name not in ("from", "as"):
            findings.unknown_key(item.keys[name], ("from", "as"), "an import")
    if alias is None or source is None or not isinstance(source.value, str):
        findings.add(
            "wrong-type", "an import is a map with `from` and `as`", item, hint="write `{from: ./x.module.yaml, as: x}`"
        )
        return None
    if not (isinstance(alias.value, str) and re.match(IDENTIFIER, alias.value)):
        findings.add("wrong-pattern", f"`as` is {show(alias.plain())}, and must be a plain name", alias)
        return None
    return alias, source


def _module(
    node: Node, alias: Node, constants: dict[str, Any], files: Files, findings: Findings, chain: tuple[str, ...]
) -> Module | None:
    from flowdsl.errors import TemplateError
    from flowdsl.template import UNDEFINED, compile, parse

    path = node.value
    if is_templated(path):
        template = parse(path)
        for problem in template.problems:
            findings.add(problem.code, problem.message, node, hint=problem.hint)
            return None
        try:
            path = compile(template, strict=True)({}, constants)
        except TemplateError as error:
            hint = "`from` can read constants: `global.constants`, `section.constants`, `local.constants`"
            findings.add("undefined-variable", error.message, node, hint=hint)
            return None
        assert path is not UNDEFINED  # noqa: S101  text comes from a text template
    real, problem_found = files.resolve(path, node.span)
    if real is None:
        if problem_found:
            findings.diagnostics.append(problem_found)
        return None
    if real in chain:
        shown = " → ".join(files.shown(step) for step in (*chain, real))
        findings.add("import-cycle", f"Import cycle detected: {shown}", node)
        return None
    return load_module(real, node.span, alias, files, findings, chain)


def load_module(
    real: str, at: Span, alias: Node | None, files: Files, findings: Findings, chain: tuple[str, ...]
) -> Module | None:
    """A module file with everything it imports, or None when nothing could be made of it."""
    source, slips = files.open(real, at)
    findings.diagnostics += slips
    if slips:
        return None
    root, slips = read(source, files.include)
    findings.diagnostics += slips
    if root is None:
        return None
    module = module_of(root, real, alias.span if alias is not None else root.span, files, findings, chain)
    if module is not None and real not in files.checked:
        files.checked.add(real)
        check_module_flows(module, Document(source, root), findings)
    return module


def module_of(
    root: Node, real: str, at: Span, files: Files, findings: Findings, chain: tuple[str, ...] = ()
) -> Module | None:
    """The module that the root node of a file makes."""
    if root.kind != "map" or not {"blocks", "BLOCKS"} & set(root.value):
        message = "this file is no module: a module is a map with `blocks:`"
        findings.add("not-a-module", message, root.span._replace(end=min(root.end, root.start + 1)))
        return None
    for name, key in root.keys.items():
        if name not in MODULE_KEYS:
            findings.unknown_key(key, ("blocks", "imports"), "a module")
    node = root.value.get("blocks", root.value.get("BLOCKS"))
    module = Module(real, at, check_blocks(node, f"{files.shown(real)}:blocks", findings))
    constants = {"local": {"constants": module.blocks.constants}}
    module.imports = check_imports(root.value.get("imports"), constants, files, findings, (*chain, real))
    module.import_nodes = root.value.get("imports")
    return module
