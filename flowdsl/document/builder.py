"""What the parts of `build` share while they make the documents of one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from flowdsl.document.document import BlockSet, Document, Module
from flowdsl.document.findings import Findings
from flowdsl.document.flow_file import FlowFile, OpenFlows
from flowdsl.source import Source
from flowdsl.syntax.node import Node

if TYPE_CHECKING:
    from flowdsl.document.files import Files
    from flowdsl.step.registry import Registry


class Builder:
    """The steps that exist, the files that can be read, and what was made and found so far.

    `parts` collects what is to be checked, in the order in which it is: flows, and flows that others call. `blocks`
    and `services` collect every set of blocks and of service entries, once.
    """

    __slots__ = ("blocks", "files", "findings", "modules", "parts", "registry", "services")

    def __init__(self, registry: Registry, files: Files, findings: Findings) -> None:
        self.registry = registry
        self.files = files
        self.findings = findings
        self.parts: list[Document | OpenFlows] = []
        self.blocks: list[BlockSet] = []
        self.services: list[Mapping[str, Node]] = []
        self.modules: dict[str, Module | None] = {}
        """What came of the files of modules, by path: each is made once, however often it is imported."""

    @property
    def example_step(self) -> str:
        """The hint that shows what a step looks like."""
        return f"a step looks like `- step: {self.registry.assigning_step or 'NAME'}`"

    def file(self, kind: Literal["flow", "kit", "module"], source: Source, documents: Iterable[Document]) -> FlowFile:
        """All that was made of a file."""
        parts, blocks, services = tuple(self.parts), tuple(self.blocks), tuple(self.services)
        return FlowFile(kind, source, tuple(documents), parts, blocks, services, self.findings)
