"""Flows that run when something else asks for them: blocks, templates, `onError`, the flows of modules."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.checker.findings import Findings
from flowdsl.checker.steps import check_form
from flowdsl.document.document import Document, Module, StepNode


def check_reusable(flows: Iterable[list[StepNode]], document: Document, findings: Findings) -> None:
    """Checks flows of a kit that find the FlowContext as their caller left it: no key is undefined there."""
    flows = [steps for steps in flows if steps]
    for steps in flows:
        check_form(steps, document, findings)
    if flows:
        from flowdsl.checker.flow.analysis import check_open

        check_open(flows, document, findings)


def check_module_flows(module: Module, document: Document, findings: Findings) -> None:
    """Checks the flows of a module; but for `imports`, their namespaces are their caller's."""
    document.imports = module.imports
    check_reusable(module.blocks.flows.values(), document, findings)
