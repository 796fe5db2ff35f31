"""Flows that run when something else calls them: the blocks and templates of a kit, the flows of modules."""

from __future__ import annotations

from flowdsl.checker.findings import Findings
from flowdsl.checker.flow.jumps import check_jumps
from flowdsl.checker.options import check_options
from flowdsl.document.flow_file import OpenFlows


def check_open_flows(part: OpenFlows, findings: Findings) -> None:
    """Reports what is wrong with flows that find the FlowContext as their caller left it: no key is undefined there."""
    for steps in part.flows:
        check_jumps(steps, findings)
        check_options(steps, part.document, findings)
    if part.flows:
        from flowdsl.checker.flow.analysis import check_open

        check_open(part.flows, part.document, findings)
