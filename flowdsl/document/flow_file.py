"""What a file holds: a flow, the actions of a kit, or flows that others call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from flowdsl.document.document import BlockSet, Document, Steps, inside
from flowdsl.document.findings import Findings
from flowdsl.record import Record
from flowdsl.source import Source
from flowdsl.syntax.node import Node

if TYPE_CHECKING:
    from flowdsl.document.flow_tests import FlowTests


class OpenFlows(Record):
    """Flows that run when something else calls them, with the document whose names they see."""

    document: Document
    flows: tuple[Steps, ...]


class FlowFile(Record):
    """What `build` makes of a file: its kind, and the flows in it.

    `documents` are the flow, or the actions of a kit. `parts` is all there is to check, in the order of the file:
    documents and flows that others call, those of imported modules too. `blocks` and `services` are all sets of
    blocks and of service entries, each once.
    `findings` holds what is wrong with the form of the file, `tests` what a file of flow tests says.
    """

    kind: Literal["flow", "kit", "module", "tests"]
    source: Source
    documents: tuple[Document, ...]
    parts: tuple[Document | OpenFlows, ...]
    blocks: tuple[BlockSet, ...]
    services: tuple[Mapping[str, Node], ...]
    findings: Findings
    tests: FlowTests | None = None

    def named_services(self) -> set[str]:
        """The service entries that steps name."""
        found: set[str] = set()
        for part in self.parts:
            open_ = () if isinstance(part, Document) else part.flows
            whole = part.every_step() if isinstance(part, Document) else part.document.every_step()
            inner = (step for steps in open_ for outer in steps for step in inside(outer))
            for step in (*whole, *inner):
                if step.service is not None and isinstance(step.service.value, str):
                    found.add(step.service.value)
        return found
