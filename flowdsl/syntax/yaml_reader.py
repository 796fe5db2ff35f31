"""YAML text to nodes: values with exact spans, and every slip of syntax as a diagnostic.

The values are those of YAML 1.2's core schema: `yes`, `no`, `on` and `off` are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from flowdsl.diagnostics import Diagnostic, Edit, Fix, Related
from flowdsl.source import Source, Span
from flowdsl.syntax import libyaml
from flowdsl.syntax.core_schema import SPECIAL_FIRST, plain_value

MAX_DEPTH = 64
"""How deep lists and maps may stand inside each other."""
MAX_SLIPS = 50
"""How many syntax errors are worked around to find the mistakes behind them."""
MAX_REREAD = 20_000_000
"""How many characters are read again, at most, to get past slips."""
MAX_NODES = 500_000
"""How many nodes a document may have once its aliases are expanded."""

Kind = Literal["scalar", "list", "map"]


class Node:
    """A value and where it stands.

    `value` is a scalar's Python value, a list of nodes, or a dict from key to node; `keys` maps a map's keys to their
    own nodes. `style` is the YAML style of a scalar: None for plain, `'`, `"`, `|` or `>`.
    """

    __slots__ = ("end", "height", "keys", "kind", "size", "source", "start", "style", "value")

    def __init__(self, kind: Kind, value: Any, source: Source, start: int, end: int, style: str | None = None) -> None:
        self.kind = kind
        self.value = value
        self.source = source
        self.start = start
        self.end = end
        self.style = style
        self.size = 1
        self.height = 0
        self.keys: dict[str, Node] = {} if kind == "map" else _NO_KEYS

    def grow(self, child: Node) -> None:
        """Makes the node as large and as high as a child that it gets asks for."""
        self.size += child.size
        self.height = max(self.height, child.height + 1)

    @property
    def span(self) -> Span:
        """Where the node stands."""
        return Span(self.source, self.start, self.end)

    def plain(self) -> Any:
        """The value without positions: text, number, boolean, None, list or dict."""
        if self.kind == "map":
            return {key: node.plain() for key, node in self.value.items()}
        if self.kind == "list":
            return [node.plain() for node in self.value]
        return self.value

    def __repr__(self) -> str:
        return f"Node({self.kind}, {self.plain()!r}, {self.start}-{self.end})"


Include = Callable[[str, Span], tuple["Node | None", list[Diagnostic]]]
"""Gives the root node of an included file, and what is wrong in it."""


def read(
    source: Source, include: Include | None = None, *, measured: bool = False
) -> tuple[Node | None, list[Diagnostic]]:
    """The root node of a document, or None when there is none to work with, and the mistakes found on the way.

    How it goes on after a slip of syntax. The parser stops at the first thing that it cannot read, and its state is of
    no use then. So the slip is told in our words, it is worked around in a copy of the text, and the copy is read from
    its start: an unquoted template becomes a quoted text of the same length, a line that fits nothing becomes blanks.
    Why in a copy: the source is what people are shown and what fixes edit, so it stays as the author wrote it. The copy
    has every other character at the place it has there, so that each span of a node read from the copy is a span of the
    source. Each round gets past one slip; there are MAX_SLIPS rounds at most, and MAX_REREAD characters read in all, so
    that a hostile file ends. Where a slip cannot be worked around, there is no document: no findings are better than
    wrong ones.

    `measured` gives every node its `size` and `height`, for a file that others include.
    """
    diagnostics: list[Diagnostic] = []
    if not source.text.strip():
        span = Span(source, 0, len(source.text))
        return None, [
            Diagnostic("empty-file", "the file is empty", span, hint="a flow is a list of steps: `- step: NAME`")
        ]
    text, templates = source.text, set[int]()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        span = Span(source, error.start, error.start + 1)
        message = f"the character U+{ord(text[error.start]):04X} is not allowed in YAML"
        return None, [Diagnostic("yaml-syntax", message, span, hint="it is half of a character: write the whole one")]
    for _ in range(min(MAX_SLIPS, 1 + MAX_REREAD // len(text))):
        found: list[Diagnostic] = []
        try:
            root = _composed(source, text, found, templates, include, measured)
            return root, diagnostics + found
        except _Stop:
            return None, diagnostics + found
        except (libyaml.YAMLError, _Slip) as error:
            from flowdsl.syntax.yaml_errors import mend, syntax_slip

            slip = error.diagnostic if isinstance(error, _Slip) else syntax_slip(Source(text, source.path), error)
            slip = _in_source(slip, source)
            if not _follows(slip, diagnostics):
                diagnostics.append(slip)
            mended = mend(text, slip)  # as long as the text, with every other character in its place
            if mended is None or mended == text:
                return None, diagnostics
            if slip.code == "unquoted-template":
                templates.add(slip.span.start)  # its node gets the author's characters back: they are checked too
            text = mended
    return None, diagnostics


def _composed(
    source: Source, text: str, found: list[Diagnostic], templates: set[int], include: Include | None, measured: bool
) -> Node | None:
    """The root node of a text, which is the source's but for slips that were worked around.

    From version 0.2.6 on libyaml has a limit of its own for brackets inside brackets. It reads ahead by up to a line,
    so its error comes before the events that lead there. What stands before its limit is deeper than ours by far:
    without the rest, the finding is ours and stands where ours is exceeded, whatever libyaml is installed.
    """
    loader = libyaml.Parser(text)
    try:
        return _Composer(source, loader, found, templates, include, measured).document()
    except libyaml.MarkedYAMLError as error:
        if error.problem != _NESTING_LIMIT or error.problem_mark is None:
            raise
        limit = error.problem_mark.index
    finally:
        loader.dispose()
    found.clear()
    return _composed(source, text[:limit], found, templates, include, measured)


def _in_source(slip: Diagnostic, source: Source) -> Diagnostic:
    """A slip found in a copy of the text, where every character has its place in the source."""
    fixes = tuple(
        fix._replace(edits=tuple(edit._replace(span=edit.span._replace(source=source)) for edit in fix.edits))
        for fix in slip.fixes
    )
    return slip._replace(span=slip.span._replace(source=source), fixes=fixes)


def _follows(slip: Diagnostic, before: list[Diagnostic]) -> bool:
    """Whether a slip only follows from a tab or a quote on its line."""
    line = slip.span.first.line
    return any(d.code in ("tab", "quote-in-quotes") and d.span.first.line == line for d in before)


def read_bytes(content: bytes, path: str) -> tuple[Source, list[Diagnostic]]:
    """The text of a file: UTF-8, with or without a byte order mark. Bytes that are no UTF-8 give a diagnostic."""
    try:
        return Source(content.decode(), path), []
    except UnicodeDecodeError as error:
        source = _undecodable(content, path)
        start = len(content[: error.start].decode().lstrip("\ufeff"))
        encoding = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        found = f"it looks like {encoding}" if encoding else f"byte 0x{content[error.start]:02x} is not UTF-8"
        span = Span(source, start, start + 1)
        return source, [Diagnostic("not-utf8", f"the file is not UTF-8: {found}", span, hint="save the file as UTF-8")]


def _undecodable(content: bytes, path: str) -> Source:
    """A file with U+FFFD for every byte that is no part of a character."""
    text = content.decode("utf-8", "surrogateescape")
    marks = len(text) - len(text.lstrip("\ufeff"))
    escaped = {at - marks: bytes([ord(char) - 0xDC00]) for at, char in enumerate(text) if "\udc80" <= char <= "\udcff"}
    shown = "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text)
    return Source(shown, path, escaped)


class _Stop(Exception):
    pass


class _Slip(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class _Composer:
    """Builds nodes from parser events, with a stack of its own so that depth costs no recursion."""

    def __init__(
        self,
        source: Source,
        loader: Any,
        diagnostics: list[Diagnostic],
        templates: set[int],
        include: Include | None,
        measured: bool,
    ) -> None:
        self.include = include
        self.measured = measured
        self.source = source
        self.loader = loader
        self.diagnostics = diagnostics
        self.templates = templates  # where templates stand that should have been quoted
        self.anchors: dict[str, Node | None] = {}
        self.open_anchors: dict[int, str] = {}
        self.expanded = 0

    def document(self) -> Node | None:
        next_event = self.loader.get_event
        next_event()  # stream start
        start = next_event()
        if not isinstance(start, libyaml.DocumentStartEvent):
            span = Span(self.source, 0, len(self.source.text))
            self.report("empty-file", "the file holds only comments", span, "a flow is a list of steps: `- step: NAME`")
            raise _Stop
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
        anchors, measured = self.anchors, self.measured
        parent: Node | None = None  # the list or map that is open
        key: Node | None = None  # in a map: the key that waits for its value
        outside: list[tuple[Node | None, Node | None]] = []  # parent and key of what encloses the parent
        while True:
            event = next_event()
            kind = event.__class__
            if kind is scalar_event:
                node = self.scalar(event, len(outside))
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
            if parent.kind == "list":
                parent.value.append(node)
            elif key is None:
                key = node
            else:
                name = key.value
                if name.__class__ is str and name not in parent.value:
                    parent.value[name] = node
                    parent.keys[name] = key
                else:
                    self.entry(parent, key, node)
                key = None

    def scalar(self, event: Any, depth: int) -> Node:
        start, end, style = event.start_mark.index, event.end_mark.index, event.style or None
        value = event.value
        if style is None:
            if (not value or value[0] in SPECIAL_FIRST) and event.implicit[0]:
                value = plain_value(value)
        elif style in "|>":
            end = _without_trailing_space(self.source.text, start, end)
        node = Node("scalar", value, self.source, start, end, style)
        if event.tag == "!include" and self.include is not None:
            node = self.included(node, self.include, depth)
        elif event.tag is not None:
            self.tagged(node, event)
        if self.templates and (start := content_start(node)) in self.templates:
            node.value, node.style = self.source.text[start:end], None
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def included(self, node: Node, include: Include, depth: int) -> Node:
        """The root of the file that `!include path` names, in place of the tag; null when it cannot be read, or would
        make the document too deep or too large."""
        if not isinstance(node.value, str) or not node.value:
            self.report("wrong-type", "`!include` takes a path", node.span, "write `!include ./steps.yaml`")
            return Node("scalar", None, self.source, node.start, node.end)
        found, slips = include(node.value, node.span)
        known = set(map(id, self.diagnostics))  # a file that is included twice gives the same findings twice
        self.diagnostics += [slip for slip in slips if id(slip) not in known]
        if found is not None and depth + found.height > MAX_DEPTH:
            self.report("too-deep", f"with this file, lists and maps stand more than {MAX_DEPTH} deep", node.span)
            found = None
        self.expanded += found.size if found is not None else 0
        if self.expanded > MAX_NODES:
            message = f"with this file, the document has more than {MAX_NODES:,} values"
            self.report("alias-bomb", message, node.span, "include fewer files, or each of them less often")
            raise _Stop
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
            raise _Stop
        return node

    def closed(self, node: Node, event: Any) -> None:
        """Completes a list or map that ends."""
        end = event.end_mark.index
        node.end = end if end > event.start_mark.index else _last_end(node)
        if self.open_anchors and (anchor := self.open_anchors.pop(id(node), None)) is not None:
            self.anchors[anchor] = node

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
        from flowdsl.syntax.yaml_errors import unquoted_template

        slip = unquoted_template(self.source, start)
        if slip is None:
            span = Span(self.source, start, start + 1)
            message = "a key must be a text, and this is a list or a map"
            slip = Diagnostic("complex-key", message, span, hint="quote the text if it starts with { or [")
        raise _Slip(slip)

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
            raise _Stop
        self.expanded += target.size
        if self.expanded > MAX_NODES:
            self.report(
                "alias-bomb",
                f"the aliases of this file expand to more than {MAX_NODES:,} values",
                at,
                "write the values out, or fewer of them",
            )
            raise _Stop
        if depth + target.height > MAX_DEPTH:
            self.report("too-deep", f"with this alias, lists and maps stand more than {MAX_DEPTH} deep", at)
            raise _Stop
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


_NESTING_LIMIT = "exceeded maximum nesting depth"  # libyaml's words
_NO_KEYS: dict[str, Node] = {}
_COLLECTION_TAGS = ("!", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
_TAG_TYPES: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


def content_start(node: Node) -> int:
    """Where the text of a scalar starts: behind its anchor and tag."""
    match = _PROPERTIES.match(node.source.text, node.start, node.end)
    return match.end() if match else node.start


_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|$))+")


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
