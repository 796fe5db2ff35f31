"""From the events of the parser to nodes: keys, anchors, tags, includes, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowdsl.diagnostics import Diagnostic, Edit, Fix, Related
from flowdsl.source import Source, Span
from flowdsl.syntax import libyaml
from flowdsl.syntax.core_schema import SPECIAL_FIRST, plain_value
from flowdsl.syntax.edits import line_end
from flowdsl.syntax.node import Node, content_start

if TYPE_CHECKING:
    from flowdsl.syntax.foreign_characters import Replaced

MAX_DEPTH = 64
"""How deep lists and maps may stand inside each other."""
MAX_NODES = 500_000
"""How many nodes a document may have once its aliases are expanded."""

_COLLECTION_TAGS = ("!", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
_TAG_TYPES: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}

Include = Callable[[str, Span], tuple["Node | None", list[Diagnostic]]]
"""Gives the root node of an included file, and what is wrong in it."""


class Stop(Exception):
    """What is wrong here has been reported, and nothing behind it can be read."""


class Mistake(Exception):
    """What is wrong here can perhaps be worked around."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Composer:
    """Builds nodes from parser events, with a stack of its own so that depth costs no recursion."""

    def __init__(
        self,
        source: Source,
        loader: Any,
        diagnostics: list[Diagnostic],
        restored: dict[int, tuple[int, int]],
        include: Include | None,
        measured: bool,
        foreign: Replaced | None = None,
    ) -> None:
        self.include = include
        self.foreign = foreign
        self.hashes = " #" in source.text and re.compile(_GLUED).search(source.text) is not None
        self.merges = "<<" in source.text
        self.measured = measured
        self.source = source
        self.loader = loader
        self.diagnostics = diagnostics
        self.restored = restored  # where texts begin that get the author's characters: their quotes were wrong
        self.anchors: dict[str, Node | None] = {}
        self.open_anchors: dict[int, str] = {}
        self.expanded = 0

    def document(self) -> Node:
        """The root node of the document.

        Raises:
            Stop: it is empty, too deep or too large.
            Mistake: a list or map stands where a key belongs.
            libyaml.YAMLError: the parser cannot read on.
        """
        next_event = self.loader.get_event
        next_event()  # stream start
        start = next_event()
        if not isinstance(start, libyaml.DocumentStartEvent):
            span = Span(self.source, 0, len(self.source.text))
            self.report("empty-file", "the file holds only comments", span, "a flow is a list of steps: `- step: NAME`")
            raise Stop
        root = self.compose()
        next_event()  # document end
        another: Any = next_event()
        if another.__class__ is libyaml.DocumentStartEvent:
            mark: Any = another.start_mark
            at = mark.index
            self.report(
                "second-document",
                "a file holds one document, and a second starts here",
                Span(self.source, at, at + 3),
                "move it to a file of its own",
            )
        return root

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        hint: str | None = None,
        related: tuple[Related, ...] = (),
        fixes: tuple[Fix, ...] = (),
    ) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, hint=hint, related=related, fixes=fixes))

    def compose(self) -> Node:
        """The next node with everything below it."""
        next_event = self.loader.get_event
        scalar_event, alias_event = libyaml.ScalarEvent, libyaml.AliasEvent
        starts = (libyaml.SequenceStartEvent, libyaml.MappingStartEvent)
        anchors, measured, source = self.anchors, self.measured, self.source
        odd = self.hashes or self.foreign is not None or bool(self.restored)
        parent: Node | None = None  # the list or map that is open
        key: Node | None = None  # in a map: the key that waits for its value
        outside: list[tuple[Node | None, Node | None]] = []  # parent and key of what encloses the parent
        while True:
            event = next_event()
            kind = event.__class__
            if kind is scalar_event:
                value, end, style = event.value, event.end_mark.index, event.style or None
                if style is None:
                    if not value or value[0] in SPECIAL_FIRST:
                        value = plain_value(value)
                elif style in "|>":
                    end = _without_trailing_space(source.text, event.start_mark.index, end)
                node = Node("scalar", value, source, event.start_mark.index, end, style)
                if odd or event.tag is not None or event.anchor is not None:
                    node = self.scalar(node, event, len(outside))
            elif kind in starts:
                node = self.opened(event, len(outside))
                self.may_stand(parent, key, node, node.start)
                outside.append((parent, key))
                parent, key = node, None
                continue
            elif kind is alias_event:
                node = self.alias(event, len(outside))
                self.may_stand(parent, key, node, event.start_mark.index)
            else:
                assert parent is not None  # noqa: S101  an end follows its start
                node = parent
                parent, key = outside.pop()
                self.closed(node, event)
            if parent is None:
                return node
            if anchors or measured:  # otherwise nobody asks how large or high a node is
                parent.grow(node)
            if key is not None:
                name = key.value
                if name.__class__ is str and name not in parent.value:
                    parent.value[name] = node
                    parent.keys[name] = key
                else:
                    self.entry(parent, key, node)
                key = None
            elif parent.kind == "list":
                parent.value.append(node)
            else:
                key = node

    def scalar(self, node: Node, event: Any, depth: int) -> Node:
        """A scalar that has a tag or an anchor, or stands in a text of which one must know more; most have none."""
        text, start, end, value = self.source.text, node.start, event.end_mark.index, event.value
        if self.foreign is not None:
            value = self.foreign.restored(value, text[start:end], node.style)
        if node.style is None and self.hashes and value and (glued := re.compile(_GLUED).match(text, end)) is not None:
            self.comment_in_text(start, end, glued)
        node.value = plain_value(value) if node.style is None and event.tag is None else value
        if event.tag == "!include" and self.include is not None:
            node = self.included(node, self.include, depth)
        elif event.tag is not None:
            self.tagged(node, event)
        if self.restored and (start := content_start(node)) in self.restored:
            first, end = self.restored[start]
            node.value, node.style = text[first:end], None if first == start else text[start]
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def comment_in_text(self, start: int, end: int, glued: Any) -> None:
        """Reports ` #` and a word behind a text: what was meant as a part of it is a comment."""
        from flowdsl.syntax.quoting import quoted, to_quote

        at, value = Span(self.source, end + 1, glued.end()), Span(self.source, start, line_end(self.source.text, end))
        fix = quoted(value, title="put the whole value in quotes")
        message = f"`{at.text}` begins a comment, and ends the text before it"
        hint = f"a comment has a space behind its #: {to_quote(value)}"
        self.report("comment-in-text", message, at, hint, fixes=(fix,) if fix is not None else ())

    def included(self, node: Node, include: Include, depth: int) -> Node:
        """The root of the file that `!include path` names, in place of the tag; null when it cannot be read, or would
        make the document too deep or too large."""
        if not isinstance(node.value, str) or not node.value:
            self.report("wrong-type", "`!include` takes a path", node.span, "write `!include ./steps.yaml`")
            return Node("scalar", None, self.source, node.start, node.end)
        found, mistakes = include(node.value, node.span)
        known = set(map(id, self.diagnostics))  # a file that is included twice gives the same findings twice
        self.diagnostics += [mistake for mistake in mistakes if id(mistake) not in known]
        if found is not None and depth + found.height > MAX_DEPTH:
            self.report("too-deep", f"with this file, lists and maps stand more than {MAX_DEPTH} deep", node.span)
            found = None
        self.expanded += found.size if found is not None else 0
        if self.expanded > MAX_NODES:
            message = f"with this file, the document has more than {MAX_NODES:,} values"
            self.report("alias-bomb", message, node.span, "include fewer files, or each of them less often")
            raise Stop
        return found if found is not None else Node("scalar", None, self.source, node.start, node.end)

    def opened(self, event: Any, depth: int) -> Node:
        """The node of a list or map that starts."""
        is_map = event.__class__ is libyaml.MappingStartEvent
        node = Node(
            "map" if is_map else "list", {} if is_map else [], self.source, event.start_mark.index, event.end_mark.index
        )
        if event.anchor is not None:
            self.anchors[event.anchor] = None
            self.open_anchors[id(node)] = event.anchor
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            self.tagged(node, event)
        if depth >= MAX_DEPTH:
            span = Span(self.source, node.start, node.start + 1)
            self.report("too-deep", f"lists and maps stand more than {MAX_DEPTH} deep here", span)
            raise Stop
        return node

    def closed(self, node: Node, event: Any) -> None:
        """Completes a list or map that ends."""
        end = event.end_mark.index
        node.end = end if end > event.start_mark.index else _last_end(node)
        if self.merges and node.kind == "map" and "<<" in node.value and node.keys["<<"].style is None:
            self.merge(node)
        if self.open_anchors and (anchor := self.open_anchors.pop(id(node), None)) is not None:
            self.anchors[anchor] = node

    def merge(self, node: Node) -> None:
        """Puts the entries of the maps that `<<` names into a map; its own win, then those of the first map."""
        key, named = node.keys["<<"], node.value["<<"]
        maps = named.value if named.kind == "list" else [named]
        if named.kind == "scalar" and named.value is None:  # an alias or a file that was not there, which was reported
            maps = []
        if not all(each.kind == "map" for each in maps):
            self.report("wrong-type", "`<<` takes a map or a list of maps", key.span, "name one: `<<: *anchor`")
            maps = []
        del node.keys["<<"], node.value["<<"]
        for each in maps:
            for name, value in each.value.items():
                if name not in node.value:
                    node.keys[name], node.value[name] = each.keys[name], value

    def entry(self, parent: Node, key: Node, node: Node) -> None:
        """Puts a key and its value into a map; a key that is there already is reported and dropped."""
        name = key.value
        if name.__class__ is not str:
            name = self.source.text[content_start(key) : key.end]
            key = Node("scalar", name, key.source, key.start, key.end, key.style)
        if name in parent.value:
            self.duplicate(parent, key, node)
            return
        parent.value[name] = node
        parent.keys[name] = key

    def duplicate(self, parent: Node, key: Node, node: Node) -> None:
        """Reports a key that is given twice."""
        from flowdsl.syntax.edits import indented, removed_lines

        first, source = parent.keys[key.value], self.source
        line, column = source.position(key.start)
        alone = not source.line(line)[: column - 1].strip()
        fixes: tuple[Fix, ...] = ()
        if key.value == "step":
            hint = "start the next step with `- step:`"
            fixes = (indented(source, line, column - 3, title=hint, dash=True),) if alone and column > 2 else ()
        else:
            hint = "remove one of the two"
            end = node.end if node.source is source and node.end > key.end else key.end
            fixes = (removed_lines(source, key.start, end, title=f"remove this `{key.value}`"),) if alone else ()
        related = (Related(first.span, "first given here"),)
        self.report("duplicate-key", f"`{key.value}` is given twice", key.span, hint, related, fixes)

    def may_stand(self, parent: Node | None, key: Node | None, node: Node, start: int) -> None:
        """Refuses a list or map where a key belongs: most often it is a template that is not quoted."""
        if key is not None or parent is None or parent.kind != "map" or node.kind == "scalar":
            return
        from flowdsl.syntax.quote_errors import unquoted_template

        mistake = unquoted_template(self.source, start)
        if mistake is None:
            span = Span(self.source, start, start + 1)
            message = "a key must be a text, and this is a list or a map"
            mistake = Diagnostic("complex-key", message, span, hint="quote the text if it starts with { or [")
        raise Mistake(mistake)

    def alias(self, event: Any, depth: int) -> Node:
        at = Span(self.source, event.start_mark.index, event.end_mark.index)
        if event.anchor not in self.anchors:
            self.report(
                "unknown-alias",
                f"`*{event.anchor}` names no anchor above it",
                at,
                f"mark the value with `&{event.anchor}`",
            )
            return Node("scalar", None, self.source, at.start, at.end)
        target = self.anchors[event.anchor]
        if target is None:
            self.report("alias-cycle", f"`*{event.anchor}` stands inside the value it names", at)
            raise Stop
        self.expanded += target.size
        if self.expanded > MAX_NODES:
            self.report(
                "alias-bomb",
                f"the aliases of this file expand to more than {MAX_NODES:,} values",
                at,
                "write the values out, or fewer of them",
            )
            raise Stop
        if depth + target.height > MAX_DEPTH:
            self.report("too-deep", f"with this alias, lists and maps stand more than {MAX_DEPTH} deep", at)
            raise Stop
        return target

    def tagged(self, node: Node, event: Any) -> None:
        """Applies one of YAML's own tags, or reports a tag that means nothing here."""
        tag = event.tag
        kind = tag.removeprefix("tag:yaml.org,2002:")
        if node.kind == "scalar" and kind in ("str", "!"):
            node.value = event.value
        elif (
            node.kind == "scalar"
            and kind in _TAG_TYPES
            and isinstance(value := plain_value(event.value), _TAG_TYPES[kind])
        ):
            node.value = value
        else:
            shown = "!!" + kind if kind != tag else tag
            span = Span(self.source, event.start_mark.index, event.start_mark.index + len(shown))
            fix = Fix("remove it", (Edit(span, ""),))
            self.report("unknown-tag", f"the tag `{shown}` means nothing here", span, "remove it", fixes=(fix,))


_GLUED = r"(?<=\S) #\w\S*"


def _without_trailing_space(text: str, start: int, end: int) -> int:
    """The end of a block scalar without the blank lines and indentation after it."""
    while end > start + 1 and text[end - 1] in " \t\r\n":
        end -= 1
    return end


def _last_end(node: Node) -> int:
    """The end of a block list or map: where its last value ends."""
    if not node.value:
        return node.start
    if node.kind == "list":
        last = node.value[-1]
        return int(last.end) if last.source is node.source and last.end > node.start else node.start + 1
    name = next(reversed(node.value))
    value, key = node.value[name], node.keys[name]
    return max(int(value.end), key.end) if value.source is node.source else key.end
