"""Values and names of Pebble in the words of templates of this language, each with the kind of its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flowdsl.template.foreign import Place
from flowdsl.template.nodes import Node, Statement
from flowdsl.template.problems import Mistake
from flowdsl_steps.expressions import pebble_kinds as kinds
from flowdsl_steps.expressions.grammar import place_of
from flowdsl_steps.expressions.pebble_expression import (
    MEMBER,
    Expression,
    quoted,
)
from flowdsl_steps.expressions.pebble_grammar import GRAMMAR
from flowdsl_steps.expressions.pebble_kinds import TRUTH, UNDEFINED, WHOLE, Kind
from flowdsl_steps.expressions.pebble_names import default_key, output_key

Read = Callable[[str], Sequence[Statement]]
"""What reads the statements of a text."""
PRINTED = ("text", "whole", "truth")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_TAKEN = frozenset(("flowContext", "inputs", "secret", "loop", "range", "JSON", "Math"))
_LOOP = {"index": ("index0", WHOLE), "length": ("length", WHOLE), "revindex": ("revindex0", WHOLE),
         "first": ("first", TRUTH), "last": ("last", TRUTH)}  # fmt: skip


class Values:
    """Says the values and names in the expressions of one text."""

    def __init__(self, text: str, place: Place, read: Read) -> None:
        self.place = place
        self._read = read
        self._text = text
        self._offset = 0
        self._bound: dict[str, Kind | None] = {}
        self._rendering = 0

    def bind(self, name: str, kind: Kind | None, at: Expression) -> None:
        """Takes note of a name that `set` sets."""
        if name in _TAKEN:
            raise at.refused(f"`{name}` is a name of this language", "write another name")
        self._bound[name] = kind

    @contextmanager
    def loop(self, name: str, kind: Kind | None, at: Expression) -> Iterator[None]:
        """Binds the name of a loop, and `loop`."""
        before = {**self._bound}
        self.bind(name, kind, at)
        self._bound["loop"] = None
        yield
        self._bound = before

    def at(self, node: Node) -> Expression:
        """The expression that stands at the place of a node.

        Raises:
            Mistake: it cannot be said with the same meaning.
        """
        self._offset = node.start
        return self.of(GRAMMAR.tree("output", self._text[node.start : node.end], node.start).children[0])

    def of(self, tree: Any) -> Expression:
        """The expression of a tree."""
        raise NotImplementedError

    def place_of(self, tree: Any) -> tuple[int, int]:
        """Where a tree stands in the text."""
        start, end = (tree.start_pos, tree.end_pos) if hasattr(tree, "start_pos") else place_of(tree)
        return self._offset + start, self._offset + end

    def shown(self, tree: Any) -> str:
        """A tree as the document has it."""
        start, end = self.place_of(tree)
        return " ".join(self._text[start:end].split())

    def refused(self, tree: Any, message: str, hint: str | None = None) -> Mistake:
        """A mistake at a tree."""
        return Mistake(message, *self.place_of(tree), hint)

    def made(self, tree: Any, code: str, kind: Kind | None, level: int, **more: bool) -> Expression:
        """An expression in place of a tree."""
        return Expression(code, kind, level, *self.place_of(tree), self.shown(tree), **more)

    # values

    def text(self, tree: Any) -> Expression:
        """A text in quotes."""
        words = re.sub(r"\\(['\"\\])", r"\1", str(tree.children[0])[1:-1])
        return self.made(tree, quoted(words), kinds.constant(words), MEMBER, is_literal=True)

    def number(self, tree: Any) -> Expression:
        """A number."""
        written = str(tree.children[0]).removesuffix("L")
        value = float(written) if "." in written else int(written)
        return self.made(tree, written, kinds.constant(value), MEMBER)

    def constant(self, tree: Any) -> Expression:
        """`true`, `false` or `null`."""
        value = {"true": True, "false": False, "null": None}[tree.data]
        return self.made(tree, "none" if value is None else tree.data, kinds.constant(value), MEMBER)

    def grouped(self, tree: Any) -> Expression:
        """What stands in parentheses."""
        return self.of(tree.children[0])

    def list_of(self, tree: Any) -> Expression:
        """A list."""
        items = [self.of(child) for child in tree.children]
        kind = kinds.list_of(kinds.united(item.kind for item in items))
        known = [item.kind.values[0] for item in items if item.kind and item.kind.values and len(item.kind.values) == 1]
        if len(known) == len(items):
            kind = kind._replace(values=(known,))
        return self.made(tree, f"[{', '.join(item.code for item in items)}]", kind, MEMBER)

    def map_of(self, tree: Any) -> Expression:
        """A map, whose keys are texts."""
        pairs = [(self.of(pair.children[0]), self.of(pair.children[1])) for pair in tree.children]
        known = {key.constant: value.kind for key, value in pairs if key.constant is not None}
        if len(known) < len(pairs):
            raise self.refused(tree, "a map whose keys are no texts has no counterpart here")
        members = {key: kind for key, kind in known.items() if kind is not None}
        values = {key: kind.values[0] for key, kind in members.items() if kind.values and len(kind.values) == 1}
        kind = Kind(frozenset(("map",)), members=members, values=(values,) if len(values) == len(pairs) else None)
        code = ", ".join(f"{key.code}: {value.code}" for key, value in pairs)
        return self.made(tree, f"{{{code}}}", kind, MEMBER)

    # names

    def name(self, tree: Any) -> Expression:
        """A name without a member."""
        name = str(tree.children[0])
        if name in self._bound:
            return self.made(tree, name, self._bound[name], MEMBER)
        if name == "trigger":
            return self.made(tree, "", UNDEFINED, MEMBER)
        if name in ("inputs", "outputs"):
            raise self.refused(tree, f"all `{name}` together are printed in another way here", "read one of them")
        if name == "execution":
            raise self.refused(tree, "what is known of an execution is another thing in each run", "take it out")
        kind = kinds.of_key(name, self.place.steps)
        return self.made(tree, f"flowContext.{name}", kind or (UNDEFINED if name == "labels" else None), MEMBER)

    def member(self, tree: Any) -> Expression:
        """A member of a value, or one of the names of a flow."""
        moved = self._moved_input(tree)
        if moved is not None:
            return moved
        base, step = tree.children
        name = str(base.children[0]) if base.data == "name" else ""
        key = self._key(step)
        if name == "loop" and name in self._bound and isinstance(key, str):
            word, of_loop = _LOOP[key]
            return self.made(tree, f"loop.{word}", of_loop, MEMBER)
        if name in ("inputs", "outputs") and name not in self._bound and isinstance(key, str):
            if name == "inputs":
                declared = self.place.flow.get("inputs", {}).get(key)
                return self.made(tree, f"inputs{_step(key)}", kinds.of_input(declared), MEMBER)
            key = output_key(key)
            kind = kinds.of_key(key, self.place.steps)
            return self.made(tree, f"flowContext{_step(key)}", kind, MEMBER, may_lack=True)
        of = self.of(base)
        if of.within("undefined"):
            return self.made(tree, "", UNDEFINED, MEMBER)
        found = None if of.kind is None else of.kind.member(None if isinstance(key, Expression) else key)
        written = f"[{key.code}]" if isinstance(key, Expression) else _step(key)
        known = of.kind.values if of.kind is not None else None
        is_there = known is not None and isinstance(key, int) and all(len(each) > key for each in known)
        is_open = of.is_open or (isinstance(key, int) and not is_there)
        return self.made(tree, of.tight(MEMBER) + written, found, MEMBER, may_lack=of.may_lack, is_open=is_open)

    def _moved_input(self, tree: Any) -> Expression | None:
        """An input with dots in its id, or one whose default is an expression; None for other members."""
        names, base = list[str](), tree
        while base.data in ("attribute", "subscript"):
            base, step = base.children
            if getattr(step, "data", "text") != "text":
                return None
            names.insert(0, str(self._key(step)))
        if base.data != "name" or str(base.children[0]) != "inputs" or "inputs" in self._bound:
            return None
        id = ".".join(names)
        declared = self.place.flow.get("inputs", {}).get(id)
        if declared is None:
            return None
        key = default_key(id)
        if any(step.get("step") == "SET" and key in step for step in self.place.steps):
            return self.made(tree, f"flowContext.{key}", kinds.TEXT, MEMBER)
        return self.made(tree, f"inputs{_step(id)}", kinds.of_input(declared), MEMBER) if "." in id else None

    def _key(self, step: Any) -> str | int | Expression:
        """What names a member."""
        if getattr(step, "data", None) is None:
            return str(step)
        key = self.of(step)
        if key.constant is not None:
            return key.constant
        if key.within("whole") and key.kind is not None and key.kind.values is not None and key.code.isdigit():
            return int(key.code)
        if not key.within("text"):
            raise key.refused(f"what `{key.shown}` names is known in the run alone", "name the member in quotes")
        return key


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if IDENTIFIER.fullmatch(key) else f"[{quoted(key)}]"
