"""Imports: the modules that a document names, and the modules that those name."""

from __future__ import annotations

import re
from typing import Any

from flowdsl.diagnostics import Related
from flowdsl.document.blocks import build_blocks, constant_names
from flowdsl.document.builder import Builder
from flowdsl.document.document import Document, Module
from flowdsl.document.findings import Findings
from flowdsl.document.flow_file import OpenFlows
from flowdsl.document.root_keys import MODULE_KEYS
from flowdsl.source import Source, Span
from flowdsl.step.problem import show
from flowdsl.step.spec import IDENTIFIER, is_templated
from flowdsl.syntax.composer import MAX_DEPTH
from flowdsl.syntax.node import Node
from flowdsl.syntax.yaml_reader import read


def build_imports(
    node: Node | None, constants: dict[str, Any], builder: Builder, chain: tuple[str, ...] = ()
) -> dict[str, Module]:
    """The modules of an `imports` list by alias; `constants` are the names that `from` may read."""
    findings = builder.findings
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
        module = _module(source, alias, constants, builder, chain)
        if module is not None:
            modules[alias.value] = module
    return modules


def _import_entry(item: Node, findings: Findings) -> tuple[Node, Node] | None:
    values = item.value if item.kind == "map" else {}
    alias, source = values.get("as"), values.get("from")
    for name in values:
        if name not in ("from", "as"):
            findings.unknown_key(item.keys[name], ("from", "as"), "an import", beside=values)
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
    node: Node, alias: Node, constants: dict[str, Any], builder: Builder, chain: tuple[str, ...]
) -> Module | None:
    """The module that an import names, or None when its path leads to none."""
    from flowdsl.errors import TemplateError
    from flowdsl.template import UNDEFINED, compile, parse

    path, files, findings = node.value, builder.files, builder.findings
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
    if real not in builder.modules:
        if len(chain) >= MAX_DEPTH:
            findings.add("too-deep", f"modules import each other more than {MAX_DEPTH} deep", node)
            return None
        builder.modules[real] = _loaded(real, node.span, alias, builder, chain)
    found = builder.modules[real]
    return None if found is None else found.under(alias.span)


def _loaded(real: str, at: Span, alias: Node, builder: Builder, chain: tuple[str, ...]) -> Module | None:
    """A module file with everything it imports, or None when nothing could be made of it."""
    source, mistakes = builder.files.open(real, at)
    builder.findings.diagnostics += mistakes
    if mistakes:
        return None
    root, mistakes = read(source, builder.files.include)
    builder.findings.diagnostics += mistakes
    if root is None:
        return None
    return build_module(source, root, real, alias.span, builder, chain)


def build_module(
    source: Source, root: Node, real: str, at: Span, builder: Builder, chain: tuple[str, ...] = ()
) -> Module | None:
    """The module that the root node of a file makes, or None; `chain` are the files that led to it."""
    if root.kind != "map" or not {"blocks", "BLOCKS"} & set(root.value):
        message = "this file is no module: a module is a map with `blocks:`"
        builder.findings.add("not-a-module", message, root.span._replace(end=min(root.end, root.start + 1)))
        return None
    for name, key in root.keys.items():
        if name not in MODULE_KEYS:
            builder.findings.unknown_key(key, ("blocks", "imports"), "a module", beside=root.value)
    node = root.value.get("blocks", root.value.get("BLOCKS"))
    blocks = build_blocks(node, f"{builder.files.shown(real)}:blocks", builder)
    import_nodes = root.value.get("imports")
    imports = build_imports(import_nodes, constant_names({"local": blocks}), builder, (*chain, real))
    flows = tuple(steps for steps in blocks.flows.values() if steps)
    builder.parts.append(OpenFlows(Document(source, root, imports=imports), flows))
    return Module(path=real, at=at, blocks=blocks, imports=imports, import_nodes=import_nodes)
