"""Fixes: exact edits of a file, made where a hint is made. Each function here is one kind of fix.

Fixes that need no nodes are in `edits`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from flowdsl.diagnostics import Edit, Fix
from flowdsl.source import Span
from flowdsl.syntax.core_schema import plain_value
from flowdsl.syntax.edits import line_break, line_end, lines_of, replaced
from flowdsl.syntax.node import Node, content_start
from flowdsl.syntax.quoting import written
from flowdsl.syntax.scalars import span_in


def renamed(node: Node, name: Any, *, title: str | None = None, safe: bool = False) -> Fix | None:
    """Another value, for example a name, in place of a scalar's; a text in quotes where the scalar has them or it needs
    them. None when the scalar does not stand in the file as its value."""
    if node.kind != "scalar" or not stands(node):
        return None
    start = content_start(node)
    text = written(name, node.style or ('"' if _behind_quotes(node.source.text, start) else None))
    return replaced(Span(node.source, start, node.end), text, title=title or f"write `{name}`", safe=safe)


def _behind_quotes(text: str, start: int) -> bool:
    """Whether a value stands behind a key in double quotes, as in JSON, where a text must have them too."""
    return re.search(r'"\s*:\s*$', text[max(0, start - 80) : start]) is not None


def for_brackets(node: Node, value: Any) -> Fix | None:
    """Another value in place of a list or map in brackets; None for one that stands otherwise."""
    start = content_start(node)
    if node.kind == "scalar" or not _in_brackets(node) or node.source.text[node.end - 1 : node.end] not in ("}", "]"):
        return None
    return replaced(Span(node.source, start, node.end), written(value), title=f"write `{value}`")


def unlisted(node: Node, value: str) -> Fix | None:
    """A value in place of a list of one item."""
    end = len(node.source.text[: node.end].rstrip())
    if _in_brackets(node):
        return replaced(Span(node.source, node.start, end), written(value), title=f"write `{value}`")
    start = node.source.text.rfind(":", 0, node.start) + 1
    return replaced(Span(node.source, start, end), f" {written(value)}", title=f"write `{value}`")


def removed(parent: Node, name: str, *, title: str | None = None, safe: bool = False) -> Fix | None:
    """A map without one of its entries; None when it is the only one, or stands in another file."""
    key = parent.keys.get(name)
    if key is None or key.source is not parent.source or len(parent.value) < 2 or not stands(key):
        return None
    at = _entry(parent, name)
    return Fix(title or f"remove `{name}`", (Edit(at, ""),), safe)


def removed_item(parent: Node, index: int, *, title: str = "remove it") -> Fix | None:
    """A list without one of its items; None when it is the only one."""
    items = parent.value
    item = items[index]
    if len(items) < 2 or any(other.source is not parent.source for other in items):
        return None
    if _in_brackets(parent):
        at = _between_commas(Span(parent.source, item.start, item.end), index == 0)
    else:
        at = lines_of(parent.source, parent.source.text.rfind("-", 0, item.start), item.end)
    return Fix(title, (Edit(at, ""),), False)


def entry(parent: Node, key: str, value: Any) -> str:
    """An entry for a map, in quotes where its others are: between brackets that is JSON, which has nothing without."""
    first = next(iter(parent.keys.values()), None)
    if first is not None and first.style == '"' and _in_brackets(parent):
        import json

        return f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
    return f"{key}: {written(value)}"


def added(parent: Node, entry: str, *, title: str | None = None, safe: bool = False) -> Fix | None:
    """A map with one entry more, `key: value`, behind its first one."""
    source = parent.source
    found = next(((name, key) for name, key in parent.keys.items() if key.source is source and stands(key)), None)
    if found is None:
        return None
    first, value = found[1], parent.value[found[0]]  # a key that is misspelt stands under the name that is meant
    title = title or f"add `{entry}`"
    if _in_brackets(parent):
        end = max(value.end, first.end)
        return Fix(title, (Edit(Span(source, end, end), f", {entry}"),), safe)
    end = line_end(source.text, value.end if value.source is source and value.end > first.end else first.end)
    text = line_break(source) + " " * (source.position(first.start).col - 1) + entry
    return Fix(title, (Edit(Span(source, end, end), text),), safe)


def added_item(parent: Node, item: str) -> Fix | None:
    """A list with one item more, as YAML of one line, behind its last one."""
    last = parent.value[-1]
    if last.source is not parent.source:
        return None
    at = Span(parent.source, last.end, last.end)
    if _in_brackets(parent):
        return Fix(f"add `{item}`", (Edit(at, f", {item}"),), False)
    text, dash = parent.source.text, parent.source.text.rfind("-", 0, last.start)
    end = line_end(text, len(text[: last.end].rstrip()))
    indent = " " * (parent.source.position(dash).col - 1)
    return Fix(f"add `{item}`", (Edit(Span(parent.source, end, end), f"{line_break(parent.source)}{indent}- {item}"),))


def _in_brackets(node: Node) -> bool:
    return node.source.text.startswith(("{", "["), content_start(node))


def _entry(parent: Node, name: str) -> Span:
    """The characters of a map's entry that can go without a trace."""
    source, key = parent.source, parent.keys[name]
    value = parent.value[name]
    end = max(value.end if value.source is source else 0, key.end)
    names = list(parent.value)
    if _in_brackets(parent):
        return _between_commas(Span(source, key.start, end), names[0] == name)
    first = source.text[source.offset(source.position(key.start).line, 1) : key.start]
    if not first.strip():
        return lines_of(source, key.start, end)
    return Span(source, key.start, parent.keys[names[1]].start)  # behind the dash: the next entry moves up


