"""Inputs of Kestra that stand elsewhere than their names say: those with dots in their ids, and those whose default is
an expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.template import Reference
from flowdsl.template.nodes import Literal, Member, Name, Node
from flowdsl_steps.expressions.pebble_tree import Builder

Moved = tuple[tuple[str, str], ...]
"""The ids of such inputs, each with the FlowContext key that holds it; an empty one stands for the input itself."""


def read_at(reference: Reference, moved: Mapping[str, str]) -> Reference:
    """What an expression reads, as the flow has it."""
    key = moved.get(reference.path[0]) if reference.root == "inputs" and reference.path else None
    if not key:
        return reference
    return reference._replace(root="flowContext", path=(key, *reference.path[1:]))


class InputsBuilder(Builder):
    """Builds the tree of a text that may read inputs that stand elsewhere."""

    def __init__(self, language: Any, moved: Mapping[str, str]) -> None:
        super().__init__(language)
        self._moved = moved

    def _root(self, base: Any, steps: list[Any]) -> tuple[Node, list[str] | None]:
        if str(base.children[0]) != "inputs" or "inputs" in self._bound:
            return super()._root(base, steps)
        names: list[str] = []
        for step in reversed(steps):  # the first member stands last
            name = self._constant(step)
            if name is None:
                break
            names.append(name)
        for count in range(len(names), 0, -1):
            id = ".".join(names[:count])
            if id in self._moved:
                start, end = self._place(steps[-count])
                del steps[len(steps) - count :]
                key = self._moved[id]
                root = "flowContext" if key else "inputs"
                return Member(Name(root, start, end), Literal(key or id, start, end), end), ["inputs", id]
        return super()._root(base, steps)

    def _constant(self, step: Any) -> str | None:
        """The name of a member, where it stands in the text."""
        key = step.children[1]
        if step.data == "attribute":
            return str(key)
        node = self._node(key) if key.data == "text" else None
        return str(node.value) if isinstance(node, Literal) else None
