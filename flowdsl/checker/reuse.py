"""Flows that run when something else asks for them: blocks, templates, `onError`, the flows of modules."""

from __future__ import annotations

from collections.abc import Iterable

from flowdsl.checker.findings import Findings, Scope
from flowdsl.checker.references import RESERVED_NAMES
from flowdsl.checker.steps import check_step
from flowdsl.document import Document, Module, StepNode


def check_reusable(flows: Iterable[list[StepNode]], document: Document, findings: Findings) -> None:
    """Checks flows that find the FlowContext as their caller left it: no key is undefined there."""
    for steps in flows:
        scope = Scope(RESERVED_NAMES | findings.settings.objects, document.inputs, document.lenient)
        scope.open = True
        for step in steps:
            check_step(step, document, findings, scope)


def check_module_flows(module: Module, document: Document, findings: Findings) -> None:
    """Checks the flows of a module; but for `imports`, their namespaces are their caller's."""
    document.imports = module.imports
    check_reusable(module.blocks.flows.values(), document, findings)
