"""What a dialect is: the class that plugins subclass, and how they make nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from flowdsl.diagnostics import Diagnostic
from flowdsl.document.findings import Findings
from flowdsl.source import Source, Span
from flowdsl.syntax.node import Node

if TYPE_CHECKING:
    from flowdsl.document.dialects.task import ForeignTask


class Dialect:
    """Another way to write flows. A package names its class as an entry point of the group `flowdsl.dialects`.

    `form` is what `lower` gives: a flow (a list of steps, or a map with `flow:`), or a kit of flows. With `reads_text`
    the file need not be YAML: then `read` makes the nodes, and tells mistakes of syntax in its own words. Where
    documents work on messages that come one by one, `message` is the name in the FlowContext under which their steps
    find one in place of them: a record of a batch, as a map of its fields.
    """

    form: ClassVar[Literal["flow", "kit"]] = "flow"
    reads_text: ClassVar[bool] = False
    message: ClassVar[str | None] = None

    def recognises(self, source: Source, root: Node | None) -> bool:
        """Whether a file is of this dialect, by its content alone; `root` is None where the file is no YAML."""
        raise NotImplementedError

    def read(self, source: Source) -> tuple[Node | None, list[Diagnostic]]:
        """The nodes of a file, each with its place, and the mistakes of its syntax: by default those of YAML."""
        from flowdsl.syntax.yaml_reader import read

        return read(source)

    def lower(self, root: Node, findings: Findings) -> Node | None:
        """The same in this language; None when nothing can be made of it.

        Nodes that the author wrote are kept, and those that are made (see `made`) have the places of what they were
        made from: what is found later then stands at the author's own words. Mistakes go to `findings.add`.
        """
        raise NotImplementedError

    def worded(self, found: Diagnostic) -> Diagnostic | None:
        """A finding about what `lower` gave, or about the YAML, in the words of this dialect: those who wrote the file
        know no steps, and what a hint tells them to write must be right there. By default as it is; None where it tells
        them nothing.

        What `lower` adds is in these words already, and does not come here. The place stays as it is.
        """
        return found

    def failure(self, account: Mapping[str, Any]) -> Any:
        """What `flowdsl run --json` prints when a flow fails, in the form that readers of this dialect know; None where
        it has none of its own. (What it prints of a run that succeeds are the flow's `outputs`, which `lower` gives.)

        `account` is what is printed of any flow: `error`, as its `to_dict` gives it (None after an interruption), and
        `images`, `failed`, `cost_usd` and `in_doubt` where it ran.
        """
        return None

    def summary(self, printed: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
        """Lines for people in place of outputs, by the names of these: what `flowdsl run` prints without `--json`.
        `printed` is what it prints with it, also of a run that failed. None by default: then each output is one line,
        cut where it is long."""
        return {}

    def tasks(self, root: Node) -> Iterable[ForeignTask]:
        """The tasks of a document with their options, in its own words and order: what `flowdsl explain` shows. None by
        default: then it shows the steps that they become."""
        return ()

    def schema(self) -> Mapping[str, Any] | None:
        """The JSON Schema of its files, for editors: `flowdsl schema` writes it as NAME.schema.json, by the name of the
        entry point. None where there is none."""
        return None


def made(value: Any, at: Span) -> Node:
    """A node for a value that the author did not write as such: `at` is the place of what it stands for.

    In a list or dict, nodes stay as they are, so that they keep their own places.
    """
    if isinstance(value, Node):
        return value
    if isinstance(value, dict):
        node = Node("map", {name: made(item, at) for name, item in value.items()}, *at)
        node.keys = {name: Node("scalar", name, *at) for name in value}
        return node
    if isinstance(value, (list, tuple)):
        return Node("list", [made(item, at) for item in value], *at)
    return Node("scalar", value, *at)
