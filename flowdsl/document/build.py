"""The third stage: nodes of this language to documents, with every mistake of form. No option's value is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.document.builder import Builder
from flowdsl.document.document_kinds import is_module
from flowdsl.document.flow import build_flow
from flowdsl.document.flow_file import FlowFile

if TYPE_CHECKING:
    from flowdsl.document.dialects import Lowered
    from flowdsl.document.files import Files
    from flowdsl.step.registry import Registry


def build(lowered: Lowered, registry: Registry, files: Files) -> FlowFile | None:
    """What a file holds: a flow, the actions of a kit, a module, or flow tests; None when nothing could be made of it.

    In: nodes, and what was found on the way to them, to which the mistakes of form are added. Imported files are read
    through `files`. Nothing is raised for a mistake in a file.
    """
    source, root = lowered.source, lowered.root
    if lowered.findings.diagnostics:
        from flowdsl.document.misnested import find_owners

        find_owners(lowered.findings, registry)
    builder = Builder(registry, files, lowered.findings)
    if lowered.form == "kit":
        from flowdsl.document.kit import build_kit

        return builder.file("kit", source, build_kit(source, root, builder))
    if root.kind == "map" and ("tests" in root.value or source.path.endswith((".test.yaml", ".test.yml"))):
        from flowdsl.document.flow_tests import build_flow_tests, is_flow_tests

        if is_flow_tests(source, root):
            tests = build_flow_tests(source, root, lowered.findings)
            return FlowFile("tests", source, (), (), (), (), lowered.findings, tests)
    if is_module(root):
        from flowdsl.document.imports import build_module

        build_module(source, root, source.path, root.span, builder)
        return builder.file("module", source, [])
    document = build_flow(source, root, builder)
    return builder.file("flow", source, [document]) if document is not None else None
