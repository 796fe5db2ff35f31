"""The dialects that are always there: this language itself, and AI_KIT documents."""

from __future__ import annotations

from flowdsl.document.dialects.dialect import Dialect, made
from flowdsl.document.findings import Findings
from flowdsl.document.root_keys import KIT, KIT_KEYS
from flowdsl.nearest import nearest
from flowdsl.source import Source
from flowdsl.step.problem import show
from flowdsl.syntax.node import Node


class Native(Dialect):
    """A list of steps, a map with `flow:`, or a module: a map with `blocks:`."""

    def recognises(self, source: Source, root: Node | None) -> bool:
        """A list with at least one map that has a `step`, or a map with one of the two keys."""
        if root is None:
            return False
        if root.kind == "map":
            return any(key in root.value for key in ("flow", "blocks", "BLOCKS"))
        return root.kind == "list" and any(item.kind == "map" and "step" in item.value for item in root.value)

    def lower(self, root: Node, findings: Findings) -> Node:
        """The same node."""
        return root


class AiKit(Dialect):
    """A map with the single key `AI_KIT`: sections of actions, each a flow."""

    form = "kit"

    def recognises(self, source: Source, root: Node | None) -> bool:
        """A map with that key."""
        return root is not None and root.kind == "map" and KIT in root.value

    def lower(self, root: Node, findings: Findings) -> Node:
        """The map below `AI_KIT`, with the keys of this language. Keys that say how a kit is shown are left out."""
        for name, key in root.keys.items():
            if name != KIT:
                message = f"a kit has the single key `{KIT}`, and `{name}` stands beside it"
                findings.add("unknown-key", message, key, hint=f"move it inside `{KIT}`")
        kit: Node = root.value[KIT]
        if kit.kind != "map":
            findings.add("wrong-type", f"`{KIT}` takes a map, not {show(kit.plain())}", kit)
            return made({}, kit.span)
        for name, key in kit.keys.items():
            if name not in KIT_KEYS and nearest(name, KIT_KEYS) and name.isupper():
                findings.unknown_key(key, KIT_KEYS, KIT, beside=kit.value)
        node = made({KIT_KEYS[name]: value for name, value in kit.value.items() if name in KIT_KEYS}, kit.span)
        node.keys = {KIT_KEYS[name]: key for name, key in kit.keys.items() if name in KIT_KEYS}
        return node
