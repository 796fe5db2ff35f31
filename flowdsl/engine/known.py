"""What is known at one moment of the values that a run will have: the FlowContext keys that surely have these values
then, and how many items will be in other ones. Templates that read nothing else give the same now as then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Final

from flowdsl.document.document import inside
from flowdsl.engine.context_size import estimated
from flowdsl.engine.resolvers import is_constant, plain_option
from flowdsl.image.image import Image
from flowdsl.step.flow_shapes import Call
from flowdsl.template import UNDEFINED, parse, parse_expression
from flowdsl.values import Blob, ErrorValue

if TYPE_CHECKING:
    from flowdsl.document.document import BlockSet, Module, StepNode
    from flowdsl.engine.frame import Frame
    from flowdsl.step.key import Key
    from flowdsl.syntax.node import Node
    from flowdsl.template import Reference

_FIXED: Final = frozenset({"inputs", "env", "secret"})
"""Names whose values are the same throughout a run."""
_HOLDING: Final = (list, tuple, set, frozenset)
_STEADY: Final = (str, int, float, bool, type(None), Image, Blob, ErrorValue)
_MOST_VALUES: Final = 1_000_000
_DEEPEST_VARS: Final = 20
_MOST_BYTES: Final = 10_000_000


class Known:
    """What is known of the values at one place of a run: `frame` has the known keys, and only those, as its
    FlowContext; `counts` says how many items will be in others."""

    def __init__(self, frame: Frame, counts: Mapping[str, int] | None = None) -> None:
        self.run = frame.run
        self.frame = frame
        self.counts = dict(counts or {})
        self._steady: dict[int, tuple[Any, bool]] = {}
        self._bytes = 0

    @property
    def context(self) -> dict[str, Any]:
        """The FlowContext keys that are known, with their values."""
        return self.frame.context

    def branched(self) -> Known:
        """A copy, for a branch whose changes are its own."""
        branch = copy(self)
        branch.frame, branch.counts = self.frame.branched(), dict(self.counts)
        return branch

    def within(self, module: Module | None) -> Known:
        """The same, read from a flow of a module: what becomes known there is known here."""
        called = copy(self)
        called.frame = copy(self.frame)
        called.frame.module = module
        called.frame.names = self.run.program.names_for(called.frame, module)
        return called

    def put(self, name: str, value: Any, *, made: bool = True) -> None:
        """Takes note of the value that a key will have; not when all that are `made` for it become large."""
        self.counts.pop(name, None)
        self._bytes += estimated(value) if made else 0
        if value is UNDEFINED or self._bytes > _MOST_BYTES:
            self.context.pop(name, None)
        else:
            self.context[name] = value

    def forget(self, name: str) -> None:
        """Takes note that a key will have another value, or none."""
        self.context.pop(name, None)
        self.counts.pop(name, None)

    def forget_steps(self, steps: Sequence[StepNode]) -> None:
        """Takes note that steps, and those inside them, may or may not run: what they write is not known any more."""
        for step in steps:
            for each in inside(step):
                if isinstance(each.spec.flow, Call):  # it writes what it likes
                    self.context.clear()
                    self.counts.clear()
                for name, _ in each.writes():
                    self.forget(name)

    def count(self, name: str) -> int | None:
        """How many items there will be in the list of a key."""
        found = self.context.get(name)
        return len(found) if isinstance(found, list) else self.counts.get(name)

    def value(self, step: StepNode, name: str, names: Mapping[str, Any] | None = None) -> Any:
        """The value of an option of a step, as the run will resolve it.

        Raises:
            TemplateError: its template fails, as it would then.
        """
        frame = self.frame
        value = self.run.program.option(step, name)(frame.context, {**frame.names, **names} if names else frame.names)
        key = step.spec.keys.get(name)
        return value if key is None else plain_option(key, value, templated=not is_constant(step.keys[name]))

    def knows(self, node: Node, key: Key | None = None, numbers: tuple[str, ...] = ()) -> bool:
        """Whether the texts of an option read nothing but what is known, draw no lots, and call nothing of the host."""
        if key is not None and key.verbatim:
            return True
        return self._knows(node, numbers, self.frame.module, key is not None and key.expression)

    def _knows(
        self, node: Node, numbers: tuple[str, ...], module: Module | None, bare: bool = False, depth: int = 0
    ) -> bool:
        if node.kind != "scalar":
            children = node.value if node.kind == "list" else node.value.values()
            return all(self._knows(child, numbers, module, bare, depth) for child in children)
        text = node.value
        if not isinstance(text, str) or not (bare or "{" in text):
            return True
        if "random" in text or any(each.name in text for each in self.run.program.filters):
            return False
        references = (parse_expression(text) if bare else parse(text)).references
        return all(each.root in numbers or self._reads_known(each, module, depth) for each in references)

    def _reads_known(self, reference: Reference, module: Module | None, depth: int) -> bool:
        root, path = reference.root, reference.path
        if root == "inputs":
            values: Mapping[str, Any] = self.run.names["inputs"]
            return all(map(self._is_steady, [values.get(path[0])] if path else values.values()))
        if root == "flowContext":
            return bool(path) and path[0] in self.context and self._is_steady(self.context[path[0]])
        return root in _FIXED or self._is_block(root, path, module, depth)

    def _is_block(self, root: str, path: tuple[str, ...], module: Module | None, depth: int) -> bool:
        """Whether a path leads to a constant of blocks, or to one of their vars that reads only what is known."""
        document = self.run.program.document
        blocks: BlockSet | None = document.scopes.get(root)
        within = module
        if root == "imports" and path:
            within = (module.imports if module is not None else document.imports).get(path[0])
            blocks, path = (within.blocks if within is not None else None), path[1:]
        elif depth and module is not None and root == "local":  # in the vars of a module it is the module's own
            blocks = module.blocks
        if blocks is None or len(path) < 2:
            return False
        if path[0] == "constants":
            return True
        node = blocks.vars.get(path[1]) if path[0] == "vars" else None
        return node is not None and depth < _DEEPEST_VARS and self._knows(node, (), within, depth=depth + 1)

    def _is_steady(self, value: Any) -> bool:
        """Whether a value is the same whenever it is read: no object of the host, nothing that counts its calls."""
        if isinstance(value, _STEADY):
            return True
        found = self._steady.get(id(value))
        if found is None or found[0] is not value:
            found = self._steady[id(value)] = value, all(isinstance(each, _STEADY) for each in _leaves(value))
        return found[1]


def _leaves(value: Any) -> Iterator[Any]:
    """What is in a value and holds nothing itself; the value itself when it holds too much to look at."""
    waiting, seen, left = [value], set[int](), _MOST_VALUES
    while waiting:
        each = waiting.pop()
        left -= 1
        if left < 0:
            yield object()
            return
        if isinstance(each, _HOLDING) or type(each) is dict:
            if id(each) not in seen:
                seen.add(id(each))
                waiting += each.values() if isinstance(each, dict) else each
        else:
            yield each
