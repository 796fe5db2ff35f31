"""One flow: its declarations, the options of its steps, and every path through it."""

from __future__ import annotations

from flowdsl.checker.findings import Findings
from flowdsl.checker.flow.analysis import check_paths
from flowdsl.checker.flow.jumps import check_jumps
from flowdsl.checker.options import check_options
from flowdsl.checker.templates import resolved_value
from flowdsl.document.document import Document


def check_document(document: Document, findings: Findings) -> None:
    """Adds to `findings` what is wrong with a built flow beyond its form; nothing is raised."""
    if document.inputs:
        from flowdsl.checker.declarations import check_inputs

        check_inputs(document.inputs, findings)
        findings.placeholders.update(document.inputs)
    blocks = document.scopes.get("local")
    reusable = blocks.flows.values() if blocks is not None else ()
    for steps in (document.steps, *reusable, document.on_error or ()):
        check_jumps(steps, findings)
        check_options(steps, document, findings)
        if any(step.blocks for step in steps):
            from flowdsl.checker.flow.lost_outputs import check_loops

            check_loops(steps, findings)
    for node in (document.outputs or {}).values():
        resolved_value(node, findings)
    check_paths(document, findings)