def _between_commas(at: Span, is_first: bool) -> Span:
    text = at.source.text
    pattern = re.compile(r"\s*,\s*")
    if is_first:
        following = pattern.match(text, at.end)
        return at._replace(end=following.end()) if following is not None else at
    comma = text.rfind(",", 0, at.start)
    return at._replace(start=comma) if comma >= 0 else at


def lifted(parent: Node, name: str) -> Fix | None:
    """A map with the entries of one of its maps in that one's place; None where they have no lines of their own, or one
    of them is there already."""
    source, key, inner = parent.source, parent.keys[name], parent.value[name]
    if inner.kind != "map" or inner.source is not source or any(each in parent.value for each in inner.value):
        return None
    first, line = source.position(inner.start), source.position(key.start).line
    if first.line == line or _in_brackets(parent) or source.line(line)[: source.position(key.start).col - 1].strip():
        return None
    deeper = first.col - source.position(key.start).col
    edits = [Edit(lines_of(source, key.start, key.end), "")]
    for number in range(line + 1, source.position(inner.end - 1).line + 1):
        start, text = source.offset(number, 1), source.line(number)
        if text[:deeper].strip():
            return None
        if text.strip():
            edits.append(Edit(Span(source, start, start + deeper), ""))
    return Fix(f"remove `{name}:`, and indent its keys like the others", tuple(edits)) if deeper > 0 else None


def wrapped(parent: Node, name: str, head: Sequence[str], *, title: str) -> Fix | None:
    """A map that is an item of a list, without one of its entries, as the one item below the lines `head`, which take
    its place. None where it does not begin behind a dash on lines of its own, or the entry is not one line of it."""
    source, key, value = parent.source, parent.keys[name], parent.value[name]
    if value.source is not source or _in_brackets(parent):
        return None
    begin, line = source.position(parent.start), source.position(key.start).line
    if line == begin.line or source.position(value.end).line != line:
        return None
    if source.line(begin.line)[: begin.col - 1].strip() != "-":
        return None
    margin, end = line_break(source) + " " * (begin.col - 1), line_end(source.text, source.offset(line - 1, 1))
    edits = [
        Edit(Span(source, parent.start, parent.start), f"{margin.join(head)}{margin}  - "),
        Edit(Span(source, end, line_end(source.text, value.end)), ""),
    ]
    for number in range(begin.line + 1, source.position(parent.end - 1).line + 1):
        start = source.offset(number, 1)
        if number != line and source.line(number).strip():
            edits.append(Edit(Span(source, start, start), "    "))
    return Fix(title, tuple(edits))


def put_before(node: Node, text: str) -> Fix | None:
    """Text in front of a node: a missing key, for example."""
    start = Span(node.source, node.start, node.start)
    return Fix(f"write `{text.strip()}` before it", (Edit(start, text),)) if stands(node) else None


def enclosed(node: Node, before: str, after: str, *, title: str) -> Fix | None:
    """A node of one line with text before and behind it."""
    if not (stands(node) if node.kind == "scalar" else _in_brackets(node)):
        return None
    start, end = Span(node.source, node.start, node.start), Span(node.source, node.end, node.end)
    return Fix(title, (Edit(start, before), Edit(end, after)))


def piped(node: Node, filter: str) -> Fix | None:
    """A text that is one template of one name, with a filter behind the name."""
    value = node.value
    found = re.fullmatch(r"\s*\{\{-?\s*([\w.\[\]]+)\s*-?\}\}\s*", value) if isinstance(value, str) else None
    if found is None:
        return None
    last = span_in(node, found.end(1) - 1, found.end(1))
    return replaced(last, f"{last.text} | {filter}", title=f"add `| {filter}`") if last.text == found[1][-1] else None


def in_a_list(node: Node) -> Fix | None:
    """An item of a list as a list of its own with one item; its further lines move with it."""
    source = node.source
    if _in_brackets(node):
        ends = Span(source, node.start, node.start), Span(source, node.end, node.end)
        return Fix("write a list", (Edit(ends[0], "["), Edit(ends[1], "]")))
    edits = [Edit(Span(source, node.start, node.start), "- ")]
    for number in range(source.position(node.start).line + 1, source.position(node.end).line + 1):
        start = source.offset(number, 1)
        if start < node.end and source.line(number).strip():
            edits.append(Edit(Span(source, start, start), "  "))
    return Fix("write a list", tuple(edits))


def together(parts: Iterable[Fix | None], *, title: str) -> Fix | None:
    """The edits of several fixes as one; None when one of them has no place."""
    found = list(parts)
    edits = [edit for fix in found if fix is not None for edit in fix.edits]
    return None if None in found or not edits else Fix(title, tuple(edits))


def undashed(node: Node, *, title: str) -> Fix | None:
    """An item of a list in block style without its dash, so that it goes on with the item above."""
    source = node.source
    line_start = source.offset(source.position(node.start).line, 1)
    dash = source.text.rfind("-", line_start, node.start)
    return Fix(title, (Edit(Span(source, dash, dash + 1), " "),)) if dash >= 0 else None


def stands(node: Node) -> bool:
    """Whether a scalar is written in the file as its value; one that a dialect made of something else is not."""
    text = node.source.text[content_start(node) : node.end]
    return node.style is not None or plain_value(text.strip()) == node.value or text == node.value
